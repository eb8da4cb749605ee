//! Spaces: rooms that hold rooms, and the order in which their children come (client-server API, "Spaces").

use std::str::FromStr;

use serde::Deserialize;

use super::ChatError;
use super::Event;

/// A child of a space, as the space's state names it.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    pub(crate) room_id: String,
    pub(crate) is_suggested: bool,
    /// Where the space wants it, when it says so.
    order: Option<String>,
    /// The event that makes it one.
    pub(crate) event: Event,
}

impl Child {
    /// Reads a `m.space.child`; `None` for one that was taken out or names no server to ask.
    pub(crate) fn of(event: Event) -> Option<Self> {
        #[derive(Deserialize)]
        struct Words {
            via: Vec<String>,
            #[serde(default)]
            suggested: serde_json::Value,
            #[serde(default)]
            order: serde_json::Value,
        }
        let words: Words = serde_json::from_str(&event.content).ok()?;
        if words.via.is_empty() {
            return None;
        }
        let is_order = |order: &&str| {
            !order.is_empty() && order.len() <= 50 && order.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
        };
        Some(Self {
            room_id: event.state_key.clone()?,
            is_suggested: words.suggested == true,
            order: words.order.as_str().filter(is_order).map(str::to_owned),
            event,
        })
    }

    /// Puts children in their order: those with a wish first, then by age.
    pub(crate) fn sort(children: &mut [Self]) {
        children.sort_by(|one, other| {
            let by_wish = match (&one.order, &other.order) {
                (Some(one), Some(other)) => one.cmp(other),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (None, None) => std::cmp::Ordering::Equal,
            };
            by_wish
                .then(one.event.sent_at.cmp(&other.event.sent_at))
                .then(one.room_id.cmp(&other.room_id))
        });
    }
}

/// A page of a space's rooms: which, and what is walked through. As a token: `h50_2_1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Walk {
    /// Rooms that were on pages before.
    pub(crate) skipped: usize,
    /// How deep to go, when there is a bound.
    pub(crate) depth_max: Option<u64>,
    pub(crate) suggested_only: bool,
}

impl Walk {
    /// Goes on from a token, if one is given, which must be of the same walk.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`].
    pub(crate) fn go_on(self, token: Option<&str>) -> Result<Self, ChatError> {
        let Some(token) = token else { return Ok(self) };
        let before: Self = token.parse()?;
        if (before.depth_max, before.suggested_only) != (self.depth_max, self.suggested_only) {
            return Err(ChatError::invalid(
                "max_depth and suggested_only stay the same from page to page",
            ));
        }
        Ok(before)
    }

    /// The token of the page after one of `count` rooms.
    pub(crate) fn token_after(self, count: usize) -> String {
        let depth = self
            .depth_max
            .map_or_else(|| "x".to_owned(), |depth| depth.to_string());
        let suggested = u8::from(self.suggested_only);
        format!("h{}_{depth}_{suggested}", self.skipped.saturating_add(count))
    }
}

impl FromStr for Walk {
    type Err = ChatError;

    fn from_str(text: &str) -> Result<Self, ChatError> {
        let refusal = || ChatError::invalid("the token was not given out by this server");
        let mut parts = text.strip_prefix('h').ok_or_else(refusal)?.split('_');
        let mut next = || parts.next().ok_or_else(refusal);
        let skipped = next()?.parse().map_err(|_| refusal())?;
        let depth_max = match next()? {
            "x" => None,
            depth => Some(depth.parse().map_err(|_| refusal())?),
        };
        let suggested_only = match next()? {
            "0" => false,
            "1" => true,
            _ => return Err(refusal()),
        };
        if parts.next().is_some() {
            return Err(refusal());
        }
        Ok(Self {
            skipped,
            depth_max,
            suggested_only,
        })
    }
}
