//! How much a person is yet to read: in a room itself, in its threads, and everywhere.
//!
//! Who goes by everybody's rules is told by the numbers that are kept of each room (`numbers`): one statement, and a few
//! more where threads are unread or somebody is ignored. Whose own rules say something else of a room is told by what
//! they say of its unread events (`rules`). What ignored people say counts in neither way.

mod numbers;
mod preferences;
mod rules;
mod threads;

use std::collections::BTreeMap;

use haechi_base::PersonId;
use haechi_store::Tx;

pub(super) use preferences::Preferences;

use super::Chat;
use crate::model::limits::UNREAD_ROOMS_MAX;
use crate::model::{ChatError, Ignored, PushRules};
use crate::store;
use crate::store::receipts::Unread;

/// Unread messages, and those among them that concern the person most: mentions, or what their rules call highlights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) messages: u32,
    pub(crate) mentions: u32,
}

/// What somebody has not read of a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Of the room itself.
    pub(crate) room: Count,
    /// Of its threads, each by the event it begins at.
    pub(crate) threads: BTreeMap<String, Count>,
}

impl Counts {
    /// All together, for clients that know of no threads.
    pub(crate) fn total(&self) -> Count {
        self.threads.values().fold(self.room, |total, thread| Count {
            messages: total.messages.saturating_add(thread.messages),
            mentions: total.mentions.saturating_add(thread.mentions),
        })
    }
}

/// What a person wants to be told of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taste<'t> {
    /// Their own push rules; `None` for everybody's.
    pub(crate) rules: Option<&'t PushRules>,
    pub(crate) ignored: &'t Ignored,
}

impl<'t> Taste<'t> {
    /// The rules of their own, where those say something else of this room than everybody's.
    pub(super) fn own_rules(&self, room_id: &str) -> Option<&'t PushRules> {
        self.rules.filter(|rules| rules.differ_in(room_id))
    }
}

impl Chat {
    /// Counts what a person has not read of a room.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(super) async fn unread(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
        room_id: &str,
        taste: Taste<'_>,
    ) -> Result<Counts, ChatError> {
        let unread = store::receipts::unread(tx, room_id, person).await?;
        self.complete_unread(tx, person, room_id, taste, &unread).await
    }

    /// The same, when the numbers that are kept were read already. With everybody's rules, without unread threads and
    /// ignored people it asks nothing more.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(super) async fn complete_unread(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
        room_id: &str,
        taste: Taste<'_>,
        unread: &Unread,
    ) -> Result<Counts, ChatError> {
        match taste.own_rules(room_id) {
            Some(rules) => {
                self.unread_by_rules(tx, person, room_id, (rules, taste.ignored), unread)
                    .await
            }
            None => Ok(numbers::complete(tx, room_id, person, taste.ignored, unread).await?),
        }
    }

    /// Unread messages of all rooms, for the number on an app's icon.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(super) async fn unread_everywhere(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
        taste: Taste<'_>,
    ) -> Result<u32, ChatError> {
        let mut sum: u32 = 0;
        for (room_id, unread) in store::receipts::unread_rooms(tx, person, UNREAD_ROOMS_MAX).await? {
            let is_plain =
                !unread.has_threads && taste.ignored.is_empty() && taste.own_rules(&room_id).is_none();
            let messages = if is_plain {
                small(unread.messages)
            } else {
                let counts = self.complete_unread(tx, person, &room_id, taste, &unread).await?;
                counts.total().messages
            };
            sum = sum.saturating_add(messages);
        }
        Ok(sum)
    }
}

pub(super) fn small(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}
