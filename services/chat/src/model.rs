//! The nouns and rules of chat: pure values, no SQL, no HTTP, no clock of its own.

mod auth;
mod content;
mod create_room;
mod error;
mod event;
mod filter;
mod ids;
pub mod limits;
mod power_levels;
mod push_message;
mod push_rules;
mod pusher;
mod quiet_hours;
mod redaction;
mod room;
mod token;
mod turn;

pub(crate) use auth::authorise;
pub(crate) use content::{Content, Mentions};
pub(crate) use create_room::{InitialState, NewRoom, Preset, ROOM_VERSION, drafts_of_new_room, membership};
pub use error::ChatError;
pub(crate) use event::{Draft, Event, Reader, notifies, raw_json};
pub(crate) use filter::{EventFilter, SyncFilter};
pub(crate) use ids::{
    PEOPLE, STREAMS, Stream, event_id_of_message, event_id_of_transaction, member_key, new_event_id,
    new_room_id, pair_key, person_of, stream_of, user_id,
};
pub(crate) use power_levels::PowerLevels;
pub(crate) use push_message::{Notice, Told};
pub(crate) use push_rules::{JudgedEvent, JudgedRoom, PUSH_RULES, PushRules, Verdict};
pub(crate) use pusher::{Destination, KeptPusher, PusherName, WEB_APP_ID, check_pusher, check_pusher_ids};
pub(crate) use quiet_hours::{QUIET_HOURS, QuietHours};
pub(crate) use redaction::redacted_content;
pub(crate) use room::{JoinRule, Member, Membership, Room, Rules};
pub(crate) use token::{Place, SyncToken};
pub(crate) use turn::TurnCredentials;
pub use turn::TurnSettings;
