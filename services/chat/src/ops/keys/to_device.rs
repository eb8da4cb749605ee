//! Messages from device to device: kept until the receiver's next sync token proves that they came.

use std::collections::{BTreeMap, HashMap};

use haechi_base::{Actor, PersonId};
use haechi_store::Tx;
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::Chat;
use super::super::people::{PersonalWish, Sending};
use super::{LivingDevices, living_devices};
use crate::model::limits::{
    ADDRESSED_DEVICES_MAX, INBOX_MESSAGES_MAX, NAME_BYTES_MAX, SENT_TO_DEVICE_BYTES_MAX,
};
use crate::model::{ChatError, Content, SyncToken, request_id};
use crate::store;

/// Which of a person's devices a message is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ToDeviceTarget {
    All,
    One(String),
}

/// A message as its receiver reads it.
#[derive(Serialize)]
struct Message<'m> {
    content: &'m RawValue,
    sender: &'m str,
    #[serde(rename = "type")]
    kind: &'m str,
}

/// How many messages wait for each device.
type Waiting = HashMap<(PersonId, String), i64>;

impl Chat {
    /// Sends messages to devices; the same request again sends nothing. Who is not there, or whose inbox is full, is
    /// passed over.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`], [`ChatError::BadJson`], [`ChatError::TooLarge`], [`ChatError::Store`].
    pub(crate) async fn send_to_devices(
        &self,
        actor: &Actor,
        kind: &str,
        transaction_id: &str,
        messages: BTreeMap<String, BTreeMap<ToDeviceTarget, Box<RawValue>>>,
    ) -> Result<(), ChatError> {
        let is_name = |name: &str| name.len() <= NAME_BYTES_MAX && !name.contains('\0');
        if !is_name(kind) || !is_name(transaction_id) {
            return Err(ChatError::invalid(format!(
                "a type and a transaction id have at most {NAME_BYTES_MAX} bytes"
            )));
        }
        if messages.values().map(BTreeMap::len).sum::<usize>() > ADDRESSED_DEVICES_MAX {
            return Err(ChatError::TooLarge(format!(
                "messages go to at most {ADDRESSED_DEVICES_MAX} devices at once"
            )));
        }
        let sender = self.user_id(actor.person);
        let mut written = Vec::new();
        for (user_id, contents) in messages {
            let Ok(person) = self.person(&user_id) else {
                continue;
            };
            for (target, content) in contents {
                Content::check(content.get())?;
                let message = Message {
                    content: &content,
                    sender: &sender,
                    kind,
                };
                written.push((person, target, Content::of(&message)));
            }
        }
        let (living, waiting) = self.receivers(&written).await?;
        let messages = addressed(&written, &living, &waiting);
        if messages.iter().map(|(.., message)| message.len()).sum::<usize>() > SENT_TO_DEVICE_BYTES_MAX {
            return Err(ChatError::TooLarge(format!(
                "one request sends at most {SENT_TO_DEVICE_BYTES_MAX} bytes to devices"
            )));
        }
        let sending = Sending {
            request: request_id(actor.person, &actor.device, kind, transaction_id),
            now: self.now(),
            messages,
        };
        self.0.people.submit(PersonalWish::ToDevice(sending)).await?
    }

    async fn receivers(
        &self,
        written: &[(PersonId, ToDeviceTarget, Content)],
    ) -> Result<(LivingDevices, Waiting), ChatError> {
        let mut people: Vec<PersonId> = written.iter().map(|(person, ..)| *person).collect();
        people.sort_unstable();
        people.dedup();
        let now = self.now();
        self.read(async move |tx: &mut Tx<'_>| {
            let living = living_devices(tx, &people, now).await?;
            Ok((living, store::keys::inbox::count(tx, &people).await?))
        })
        .await
    }

    /// Forgets, beside a sync, the messages that its token proves to have come. Should that be lost, the next sync does
    /// it.
    pub(in crate::ops) fn forget_received(&self, actor: &Actor, since: SyncToken) {
        let (chat, actor) = (self.clone(), actor.clone());
        tokio::spawn(async move {
            let to = since.position(crate::model::PEOPLE);
            let forgotten = chat
                .write(async move |tx: &mut Tx<'_>| {
                    Ok(store::keys::inbox::forget(tx, actor.person, &actor.device, to).await?)
                })
                .await;
            if let Err(error) = forgotten {
                tracing::debug!(%error, "messages that a device has are kept a little longer");
            }
        });
    }
}

/// The messages by device, each device once: what names it goes before what is for all. The inbox of a device that is
/// full takes no more.
fn addressed(
    written: &[(PersonId, ToDeviceTarget, Content)],
    living: &LivingDevices,
    waiting: &Waiting,
) -> Vec<(PersonId, String, String)> {
    let mut by_device: BTreeMap<(PersonId, &str), &Content> = BTreeMap::new();
    for (person, target, message) in written {
        let devices = living.get(person).into_iter().flat_map(BTreeMap::keys);
        for device_id in devices {
            match target {
                ToDeviceTarget::All => {
                    by_device.entry((*person, device_id)).or_insert(message);
                }
                ToDeviceTarget::One(named) if named == device_id => {
                    by_device.insert((*person, device_id), message);
                }
                ToDeviceTarget::One(_) => {}
            }
        }
    }
    let has_room = |person: PersonId, device_id: &str| {
        let waiting = waiting.get(&(person, device_id.to_owned()));
        waiting.is_none_or(|waiting| *waiting < INBOX_MESSAGES_MAX)
    };
    by_device
        .into_iter()
        .filter(|((person, device_id), _)| has_room(*person, device_id))
        .map(|((person, device_id), message)| (person, device_id.to_owned(), message.as_str().to_owned()))
        .collect()
}
