//! One-time keys, each handed out to exactly one who asks.

use std::collections::BTreeMap;

use haechi_store::{Tx, WriteKey};
use serde_json::value::RawValue;

use super::super::Chat;
use super::living_devices;
use crate::model::limits::ADDRESSED_DEVICES_MAX;
use crate::model::{ChatError, UploadedKey, raw_json};
use crate::store::keys::one_time::{self, Claim};

/// What is asked or answered about devices: by user id and device id.
pub(crate) type ByDevice<T> = BTreeMap<String, BTreeMap<String, T>>;

impl Chat {
    /// Hands out a key of each of these devices, by the algorithm that is named: a one-time key, the oldest, while there
    /// is one; else the fallback key. Devices that have neither are left out.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`] and [`ChatError::Store`].
    pub(crate) async fn claim_keys(
        &self,
        wanted: ByDevice<String>,
    ) -> Result<ByDevice<BTreeMap<String, Box<RawValue>>>, ChatError> {
        if wanted.values().map(BTreeMap::len).sum::<usize>() > ADDRESSED_DEVICES_MAX {
            return Err(ChatError::TooLarge(format!(
                "keys of at most {ADDRESSED_DEVICES_MAX} devices are claimed at once"
            )));
        }
        let claims = self.claims_of_living(wanted).await?;
        if claims.is_empty() {
            return Ok(ByDevice::new());
        }
        let (asked, now) = (claims.clone(), self.now());
        // Keyed, so that the answer of a commit whose outcome was not known is the recorded one and no second key.
        let handed_out: Result<Vec<Option<UploadedKey>>, ChatError> = self
            .store()
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let mut keys = one_time::claim(tx, &asked, now).await?;
                let without: Vec<usize> = (0..keys.len()).filter(|place| keys[*place].is_none()).collect();
                let left: Vec<Claim> = without.iter().map(|place| asked[*place].clone()).collect();
                let fallbacks = one_time::use_fallbacks(tx, &left).await?;
                for (place, fallback) in without.into_iter().zip(fallbacks) {
                    keys[place] = fallback;
                }
                Ok::<_, ChatError>(keys)
            })
            .await;
        let people: Vec<_> = claims.iter().map(|claim| claim.person).collect();
        self.0.hub.keys_moved(&people);
        let handed_out = handed_out?;
        let mut answer = ByDevice::new();
        for (claim, key) in claims.into_iter().zip(handed_out) {
            if let Some(key) = key {
                let name = format!("{}:{}", key.algorithm, key.id);
                answer
                    .entry(self.user_id(claim.person))
                    .or_default()
                    .insert(claim.device_id, BTreeMap::from([(name, raw_json(key.key))]));
            }
        }
        Ok(answer)
    }

    /// Nobody can read what is written to a device without a session, so none of its keys is given out.
    async fn claims_of_living(&self, wanted: ByDevice<String>) -> Result<Vec<Claim>, ChatError> {
        let mut claims = Vec::new();
        for (user_id, devices) in wanted {
            if let Ok(person) = self.person(&user_id) {
                claims.extend(devices.into_iter().map(|(device_id, algorithm)| Claim {
                    person,
                    device_id,
                    algorithm,
                }));
            }
        }
        let mut people: Vec<_> = claims.iter().map(|claim| claim.person).collect();
        people.dedup();
        let now = self.now();
        let living = self
            .read(async move |tx: &mut Tx<'_>| living_devices(tx, &people, now).await)
            .await?;
        claims.retain(|claim| {
            let devices = living.get(&claim.person);
            devices.is_some_and(|devices| devices.contains_key(&claim.device_id))
        });
        Ok(claims)
    }
}
