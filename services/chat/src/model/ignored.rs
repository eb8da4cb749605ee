//! Whom somebody does not want to hear of (client-server API, "Ignoring Users").

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use haechi_base::PersonId;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::limits::IGNORED_MAX;
use super::{Event, ids::person_of};

/// The type of the account data that names them.
pub(crate) const IGNORED_USER_LIST: &str = "m.ignored_user_list";

/// The people somebody ignores.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ignored(Arc<BTreeSet<PersonId>>);

impl Ignored {
    /// Reads the content of the list; nonsense ignores nobody.
    pub(crate) fn of(content: &str) -> Self {
        #[derive(Deserialize)]
        struct List {
            ignored_users: BTreeMap<String, IgnoredAny>,
        }
        let users = serde_json::from_str::<List>(content).map(|list| list.ignored_users);
        let people = users.unwrap_or_default().into_keys().filter_map(|user| {
            let (_, server) = user.split_once(':')?;
            person_of(&user, server)
        });
        Self(Arc::new(people.take(IGNORED_MAX).collect()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the person is ignored.
    pub(crate) fn has(&self, person: PersonId) -> bool {
        self.0.contains(&person)
    }

    /// Whether the event is kept from who ignores them. State is not: the room would fall apart.
    pub(crate) fn hides(&self, event: &Event) -> bool {
        !self.0.is_empty() && event.state_key.is_none() && self.has(event.sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_nonsense_ignores_nobody() {
        let user = format!("@{}:house", "0".repeat(32));
        let list = format!("{{\"ignored_users\":{{\"{user}\":{{}},\"nobody\":{{}}}}}}");
        let ignored = Ignored::of(&list);
        assert!(person_of(&user, "house").is_some_and(|person| ignored.has(person)));
        assert_eq!(ignored.0.len(), 1);
        for nonsense in ["", "{}", "[]", "{\"ignored_users\":[]}"] {
            assert!(Ignored::of(nonsense).is_empty(), "{nonsense}");
        }
    }
}
