//! The keys of people's devices, as others are told of them.

use std::collections::{BTreeMap, BTreeSet};

use haechi_base::{Actor, PersonId, Time};
use haechi_store::Tx;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::Chat;
use super::living_devices;
use crate::model::limits::QUERIED_PEOPLE_MAX;
use crate::model::{ChatError, Signature, Signatures, SignedObject, Usage};
use crate::store;

/// Keys by user id (`POST /keys/query`).
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct KeysPage {
    /// By user id and device id.
    pub(crate) device_keys: BTreeMap<String, BTreeMap<String, Box<RawValue>>>,
    pub(crate) master_keys: BTreeMap<String, Box<RawValue>>,
    pub(crate) self_signing_keys: BTreeMap<String, Box<RawValue>>,
    /// The asker's own alone.
    pub(crate) user_signing_keys: BTreeMap<String, Box<RawValue>>,
    /// Servers that could not be asked: all others, for this one speaks to none.
    pub(crate) failures: BTreeMap<String, Value>,
}

/// The people who are asked about, with the devices that are wanted of each; none for all.
type Asked = BTreeMap<PersonId, BTreeSet<String>>;

impl Chat {
    /// The keys of these people's devices; an empty list of devices stands for all.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`] and [`ChatError::Store`].
    pub(crate) async fn query_keys(
        &self,
        actor: &Actor,
        wanted: BTreeMap<String, Vec<String>>,
    ) -> Result<KeysPage, ChatError> {
        if wanted.len() > QUERIED_PEOPLE_MAX {
            return Err(ChatError::TooLarge(format!(
                "the keys of at most {QUERIED_PEOPLE_MAX} people are told at once"
            )));
        }
        let (mut page, mut asked) = (KeysPage::default(), Asked::new());
        for (user_id, device_ids) in wanted {
            match (self.person(&user_id), user_id.split_once(':')) {
                (Ok(person), _) => {
                    page.device_keys.insert(user_id, BTreeMap::new());
                    asked.insert(person, device_ids.into_iter().collect());
                }
                (Err(_), Some((_, server))) if server != self.server_name() => {
                    page.failures.insert(server.to_owned(), json!({}));
                }
                // Nobody of that name can be here.
                (Err(_), _) => {}
            }
        }
        let (chat, asker, now) = (self.clone(), actor.person, self.now());
        let (page, ended) = self
            .read(async move |tx: &mut Tx<'_>| {
                let mut page = page.clone();
                let ended = chat.read_keys(tx, asker, &asked, now, &mut page).await?;
                Ok((page, ended))
            })
            .await?;
        for person in ended {
            self.forget_ended_soon(person);
        }
        Ok(page)
    }

    /// Puts the keys of these people into the page; returns who of them has devices without a session.
    async fn read_keys(
        &self,
        tx: &mut Tx<'_>,
        asker: PersonId,
        asked: &Asked,
        now: Time,
        page: &mut KeysPage,
    ) -> Result<BTreeSet<PersonId>, ChatError> {
        let people: Vec<PersonId> = asked.keys().copied().collect();
        // What people signed of their own all may see, what one signed of others only oneself.
        let mut pairs: Vec<_> = people.iter().map(|person| (*person, *person)).collect();
        let of_asker = people.iter().filter(|person| **person != asker);
        pairs.extend(of_asker.map(|person| (asker, *person)));
        let signatures = store::keys::cross_signing::signatures(tx, &pairs).await?;
        let living = living_devices(tx, &people, now).await?;
        let mut ended = BTreeSet::new();
        for device in store::keys::devices::of_people(tx, &people).await? {
            let names = living.get(&device.person);
            let Some(name) = names.and_then(|names| names.get(&device.device_id)) else {
                ended.insert(device.person);
                continue;
            };
            let is_wanted = asked
                .get(&device.person)
                .is_some_and(|wanted| wanted.is_empty() || wanted.contains(&device.device_id));
            let Ok(mut keys) = SignedObject::read(&device.keys) else {
                continue;
            };
            if is_wanted {
                keys.add_signatures(self.signatures_over(&signatures, device.person, &device.device_id));
                keys.set_unsigned(&json!({ "device_display_name": name }));
                let of_person = page.device_keys.entry(self.user_id(device.person)).or_default();
                of_person.insert(device.device_id, keys.written());
            }
        }
        for (person, key) in store::keys::cross_signing::of_people(tx, &people).await? {
            let keys = match key.usage {
                Usage::Master => &mut page.master_keys,
                Usage::SelfSigning => &mut page.self_signing_keys,
                Usage::UserSigning if person == asker => &mut page.user_signing_keys,
                Usage::UserSigning => continue,
            };
            if let Ok(mut signed) = SignedObject::read(&key.text) {
                signed.add_signatures(self.signatures_over(&signatures, person, &key.public_key));
                keys.insert(self.user_id(person), signed.written());
            }
        }
        Ok(ended)
    }

    /// The signatures over one key, as they are written into it.
    fn signatures_over(&self, all: &[Signature], owner: PersonId, target: &str) -> Signatures {
        let mut over = Signatures::new();
        let of_target = all
            .iter()
            .filter(|signature| signature.owner == owner && signature.target == target);
        for signature in of_target {
            over.entry(self.user_id(signature.signer))
                .or_default()
                .insert(signature.signer_key.clone(), signature.signature.clone());
        }
        over
    }
}
