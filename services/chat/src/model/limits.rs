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

/// Largest identity key, one-time key or cross-signing key with its signatures, in bytes.
pub const KEY_OBJECT_BYTES_MAX: usize = 32_768;

/// Signatures that one key may bring along.
pub const SIGNATURES_MAX: usize = 100;

/// One-time keys that are uploaded at once.
pub const KEYS_A_UPLOAD_MAX: usize = 500;

/// One-time keys of a device that wait to be claimed.
pub const ONE_TIME_KEYS_MAX: u32 = 1_000;

/// How long a claimed one-time key is remembered, so that a late upload does not bring it back.
pub const CLAIMED_KEY_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// People whose keys are asked for at once.
pub const QUERIED_PEOPLE_MAX: usize = 500;

/// Devices of which keys are claimed, or to which messages are sent, at once.
pub const ADDRESSED_DEVICES_MAX: usize = 1_000;

/// Signatures that are uploaded at once.
pub const SIGNED_KEYS_MAX: usize = 500;

/// People whose keys changed, or whom one no longer meets, that one sync names.
pub const DEVICE_LISTS_MAX: u32 = 10_000;

/// Bytes of all messages to devices that one request sends, each counted as often as it is put into an inbox: 4 MiB.
pub const SENT_TO_DEVICE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Messages to a device in one sync; the rest comes with the next.
pub const INBOX_PAGE_MAX: u32 = 100;

/// Messages that wait for a device; what is sent beyond is dropped, as if the device were gone.
pub const INBOX_MESSAGES_MAX: i64 = 10_000;

/// How long a request to send messages to devices is remembered, so that a repetition sends nothing.
pub const SENT_TO_DEVICE_KEPT: Duration = Duration::from_secs(24 * 3600);

/// After how long it is looked whether a device with keys still has a session.
pub const DEVICE_LOOKED_AT_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Backups of one person, deleted ones included.
pub const BACKUPS_MAX: i64 = 1_000;

/// Keys in one backup.
pub const BACKUP_KEYS_MAX: i64 = 100_000;

/// Largest key in a backup, in bytes.
pub const BACKUP_KEY_BYTES_MAX: usize = 16_384;

/// Largest `auth_data` of a backup, and `device_data` of a dehydrated device, in bytes.
pub const KEY_DATA_BYTES_MAX: usize = 65_536;
