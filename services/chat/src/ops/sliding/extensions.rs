//! What a sliding sync tells beside rooms: messages to the device, keys, account data, receipts and typing.

use std::collections::{BTreeMap, HashMap, HashSet};

use haechi_store::Tx;
use serde_json::{Map, Value, json};

use super::super::keys::MovedRooms;
use super::super::sync::account_data_event;
use super::answer::{AccountDataAnswer, EphemeralAnswer, ExtensionsAnswer, InboxAnswer, KeysAnswer};
use super::connections::Followed;
use super::look::{Look, Place};
use super::room::Visit;
use crate::model::{ChatError, InboxWish, Membership, PEOPLE, Scope, SyncToken, inbox_token, stream_of};
use crate::store;
use crate::store::account_data::Entry;
use crate::store::keys::inbox;
use crate::store::memberships::FoundMember;
use crate::store::receipts::Receipt;
use crate::store::sliding::StandingRoom;

/// A room that an extension is about.
struct Subject<'r> {
    room: &'r StandingRoom,
    index: usize,
    /// Whether the client followed it by this extension before.
    is_followed: bool,
    /// The position before the first event of its timeline, when one is told now.
    start: Option<i64>,
}

/// Where the client looks, and what was found there.
type Looked<'v> = (&'v [Place], &'v mut HashMap<usize, Visit>);

impl Look<'_> {
    /// Answers the extensions that are switched on; with the token of the messages that are proved to have come, when
    /// any of them is still kept.
    pub(super) async fn extensions(
        &self,
        tx: &mut Tx<'_>,
        rooms: &[StandingRoom],
        (places, visits): Looked<'_>,
        changed: &[FoundMember],
        entries: Vec<Entry>,
    ) -> Result<(ExtensionsAnswer, Option<SyncToken>), ChatError> {
        let wish = &self.wish.extensions;
        let mut answer = ExtensionsAnswer::default();
        let mut received = None;
        if let Some(inbox) = wish.to_device {
            let (page, done) = self.inbox(tx, inbox).await?;
            (answer.to_device, received) = (Some(page), done);
        }
        if wish.e2ee {
            answer.e2ee = Some(self.keys(tx, rooms, changed).await?);
        }
        let subjects = self.subjects(rooms, places, visits, wish.account_data.as_ref(), |followed| {
            &mut followed.account_data
        });
        if wish.account_data.is_some() {
            answer.account_data = Some(self.account_data_answer(tx, entries, &subjects).await?);
        }
        let subjects = self.subjects(rooms, places, visits, wish.receipts.as_ref(), |followed| {
            &mut followed.receipts
        });
        if wish.receipts.is_some() {
            answer.receipts = Some(self.receipts(tx, &subjects).await?);
        }
        let subjects = self.subjects(rooms, places, visits, wish.typing.as_ref(), |followed| {
            &mut followed.typing
        });
        if wish.typing.is_some() {
            answer.typing = Some(self.typing(&subjects));
        }
        Ok((answer, received))
    }

    /// The rooms that an extension is about, and notes that the client follows them by it from now on, and no others.
    fn subjects<'r>(
        &self,
        rooms: &'r [StandingRoom],
        places: &[Place],
        visits: &mut HashMap<usize, Visit>,
        scope: Option<&Scope>,
        flag: fn(&mut Followed) -> &mut bool,
    ) -> Vec<Subject<'r>> {
        let lists = scope.map_or(0, |scope| scope.mask(&self.wish.lists));
        let mut subjects = Vec::new();
        for place in places {
            let (Some(room), Some(visit)) = (rooms.get(place.index), visits.get_mut(&place.index)) else {
                continue;
            };
            let room_id = room.found.room_id.as_str();
            let is_meant = scope.is_some_and(|scope| {
                place.lists & lists != 0
                    || (place.is_subscribed && scope.has_subscribed(room_id))
                    || scope.names(room_id)
            });
            let is_meant = is_meant && visit.sent.membership == Membership::Join;
            let is_followed = std::mem::replace(flag(&mut visit.sent.followed), is_meant);
            if is_meant {
                subjects.push(Subject {
                    room,
                    index: place.index,
                    is_followed,
                    start: visit.start,
                });
            }
        }
        // In the order of the list, whatever is subscribed to.
        subjects.sort_by_key(|subject| subject.index);
        subjects
    }

    /// Messages to the device. They go by a token of their own, which outlives connections.
    async fn inbox(
        &self,
        tx: &mut Tx<'_>,
        wish: InboxWish,
    ) -> Result<(InboxAnswer, Option<SyncToken>), ChatError> {
        let (person, device) = (self.actor.person, self.actor.device.as_str());
        let to = self.now.position(PEOPLE);
        // A token from ahead is from before the database was set back, and proves nothing; or a standby lags behind.
        let since = wish.since.filter(|since| *since <= to);
        if let (Some(ahead), None, true) = (wish.since, since, self.chat.store().is_degraded()) {
            let answer = InboxAnswer {
                next_batch: inbox_token(ahead),
                events: Vec::new(),
            };
            return Ok((answer, None));
        }
        let from = since.unwrap_or(0);
        let statements = [
            inbox::page(person, device, from, to, wish.limit + 1),
            inbox::received(person, device, from),
        ];
        let answers = tx.run_all(&statements).await?;
        let [page, kept] = answers.as_slice() else {
            return Err(ChatError::UnknownPosition);
        };
        let mut messages = inbox::read(page)?;
        let limit = usize::try_from(wish.limit).unwrap_or(usize::MAX);
        let has_more = messages.len() > limit;
        messages.truncate(limit);
        let last = messages.last().map(|message| message.position);
        let next = last.filter(|_| has_more).unwrap_or(to);
        let received = since.filter(|_| !kept.is_empty());
        let answer = InboxAnswer {
            next_batch: inbox_token(next),
            events: messages
                .into_iter()
                .map(|message| crate::model::raw_json(message.message))
                .collect(),
        };
        let token = |position| self.now.with_position(PEOPLE, position);
        Ok((answer, received.map(token)))
    }

    /// Whose keys changed in any of the person's rooms, and how many keys of the device are left.
    async fn keys(
        &self,
        tx: &mut Tx<'_>,
        rooms: &[StandingRoom],
        changed: &[FoundMember],
    ) -> Result<KeysAnswer, ChatError> {
        let joined: Vec<FoundMember> = match self.since {
            None => Vec::new(),
            Some(_) => rooms
                .iter()
                .filter(|room| room.found.member.membership == Membership::Join)
                .filter(|room| room.position > self.since_of(&room.found.room_id))
                .map(|room| room.found.clone())
                .collect(),
        };
        let moved = MovedRooms {
            joined: &joined,
            left: changed,
        };
        let news = self
            .chat
            .key_news(tx, self.actor, self.since, self.now, moved)
            .await?;
        Ok(KeysAnswer::of(news))
    }

    async fn account_data_answer(
        &self,
        tx: &mut Tx<'_>,
        entries: Vec<Entry>,
        subjects: &[Subject<'_>],
    ) -> Result<AccountDataAnswer, ChatError> {
        let is_first = self.account_data_from() == 0;
        let (general, about_rooms): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| entry.room_id.is_empty());
        // What was deleted is told to who had it.
        let is_told = |entry: &&Entry| !is_first || !entry.content.is_empty();
        let mut global: Vec<_> = general.iter().filter(is_told).map(account_data_event).collect();
        if is_first && !self.preferences.has_rules() {
            global.push(self.chat.push_rules_event(self.actor.person)?);
        }
        let mut rooms = BTreeMap::<String, Vec<_>>::new();
        let followed: HashSet<&str> = subjects
            .iter()
            .filter(|subject| subject.is_followed && !is_first)
            .map(|subject| subject.room.found.room_id.as_str())
            .collect();
        for entry in about_rooms
            .iter()
            .filter(|entry| followed.contains(entry.room_id.as_str()))
        {
            let of_room = rooms.entry(entry.room_id.clone()).or_default();
            of_room.push(account_data_event(entry));
        }
        let fresh: Vec<&str> = subjects
            .iter()
            .map(|subject| subject.room.found.room_id.as_str())
            .filter(|room_id| !followed.contains(room_id))
            .collect();
        if !fresh.is_empty() {
            let all = store::sliding::about_rooms(tx, self.actor.person, &fresh).await?;
            for entry in all.iter().filter(|entry| !entry.content.is_empty()) {
                let of_room = rooms.entry(entry.room_id.clone()).or_default();
                of_room.push(account_data_event(entry));
            }
        }
        Ok(AccountDataAnswer { global, rooms })
    }

    /// New receipts; of rooms that are followed from now on those of the events that are told, and the person's own.
    async fn receipts(
        &self,
        tx: &mut Tx<'_>,
        subjects: &[Subject<'_>],
    ) -> Result<EphemeralAnswer, ChatError> {
        let person = self.actor.person;
        let mut rooms = BTreeMap::new();
        for subject in subjects {
            let room_id = subject.room.found.room_id.as_str();
            let since = self.since_of(room_id);
            let now = self.now.position(stream_of(room_id));
            let receipts = if !subject.is_followed {
                let low = subject.start.unwrap_or(0);
                let mut receipts = store::receipts::of_room(tx, room_id, low, now, person).await?;
                receipts.extend(store::sliding::own_receipts(tx, person, room_id).await?);
                receipts
            } else if subject.room.position > since {
                store::receipts::of_room(tx, room_id, since, now, person).await?
            } else {
                continue;
            };
            if !receipts.is_empty() {
                rooms.insert(room_id.to_owned(), self.receipt_event(receipts));
            }
        }
        Ok(EphemeralAnswer { rooms })
    }

    fn receipt_event(&self, receipts: Vec<Receipt>) -> Value {
        let mut content: BTreeMap<String, BTreeMap<String, Map<String, Value>>> = BTreeMap::new();
        for receipt in receipts {
            let mut told = json!({ "ts": receipt.sent_at.millis() });
            if !receipt.thread.is_empty() {
                told["thread_id"] = receipt.thread.into();
            }
            let of_kind = content
                .entry(receipt.event_id)
                .or_default()
                .entry(receipt.kind)
                .or_default();
            of_kind.insert(self.chat.user_id(receipt.person), told);
        }
        json!({ "type": "m.receipt", "content": content })
    }

    /// Who types where that changed.
    fn typing(&self, subjects: &[Subject<'_>]) -> EphemeralAnswer {
        let typing = &self.chat.0.typing;
        let since = self.since.map(|since| since.typing);
        let changed: Option<HashSet<String>> =
            since.map(|since| typing.rooms_with_news(since).into_iter().collect());
        let mut rooms = BTreeMap::new();
        for subject in subjects {
            let room_id = subject.room.found.room_id.as_str();
            let has_changed = changed.as_ref().is_none_or(|changed| changed.contains(room_id));
            if subject.is_followed && !has_changed {
                continue;
            }
            let Some(people) = typing.news(room_id, since.filter(|_| subject.is_followed)) else {
                continue;
            };
            let users: Vec<String> = people
                .into_iter()
                .filter(|person| !self.preferences.ignored.has(*person))
                .map(|person| self.chat.user_id(person))
                .collect();
            let event = json!({ "type": "m.typing", "content": { "user_ids": users } });
            rooms.insert(room_id.to_owned(), event);
        }
        EphemeralAnswer { rooms }
    }
}
