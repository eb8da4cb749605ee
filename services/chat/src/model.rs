//! The nouns and rules of chat: pure values, no SQL, no HTTP, no clock of its own.

mod address;
mod alias;
mod auth;
mod calendar;
mod card;
mod content;
mod create_room;
mod error;
mod event;
mod export;
mod fields;
mod filter;
mod grams;
mod ids;
mod ignored;
mod imported;
mod kakao;
mod keys;
pub mod limits;
mod listing;
mod page;
mod picture;
mod power_levels;
mod push_message;
mod push_rules;
mod pusher;
mod quiet_hours;
mod range;
mod redaction;
mod relation;
mod report;
mod room;
mod room_version;
mod sliding;
mod space;
mod thumbnail;
mod token;
mod turn;
mod upgrade;

pub(crate) use address::is_public;
pub(crate) use alias::{CanonicalAlias, alias_of_name, check_alias};
pub(crate) use auth::authorise;
pub use card::{Card, CardButton, CardRow};
pub(crate) use content::{Content, Mentions};
pub(crate) use create_room::{InitialState, NewRoom, Preset, drafts_of_new_room, membership};
pub use error::ChatError;
pub(crate) use event::{Draft, Event, Reader, notifies, raw_json};
pub(crate) use export::{HtmlWriter, Language};
pub(crate) use fields::Fields;
pub(crate) use filter::{EventFilter, SyncFilter};
pub(crate) use grams::{Block, SearchKey, SearchTerms, searched_text};
pub(crate) use ids::{
    PEOPLE, STREAMS, Stream, event_id_of_message, event_id_of_transaction, member_key, new_event_id,
    new_room_id, pair_key, person_of, request_id, stream_of, user_id,
};
pub(crate) use ignored::{IGNORED_USER_LIST, Ignored};
pub(crate) use imported::{IMPORTED_FIELD, Origin, imported_message, read_only_levels};
pub(crate) use kakao::{KakaoChat, read_kakao};
pub(crate) use keys::{
    BackedUpKey, CrossSigningKey, CrossSigningKeys, DeviceKeys, Signature, Signatures, SignedObject,
    UploadedKey, Usage, check_device_keys, check_keys, is_signed_by,
};
pub(crate) use listing::{ListingFilter, ListingPlace, searched};
pub(crate) use page::{PageFacts, read_page};
pub(crate) use picture::{look_at_picture, picture_type, thumbnail_of};
pub(crate) use power_levels::PowerLevels;
pub(crate) use push_message::{Notice, Told};
pub(crate) use push_rules::{JudgedEvent, JudgedRoom, PUSH_RULES, PushRules, Verdict};
pub(crate) use pusher::{Destination, KeptPusher, PusherName, WEB_APP_ID, check_pusher, check_pusher_ids};
pub(crate) use quiet_hours::{QUIET_HOURS, QuietHours};
pub(crate) use range::Wanted;
pub(crate) use redaction::redacted_content;
pub(crate) use relation::{Relation, THREAD};
pub(crate) use report::{Report, ReportId, Reported, Resolved};
pub(crate) use room::{
    HistoryVisibility, JoinRule, Member, Membership, Room, Rules, authorising_user_of, membership_of,
};
pub(crate) use room_version::RoomVersion;
pub(crate) use sliding::{
    InboxWish, Listed, RequiredState, RoomView, Scope, SlidingRequest, SlidingWish, bumps, inbox_token,
};
pub(crate) use space::{Child, Walk};
pub(crate) use thumbnail::{ThumbnailMethod, ThumbnailSize};
pub(crate) use token::{Place, SyncToken, TERM_STEP};
pub(crate) use turn::TurnCredentials;
pub use turn::TurnSettings;
pub(crate) use upgrade::{CARRIED, Carried, Successor, quiet_levels, tombstone};
