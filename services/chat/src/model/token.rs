//! Tokens that clients hand back: how far a sync has come, and where a page of events begins.

use std::fmt;
use std::str::FromStr;

use super::ChatError;
use super::ids::{STREAMS, Stream};

const COUNTERS: usize = STREAMS as usize + 1;

/// By how much a stream's counter leaps for each step from one term of leadership to the next: more than a term draws that
/// is then lost, few enough for 500,000 million steps.
pub(crate) const TERM_STEP: i64 = 1 << 24;

/// How far a client has read each stream, and the serial of the typing notices: `s12_0_7_3_41_1700000000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SyncToken {
    positions: [i64; COUNTERS],
    /// Typing notices are not stored; their serial is a time, so that a restart does not set it back.
    pub(crate) typing: i64,
}

impl SyncToken {
    /// A token of these positions, the rooms' streams first, the people's last.
    pub(crate) const fn new(positions: [i64; COUNTERS], typing: i64) -> Self {
        Self { positions, typing }
    }

    /// The position in one stream.
    pub(crate) fn position(&self, stream: Stream) -> i64 {
        self.positions.get(usize::from(stream)).copied().unwrap_or(0)
    }

    /// Takes the other's position in one stream when it is further on; returns whether it was.
    pub(crate) fn raise(&mut self, stream: Stream, other: &Self) -> bool {
        let to = other.position(stream);
        match self.positions.get_mut(usize::from(stream)) {
            Some(position) if *position < to => {
                *position = to;
                true
            }
            _ => false,
        }
    }

    /// The same token with another position in one stream.
    pub(crate) fn with_position(mut self, stream: Stream, to: i64) -> Self {
        if let Some(position) = self.positions.get_mut(usize::from(stream)) {
            *position = to;
        }
        self
    }

    /// The same token with the other's position in those streams in which it is ahead of it.
    pub(crate) fn at_most(mut self, other: &Self) -> Self {
        for (position, other) in self.positions.iter_mut().zip(other.positions) {
            *position = (*position).min(other);
        }
        self
    }

    /// The same token with the other's position in those streams in which that one is ahead.
    pub(crate) fn at_least(mut self, other: &Self) -> Self {
        for (position, other) in self.positions.iter_mut().zip(other.positions) {
            *position = (*position).max(other);
        }
        self
    }

    /// Whether any position lies further than in `other`: such a token was not given out by this server.
    pub(crate) fn is_ahead_of(&self, other: &Self) -> bool {
        self.positions
            .iter()
            .zip(other.positions)
            .any(|(own, other)| *own > other)
    }
}

impl fmt::Display for SyncToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("s")?;
        for position in self.positions {
            write!(formatter, "{position}_")?;
        }
        write!(formatter, "{}", self.typing)
    }
}

impl FromStr for SyncToken {
    type Err = ChatError;

    fn from_str(text: &str) -> Result<Self, ChatError> {
        let mut parts = text
            .strip_prefix('s')
            .ok_or(ChatError::UnknownPosition)?
            .split('_');
        let mut positions = [0; COUNTERS];
        for position in &mut positions {
            *position = number(parts.next())?;
        }
        let typing = number(parts.next())?;
        if parts.next().is_some() {
            return Err(ChatError::UnknownPosition);
        }
        Ok(Self { positions, typing })
    }
}

/// A place between two events of one room: right after the event at this position. `t12`; a sync token is
/// understood as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(pub(crate) i64);

impl Place {
    /// Reads a token of a page, or of a sync, for a room of this stream.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] for anything else.
    pub(crate) fn read(text: &str, stream: Stream) -> Result<Self, ChatError> {
        let refusal = || ChatError::invalid("the token was not given out by this server");
        match text.strip_prefix('t') {
            Some(position) => number(Some(position)).map(Self).map_err(|_| refusal()),
            None => {
                let token: SyncToken = text.parse().map_err(|_| refusal())?;
                Ok(Self(token.position(stream)))
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "t{}", self.0)
    }
}

/// Digits only: `parse` alone would take a sign.
fn number(text: Option<&str>) -> Result<i64, ChatError> {
    text.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or(ChatError::UnknownPosition)
}
