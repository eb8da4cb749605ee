//! A device tells its keys.

use std::collections::BTreeMap;

use haechi_base::Actor;
use haechi_store::Tx;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::Chat;
use super::{KeysWish, with_zero};
use crate::model::limits::ONE_TIME_KEYS_MAX;
use crate::model::{ChatError, UploadedKey, check_device_keys, check_keys};
use crate::store::keys::one_time;

/// Keys of a device (`POST /keys/upload`).
#[derive(Debug, Default, Deserialize)]
pub(crate) struct KeysUpload {
    #[serde(default)]
    pub(crate) device_keys: Option<Box<RawValue>>,
    #[serde(default)]
    pub(crate) one_time_keys: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    pub(crate) fallback_keys: BTreeMap<String, Box<RawValue>>,
}

impl Chat {
    /// Keeps the keys of the actor's device; returns how many one-time keys it has, by algorithm.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] for another's keys and for a key id that was used for another key,
    /// [`ChatError::BadJson`], [`ChatError::TooLarge`], [`ChatError::Store`].
    pub(crate) async fn upload_keys(
        &self,
        actor: &Actor,
        upload: KeysUpload,
    ) -> Result<BTreeMap<String, u32>, ChatError> {
        if let Some(keys) = &upload.device_keys {
            check_device_keys(keys.get(), &self.user_id(actor.person), &actor.device)?;
        }
        let (one_time, fallback) = (
            check_keys(&upload.one_time_keys)?,
            check_one_an_algorithm(check_keys(&upload.fallback_keys)?)?,
        );
        let counts = self.keep_one_time_keys(actor, one_time, fallback).await?;
        if let Some(keys) = upload.device_keys {
            let wish = KeysWish::Device {
                device_id: actor.device.clone(),
                keys: keys.get().to_owned(),
                now: self.now(),
            };
            self.submit_keys(actor.person, wish).await?;
        }
        Ok(with_zero(counts))
    }

    /// Nobody has to be told of these, so they need no position.
    async fn keep_one_time_keys(
        &self,
        actor: &Actor,
        one_time: Vec<UploadedKey>,
        fallback: Vec<UploadedKey>,
    ) -> Result<BTreeMap<String, u32>, ChatError> {
        let (actor, now, person) = (actor.clone(), self.now(), actor.person);
        let is_write = !one_time.is_empty() || !fallback.is_empty();
        let keep = async move |tx: &mut Tx<'_>| {
            let device_id = actor.device.as_str();
            let kept = one_time::put(tx, actor.person, device_id, &one_time, now).await?;
            if let Some(other) = kept.iter().find(|kept| !one_time.contains(kept)) {
                return Err(ChatError::invalid(format!(
                    "the one-time key {}:{} was uploaded before as another key",
                    other.algorithm, other.id
                )));
            }
            one_time::put_fallback(tx, actor.person, device_id, &fallback).await?;
            let answers = tx.run_all(&[one_time::count(actor.person, device_id)]).await?;
            let counts = one_time::read_counts(&answers.concat())?;
            if counts.values().any(|count| *count > ONE_TIME_KEYS_MAX) {
                return Err(ChatError::TooLarge(format!(
                    "a device has at most {ONE_TIME_KEYS_MAX} one-time keys"
                )));
            }
            Ok(counts)
        };
        if is_write {
            let kept = self.write(keep).await;
            self.0.hub.keys_moved(&[person]);
            kept
        } else {
            self.read(keep).await
        }
    }
}

/// Refuses a second fallback key of one algorithm.
///
/// # Errors
/// [`ChatError::InvalidParameter`].
pub(super) fn check_one_an_algorithm(keys: Vec<UploadedKey>) -> Result<Vec<UploadedKey>, ChatError> {
    let mut algorithms: Vec<&str> = keys.iter().map(|key| key.algorithm.as_str()).collect();
    algorithms.sort_unstable();
    if algorithms.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(ChatError::invalid("a device has one fallback key an algorithm"));
    }
    Ok(keys)
}
