//! Cross-signing keys: by them a person says which devices are theirs, and whom they know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::signed::{SignedObject, canonical, is_signed_by};
use crate::model::ChatError;

/// What a cross-signing key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Usage {
    /// Stands for the person, and signs the other two.
    Master,
    /// Signs the person's own devices.
    SelfSigning,
    /// Signs other people's master keys.
    UserSigning,
}

impl Usage {
    /// The word that stands in the keys and in the store.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::SelfSigning => "self_signing",
            Self::UserSigning => "user_signing",
        }
    }
}

impl std::str::FromStr for Usage {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Master, Self::SelfSigning, Self::UserSigning]
            .into_iter()
            .find(|usage| usage.as_str() == text)
            .ok_or(())
    }
}

/// One cross-signing key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CrossSigningKey {
    /// What it is for.
    pub(crate) usage: Usage,
    /// The key itself, in base64.
    pub(crate) public_key: String,
    /// The whole, as its client signed it.
    pub(crate) text: String,
}

impl CrossSigningKey {
    /// Checks a key that a person uploads.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`], [`ChatError::BadJson`] and [`ChatError::InvalidParameter`].
    pub(crate) fn check(text: &str, user_id: &str, usage: Usage) -> Result<Self, ChatError> {
        let object = SignedObject::read(text)?;
        if object.field::<String>("user_id").as_deref() != Some(user_id) {
            return Err(ChatError::invalid("the key is another person's"));
        }
        let usages: Vec<String> = object.field("usage").unwrap_or_default();
        if !usages.iter().any(|named| named == usage.as_str()) {
            return Err(ChatError::invalid(format!(
                "the key's usage is not {}",
                usage.as_str()
            )));
        }
        let keys: BTreeMap<String, String> = object.field("keys").unwrap_or_default();
        match keys.first_key_value() {
            Some((name, public_key)) if keys.len() == 1 && *name == key_id(public_key) => Ok(Self {
                usage,
                public_key: public_key.clone(),
                text: text.to_owned(),
            }),
            _ => Err(ChatError::invalid(
                "a cross-signing key holds one key, whose id is `ed25519:` and the key in base64",
            )),
        }
    }

    /// The id by which its signatures name it.
    pub(crate) fn id(&self) -> String {
        key_id(&self.public_key)
    }

    /// Whether the other one says the same, whoever signed it.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        self.usage == other.usage && canonical(&self.text) == canonical(&other.text)
    }
}

fn key_id(public_key: &str) -> String {
    format!("ed25519:{public_key}")
}

/// The cross-signing keys of a person, as far as they have any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CrossSigningKeys(pub(crate) Vec<CrossSigningKey>);

impl CrossSigningKeys {
    /// The key for this.
    pub(crate) fn get(&self, usage: Usage) -> Option<&CrossSigningKey> {
        self.0.iter().find(|key| key.usage == usage)
    }

    /// Whether these keys may come without the person being asked who they are (MSC3967): they have none yet, or the
    /// same ones.
    pub(crate) fn admits_unasked(&self, new: &Self) -> bool {
        let is_known = |new: &CrossSigningKey| {
            let known = self.get(new.usage);
            known.is_some_and(|known| known.says_the_same(new))
        };
        self.get(Usage::Master).is_none() || new.0.iter().all(is_known)
    }

    /// Checks that these keys can take their place: the other two are signed by the master key, the new one or the one
    /// that is there.
    ///
    /// # Errors
    /// [`ChatError::InvalidSignature`] and [`ChatError::InvalidParameter`].
    pub(crate) fn refuse_unsigned(&self, new: &Self, user_id: &str) -> Result<(), ChatError> {
        let master = new.get(Usage::Master).or_else(|| self.get(Usage::Master));
        let Some(master) = master else {
            return Err(ChatError::invalid(
                "there is no master key yet; upload it with the others",
            ));
        };
        for key in new.0.iter().filter(|key| key.usage != Usage::Master) {
            let signatures = SignedObject::read(&key.text)?.signatures();
            let signature = signatures
                .get(user_id)
                .and_then(|signatures| signatures.get(&master.id()));
            let is_signed =
                signature.is_some_and(|signature| is_signed_by(&key.text, signature, &master.public_key));
            if !is_signed {
                return Err(ChatError::InvalidSignature(format!(
                    "the {} key is not signed by the master key",
                    key.usage.as_str()
                )));
            }
        }
        Ok(())
    }
}
