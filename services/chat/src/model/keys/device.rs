//! The keys of a device: its identity keys, and those that are handed out to whoever begins to write to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::signed::SignedObject;
use crate::model::ChatError;
use crate::model::limits::{KEY_OBJECT_BYTES_MAX, KEYS_A_UPLOAD_MAX, NAME_BYTES_MAX};

/// The identity keys of a device (`DeviceKeys`).
#[derive(Debug, Clone)]
pub(crate) struct DeviceKeys {
    /// The keys by id: `ed25519:DEVICE`.
    pub(crate) keys: BTreeMap<String, String>,
    /// The whole, as its client signed it.
    pub(crate) object: SignedObject,
}

impl DeviceKeys {
    /// Reads keys that were stored, or are about to be.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`] and [`ChatError::BadJson`].
    pub(crate) fn read(text: &str) -> Result<Self, ChatError> {
        let object = SignedObject::read(text)?;
        let keys = object
            .field("keys")
            .ok_or_else(|| ChatError::bad_json("device keys name their `keys`"))?;
        Ok(Self { keys, object })
    }
}

/// Checks identity keys that a device uploads.
///
/// # Errors
/// [`ChatError::TooLarge`], [`ChatError::BadJson`], and [`ChatError::InvalidParameter`] when they are another's.
pub(crate) fn check_device_keys(text: &str, user_id: &str, device_id: &str) -> Result<(), ChatError> {
    let device = DeviceKeys::read(text)?;
    let is_own = device.object.field::<String>("user_id").as_deref() == Some(user_id)
        && device.object.field::<String>("device_id").as_deref() == Some(device_id);
    if !is_own {
        return Err(ChatError::invalid(
            "the device keys name another person or device than the one who sends them",
        ));
    }
    let suffix = format!(":{device_id}");
    if device.keys.is_empty() || !device.keys.keys().all(|name| name.ends_with(&suffix)) {
        return Err(ChatError::invalid(
            "the ids of device keys are an algorithm, a colon and the device id",
        ));
    }
    if device.object.field::<Vec<String>>("algorithms").is_none() {
        return Err(ChatError::bad_json("device keys name their `algorithms`"));
    }
    Ok(())
}

/// The id of a one-time or fallback key: `signed_curve25519:AAAAHQ`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyName {
    /// The algorithm.
    pub(crate) algorithm: String,
    /// What tells it from others of its algorithm.
    pub(crate) id: String,
}

/// A one-time or fallback key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UploadedKey {
    /// The algorithm.
    pub(crate) algorithm: String,
    /// The id without the algorithm.
    pub(crate) id: String,
    /// The key, as its client signed it.
    pub(crate) key: String,
}

impl std::str::FromStr for KeyName {
    type Err = ChatError;

    fn from_str(text: &str) -> Result<Self, ChatError> {
        let is_short = text.len() <= NAME_BYTES_MAX && !text.contains('\0');
        match text.split_once(':') {
            Some((algorithm, id)) if is_short && !algorithm.is_empty() && !id.is_empty() => Ok(Self {
                algorithm: algorithm.to_owned(),
                id: id.to_owned(),
            }),
            _ => Err(ChatError::invalid(
                "the id of a key is an algorithm, a colon and a name, at most 255 bytes",
            )),
        }
    }
}

/// Checks one-time or fallback keys that a device uploads.
///
/// # Errors
/// [`ChatError::TooLarge`], [`ChatError::BadJson`] and [`ChatError::InvalidParameter`].
pub(crate) fn check_keys(keys: &BTreeMap<String, Box<RawValue>>) -> Result<Vec<UploadedKey>, ChatError> {
    if keys.len() > KEYS_A_UPLOAD_MAX {
        return Err(ChatError::TooLarge(format!(
            "at most {KEYS_A_UPLOAD_MAX} keys are uploaded at once"
        )));
    }
    let checked = keys.iter().map(|(name, key)| {
        let name: KeyName = name.parse()?;
        let text = key.get();
        if text.starts_with('{') {
            SignedObject::read(text)?;
        } else if !text.starts_with('"') || text.len() > KEY_OBJECT_BYTES_MAX {
            return Err(ChatError::bad_json("a key is a string or a signed object"));
        }
        Ok(UploadedKey {
            algorithm: name.algorithm,
            id: name.id,
            key: text.to_owned(),
        })
    });
    checked.collect()
}
