//! The nouns and rules of chat: pure values, no SQL, no HTTP, no clock of its own.

mod address;
mod auth;
mod calendar;
mod card;
mod content;
mod create_room;
mod error;
mod event;
mod export;
mod filter;
mod ids;
mod imported;
mod kakao;
pub mod limits;
mod page;
mod picture;
mod power_levels;
mod range;
mod redaction;
mod room;
mod thumbnail;
mod token;

pub(crate) use address::is_public;
pub(crate) use auth::authorise;
pub use card::{Card, CardButton, CardRow};
pub(crate) use content::{Content, Mentions};
pub(crate) use create_room::{InitialState, NewRoom, Preset, ROOM_VERSION, drafts_of_new_room, membership};
pub use error::ChatError;
pub(crate) use event::{Draft, Event, Reader, notifies, raw_json};
pub(crate) use export::{HtmlWriter, Language};
pub(crate) use filter::{EventFilter, SyncFilter};
pub(crate) use ids::{
    PEOPLE, STREAMS, Stream, event_id_of_message, event_id_of_transaction, member_key, new_event_id,
    new_room_id, pair_key, person_of, stream_of, user_id,
};
pub(crate) use imported::{IMPORTED_FIELD, Origin, imported_message, read_only_levels};
pub(crate) use kakao::{KakaoChat, read_kakao};
pub(crate) use page::{PageFacts, read_page};
pub(crate) use picture::{look_at_picture, picture_type, thumbnail_of};
pub(crate) use power_levels::PowerLevels;
pub(crate) use range::Wanted;
pub(crate) use redaction::redacted_content;
pub(crate) use room::{JoinRule, Member, Membership, Room, Rules};
pub(crate) use thumbnail::{ThumbnailMethod, ThumbnailSize};
pub(crate) use token::{Place, SyncToken};
