//! The nouns of this service and their rules: no SQL, no HTTP, no clock.

use haechi_base::{PersonId, Time, define_id};
use haechi_store::StoreError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest title, in characters.
const TITLE_CHARACTERS_MAX: usize = 140;

define_id! {
    /// Something a person keeps.
    pub ItemId, ItemNoun, "item"
}

/// Something a person keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its id.
    pub item_id: ItemId,
    /// Whose it is.
    pub owner: PersonId,
    /// What it is called.
    pub title: Title,
    /// When it was added.
    pub created_at: Time,
}

/// What an item is called: 1 to 140 characters, not only spaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Title(String);

impl Title {
    /// Reads a title, without the spaces around it.
    ///
    /// # Errors
    /// It is empty or too long.
    pub fn new(text: &str) -> Result<Self, ItemError> {
        let text = text.trim();
        match text.chars().count() {
            0 => Err(ItemError::TitleEmpty),
            count if count > TITLE_CHARACTERS_MAX => Err(ItemError::TitleTooLong { count }),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// The title as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why this service refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ItemError {
    /// A title says something.
    #[error("the title is empty; give it at least one letter")]
    TitleEmpty,
    /// A title fits on a line.
    #[error("the title has {count} characters; {TITLE_CHARACTERS_MAX} are allowed")]
    TitleTooLong {
        /// How many it has.
        count: usize,
    },
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
