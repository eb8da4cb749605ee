//! What a sync tells a device: messages to it, whose keys changed, and how many keys of its own are left.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use haechi_base::{Actor, PersonId};
use haechi_store::{Row, Statement, Tx};
use serde_json::value::RawValue;

use super::super::Chat;
use super::with_zero;
use crate::model::limits::{DEVICE_LISTS_MAX, INBOX_PAGE_MAX};
use crate::model::{ChatError, Membership, PEOPLE, SyncToken, raw_json, stream_of};
use crate::store;
use crate::store::keys::{changes, inbox, one_time};
use crate::store::memberships::FoundMember;

/// Changes that are compared with the person's rooms one by one; of more, the store finds those that concern them.
const CHANGES_COMPARED_MAX: u32 = 500;

/// What is new to a device.
#[derive(Debug, Default)]
pub(crate) struct DeviceNews {
    /// Messages to it, oldest first.
    pub(crate) to_device: Vec<Box<RawValue>>,
    /// The position of the last message told, when more of them wait: the token must not step over those.
    pub(crate) told_until: Option<i64>,
    /// Whether messages are still kept that the token proves to have come.
    pub(crate) has_received: bool,
    /// Whose keys changed, or with whom one now shares a room.
    pub(crate) changed: Vec<String>,
    /// With whom one shares none any more.
    pub(crate) left: Vec<String>,
    /// Unclaimed one-time keys by algorithm.
    pub(crate) one_time_keys: BTreeMap<String, u32>,
    /// Algorithms of which there is an unused fallback key.
    pub(crate) unused_fallbacks: Vec<String>,
}

/// The rooms in which something happened since the token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MovedRooms<'r> {
    /// Those the person is in.
    pub(crate) joined: &'r [FoundMember],
    /// Those they are out of since.
    pub(crate) left: &'r [FoundMember],
}

/// People to be told of.
#[derive(Default)]
struct Lists {
    changed: BTreeSet<PersonId>,
    left: BTreeSet<PersonId>,
}

impl Chat {
    /// What is new to the actor's device between a token and a snapshot. Without a token nobody's keys are named:
    /// such a client asks for all it needs.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn device_news(
        &self,
        tx: &mut Tx<'_>,
        actor: &Actor,
        since: Option<SyncToken>,
        now: SyncToken,
        rooms: MovedRooms<'_>,
    ) -> Result<DeviceNews, ChatError> {
        let (person, device_id) = (actor.person, actor.device.as_str());
        let from = since.map_or(0, |since| since.position(PEOPLE));
        // One round trip for all.
        let mut statements = vec![
            inbox::page(person, device_id, from, now.position(PEOPLE), INBOX_PAGE_MAX + 1),
            inbox::received(person, device_id, from),
        ];
        statements.extend(key_statements(actor, since, now, rooms));
        let answers = tx.run_all(&statements).await?;
        let [page, received, keys @ ..] = answers.as_slice() else {
            return Ok(DeviceNews::default());
        };
        let mut news = self.read_key_news(tx, actor, (since, now), rooms, keys).await?;
        news.has_received = since.is_some() && !received.is_empty();
        news.take_messages(inbox::read(page)?);
        Ok(news)
    }

    /// The same without the messages to the device, for who pages through those apart.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn key_news(
        &self,
        tx: &mut Tx<'_>,
        actor: &Actor,
        since: Option<SyncToken>,
        now: SyncToken,
        rooms: MovedRooms<'_>,
    ) -> Result<DeviceNews, ChatError> {
        let answers = tx.run_all(&key_statements(actor, since, now, rooms)).await?;
        self.read_key_news(tx, actor, (since, now), rooms, &answers).await
    }

    /// Reads the answers to [`key_statements`].
    async fn read_key_news(
        &self,
        tx: &mut Tx<'_>,
        actor: &Actor,
        (since, now): (Option<SyncToken>, SyncToken),
        rooms: MovedRooms<'_>,
        answers: &[Vec<Row>],
    ) -> Result<DeviceNews, ChatError> {
        let [counts, unused, lists @ ..] = answers else {
            return Ok(DeviceNews::default());
        };
        let mut news = DeviceNews {
            one_time_keys: with_zero(one_time::read_counts(counts)?),
            unused_fallbacks: one_time::read_algorithms(unused)?,
            ..DeviceNews::default()
        };
        if let Some(since) = since {
            let to = now.position(PEOPLE);
            let lists = self.lists(tx, actor.person, since, to, rooms, lists).await?;
            let named =
                |people: BTreeSet<PersonId>| people.into_iter().map(|person| self.user_id(person)).collect();
            (news.changed, news.left) = (named(lists.changed), named(lists.left));
        }
        Ok(news)
    }

    /// Whose keys changed between a token and now, and with whom the actor shares no room any more.
    ///
    /// # Errors
    /// [`ChatError::UnknownPosition`] and [`ChatError::Store`].
    pub(crate) async fn key_changes(
        &self,
        actor: &Actor,
        from: &str,
        to: &str,
    ) -> Result<(Vec<String>, Vec<String>), ChatError> {
        let (from, to): (SyncToken, SyncToken) = (from.parse()?, to.parse()?);
        let (chat, person) = (self.clone(), actor.person);
        let lists = self
            .read(async move |tx: &mut Tx<'_>| {
                let now = store::streams::positions(tx, 0).await?;
                let (from, to) = (
                    chat.reached(tx, from, &now).await?,
                    chat.reached(tx, to, &now).await?,
                );
                let (Some(from), Some(_)) = (from, to) else {
                    return Ok(Lists::default());
                };
                let room_ids = store::memberships::rooms_with_news(tx, person, &from).await?;
                let pairs: Vec<_> = room_ids
                    .iter()
                    .map(|room_id| (person, room_id.as_str()))
                    .collect();
                let joined = store::memberships::find(tx, &pairs).await?;
                let left = store::memberships::changed(tx, person, &from).await?;
                let rooms = MovedRooms {
                    joined: &joined,
                    left: &left,
                };
                // Up to now and not up to `to`: of two changes only the later one is kept, and to hear of one more
                // does no harm.
                let until = now.position(PEOPLE);
                let statements = list_statements(person, from, until, rooms);
                let answers = tx.run_all(&statements).await?;
                chat.lists(tx, person, from, until, rooms, &answers).await
            })
            .await?;
        let named = |people: BTreeSet<PersonId>| people.into_iter().map(|person| self.user_id(person));
        Ok((named(lists.changed).collect(), named(lists.left).collect()))
    }

    /// Reads the answers to [`list_statements`], and leaves those out who do not concern the person.
    async fn lists(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
        since: SyncToken,
        to: i64,
        rooms: MovedRooms<'_>,
        answers: &[Vec<Row>],
    ) -> Result<Lists, ChatError> {
        let [changes, signed, of_rooms @ ..] = answers else {
            return Ok(Lists::default());
        };
        let mut changed: HashSet<PersonId> = changes::read_people(changes)?.into_iter().collect();
        let signed = changes::read_people(signed)?;
        let (mut came, mut went) = (HashSet::new(), HashSet::new());
        let (of_joined, of_left) = of_rooms.split_at(rooms.joined.len().min(of_rooms.len()));
        for (room, rows) in rooms.joined.iter().zip(of_joined) {
            let known_until = since.position(stream_of(&room.room_id));
            if is_new(room, since) {
                came.extend(changes::read_people(rows)?);
                continue;
            }
            for (moved, joined_from) in changes::read_moves(rows)? {
                match joined_from {
                    Some(from) if from > known_until => came.insert(moved),
                    Some(_) => false,
                    None => went.insert(moved),
                };
            }
        }
        for rows in of_left {
            went.extend(changes::read_people(rows)?);
        }
        if u32::try_from(changed.len()).unwrap_or(u32::MAX) >= CHANGES_COMPARED_MAX {
            let from = since.position(PEOPLE);
            let found = changes::of_shared(tx, person, from, to, DEVICE_LISTS_MAX).await?;
            changed.extend(found);
        }
        went.remove(&person);
        let mut asked: Vec<PersonId> = changed.iter().chain(&went).copied().collect();
        asked.retain(|asked| *asked != person);
        let sharing = sharing(tx, person, &asked).await?;
        went.retain(|person| !sharing.contains(person));
        changed.retain(|changed| *changed == person || sharing.contains(changed));
        changed.extend(signed);
        changed.extend(came.into_iter().filter(|came| *came != person));
        Ok(Lists {
            changed: changed.into_iter().collect(),
            left: went.into_iter().collect(),
        })
    }
}

/// Whether the person came into the room since.
fn is_new(room: &FoundMember, since: SyncToken) -> bool {
    let from = room.member.joined_from;
    from.is_none_or(|from| from > since.position(stream_of(&room.room_id)))
}

/// How many keys of its own a device has left, and after a token what [`Chat::lists`] reads.
fn key_statements(
    actor: &Actor,
    since: Option<SyncToken>,
    now: SyncToken,
    rooms: MovedRooms<'_>,
) -> Vec<Statement> {
    let (person, device_id) = (actor.person, actor.device.as_str());
    let mut statements = vec![
        one_time::count(person, device_id),
        one_time::unused_fallbacks(person, device_id),
    ];
    if let Some(since) = since {
        statements.extend(list_statements(person, since, now.position(PEOPLE), rooms));
    }
    statements
}

/// What [`Chat::lists`] reads: whose keys changed, whose keys one signed, then who came and went, room by room.
fn list_statements(person: PersonId, since: SyncToken, to: i64, rooms: MovedRooms<'_>) -> Vec<Statement> {
    let from = since.position(PEOPLE);
    let mut statements = vec![
        changes::since(from, to, CHANGES_COMPARED_MAX),
        changes::signed_since(person, from, to, DEVICE_LISTS_MAX),
    ];
    statements.extend(rooms.joined.iter().map(|room| {
        if is_new(room, since) {
            changes::in_room(&room.room_id, DEVICE_LISTS_MAX)
        } else {
            let known_until = since.position(stream_of(&room.room_id));
            changes::came_or_went(&room.room_id, known_until, DEVICE_LISTS_MAX)
        }
    }));
    // Who came after the person had gone they never met; and who was never in met nobody.
    let stays = rooms.left.iter().filter_map(|room| {
        let left_at = room.member.left_at?;
        (room.member.membership != Membership::Invite).then_some((&room.room_id, left_at))
    });
    statements
        .extend(stays.map(|(room_id, left_at)| changes::in_room_by(room_id, left_at, DEVICE_LISTS_MAX)));
    statements
}

/// Who of these people shares a room with the person.
async fn sharing(
    tx: &mut Tx<'_>,
    person: PersonId,
    people: &[PersonId],
) -> Result<HashSet<PersonId>, ChatError> {
    if people.is_empty() {
        return Ok(HashSet::new());
    }
    let own = store::memberships::of_person(tx, person, Membership::Join).await?;
    let own: HashSet<String> = own.into_iter().map(|found| found.room_id).collect();
    Ok(changes::sharing(tx, people, &own).await?)
}

impl DeviceNews {
    /// Takes up a page of messages, which may hold one more than is told.
    fn take_messages(&mut self, mut messages: Vec<inbox::Message>) {
        let told = usize::try_from(INBOX_PAGE_MAX).unwrap_or(usize::MAX);
        if messages.len() > told {
            messages.truncate(told);
            self.told_until = messages.last().map(|message| message.position);
        }
        self.to_device = messages
            .into_iter()
            .map(|message| raw_json(message.message))
            .collect();
    }
}
