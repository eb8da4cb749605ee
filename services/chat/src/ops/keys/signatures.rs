//! Signatures over keys that are there already: of one's own devices, of one's master key, of another's.

use std::collections::{BTreeMap, HashMap};

use haechi_base::{Actor, PersonId};
use haechi_store::Tx;
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::Chat;
use super::KeysWish;
use super::claim::ByDevice;
use crate::model::limits::SIGNED_KEYS_MAX;
use crate::model::{
    ChatError, CrossSigningKey, CrossSigningKeys, DeviceKeys, Signature, SignedObject, Usage, is_signed_by,
};
use crate::store;

/// Signed objects, by user id and by device id or public key.
pub(crate) type SignedKeys = ByDevice<Box<RawValue>>;

/// Why one of several signed objects was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    errcode: &'static str,
    error: &'static str,
}

const NO_SUCH_KEY: Failure = Failure {
    errcode: "M_NOT_FOUND",
    error: "there is no such key",
};
const OTHER_KEY: Failure = Failure {
    errcode: "M_INVALID_SIGNATURE",
    error: "what was signed is not the key that is kept here",
};
const NOT_SIGNED: Failure = Failure {
    errcode: "M_INVALID_SIGNATURE",
    error: "no signature of it is right, or by a key that may sign it",
};
const NOT_ALLOWED: Failure = Failure {
    errcode: "M_INVALID_SIGNATURE",
    error: "of others one signs only the master key",
};

/// All that is needed to judge signatures.
struct Known {
    signer: PersonId,
    user_id: String,
    own: CrossSigningKeys,
    devices: HashMap<String, String>,
    masters: HashMap<PersonId, CrossSigningKey>,
}

impl Chat {
    /// Keeps signatures of the actor; returns which objects were not taken.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`] and [`ChatError::Store`].
    pub(crate) async fn upload_signatures(
        &self,
        actor: &Actor,
        signed: SignedKeys,
    ) -> Result<ByDevice<Failure>, ChatError> {
        if signed.values().map(BTreeMap::len).sum::<usize>() > SIGNED_KEYS_MAX {
            return Err(ChatError::TooLarge(format!(
                "at most {SIGNED_KEYS_MAX} signed keys are uploaded at once"
            )));
        }
        let owners = signed.keys().filter_map(|user_id| self.person(user_id).ok());
        let known = self.known_keys(actor, owners.collect()).await?;
        let (mut good, mut failures) = (Vec::new(), ByDevice::new());
        for (user_id, objects) in signed {
            for (target, object) in objects {
                let judged = match self.person(&user_id) {
                    Ok(owner) => known.judge(owner, &target, object.get()),
                    Err(_) => Err(NO_SUCH_KEY),
                };
                match judged {
                    Ok(signatures) => good.extend(signatures),
                    Err(failure) => {
                        let of_user: &mut BTreeMap<String, Failure> =
                            failures.entry(user_id.clone()).or_default();
                        of_user.insert(target, failure);
                    }
                }
            }
        }
        if !good.is_empty() {
            self.submit_keys(actor.person, KeysWish::Signatures(good)).await?;
        }
        Ok(failures)
    }

    async fn known_keys(&self, actor: &Actor, mut people: Vec<PersonId>) -> Result<Known, ChatError> {
        let signer = actor.person;
        people.push(signer);
        people.sort_unstable();
        people.dedup();
        let (keys, devices) = self
            .read(async move |tx: &mut Tx<'_>| {
                Ok((
                    store::keys::cross_signing::of_people(tx, &people).await?,
                    store::keys::devices::of_people(tx, &[signer]).await?,
                ))
            })
            .await?;
        let own = keys
            .iter()
            .filter(|(owner, _)| *owner == signer)
            .map(|(_, key)| key.clone())
            .collect();
        Ok(Known {
            signer,
            user_id: self.user_id(signer),
            own: CrossSigningKeys(own),
            devices: devices
                .into_iter()
                .map(|device| (device.device_id, device.keys))
                .collect(),
            masters: keys
                .into_iter()
                .filter(|(_, key)| key.usage == Usage::Master)
                .collect(),
        })
    }
}

impl Known {
    /// The signatures of an object that hold and say something new.
    fn judge(&self, owner: PersonId, target: &str, object: &str) -> Result<Vec<Signature>, Failure> {
        let master = self.masters.get(&owner).filter(|key| key.public_key == target);
        let kept = match (master, self.devices.get(target)) {
            (Some(master), _) => master.text.as_str(),
            (None, Some(device)) if owner == self.signer => device,
            _ if owner == self.signer => return Err(NO_SUCH_KEY),
            _ if self.masters.contains_key(&owner) => return Err(NOT_ALLOWED),
            _ => return Err(NO_SUCH_KEY),
        };
        let signed = SignedObject::read(object).map_err(|_| OTHER_KEY)?;
        if SignedObject::read(kept).ok().as_ref() != Some(&signed) {
            return Err(OTHER_KEY);
        }
        let signatures = signed.signatures().remove(&self.user_id).unwrap_or_default();
        let good: Vec<Signature> = signatures
            .into_iter()
            .filter(|(key_id, signature)| {
                let key = self.signing_key(owner, master.is_some(), key_id);
                key.is_some_and(|key| is_signed_by(kept, signature, &key))
            })
            .map(|(signer_key, signature)| Signature {
                signer: self.signer,
                owner,
                target: target.to_owned(),
                signer_key,
                signature,
            })
            .collect();
        if good.is_empty() {
            Err(NOT_SIGNED)
        } else {
            Ok(good)
        }
    }

    /// The public key of this id, when it may sign such a key.
    fn signing_key(&self, owner: PersonId, is_master: bool, key_id: &str) -> Option<String> {
        let of_usage = |usage| {
            let key = self.own.get(usage)?;
            (key.id() == key_id).then(|| key.public_key.clone())
        };
        if owner != self.signer {
            return of_usage(Usage::UserSigning);
        }
        if !is_master {
            return of_usage(Usage::SelfSigning);
        }
        let device = self.devices.get(key_id.strip_prefix("ed25519:")?)?;
        DeviceKeys::read(device).ok()?.keys.remove(key_id)
    }
}
