//! What belongs to people and not to rooms: account data, the keys of their devices, messages between devices. All of it
//! draws its positions from one stream, in one batch at a time, so that a sync steps over nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use haechi_base::{PersonId, Time};
use haechi_cluster::OwnedBatcher;
use haechi_service::Cluster;
use haechi_store::{BatchLimits, Store, StoreError, Tx};
use serde::{Deserialize, Serialize};

use super::account_data::{self, AccountData};
use super::hub::{Hub, News};
use super::keys::{KeysRequest, keep_keys};
use crate::model::{ChatError, PEOPLE};
use crate::store;

/// What is asked on behalf of a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum PersonalWish {
    /// Keep an entry of account data.
    AccountData(AccountData),
    /// Keep or forget keys, and tell who has to know.
    Keys(Box<KeysRequest>),
    /// Put messages into inboxes.
    ToDevice(Sending),
}

/// Messages to devices, sent by one request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sending {
    /// What makes the request the same request when it is repeated.
    pub(crate) request: String,
    pub(crate) now: Time,
    /// Whose device, which, and the message; each device once.
    pub(crate) messages: Vec<(PersonId, String, String)>,
}

pub(crate) type Answer = Result<(), ChatError>;

pub(super) type PeopleBatcher = OwnedBatcher<PersonalWish, Answer>;

/// Whom a batch concerns, gathered while it is written.
#[derive(Default)]
pub(super) struct Told {
    /// Whose keys changed.
    pub(super) changes: BTreeMap<PersonId, i64>,
    /// Who signed whose key.
    pub(super) signed: BTreeMap<(PersonId, PersonId), i64>,
    /// Rooms whose members are to hear of it.
    pub(super) room_ids: BTreeSet<String>,
    pub(super) people: BTreeSet<PersonId>,
}

pub(super) fn start(cluster: &Cluster, store: &Store, hub: &Arc<Hub>) -> PeopleBatcher {
    let (store, hub) = (store.clone(), Arc::clone(hub));
    OwnedBatcher::start(
        cluster,
        // Not the name it had while it took account data alone: during an update both programs make their own batches.
        "chat.personal",
        BatchLimits::default(),
        move |wishes: Vec<PersonalWish>| {
            let (store, hub) = (store.clone(), Arc::clone(&hub));
            async move {
                let count = wishes.len();
                let outcome = store
                    .write_unkeyed(async move |tx: &mut Tx<'_>| run(tx, &wishes, &hub).await)
                    .await;
                outcome.unwrap_or_else(|error: StoreError| vec![Err(ChatError::Store(error)); count])
            }
        },
    )
}

/// Does what is wished, each wish at its own position; one that is refused leaves nothing and hinders no other.
pub(super) async fn run(
    tx: &mut Tx<'_>,
    wishes: &[PersonalWish],
    hub: &Arc<Hub>,
) -> Result<Vec<Answer>, StoreError> {
    let first = store::streams::draw(tx, PEOPLE, wishes.len()).await?;
    let mut told = Told::default();
    let (mut entries, mut sendings) = (Vec::new(), Vec::new());
    let mut answers = Vec::with_capacity(wishes.len());
    for (position, wish) in (first..).zip(wishes) {
        let answer = match wish {
            PersonalWish::AccountData(entry) => {
                entries.push((position, entry));
                told.people.insert(entry.person);
                Ok(())
            }
            PersonalWish::ToDevice(sending) => {
                sendings.push((position, sending));
                Ok(())
            }
            PersonalWish::Keys(request) => match keep_keys(tx, request, position, &mut told).await {
                Err(ChatError::Store(error)) => return Err(error),
                answer => answer,
            },
        };
        answers.push(answer);
    }
    account_data::put(tx, &entries).await?;
    put_messages(tx, &sendings, &mut told).await?;
    let changes: Vec<_> = told.changes.into_iter().collect();
    store::keys::changes::put(tx, &changes).await?;
    let signed: Vec<_> = told
        .signed
        .into_iter()
        .map(|((signer, person), position)| (signer, person, position))
        .collect();
    store::keys::changes::put_signed(tx, &signed).await?;
    let news = News {
        stream: PEOPLE,
        first_position: first,
        positions: wishes.len(),
        room_ids: told.room_ids.into_iter().collect(),
        memberships: Vec::new(),
        people: told.people.into_iter().collect(),
        plain: None,
    };
    let hub = Arc::clone(hub);
    tx.after_commit(move || hub.announce(news));
    Ok(answers)
}

/// Puts messages into inboxes; what a request sent before is not sent again.
async fn put_messages(
    tx: &mut Tx<'_>,
    sendings: &[(i64, &Sending)],
    told: &mut Told,
) -> Result<(), StoreError> {
    let mut seen = HashSet::new();
    let first_ones: Vec<&(i64, &Sending)> = sendings
        .iter()
        .filter(|(_, sending)| seen.insert(sending.request.as_str()))
        .collect();
    let requests: Vec<(&str, Time)> = first_ones
        .iter()
        .map(|(_, sending)| (sending.request.as_str(), sending.now))
        .collect();
    let repeated = store::keys::inbox::claim(tx, &requests).await?;
    let mut rows = Vec::new();
    for (position, sending) in first_ones {
        if repeated.contains(&sending.request) {
            continue;
        }
        for (person, device_id, message) in &sending.messages {
            rows.push((*person, device_id.as_str(), *position, message.as_str()));
            told.people.insert(*person);
        }
    }
    store::keys::inbox::put(tx, &rows).await
}
