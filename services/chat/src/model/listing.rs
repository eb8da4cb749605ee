//! The directory of rooms: what is looked for, and where a page of it begins.

use std::fmt;
use std::str::FromStr;

use super::ChatError;
use super::limits::{ROOM_TYPES_MAX, SEARCH_TERM_MAX};

/// Which rooms of the directory are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListingFilter {
    /// What name, topic or alias holds.
    pub(crate) term: Option<String>,
    /// Their types, rooms without one under the empty text; all when empty.
    pub(crate) room_types: Vec<String>,
}

impl ListingFilter {
    /// Refuses what is too much.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`].
    pub(crate) fn check(&self) -> Result<(), ChatError> {
        if self
            .term
            .as_ref()
            .is_some_and(|term| term.chars().count() > SEARCH_TERM_MAX)
        {
            return Err(ChatError::invalid(format!(
                "the directory is searched for at most {SEARCH_TERM_MAX} characters"
            )));
        }
        if self.room_types.len() > ROOM_TYPES_MAX {
            return Err(ChatError::invalid(format!(
                "the directory is searched for at most {ROOM_TYPES_MAX} room types"
            )));
        }
        Ok(())
    }

    /// The term as a pattern of SQL's LIKE with `!` before what stands for itself.
    pub(crate) fn pattern(&self) -> String {
        let mut pattern = "%".to_owned();
        for letter in searched(self.term.as_deref().unwrap_or_default()).chars() {
            if matches!(letter, '%' | '_' | '!') {
                pattern.push('!');
            }
            pattern.push(letter);
        }
        pattern.push('%');
        pattern
    }
}

/// A text in the form in which it is searched.
pub(crate) fn searched(text: &str) -> String {
    text.trim().to_lowercase()
}

/// A place in the directory: right after, or right before, a room of so many members. As a token: `f12.!room:server`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListingPlace {
    /// Whether the page lies behind the room; else before it.
    pub(crate) is_forward: bool,
    pub(crate) joined: i64,
    pub(crate) room_id: String,
}

impl fmt::Display for ListingPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.is_forward { 'f' } else { 'b' };
        write!(formatter, "{direction}{}.{}", self.joined, self.room_id)
    }
}

impl FromStr for ListingPlace {
    type Err = ChatError;

    fn from_str(text: &str) -> Result<Self, ChatError> {
        let refusal = || ChatError::invalid("the token was not given out by this server");
        let (is_forward, rest) = match (text.strip_prefix('f'), text.strip_prefix('b')) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(refusal()),
        };
        let (joined, room_id) = rest.split_once('.').ok_or_else(refusal)?;
        if !room_id.starts_with('!') || room_id.contains('\0') {
            return Err(refusal());
        }
        Ok(Self {
            is_forward,
            joined: joined.parse().map_err(|_| refusal())?,
            room_id: room_id.to_owned(),
        })
    }
}
