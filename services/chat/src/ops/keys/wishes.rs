//! What a batch of the people's stream does with keys: all that others have to be told of.

use haechi_base::{PersonId, Time};
use haechi_store::Tx;
use serde::{Deserialize, Serialize};

use super::super::people::Told;
use super::super::profile::of_identity;
use crate::model::{ChatError, CrossSigningKey, CrossSigningKeys, Signature, UploadedKey, Usage};
use crate::store;
use crate::store::keys::devices::Dehydrated;

/// What is asked for the keys of a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeysRequest {
    pub(crate) person: PersonId,
    /// The rooms they are in, whose members are woken.
    pub(crate) room_ids: Vec<String>,
    pub(crate) wish: KeysWish,
}

/// What is to be done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum KeysWish {
    /// Tell that something about a device changed which is not kept here: its name.
    Changed,
    /// Keep the identity keys of a device.
    Device {
        device_id: String,
        keys: String,
        now: Time,
    },
    /// Keep cross-signing keys.
    CrossSigning {
        keys: Vec<CrossSigningKey>,
        /// Whether the person said who they are once more.
        is_confirmed: bool,
    },
    /// Keep signatures that were checked.
    Signatures(Vec<Signature>),
    /// Forget the devices that have no session any more.
    ForgetEnded { now: Time },
    /// Keep a dehydrated device in the place of the one before.
    Dehydrate(Box<Dehydration>),
    /// Forget the dehydrated device.
    Revive { device_id: String },
}

/// A dehydrated device with its keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Dehydration {
    pub(crate) device_id: String,
    pub(crate) display_name: Option<String>,
    pub(crate) device_data: String,
    pub(crate) keys: String,
    pub(crate) one_time_keys: Vec<UploadedKey>,
    pub(crate) fallback_keys: Vec<UploadedKey>,
    pub(crate) now: Time,
}

/// Does it, and notes who is to be told; what is refused is refused before anything is written.
pub(in crate::ops) async fn keep_keys(
    tx: &mut Tx<'_>,
    request: &KeysRequest,
    position: i64,
    told: &mut Told,
) -> Result<(), ChatError> {
    let person = request.person;
    let has_changed = match &request.wish {
        KeysWish::Changed => true,
        KeysWish::Device { device_id, keys, now } => {
            store::keys::devices::put(tx, person, device_id, keys, *now).await?
        }
        KeysWish::CrossSigning { keys, is_confirmed } => {
            keep_cross_signing(tx, person, keys, *is_confirmed).await?
        }
        KeysWish::Signatures(signatures) => keep_signatures(tx, person, signatures, position, told).await?,
        KeysWish::ForgetEnded { now } => forget_ended(tx, person, *now).await?,
        KeysWish::Dehydrate(device) => dehydrate(tx, person, device).await?,
        KeysWish::Revive { device_id } => {
            store::keys::devices::forget_dehydrated(tx, person, device_id).await?;
            store::keys::devices::forget(tx, person, &[device_id]).await?;
            true
        }
    };
    if has_changed {
        told.changes.insert(person, position);
        told.people.insert(person);
        told.room_ids.extend(request.room_ids.iter().cloned());
    }
    Ok(())
}

async fn keep_cross_signing(
    tx: &mut Tx<'_>,
    person: PersonId,
    keys: &[CrossSigningKey],
    is_confirmed: bool,
) -> Result<bool, ChatError> {
    let present = store::keys::cross_signing::of_people(tx, &[person]).await?;
    let present = CrossSigningKeys(present.into_iter().map(|(_, key)| key).collect());
    let new = CrossSigningKeys(keys.to_vec());
    if !is_confirmed && !present.admits_unasked(&new) {
        return Err(ChatError::ConfirmationNeeded);
    }
    let is_new = |key: &&CrossSigningKey| present.get(key.usage) != Some(*key);
    let changed: Vec<CrossSigningKey> = keys.iter().filter(is_new).cloned().collect();
    if changed.is_empty() {
        return Ok(false);
    }
    let master = |keys: &CrossSigningKeys| keys.get(Usage::Master).map(|key| key.public_key.clone());
    if master(&new).is_some_and(|master_key| Some(master_key) != master(&present)) {
        // What the keys before signed says nothing any more.
        store::keys::cross_signing::forget_own_signatures(tx, person).await?;
    }
    store::keys::cross_signing::put(tx, person, &changed).await?;
    Ok(true)
}

/// Signatures of one's own keys are told like other changes of them; what one signs of others only one's own devices
/// hear of.
async fn keep_signatures(
    tx: &mut Tx<'_>,
    person: PersonId,
    signatures: &[Signature],
    position: i64,
    told: &mut Told,
) -> Result<bool, ChatError> {
    store::keys::cross_signing::put_signatures(tx, signatures).await?;
    let mut has_own = false;
    for signature in signatures {
        if signature.owner == person {
            has_own = true;
        } else {
            told.signed.insert((person, signature.owner), position);
            told.people.insert(person);
        }
    }
    Ok(has_own)
}

/// Forgets the devices of a person that have no session any more. Looked up here and not before, so that a device that
/// has signed in anew meanwhile keeps its keys.
async fn forget_ended(tx: &mut Tx<'_>, person: PersonId, now: Time) -> Result<bool, ChatError> {
    let living = super::living_devices(tx, &[person], now).await?;
    let living = living.get(&person);
    let known = store::keys::devices::ids_of(tx, person).await?;
    let ended: Vec<&str> = known
        .iter()
        .map(String::as_str)
        .filter(|device_id| !living.is_some_and(|living| living.contains_key(*device_id)))
        .collect();
    store::keys::devices::forget(tx, person, &ended).await?;
    store::keys::devices::look_at(tx, person, now).await?;
    Ok(!ended.is_empty())
}

async fn dehydrate(tx: &mut Tx<'_>, person: PersonId, device: &Dehydration) -> Result<bool, ChatError> {
    let sessions = haechi_identity::ops::sessions_of_people(tx, &[person], device.now)
        .await
        .map_err(of_identity)?;
    if sessions
        .iter()
        .any(|session| session.device_id.as_str() == device.device_id)
    {
        return Err(ChatError::invalid(
            "a dehydrated device needs an id of its own; one with this id is signed in",
        ));
    }
    let before = store::keys::devices::dehydrated_of(tx, &[person]).await?;
    let gone: Vec<&str> = before
        .iter()
        .map(|device| device.device_id.as_str())
        .chain([device.device_id.as_str()])
        .collect();
    store::keys::devices::forget(tx, person, &gone).await?;
    let kept = Dehydrated {
        person,
        device_id: device.device_id.clone(),
        display_name: device.display_name.clone(),
        device_data: device.device_data.clone(),
    };
    store::keys::devices::put_dehydrated(tx, &kept).await?;
    let (device_id, now) = (device.device_id.as_str(), device.now);
    store::keys::devices::put(tx, person, device_id, &device.keys, now).await?;
    store::keys::one_time::put(tx, person, device_id, &device.one_time_keys, now).await?;
    store::keys::one_time::put_fallback(tx, person, device_id, &device.fallback_keys).await?;
    Ok(true)
}
