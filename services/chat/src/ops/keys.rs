//! End-to-end encryption, as far as the server has a part in it: it keeps what devices say of their keys, hands it to
//! others, and carries messages from device to device. It can read none of them.

mod backups;
mod claim;
mod cross_signing;
mod dehydrated;
mod devices;
mod forget;
mod news;
mod query;
mod signatures;
mod to_device;
mod upload;
mod wishes;

use std::collections::{BTreeMap, HashMap};

use haechi_base::{Actor, PersonId, Time};
use haechi_store::Tx;

use super::Chat;
use super::people::PersonalWish;
use super::profile::of_identity;
use crate::model::ChatError;
use crate::store;

pub(crate) use crate::store::keys::backups::Chosen;
pub(crate) use backups::{BackupInfo, BackupKeys, ChangedBackup};
pub(crate) use dehydrated::{DehydratedDevice, FoundDehydrated, InboxPage};
pub(crate) use news::{DeviceNews, MovedRooms};
pub(crate) use query::KeysPage;
pub(crate) use to_device::ToDeviceTarget;
pub(crate) use upload::KeysUpload;
pub(super) use wishes::{KeysRequest, keep_keys};

use wishes::KeysWish;

/// The algorithm whose count clients want to hear of even when it is 0.
const SIGNED_ONE_TIME_KEY: &str = "signed_curve25519";

/// The devices of people that others may write to, with the names their owners gave them.
type LivingDevices = HashMap<PersonId, BTreeMap<String, Option<String>>>;

/// The devices of these people that have a living session, and their dehydrated ones.
async fn living_devices(tx: &mut Tx<'_>, people: &[PersonId], now: Time) -> Result<LivingDevices, ChatError> {
    let sessions = haechi_identity::ops::sessions_of_people(tx, people, now)
        .await
        .map_err(of_identity)?;
    let mut living = LivingDevices::new();
    for session in sessions {
        let device_id = session.device_id.as_str().to_owned();
        let name = session.device_name.as_str().to_owned();
        living
            .entry(session.person)
            .or_default()
            .insert(device_id, Some(name));
    }
    for device in store::keys::devices::dehydrated_of(tx, people).await? {
        living
            .entry(device.person)
            .or_default()
            .insert(device.device_id, device.display_name);
    }
    Ok(living)
}

/// Clients want to hear of the one algorithm they use even when nothing is left of it.
fn with_zero(mut counts: BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    counts.entry(SIGNED_ONE_TIME_KEY.to_owned()).or_default();
    counts
}

impl Chat {
    /// Has keys kept or forgotten in the next batch, and those told who share a room with the person.
    async fn submit_keys(&self, person: PersonId, wish: KeysWish) -> Result<(), ChatError> {
        // Only for waking who waits: what they are told their own sync finds in the store.
        let room_ids = self
            .read(async move |tx: &mut Tx<'_>| {
                Ok(store::memberships::of_person(tx, person, crate::model::Membership::Join).await?)
            })
            .await?
            .into_iter()
            .map(|found| found.room_id)
            .collect();
        let request = KeysRequest {
            person,
            room_ids,
            wish,
        };
        self.0
            .people
            .submit(PersonalWish::Keys(Box::new(request)))
            .await?
    }

    /// Tells others that something about the actor's devices is new.
    async fn tell_devices(&self, actor: &Actor) -> Result<(), ChatError> {
        self.submit_keys(actor.person, KeysWish::Changed).await
    }
}
