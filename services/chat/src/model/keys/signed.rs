//! JSON that clients signed: its values stay as they came, for one changed letter would void a signature.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use haechi_base::PersonId;
use ruma::CanonicalJsonObject;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::model::ChatError;
use crate::model::limits::{KEY_OBJECT_BYTES_MAX, SIGNATURES_MAX};

/// Signatures of one object: by user id, and by the id of the key that signed.
pub(crate) type Signatures = BTreeMap<String, BTreeMap<String, String>>;

/// What is left out of what is signed (appendix, "Signing JSON").
const NOT_SIGNED: [&str; 2] = ["signatures", "unsigned"];

/// A signature that was checked, over a key that is there already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signature {
    /// Who signed.
    pub(crate) signer: PersonId,
    /// Whose key was signed.
    pub(crate) owner: PersonId,
    /// A device id, or the master key in base64.
    pub(crate) target: String,
    /// The id of the key that signed: `ed25519:...`.
    pub(crate) signer_key: String,
    /// The signature in base64.
    pub(crate) signature: String,
}

/// A signed object, its values as text.
#[derive(Debug, Clone)]
pub(crate) struct SignedObject(BTreeMap<String, Box<RawValue>>);

impl SignedObject {
    /// Reads an object that came from a client.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`] and [`ChatError::BadJson`].
    pub(crate) fn read(text: &str) -> Result<Self, ChatError> {
        if text.len() > KEY_OBJECT_BYTES_MAX {
            return Err(ChatError::TooLarge(format!(
                "a key with its signatures has at most {KEY_OBJECT_BYTES_MAX} bytes"
            )));
        }
        let object = serde_json::from_str(text)
            .map(Self)
            .map_err(|error| ChatError::bad_json(format!("the key is refused: {error}")))?;
        if canonical(text).is_none() {
            return Err(ChatError::bad_json("the key cannot be written as canonical JSON"));
        }
        let count: usize = object.signatures().values().map(BTreeMap::len).sum();
        if count > SIGNATURES_MAX {
            return Err(ChatError::TooLarge(format!(
                "a key comes with at most {SIGNATURES_MAX} signatures"
            )));
        }
        Ok(object)
    }

    /// A field, when it is there and of that shape.
    pub(crate) fn field<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    /// Its signatures; none when they are malformed.
    pub(crate) fn signatures(&self) -> Signatures {
        self.field("signatures").unwrap_or_default()
    }

    /// Adds signatures to those it has.
    pub(crate) fn add_signatures(&mut self, more: Signatures) {
        let mut all = self.signatures();
        for (user, signatures) in more {
            all.entry(user).or_default().extend(signatures);
        }
        if !all.is_empty()
            && let Ok(text) = to_raw_value(&all)
        {
            self.0.insert("signatures".to_owned(), text);
        }
    }

    /// Says something about it that nobody signed.
    pub(crate) fn set_unsigned(&mut self, unsigned: &impl Serialize) {
        if let Ok(text) = to_raw_value(unsigned) {
            self.0.insert("unsigned".to_owned(), text);
        }
    }

    /// The object as JSON.
    pub(crate) fn written(&self) -> Box<RawValue> {
        to_raw_value(&self.0).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}

/// Whether an object's signed part bears this signature of this key. Anything malformed does not.
pub(crate) fn is_signed_by(object: &str, signature: &str, public_key: &str) -> bool {
    let decode = |text: &str| STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok();
    let (Some(signed), Some(signature), Some(public_key)) =
        (canonical(object), decode(signature), decode(public_key))
    else {
        return false;
    };
    UnparsedPublicKey::new(&ED25519, public_key)
        .verify(signed.as_bytes(), &signature)
        .is_ok()
}

/// What is signed of an object, as canonical JSON. Of two objects with the same signed part it is the same text.
pub(super) fn canonical(object: &str) -> Option<String> {
    let mut object: CanonicalJsonObject = serde_json::from_str(object).ok()?;
    for name in NOT_SIGNED {
        object.remove(name);
    }
    serde_json::to_string(&object).ok()
}

impl PartialEq for SignedObject {
    /// Whether both say the same, whoever signed them.
    fn eq(&self, other: &Self) -> bool {
        canonical(self.written().get()) == canonical(other.written().get())
    }
}
