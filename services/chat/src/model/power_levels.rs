//! Power levels of a room (client-server API, `m.room.power_levels`; room version 10 and later: whole numbers only).

use std::collections::BTreeMap;

use haechi_base::PersonId;
use serde::{Deserialize, Serialize};

use super::{ChatError, Content, ids::user_id, limits::INTEGER_MAX};

/// Who may do what, by numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PowerLevels {
    #[serde(default = "fifty")]
    pub(crate) ban: i64,
    #[serde(default)]
    pub(crate) events: BTreeMap<String, i64>,
    #[serde(default)]
    pub(crate) events_default: i64,
    #[serde(default)]
    pub(crate) invite: i64,
    #[serde(default = "fifty")]
    pub(crate) kick: i64,
    #[serde(default)]
    pub(crate) notifications: BTreeMap<String, i64>,
    #[serde(default = "fifty")]
    pub(crate) redact: i64,
    #[serde(default = "fifty")]
    pub(crate) state_default: i64,
    #[serde(default)]
    pub(crate) users: BTreeMap<String, i64>,
    #[serde(default)]
    pub(crate) users_default: i64,
}

const fn fifty() -> i64 {
    50
}

impl Default for PowerLevels {
    /// The levels of a room that says nothing of them.
    fn default() -> Self {
        Self {
            ban: 50,
            events: BTreeMap::new(),
            events_default: 0,
            invite: 0,
            kick: 50,
            notifications: BTreeMap::new(),
            redact: 50,
            state_default: 50,
            users: BTreeMap::new(),
            users_default: 0,
        }
    }
}

impl PowerLevels {
    /// Reads a `m.room.power_levels`.
    ///
    /// # Errors
    /// [`ChatError::BadJson`] for levels that are no whole numbers within 53 bits and users that are no user ids.
    pub(crate) fn read(content: &Content) -> Result<Self, ChatError> {
        let levels: Self = serde_json::from_str(content.as_str())
            .map_err(|error| ChatError::bad_json(format!("these are no power levels: {error}")))?;
        if let Some(level) = levels
            .all()
            .find(|level| !(-INTEGER_MAX..=INTEGER_MAX).contains(level))
        {
            return Err(ChatError::bad_json(format!(
                "the power level {level} is out of range"
            )));
        }
        let no_user = |user: &&String| !(user.starts_with('@') && user.contains(':'));
        if let Some(user) = levels.users.keys().find(no_user) {
            return Err(ChatError::bad_json(format!(
                "{user:?} in the power levels is no user id"
            )));
        }
        Ok(levels)
    }

    /// The level of a person.
    pub(crate) fn of(&self, person: PersonId, server_name: &str) -> i64 {
        if self.users.is_empty() {
            return self.users_default;
        }
        let level = self.users.get(&user_id(person, server_name));
        level.copied().unwrap_or(self.users_default)
    }

    /// The level that sending an event of this type needs.
    pub(crate) fn needed_to_send(&self, kind: &str, is_state: bool) -> i64 {
        let default = if is_state {
            self.state_default
        } else {
            self.events_default
        };
        self.events.get(kind).copied().unwrap_or(default)
    }

    /// Whether a person of level `own`, called `actor`, may turn `self` into `next`: nothing may be moved that
    /// stands above them or would come to stand above them, and nobody but themselves who stands beside them
    /// (room version 11, authorisation rule 9).
    ///
    /// # Errors
    /// [`ChatError::Forbidden`].
    pub(crate) fn may_become(&self, next: &Self, actor: &str, own: i64) -> Result<(), ChatError> {
        let moved = |what: &str, before: Option<i64>, after: Option<i64>| {
            if before == after || (before.unwrap_or(own) <= own && after.unwrap_or(own) <= own) {
                return Ok(());
            }
            Err(ChatError::forbidden(format!(
                "your power level is {own}, too low to change {what} from {before:?} to {after:?}"
            )))
        };
        for (what, before, after) in [
            ("users_default", self.users_default, next.users_default),
            ("events_default", self.events_default, next.events_default),
            ("state_default", self.state_default, next.state_default),
            ("ban", self.ban, next.ban),
            ("redact", self.redact, next.redact),
            ("kick", self.kick, next.kick),
            ("invite", self.invite, next.invite),
        ] {
            moved(what, Some(before), Some(after))?;
        }
        for (before, after) in [
            (&self.events, &next.events),
            (&self.notifications, &next.notifications),
        ] {
            for what in before.keys().chain(after.keys()) {
                moved(what, before.get(what).copied(), after.get(what).copied())?;
            }
        }
        for user in self.users.keys().chain(next.users.keys()) {
            let (before, after) = (self.users.get(user).copied(), next.users.get(user).copied());
            moved(user, before, after)?;
            if before != after && user != actor && before.is_some_and(|before| before >= own) {
                return Err(ChatError::forbidden(format!(
                    "{user} has a power level as high as yours, which you cannot change"
                )));
            }
        }
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = &i64> {
        let single = [
            &self.ban,
            &self.events_default,
            &self.invite,
            &self.kick,
            &self.redact,
            &self.state_default,
            &self.users_default,
        ];
        let listed = self
            .events
            .values()
            .chain(self.notifications.values())
            .chain(self.users.values());
        single.into_iter().chain(listed)
    }
}
