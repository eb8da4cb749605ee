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

/// Widest and highest picture that thumbnails are made of, in pixels.
pub const PICTURE_SIDE_MAX: u32 = 16_384;

/// Most pixels of such a picture: what the cameras of phones make.
pub const PICTURE_PIXELS_MAX: u64 = 50_000_000;

/// Most bytes of its pixels in memory: 50 million of three bytes, or fewer of more.
pub const PICTURE_DECODE_BYTES_MAX: u64 = 160 * 1024 * 1024;

/// Pictures that a node makes smaller at once, each on a thread of its own.
pub const PICTURES_AT_ONCE_MAX: usize = 2;

/// Requests that wait for their turn at one such work.
pub const TURNS_WAITING_MAX: usize = 128;

/// Uploads that one person may have announced and not sent.
pub const RESERVATIONS_MAX: u64 = 100;

/// How long an announced upload is waited for.
pub const RESERVATION_KEPT: Duration = Duration::from_secs(24 * 3600);

/// How long a download waits for its upload when the client does not say.
pub const ARRIVAL_WAIT_DEFAULT: Duration = Duration::from_secs(20);

/// How long it waits at the most.
pub const ARRIVAL_WAIT_MAX: Duration = Duration::from_secs(60);

/// Longest address that a preview is made of, in bytes.
pub const PREVIEW_URL_BYTES_MAX: usize = 2_048;

/// Most bytes that are read of a page, and largest picture that is kept with a preview: 1 MiB.
pub const PREVIEW_BYTES_MAX: usize = 1024 * 1024;

/// Longest that a page or a picture may take, redirects included.
pub const PREVIEW_FETCH_MAX: Duration = Duration::from_secs(5);

/// Most redirects that are followed.
pub const PREVIEW_REDIRECTS_MAX: usize = 3;

/// How long a preview is kept.
pub const PREVIEW_KEPT: Duration = Duration::from_secs(3600);

/// Pages that a node fetches at once.
pub const PREVIEWS_AT_ONCE_MAX: usize = 8;

/// Previews that one person asks of a node in [`PREVIEWS_PERIOD`].
pub const PREVIEWS_MAX: u32 = 60;

/// The time over which they are counted.
pub const PREVIEWS_PERIOD: Duration = Duration::from_secs(60);

/// Longest title of a preview, in characters.
pub const PREVIEW_TITLE_MAX: usize = 300;

/// Longest description of a preview, in characters.
pub const PREVIEW_DESCRIPTION_MAX: usize = 1_000;

/// Rooms that a node exports at once.
pub const EXPORTS_AT_ONCE_MAX: usize = 16;

/// Events that an export reads at once.
pub const EXPORT_PAGE_EVENTS: u32 = 200;

/// Largest text that is imported, in bytes: 16 MiB, which is some 200,000 messages.
pub const IMPORT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most messages of one import.
pub const IMPORT_MESSAGES_MAX: usize = 300_000;

/// Longest imported message, in bytes; what is longer is cut. It stands in its event twice, and each of its characters
/// may need two.
pub const IMPORT_TEXT_BYTES_MAX: usize = 15_000;

/// Longest name of an imported author or room, in characters.
pub const IMPORT_NAME_MAX: usize = 100;

/// Messages that are put into the room at once.
pub const IMPORT_BATCH_MESSAGES: usize = 50;

/// Batches that one run of the job puts in before it leaves the runner to others.
pub const IMPORT_RUN_BATCHES: usize = 20;

/// Imports that a person begins in a day.
pub const IMPORTS_A_DAY_MAX: u64 = 10;

/// Numbers that one request compares.
pub const MATCH_HASHES_MAX: usize = 1_000;

/// Numbers that one person compares in a day.
pub const MATCH_HASHES_A_DAY_MAX: i64 = 5_000;

/// Services that one person blocks.
pub const BLOCKED_SERVICES_MAX: u32 = 100;

/// Messages of services that wait for one person's room to be made.
pub const NOTICES_WAITING_MAX: u64 = 1_000;
