//! Syncs that are answered from memory: those of who waits, when nothing but messages is new to them.
//!
//! What the hub does not know without a gap it does not say, and then the store is read as ever. What a sync reads there
//! the hub keeps in mind for the next one.

use haechi_base::Actor;

use super::super::Chat;
use super::super::hub::{DeviceKeys, Memory, Question, Recalled};
use super::super::unread::{Count, small};
use super::SyncWish;
use super::answer::{Events, JoinedRoom, Summary, SyncAnswer, Timeline, Unread};
use crate::model::{Place, SyncToken};

impl Chat {
    /// What is new to the actor, when memory says so.
    pub(super) fn recall(&self, actor: &Actor, since: SyncToken, wish: &SyncWish) -> Option<SyncAnswer> {
        let now = self.now();
        self.0.typing.reach(since.typing, now);
        let serial = self.0.typing.serial();
        let typed_in = self.0.typing.rooms_with_news(since.typing);
        if !typed_in.is_empty() && self.0.hub.is_in_any(actor.person, &typed_in) {
            return None;
        }
        if self.has_presence_news(actor.person, since.typing) {
            return None;
        }
        let recalled = self.0.hub.recall(&Question {
            person: actor.person,
            device: &actor.device,
            since,
            serial,
            limit: usize::try_from(wish.filter.timeline().limit()).ok()?,
            now,
        })?;
        Some(self.told_from_memory(actor, wish, recalled))
    }

    fn told_from_memory(&self, actor: &Actor, wish: &SyncWish, recalled: Recalled) -> SyncAnswer {
        let mut answer = SyncAnswer::new(recalled.reached);
        answer.take_keys(&recalled.keys);
        let reader = self.reader(actor.person, &actor.device);
        for room in recalled.rooms {
            let start = room.messages.first().map_or(0, |first| first.event.position - 1);
            let messages = room.messages.iter();
            let timeline = Timeline {
                events: messages
                    .map(|message| message.event.for_client(reader, false))
                    .collect(),
                limited: room.limited,
                prev_batch: Place(start).to_string(),
            };
            // Where only messages are new no state is, and nobody's receipt.
            let (state, state_after) = match wish.state_after {
                true => (None, Some(Events::default())),
                false => (Some(Events::default()), None),
            };
            let told = JoinedRoom {
                summary: Summary::default(),
                timeline,
                state,
                state_after,
                account_data: Events::default(),
                ephemeral: Events::default(),
                unread_notifications: Unread::of(Count {
                    messages: small(room.unread.messages),
                    mentions: room.unread.mentions,
                }),
                unread_thread_notifications: std::collections::BTreeMap::new(),
                kept_in_mind: None,
            };
            answer.rooms.join.insert(room.room_id.as_ref().to_owned(), told);
        }
        answer
    }

    /// Has the hub keep what was read from the store for this sync, unless something happened since `turn`.
    pub(super) fn keep_in_mind(&self, actor: &Actor, answer: &SyncAnswer, turn: Option<u64>) {
        let Some(turn) = turn.filter(|_| answer.is_memorable) else {
            return;
        };
        let rooms = answer.rooms.join.iter().filter_map(|(room_id, room)| {
            let (joined_from, unread) = room.kept_in_mind?;
            Some((room_id.clone(), joined_from, unread))
        });
        let memory = Memory {
            person: actor.person,
            device: &actor.device,
            now: answer.reached,
            read_at: self.now(),
            keys: answer.keys(),
            rooms: rooms.collect(),
        };
        self.0.hub.remember(memory, turn);
    }
}

impl SyncAnswer {
    fn take_keys(&mut self, keys: &DeviceKeys) {
        self.device_one_time_keys_count.clone_from(&keys.one_time_keys);
        self.device_unused_fallback_key_types
            .clone_from(&keys.unused_fallbacks);
    }

    fn keys(&self) -> DeviceKeys {
        DeviceKeys {
            one_time_keys: self.device_one_time_keys_count.clone(),
            unused_fallbacks: self.device_unused_fallback_key_types.clone(),
        }
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "for a test, which ends with it")]
impl Chat {
    /// What a sync that waits is told from memory, when it is, and what the store says at the same moment.
    pub(crate) async fn sync_both_ways(
        &self,
        actor: &Actor,
        since: &str,
        filter: crate::model::SyncFilter,
    ) -> (Option<serde_json::Value>, serde_json::Value) {
        let since: SyncToken = since.parse().expect("a token");
        let wish = SyncWish {
            filter,
            ..SyncWish::default()
        };
        let (_news, is_stranger) = self.0.hub.listen(actor.person, self.now());
        if is_stranger {
            self.introduce(actor).await.expect("the rooms of a person");
        }
        let recalled = self.recall(actor, since, &wish);
        let told = self.look_up(actor, Some(since), &wish).await.expect("a sync");
        if told.has_received {
            self.forget_received(actor, since);
        }
        let json = |answer: &SyncAnswer| serde_json::to_value(answer).expect("JSON");
        (recalled.as_ref().map(json), json(&told))
    }
}
