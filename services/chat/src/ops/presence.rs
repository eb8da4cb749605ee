//! Who is here (client-server API, "Presence"): told to those who share a room and wait for news, by hints among the
//! nodes, and kept nowhere.

mod board;

use std::time::Duration;

use haechi_base::{Actor, PersonId};
use haechi_store::Tx;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::Chat;
use crate::model::limits::STATUS_BYTES_MAX;
use crate::model::{ChatError, Ignored, Membership, SyncFilter, raw_json};
use crate::store;

use board::{Board, Told};
pub(crate) use board::{Presence, PresenceState};

/// The topic of [`Hint`] among the nodes.
const PRESENCE: &str = "chat.presence";

/// How often it is looked who is here no longer.
const SWEEP: Duration = Duration::from_secs(10);

/// Rooms of a person in which others are told.
const ROOMS_TOLD_MAX: usize = 200;

/// People who wait in one room and are told; in a larger one nobody is.
const PEOPLE_TOLD_MAX: usize = 100;

/// People among whom a first sync looks who is here.
const PEOPLE_MET_MAX: u32 = 500;

/// What a node tells of somebody.
#[derive(Debug, Serialize, Deserialize)]
struct Hint {
    person: PersonId,
    presence: Presence,
    /// The serial of typing and presence on that node.
    serial: i64,
}

/// Who is here, if that is told at all.
pub(super) struct PresenceRoom {
    board: Board,
    is_off: bool,
}

impl PresenceRoom {
    pub(super) fn new(is_off: bool) -> Self {
        Self {
            board: Board::default(),
            is_off,
        }
    }
}

impl Chat {
    fn tells_presence(&self) -> bool {
        !self.0.presence.is_off
    }

    /// Notes that the actor is here by their device, or is not to be.
    pub(crate) fn note_presence(&self, actor: &Actor, state: PresenceState) {
        if !self.tells_presence() {
            return;
        }
        let told = self
            .0
            .presence
            .board
            .touch(actor.person, &actor.device, state, self.now());
        self.tell_presence(actor.person, told, true);
    }

    /// Sets what the actor says of themselves.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`].
    pub(crate) fn set_presence(
        &self,
        actor: &Actor,
        state: PresenceState,
        status: Option<String>,
    ) -> Result<(), ChatError> {
        if status
            .as_ref()
            .is_some_and(|status| status.len() > STATUS_BYTES_MAX)
        {
            return Err(ChatError::TooLarge(format!(
                "a status has at most {STATUS_BYTES_MAX} bytes"
            )));
        }
        if self.tells_presence() {
            let board = &self.0.presence.board;
            board.set_status(actor.person, status, self.now());
            board.touch(actor.person, &actor.device, state, self.now());
            self.tell_presence(actor.person, Told::All, true);
        }
        Ok(())
    }

    /// Whether somebody is here, as the actor may know who shares a room with them.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] and [`ChatError::Store`].
    pub(crate) async fn presence(&self, actor: &Actor, person: PersonId) -> Result<Presence, ChatError> {
        let own = actor.person;
        let may = own == person
            || self
                .read(async move |tx: &mut Tx<'_>| Ok(store::memberships::have_met(tx, own, person).await?))
                .await?;
        if !may {
            return Err(ChatError::forbidden("you share no room with this person"));
        }
        if !self.tells_presence() {
            return Ok(Presence::unknown());
        }
        Ok(self.0.presence.board.presence(person, self.now()))
    }

    /// Tells who is to be told: the other nodes when it happened here, and those who wait on this one.
    fn tell_presence(&self, person: PersonId, told: Told, happened_here: bool) {
        if told == Told::Nobody {
            return;
        }
        if happened_here && self.0.context.cluster.has_others() {
            let hint = Hint {
                person,
                presence: self.0.presence.board.presence(person, self.now()),
                serial: self.0.typing.serial(),
            };
            self.0.context.cluster.publish(PRESENCE, &hint);
        }
        if told == Told::All {
            let chat = self.clone();
            tokio::spawn(async move {
                if let Err(error) = chat.tell_who_waits(person).await {
                    tracing::debug!(%error, "nobody is told who is here");
                }
            });
        }
    }

    async fn tell_who_waits(&self, person: PersonId) -> Result<(), ChatError> {
        if !self.0.hub.has_others(person) {
            return Ok(());
        }
        let rooms = self
            .read(async move |tx: &mut Tx<'_>| {
                Ok(store::memberships::of_person(tx, person, Membership::Join).await?)
            })
            .await?;
        let rooms = rooms
            .iter()
            .take(ROOMS_TOLD_MAX)
            .map(|found| found.room_id.as_str());
        let mut people = self.0.hub.listeners(rooms, PEOPLE_TOLD_MAX);
        people.retain(|listener| *listener != person);
        if !people.is_empty() {
            let (board, typing) = (&self.0.presence.board, &self.0.typing);
            board.post(person, &people, || typing.draw(self.now()));
            self.0.hub.wake_people(&people);
        }
        Ok(())
    }

    /// Whether any presence is new to a person since a serial.
    pub(super) fn has_presence_news(&self, person: PersonId, since: i64) -> bool {
        self.tells_presence() && !self.0.presence.board.news(person, since).is_empty()
    }

    /// The presence that is new to a person since a serial; for a first sync, of those who are here.
    pub(super) async fn presence_news(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
        since: Option<i64>,
        (filter, ignored): (&SyncFilter, &Ignored),
    ) -> Result<Vec<Box<RawValue>>, ChatError> {
        let board = &self.0.presence.board;
        if !self.tells_presence() {
            return Ok(Vec::new());
        }
        let now = self.now();
        let people = match since {
            Some(since) => board.news(person, since),
            None if board.has_others(person) => {
                let met = store::memberships::people_met(tx, person, PEOPLE_MET_MAX).await?;
                board.here(&met, now)
            }
            None => Vec::new(),
        };
        let mut events = Vec::new();
        for other in people {
            let user = self.user_id(other);
            if filter.wants_presence_of(&user) && !ignored.has(other) {
                let content = self.told_presence(&board.presence(other, now));
                let event = json!({ "type": "m.presence", "sender": user, "content": content });
                events.push(raw_json(event.to_string()));
            }
        }
        Ok(events)
    }

    /// A presence as clients read it.
    pub(crate) fn told_presence(&self, presence: &Presence) -> serde_json::Value {
        let now = self.now();
        let mut told = json!({
            "presence": presence.state.as_str(),
            "currently_active": presence.is_active(now),
        });
        if let Some(at) = presence.active_at {
            let ago = now.since(at).as_millis();
            told["last_active_ago"] = u64::try_from(ago).unwrap_or(u64::MAX).into();
        }
        if let Some(status) = &presence.status {
            told["status_msg"] = status.as_str().into();
        }
        told
    }

    /// Hears from other nodes who is here, and looks who is no longer.
    pub(super) fn listen_for_presence(&self) {
        let chat = self.clone();
        self.0.context.cluster.subscribe(PRESENCE, move |hint: Hint| {
            if chat.tells_presence() {
                chat.0.typing.reach(hint.serial, chat.now());
                let told = chat
                    .0
                    .presence
                    .board
                    .hear(hint.person, &hint.presence, chat.now());
                chat.tell_presence(hint.person, told, false);
            }
        });
        let chat = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = chat.0.context.shutdown.cancelled() => return,
                    () = tokio::time::sleep(SWEEP) => chat.sweep_presence(),
                }
            }
        });
    }

    /// Tells of those who are here no longer.
    pub(crate) fn sweep_presence(&self) {
        for (person, happened_here) in self.0.presence.board.sweep(self.now()) {
            self.tell_presence(person, Told::All, happened_here);
        }
    }
}
