//! Which rooms a list of a sliding sync holds.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::model::ChatError;
use crate::model::limits::SLIDING_FILTER_NAMES_MAX;

/// A filter: each field narrows the list, one that is left out does not.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct ListFilter {
    is_dm: Option<bool>,
    is_encrypted: Option<bool>,
    is_invite: Option<bool>,
    /// `null` stands for rooms without a type.
    #[serde(default)]
    room_types: Vec<Option<String>>,
    #[serde(default)]
    not_room_types: Vec<Option<String>>,
    #[serde(default)]
    tags: BTreeSet<String>,
    #[serde(default)]
    not_tags: BTreeSet<String>,
}

/// A room as a filter sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed<'r> {
    pub(crate) is_dm: bool,
    pub(crate) is_encrypted: bool,
    pub(crate) is_invite: bool,
    pub(crate) room_type: Option<&'r str>,
    pub(crate) tags: &'r [String],
}

impl ListFilter {
    /// # Errors
    /// [`ChatError::InvalidParameter`] for more names than anybody needs.
    pub(super) fn check(&self) -> Result<(), ChatError> {
        let types = self.room_types.len().max(self.not_room_types.len());
        if types.max(self.tags.len()).max(self.not_tags.len()) > SLIDING_FILTER_NAMES_MAX {
            return Err(ChatError::invalid(format!(
                "a filter names at most {SLIDING_FILTER_NAMES_MAX} types or tags"
            )));
        }
        Ok(())
    }

    /// Whether rooms are asked for their type or encryption.
    pub(crate) fn needs_facts(&self) -> bool {
        self.is_encrypted.is_some() || !self.room_types.is_empty() || !self.not_room_types.is_empty()
    }

    /// Whether rooms are asked for the person's tags.
    pub(crate) fn needs_tags(&self) -> bool {
        !self.tags.is_empty() || !self.not_tags.is_empty()
    }

    /// Whether the room stands in the list.
    pub(crate) fn wants(&self, room: Listed<'_>) -> bool {
        let is = |wanted: Option<bool>, found: bool| wanted.is_none_or(|wanted| wanted == found);
        let has = |types: &[Option<String>]| types.iter().any(|one| one.as_deref() == room.room_type);
        let is_tagged = |tags: &BTreeSet<String>| room.tags.iter().any(|tag| tags.contains(tag));
        is(self.is_dm, room.is_dm)
            && is(self.is_encrypted, room.is_encrypted)
            && is(self.is_invite, room.is_invite)
            && (self.room_types.is_empty() || has(&self.room_types))
            && !has(&self.not_room_types)
            && (self.tags.is_empty() || is_tagged(&self.tags))
            && !is_tagged(&self.not_tags)
    }
}
