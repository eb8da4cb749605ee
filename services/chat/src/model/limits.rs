//! The limits of chat, each a number the specification gives or a bound against abuse.

use std::time::Duration;

/// Largest event, in bytes of JSON (client-server API, "Size limits").
pub const EVENT_BYTES_MAX: usize = 65_536;

/// What an event's envelope (ids, type, times) may add to its content in that count, in bytes.
pub const EVENT_ENVELOPE_BYTES: usize = 512;

/// Longest user id, room id, event type or state key, in bytes (client-server API, "Size limits").
pub const NAME_BYTES_MAX: usize = 255;

/// Deepest nesting of objects and lists in a content.
pub const JSON_DEPTH_MAX: usize = 64;

/// Largest whole number in a content, and the negative of the smallest: 2^53 - 1 (canonical JSON).
pub const INTEGER_MAX: i64 = 9_007_199_254_740_991;

/// People that may be invited while a room is made.
pub const INVITES_MAX: usize = 200;

/// State events that may be handed in while a room is made.
pub const INITIAL_STATE_MAX: usize = 100;

/// Events in a sync's timeline when the filter names no number.
pub const TIMELINE_EVENTS_DEFAULT: u32 = 20;

/// Most events on one page, whatever was asked.
pub const PAGE_EVENTS_MAX: u32 = 500;

/// Rows looked at for one page: a filter that matches almost nothing gets a short page and a token to go on.
pub const PAGE_ROWS_MAX: u32 = 2_000;

/// Longest that a sync waits for news.
pub const SYNC_WAIT_MAX: Duration = Duration::from_secs(30);

/// Longest that one says somebody is typing.
pub const TYPING_MAX: Duration = Duration::from_secs(30);

/// Largest entry of account data or largest filter, in bytes.
pub const ACCOUNT_DATA_BYTES_MAX: usize = 65_536;

/// Friends on a list.
pub const FRIENDS_MAX: usize = 10_000;

/// Most people in an answer of the user directory.
pub const DIRECTORY_PEOPLE_MAX: usize = 50;

/// Longest file name that is kept with an upload, in bytes.
pub const FILE_NAME_BYTES_MAX: usize = 255;

/// Bytes of uploads and downloads that a node holds in memory at once: 256 MiB.
pub const MEDIA_IN_FLIGHT_BYTES_MAX: usize = 256 * MEDIA_UNIT_BYTES;

/// The unit in which they are counted: 1 MiB, and each at least one.
pub const MEDIA_UNIT_BYTES: usize = 1024 * 1024;

/// After how long to try again when a node holds that many.
pub const MEDIA_BUSY_WAIT: Duration = Duration::from_secs(2);

/// Bytes that one person uploads in [`UPLOAD_PERIOD`]: 1 GiB.
pub const UPLOADS_BYTES_MAX: i64 = 1024 * 1024 * 1024;

/// The time over which their uploads are counted.
pub const UPLOAD_PERIOD: Duration = Duration::from_secs(24 * 3600);

/// After how long to try again when they have uploaded that much.
pub const UPLOADS_WAIT: Duration = Duration::from_secs(3600);

/// Rules of a person's own that have conditions or patterns; those for rooms and senders are bounded by their bytes.
pub const PUSH_RULES_OWN_MAX: usize = 200;

/// Conditions of one push rule.
pub const PUSH_CONDITIONS_MAX: usize = 10;

/// Longest pattern of a push rule about what is said, in bytes.
pub const PUSH_PATTERN_BYTES_MAX: usize = 128;

/// Unread events of a room that are judged by a person's own push rules; of more the newest are.
pub const UNREAD_JUDGED_MAX: u32 = 100;

/// Rooms with unread messages that are added up for the number on an app's icon.
pub const UNREAD_ROOMS_MAX: u32 = 200;

/// Rooms that are looked through for a list of notifications.
pub const NOTIFICATION_ROOMS_MAX: usize = 500;
/// The newest events of each room that are looked through for a list of notifications.
pub const NOTIFICATION_EVENTS_MAX: u32 = 100;

/// Pushers of one person; of more the oldest goes.
pub const PUSHERS_MAX: u32 = 20;

/// Largest URL of a pusher, and largest data that is handed on with each push, in bytes.
pub const PUSHER_DATA_BYTES_MAX: usize = 2_048;

/// Events of a room that are pushed by one look at a stream; of more the newest are.
pub const PUSHED_EVENTS_MAX: u32 = 20;

/// Pushes of one pusher that wait to be tried again; of more the newest do.
pub const PUSHES_WAITING_MAX: u32 = 50;

/// How long a push is tried again.
pub const PUSH_KEPT: Duration = Duration::from_secs(24 * 3600);

/// Longest text of a message in a push, in characters.
pub const PUSHED_TEXT_CHARACTERS_MAX: usize = 200;
