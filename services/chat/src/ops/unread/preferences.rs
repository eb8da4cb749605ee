//! What a person keeps about what they want to be told of, among their account data.

use std::sync::OnceLock;

use haechi_base::PersonId;

use super::super::Chat;
use super::Taste;
use crate::model::{IGNORED_USER_LIST, Ignored, PUSH_RULES, PushRules};
use crate::store::account_data::Entry;

/// Whom a person ignores, and the push rules they kept.
#[derive(Default)]
pub(in crate::ops) struct Preferences {
    pub(in crate::ops) ignored: Ignored,
    kept_rules: Option<String>,
    /// The same, once a room asked for them: reading them takes its time.
    rules: OnceLock<PushRules>,
}

impl Preferences {
    /// Found among all that the person keeps.
    pub(in crate::ops) fn of(entries: &[Entry]) -> Self {
        let content_of = |kind: &str| {
            let of_kind = |entry: &&Entry| entry.room_id.is_empty() && entry.kind == kind;
            entries.iter().rfind(of_kind).map(|entry| entry.content.as_str())
        };
        Self {
            ignored: content_of(IGNORED_USER_LIST).map_or_else(Ignored::default, Ignored::of),
            kept_rules: content_of(PUSH_RULES).map(str::to_owned),
            rules: OnceLock::new(),
        }
    }

    /// Whether the person kept push rules of their own.
    pub(in crate::ops) const fn has_rules(&self) -> bool {
        self.kept_rules.is_some()
    }

    /// By what the person's unread messages are counted.
    pub(in crate::ops) fn taste(&self, chat: &Chat, person: PersonId) -> Taste<'_> {
        let rules = self.kept_rules.as_deref().map(|kept| {
            self.rules
                .get_or_init(|| PushRules::of(&chat.user_id(person), Some(kept)))
        });
        Taste {
            rules,
            ignored: &self.ignored,
        }
    }
}
