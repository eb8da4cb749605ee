//! Versions of rooms, and what each does in its own way.

use std::str::FromStr;

use super::ChatError;
use super::ids::new_room_id;

/// A version of rooms (client-server API, "Room versions").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RoomVersion {
    /// The creator is named in the content of `m.room.create`.
    V10,
    /// The creator is who sent `m.room.create`.
    #[default]
    V11,
    /// Who made the room stands above all levels, and the room is named by its first event.
    V12,
}

impl RoomVersion {
    /// All versions that are made here.
    pub(crate) const ALL: [Self; 3] = [Self::V10, Self::V11, Self::V12];

    /// The version as events and clients name it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::V10 => "10",
            Self::V11 => "11",
            Self::V12 => "12",
        }
    }

    /// Whether `m.room.create` names the creator in its content.
    pub(crate) const fn names_creator(self) -> bool {
        matches!(self, Self::V10)
    }

    /// Whether who made the room stands above all power levels.
    pub(crate) const fn privileges_creators(self) -> bool {
        matches!(self, Self::V12)
    }

    /// Whether a redaction leaves `invite` in power levels, all of `m.room.create`, and what a redaction redacts.
    pub(crate) const fn keeps_more_of_redacted(self) -> bool {
        !matches!(self, Self::V10)
    }

    /// The id of a new room whose first event has this id. From version 12 on they are the same name.
    pub(crate) fn room_id(self, first_event_id: &str, server_name: &str) -> String {
        if self.privileges_creators() {
            format!("!{}", first_event_id.trim_start_matches('$'))
        } else {
            new_room_id(server_name)
        }
    }
}

impl FromStr for RoomVersion {
    type Err = ChatError;

    fn from_str(text: &str) -> Result<Self, ChatError> {
        let mut all = Self::ALL.into_iter();
        all.find(|version| version.as_str() == text)
            .ok_or_else(|| ChatError::UnsupportedRoomVersion(text.chars().take(64).collect()))
    }
}
