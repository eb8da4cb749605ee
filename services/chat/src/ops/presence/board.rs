//! Who is here, and who has yet to be told: in the memory of this node. It may be lost, and then all are away.

use std::collections::HashMap;
use std::time::Duration;

use haechi_base::{PersonId, Time};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// How long somebody is here after their last sync began: one sync waits for 30 s at the most.
const HERE: Duration = Duration::from_secs(75);

/// How long what another node told is believed; it tells again before that.
const BELIEVED: Duration = Duration::from_secs(600);

/// After how long a node tells the others again.
const TOLD_AGAIN: Duration = Duration::from_secs(240);

/// How long somebody counts as active after they did something.
const ACTIVE: Duration = Duration::from_secs(300);

/// How long people who are away are remembered, with when they were here last.
const REMEMBERED: Duration = Duration::from_secs(3_600);

/// How long news of somebody waits for who is to be told.
const MAIL_KEPT: Duration = Duration::from_secs(300);

/// Of how many people news waits for one.
const MAIL_MAX: usize = 500;

/// Devices of one person that are told apart.
const DEVICES_MAX: usize = 16;

/// Whether somebody is here (client-server API, "Presence"). The later ones outdo the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PresenceState {
    /// Not here.
    Offline,
    /// Here, and doing something else.
    Unavailable,
    /// Here.
    Online,
}

impl PresenceState {
    /// The word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Unavailable => "unavailable",
            Self::Online => "online",
        }
    }
}

/// What is told of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Presence {
    pub(crate) state: PresenceState,
    pub(crate) status: Option<String>,
    /// When they last did something; `None` when nobody knows.
    pub(crate) active_at: Option<Time>,
}

impl Presence {
    /// Of somebody nobody has heard of.
    pub(crate) const fn unknown() -> Self {
        Self {
            state: PresenceState::Offline,
            status: None,
            active_at: None,
        }
    }

    /// Whether they did something just now.
    pub(crate) fn is_active(&self, now: Time) -> bool {
        self.state == PresenceState::Online && self.active_at.is_some_and(|at| now.since(at) < ACTIVE)
    }
}

/// A device, or another node, by which somebody is here.
struct Seen {
    state: PresenceState,
    until: Time,
}

struct Person {
    /// By the device; another node has no name.
    seen: HashMap<String, Seen>,
    status: Option<String>,
    active_at: Time,
    /// What was told last, and when to the other nodes.
    told: PresenceState,
    told_at: Time,
}

impl Person {
    fn state(&self, now: Time) -> PresenceState {
        let here = self.seen.values().filter(|seen| seen.until > now);
        here.map(|seen| seen.state)
            .max()
            .unwrap_or(PresenceState::Offline)
    }

    fn presence(&self, now: Time) -> Presence {
        Presence {
            state: self.state(now),
            status: self.status.clone(),
            active_at: Some(self.active_at),
        }
    }
}

/// What came of a change: who is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nobody.
    Nobody,
    /// The other nodes, which would forget it otherwise.
    Nodes,
    /// Everybody.
    All,
}

/// The presence of all people this node knows of.
#[derive(Default)]
pub(crate) struct Board {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    people: HashMap<PersonId, Person>,
    /// For whom news of whom waits, each with its serial.
    mail: HashMap<PersonId, HashMap<PersonId, i64>>,
}

impl Board {
    /// Somebody is here by a device, or has left it.
    pub(crate) fn touch(&self, person: PersonId, device: &str, state: PresenceState, now: Time) -> Told {
        let mut board = self.state.lock();
        let known = board.people.entry(person).or_insert_with(|| Person::begin(now));
        known.set(device, state, now + HERE, now);
        if state == PresenceState::Online {
            known.active_at = now;
        }
        let state = known.state(now);
        if known.told != state {
            (known.told, known.told_at) = (state, now);
            Told::All
        } else if state != PresenceState::Offline && now.since(known.told_at) >= TOLD_AGAIN {
            known.told_at = now;
            Told::Nodes
        } else {
            Told::Nobody
        }
    }

    /// Somebody says what they are doing.
    pub(crate) fn set_status(&self, person: PersonId, status: Option<String>, now: Time) {
        let mut board = self.state.lock();
        let known = board.people.entry(person).or_insert_with(|| Person::begin(now));
        known.status = status;
        known.active_at = now;
    }

    /// Takes up what another node told.
    pub(crate) fn hear(&self, person: PersonId, presence: &Presence, now: Time) -> Told {
        let mut board = self.state.lock();
        let known = board.people.entry(person).or_insert_with(|| Person::begin(now));
        known.set("", presence.state, now + BELIEVED, now);
        let is_other = known.status != presence.status;
        known.status.clone_from(&presence.status);
        known.active_at = presence
            .active_at
            .map_or(known.active_at, |at| at.max(known.active_at));
        let state = known.state(now);
        if known.told == state && !is_other {
            return Told::Nobody;
        }
        known.told = state;
        Told::All
    }

    /// What is known of somebody.
    pub(crate) fn presence(&self, person: PersonId, now: Time) -> Presence {
        let board = self.state.lock();
        board
            .people
            .get(&person)
            .map_or_else(Presence::unknown, |known| known.presence(now))
    }

    /// Finds who is here no longer, and forgets who has not been for long. Returns those whose presence changed, with
    /// whether the other nodes are to be told by this one.
    pub(crate) fn sweep(&self, now: Time) -> Vec<(PersonId, bool)> {
        let mut board = self.state.lock();
        let mut changed = Vec::new();
        for (person, known) in &mut board.people {
            let was_here = known.seen.keys().any(|device| !device.is_empty());
            known.seen.retain(|_, seen| seen.until > now);
            let state = known.state(now);
            if known.told != state {
                (known.told, known.told_at) = (state, now);
                changed.push((*person, was_here));
            }
        }
        board
            .people
            .retain(|_, known| !known.seen.is_empty() || now.since(known.active_at) < REMEMBERED);
        let oldest = (now - MAIL_KEPT).micros();
        board.mail.retain(|_, mail| {
            mail.retain(|_, serial| *serial > oldest);
            !mail.is_empty()
        });
        changed
    }

    /// Leaves news of somebody for others. The serial is drawn here, so that who sees it drawn finds the news as well.
    pub(crate) fn post(&self, who: PersonId, to: &[PersonId], draw: impl FnOnce() -> i64) {
        let mut board = self.state.lock();
        let serial = draw();
        for person in to {
            let mail = board.mail.entry(*person).or_default();
            if mail.len() < MAIL_MAX || mail.contains_key(&who) {
                mail.insert(who, serial);
            }
        }
    }

    /// Of whom there is news for somebody since a serial.
    pub(crate) fn news(&self, person: PersonId, since: i64) -> Vec<PersonId> {
        let board = self.state.lock();
        let Some(mail) = board.mail.get(&person) else {
            return Vec::new();
        };
        let new = mail.iter().filter(|(_, serial)| **serial > since);
        new.map(|(who, _)| *who).collect()
    }

    /// Which of these people are here.
    pub(crate) fn here(&self, people: &[PersonId], now: Time) -> Vec<PersonId> {
        let board = self.state.lock();
        let is_here = |person: &&PersonId| {
            let known = board.people.get(person);
            known.is_some_and(|known| known.state(now) != PresenceState::Offline)
        };
        people.iter().filter(is_here).copied().collect()
    }

    /// Whether anybody but this person is known of.
    pub(crate) fn has_others(&self, person: PersonId) -> bool {
        let board = self.state.lock();
        board.people.len() > usize::from(board.people.contains_key(&person))
    }
}

impl Person {
    fn begin(now: Time) -> Self {
        Self {
            seen: HashMap::new(),
            status: None,
            active_at: now,
            told: PresenceState::Offline,
            told_at: now,
        }
    }

    fn set(&mut self, device: &str, state: PresenceState, until: Time, now: Time) {
        if state == PresenceState::Offline {
            self.seen.remove(device);
            return;
        }
        self.seen.retain(|_, seen| seen.until > now);
        if self.seen.len() < DEVICES_MAX || self.seen.contains_key(device) {
            self.seen.insert(device.to_owned(), Seen { state, until });
        }
    }
}

#[cfg(test)]
mod tests {
    use haechi_base::uuid::Uuid;

    use super::*;

    fn person(number: u128) -> PersonId {
        PersonId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn somebody_is_here_by_the_best_of_their_devices_until_none_is_seen() {
        let (board, minji) = (Board::default(), person(1));
        let start = Time::from_micros(0);
        assert_eq!(
            board.touch(minji, "phone", PresenceState::Unavailable, start),
            Told::All
        );
        assert_eq!(
            board.touch(minji, "desk", PresenceState::Online, start),
            Told::All
        );
        assert_eq!(
            board.touch(minji, "phone", PresenceState::Unavailable, start),
            Told::Nobody
        );
        let later = start + Duration::from_secs(60);
        board.touch(minji, "phone", PresenceState::Unavailable, later);
        let later = later + Duration::from_secs(30);
        assert_eq!(board.sweep(later), [(minji, true)]);
        assert_eq!(board.presence(minji, later).state, PresenceState::Unavailable);
        let later = later + HERE;
        assert_eq!(board.sweep(later), [(minji, true)]);
        assert_eq!(board.presence(minji, later).state, PresenceState::Offline);
        board.sweep(later + REMEMBERED);
        assert_eq!(board.presence(minji, later), Presence::unknown());
    }

    #[test]
    fn news_waits_for_who_is_to_be_told_and_is_told_once_a_serial() {
        let (board, minji, joon) = (Board::default(), person(1), person(2));
        board.post(minji, &[joon], || 7);
        assert_eq!(board.news(joon, 6), [minji]);
        assert!(board.news(joon, 7).is_empty() && board.news(minji, 0).is_empty());
        board.post(minji, &[joon], || 8);
        assert_eq!(board.news(joon, 7), [minji]);
    }
}
