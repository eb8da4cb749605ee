//! What is new to a person (client-server API, "Syncing"): a snapshot, and when there is nothing, a wait.

mod answer;
mod left;
mod recall;
mod receipts;
mod room;

use std::time::Duration;

use haechi_base::Actor;
use haechi_store::Tx;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::Chat;
use super::keys::MovedRooms;
use super::unread::Preferences;
use crate::model::limits::SYNC_WAIT_MAX;
use crate::model::{ChatError, Membership, PUSH_RULES, PushRules, SyncFilter, SyncToken, raw_json};
use crate::store;
use crate::store::account_data::Entry;
use crate::store::memberships::FoundMember;

pub(crate) use answer::SyncAnswer;
use answer::{Events, InvitedRoom, KnockedRoom};
pub(super) use room::INVITE_STATE;
use room::RoomReader;

/// What a client asks of a sync.
#[derive(Debug, Clone, Default)]
pub(crate) struct SyncWish {
    /// Up to where it knows everything; `None` for a first sync.
    pub(crate) since: Option<String>,
    /// How long to wait when there is nothing new.
    pub(crate) wait: Duration,
    /// Whether all state is wanted, new or not.
    pub(crate) full_state: bool,
    /// Whether the state is wanted as it is after the timeline, not before.
    pub(crate) state_after: bool,
    pub(crate) filter: SyncFilter,
}

impl Chat {
    /// What is new to the actor since their token.
    ///
    /// # Errors
    /// [`ChatError::UnknownPosition`] for a foreign token, and [`ChatError::Store`].
    pub(crate) async fn sync(&self, actor: &Actor, wish: SyncWish) -> Result<SyncAnswer, ChatError> {
        let since: Option<SyncToken> = wish.since.as_deref().map(str::parse).transpose()?;
        let may_wait = since.is_some() && !wish.full_state;
        let end_of_wait = tokio::time::sleep(wish.wait.min(SYNC_WAIT_MAX));
        tokio::pin!(end_of_wait);
        let (mut is_first_look, mut has_rested) = (true, false);
        // Who does not wait is told what is in the store: what this node was not told of is found there alone.
        let recalling = since.filter(|_| may_wait && !wish.wait.is_zero() && wish.filter.is_plain());
        loop {
            // Noted before the store is read, so that what comes in between wakes the wait below.
            let (mut news, is_stranger) = self.0.hub.listen(actor.person, self.now());
            if is_stranger {
                Box::pin(self.introduce(actor)).await?;
            }
            let mut by_others = self.0.hub.pulse.follow();
            let recalled = recalling.and_then(|since| self.recall(actor, since, &wish));
            let is_recalled = recalled.is_some();
            let answer = match recalled {
                Some(answer) => answer,
                // In a box: who waits below is not to carry its size.
                None => Box::pin(self.look_up(actor, since, &wish)).await?,
            };
            if let Some(since) = since.filter(|_| is_first_look && answer.has_received) {
                self.forget_received(actor, since);
            }
            is_first_look &= is_recalled;
            if is_recalled && !answer.is_empty() {
                if !has_rested {
                    has_rested = true;
                    let rest = self.0.hub.rest(actor.person);
                    if !rest.is_zero() {
                        // What is said meanwhile goes into the same answer.
                        tokio::time::sleep(rest.min(wish.wait)).await;
                        continue;
                    }
                }
                self.0.hub.note_answer(actor.person);
            }
            if !may_wait || !answer.is_empty() || wish.wait.is_zero() {
                return Ok(answer);
            }
            // A token from ahead is not woken by what it names: nobody may ever come so far.
            let further = since.map_or(answer.reached, |since| answer.reached.at_least(&since));
            tokio::select! {
                _ = news.changed() => self.0.hub.note_woken(actor.person),
                () = come_further(&mut by_others, further) => {}
                () = &mut end_of_wait => return Ok(answer),
                () = self.0.context.shutdown.cancelled() => return Ok(answer),
            }
        }
    }

    /// Looks into the store, and has the hub keep in mind what is there.
    async fn look_up(
        &self,
        actor: &Actor,
        since: Option<SyncToken>,
        wish: &SyncWish,
    ) -> Result<SyncAnswer, ChatError> {
        let turn = self.0.hub.turn(actor.person);
        let answer = self.snapshot(actor, since, wish).await?;
        // Rooms that were entered through another node are known to nobody here until now.
        let rooms = answer.rooms.join.keys().map(String::as_str);
        self.0.hub.learn_rooms(actor.person, rooms);
        self.keep_in_mind(actor, &answer, turn);
        Ok(answer)
    }

    /// Tells the hub which rooms a person is in.
    pub(super) async fn introduce(&self, actor: &Actor) -> Result<(), ChatError> {
        let rooms = self.joined_rooms(actor).await?;
        self.0
            .hub
            .learn_rooms(actor.person, rooms.iter().map(String::as_str));
        Ok(())
    }

    async fn snapshot(
        &self,
        actor: &Actor,
        since: Option<SyncToken>,
        wish: &SyncWish,
    ) -> Result<SyncAnswer, ChatError> {
        if let Some(since) = since {
            self.0.typing.reach(since.typing, self.now());
        }
        let (chat, actor, wish) = (self.clone(), actor.clone(), wish.clone());
        self.read(async move |tx: &mut Tx<'_>| {
            let now = store::streams::positions(tx, chat.0.typing.serial()).await?;
            let since = match since {
                None => None,
                Some(since) => match chat.reached(tx, since, &now).await? {
                    None => return Ok(SyncAnswer::new(since)),
                    reached => reached,
                },
            };
            let mut answer = SyncAnswer::new(now);
            let mut reader = RoomReader {
                chat: &chat,
                actor: &actor,
                wish: &wish,
                since,
                now,
                preferences: Preferences::default(),
                fields: wish.filter.fields(),
            };
            let entries = chat.account_data_news(tx, &mut reader, &mut answer).await?;
            let joined = chat.joined_news(tx, &reader, &entries, &mut answer).await?;
            let left = chat.other_news(tx, &reader, &mut answer).await?;
            let serial = since.map(|since| since.typing);
            answer.presence.events = chat
                .presence_news(
                    tx,
                    actor.person,
                    serial,
                    (&wish.filter, &reader.preferences.ignored),
                )
                .await?;
            let rooms = MovedRooms {
                joined: &joined,
                left: &left,
            };
            let news = chat.device_news(tx, &actor, since, now, rooms).await?;
            answer.is_memorable = since.is_some()
                && !wish.full_state
                && reader.preferences.ignored.is_empty()
                && !tx.may_lag()
                && !chat.store().is_degraded();
            answer.take_devices(news);
            Ok(answer)
        })
        .await
    }

    /// Account data: the general part goes into the answer, that about rooms is returned, and the reader learns of the
    /// person's push rules and of whom they ignore.
    async fn account_data_news(
        &self,
        tx: &mut Tx<'_>,
        reader: &mut RoomReader<'_>,
        answer: &mut SyncAnswer,
    ) -> Result<Vec<Entry>, ChatError> {
        let people = crate::model::PEOPLE;
        let from = reader.since.map_or(0, |since| since.position(people));
        let mut entries =
            store::account_data::since(tx, reader.actor.person, from, reader.now.position(people)).await?;
        reader.preferences = Preferences::of(&entries);
        // A first sync tells nothing of what was deleted.
        entries
            .retain(|entry| entry.position > from && (reader.since.is_some() || !entry.content.is_empty()));
        let (general, about_rooms): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| entry.room_id.is_empty());
        let wanted = general
            .iter()
            .filter(|entry| reader.wish.filter.wants_account_data(&entry.kind));
        let mut events: Vec<Box<RawValue>> = wanted.map(account_data_event).collect();
        if reader.since.is_none()
            && !reader.preferences.has_rules()
            && reader.wish.filter.wants_account_data(PUSH_RULES)
        {
            events.push(self.push_rules_event(reader.actor.person)?);
        }
        answer.account_data = Events { events };
        Ok(about_rooms)
    }

    /// Rooms the person is in; returns those where something happened since their token, wanted or not.
    async fn joined_news(
        &self,
        tx: &mut Tx<'_>,
        reader: &RoomReader<'_>,
        entries: &[Entry],
        answer: &mut SyncAnswer,
    ) -> Result<Vec<FoundMember>, ChatError> {
        let person = reader.actor.person;
        let mut rooms: Vec<FoundMember> = match reader.since {
            None => store::memberships::of_person(tx, person, Membership::Join).await?,
            Some(_) if reader.wish.full_state => {
                store::memberships::of_person(tx, person, Membership::Join).await?
            }
            Some(since) => {
                let mut room_ids = store::memberships::rooms_with_news(tx, person, &since).await?;
                room_ids.extend(entries.iter().map(|entry| entry.room_id.clone()));
                room_ids.extend(self.0.typing.rooms_with_news(since.typing));
                room_ids.sort_unstable();
                room_ids.dedup();
                let pairs: Vec<_> = room_ids
                    .iter()
                    .map(|room_id| (person, room_id.as_str()))
                    .collect();
                store::memberships::find(tx, &pairs).await?
            }
        };
        rooms.retain(|found| found.member.membership == Membership::Join);
        let moved = match reader.since {
            Some(_) => rooms.clone(),
            None => Vec::new(),
        };
        rooms.retain(|found| reader.wish.filter.wants_room(&found.room_id));
        for found in rooms {
            let room = reader.joined(tx, &found, entries).await?;
            if reader.since.is_none() || reader.wish.full_state || !room.is_empty() {
                answer.rooms.join.insert(found.room_id, room);
            }
        }
        Ok(moved)
    }

    /// Invitations, knocks, and rooms the person is out of; returns those that are new, wanted or not.
    async fn other_news(
        &self,
        tx: &mut Tx<'_>,
        reader: &RoomReader<'_>,
        answer: &mut SyncAnswer,
    ) -> Result<Vec<FoundMember>, ChatError> {
        let person = reader.actor.person;
        let mut changed = match reader.since {
            Some(since) => store::memberships::changed(tx, person, &since).await?,
            None => {
                let mut found = store::memberships::of_person(tx, person, Membership::Invite).await?;
                found.extend(store::memberships::of_person(tx, person, Membership::Knock).await?);
                if reader.wish.filter.wants_left_rooms() {
                    found.extend(store::memberships::of_person(tx, person, Membership::Leave).await?);
                    found.extend(store::memberships::of_person(tx, person, Membership::Ban).await?);
                }
                found
            }
        };
        let moved = changed.clone();
        changed.retain(|found| reader.wish.filter.wants_room(&found.room_id));
        for found in changed {
            if found.member.membership == Membership::Invite {
                if reader.is_ignored_invitation(tx, &found).await? {
                    continue;
                }
                let invite_state = Events {
                    events: reader.invite_state(tx, &found).await?,
                };
                answer
                    .rooms
                    .invite
                    .insert(found.room_id, InvitedRoom { invite_state });
            } else if found.member.membership == Membership::Knock {
                let knock_state = Events {
                    events: reader.invite_state(tx, &found).await?,
                };
                answer
                    .rooms
                    .knock
                    .insert(found.room_id, KnockedRoom { knock_state });
            } else {
                let room = reader.left(tx, &found).await?;
                answer.rooms.leave.insert(found.room_id, room);
            }
        }
        Ok(moved)
    }

    /// The push rules of who has kept none.
    pub(super) fn push_rules_event(&self, person: haechi_base::PersonId) -> Result<Box<RawValue>, ChatError> {
        let rules = PushRules::of(&self.user_id(person), None).to_content()?;
        Ok(raw_json(format!(
            "{{\"type\":\"{PUSH_RULES}\",\"content\":{}}}",
            rules.as_str()
        )))
    }
}

/// Waits until others have brought a stream further than this.
pub(super) async fn come_further(by_others: &mut watch::Receiver<SyncToken>, reached: SyncToken) {
    if by_others
        .wait_for(|reach| reach.is_ahead_of(&reached))
        .await
        .is_err()
    {
        // The hub is gone: no more news from there.
        std::future::pending::<()>().await;
    }
}

pub(super) fn account_data_event(entry: &Entry) -> Box<RawValue> {
    let kind = serde_json::Value::from(entry.kind.as_str());
    // What was deleted is told as empty (MSC3391).
    let content = Some(entry.content.as_str()).filter(|content| !content.is_empty());
    raw_json(format!(
        "{{\"type\":{kind},\"content\":{}}}",
        content.unwrap_or("{}")
    ))
}
