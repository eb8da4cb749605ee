//! The nouns and rules of chat: pure values, no SQL, no HTTP, no clock of its own.

mod auth;
mod content;
mod create_room;
mod error;
mod event;
mod fields;
mod filter;
mod grams;
mod ids;
mod ignored;
pub mod limits;
mod power_levels;
mod redaction;
mod relation;
mod room;
mod token;

pub(crate) use auth::authorise;
pub(crate) use content::{Content, Mentions};
pub(crate) use create_room::{InitialState, NewRoom, Preset, ROOM_VERSION, drafts_of_new_room, membership};
pub use error::ChatError;
pub(crate) use event::{Draft, Event, Reader, notifies, raw_json};
pub(crate) use fields::Fields;
pub(crate) use filter::{EventFilter, SyncFilter};
pub(crate) use grams::{Block, SearchKey, SearchTerms, searched_text};
pub(crate) use ids::{
    PEOPLE, STREAMS, Stream, event_id_of_message, event_id_of_transaction, member_key, new_event_id,
    new_room_id, pair_key, person_of, stream_of, user_id,
};
pub(crate) use ignored::{IGNORED_USER_LIST, Ignored};
pub(crate) use power_levels::PowerLevels;
pub(crate) use redaction::redacted_content;
pub(crate) use relation::{Relation, THREAD};
pub(crate) use room::{JoinRule, Member, Membership, Room, Rules};
pub(crate) use token::{Place, SyncToken};
