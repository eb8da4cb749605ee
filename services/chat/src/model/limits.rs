//! The limits of chat, each a number the specification gives or a bound against abuse.

use std::num::NonZeroU32;
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

/// People whom one person ignores; who stands further down the list is heard.
pub const IGNORED_MAX: usize = 1_000;

/// Longest key of a reaction, in bytes.
pub const REACTION_BYTES_MAX: usize = 512;

/// Events on a page of relations or threads when no number is named.
pub const RELATIONS_DEFAULT: u32 = 20;

/// How far relations of relations are followed (client-server API, "Relationships API").
pub const RELATIONS_DEPTH: u32 = 3;

/// Relations that are followed for one page.
pub const RELATIONS_FOLLOWED_MAX: u32 = 1_000;

/// References to the events of a page that are told with them.
pub const REFERENCES_TOLD_MAX: u32 = 1_000;

/// Threads of a room whose unread messages are counted: those with the latest messages.
pub const THREADS_COUNTED_MAX: u32 = 100;

/// Unread messages that are looked through, where those of ignored people or of threads are counted apart.
pub const UNREAD_LOOKED_AT_MAX: u32 = 1_000;

/// Letters of a message that a search finds, from its beginning.
pub const SEARCHED_LETTERS_MAX: usize = 4_096;

/// Longest text to search for, in bytes.
pub const SEARCH_TERM_BYTES_MAX: usize = 255;

/// Rooms that one search looks through: those of the most recent memberships.
pub const SEARCH_ROOMS_MAX: usize = 5_000;

/// Runs of messages that one search takes a look at, for each 256 rooms.
pub const SEARCH_BLOCKS_MAX: u32 = 10_000;

/// Messages that one search reads to see whether they are meant.
pub const SEARCH_ROWS_MAX: usize = 20_000;

/// Messages not indexed yet that one search reads, for each 256 rooms.
pub const SEARCH_TAIL_ROWS_MAX: u32 = 5_000;

/// Messages that one search finds at the most, on all its pages.
pub const SEARCH_HITS_MAX: usize = 1_000;

/// Results on one page of a search.
pub const SEARCH_PAGE_MAX: usize = 50;

/// Results on one page of a search when no number is named.
pub const SEARCH_PAGE_DEFAULT: usize = 10;

/// Events shown on either side of a result.
pub const SEARCH_CONTEXT_MAX: u32 = 20;

/// Longest name of a profile's field, in bytes (client-server API, "Profiles").
pub const PROFILE_FIELD_NAME_BYTES_MAX: usize = 255;

/// Largest profile, in bytes of JSON (client-server API, "Profiles").
pub const PROFILE_BYTES_MAX: usize = 65_536;

/// Tags that a person puts on one room.
pub const TAGS_MAX: usize = 100;

/// Longest that an event waits to be sent (MSC4140).
pub const DELAY_MAX: Duration = Duration::from_secs(24 * 3600);

/// Events of one person that wait to be sent.
pub const DELAYED_MAX: u32 = 100;

/// Longest status that is shown with somebody's presence, in bytes.
pub const STATUS_BYTES_MAX: usize = 1_024;

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
/// Rooms whose members may join a restricted room; more that are named are left out.
pub const ALLOWED_ROOMS_MAX: usize = 100;

/// Aliases that point to one room.
pub const ALIASES_MAX: u32 = 100;

/// Rooms on one page of the directory.
pub const LISTED_ROOMS_MAX: u32 = 100;

/// Rooms on one page of the directory when no number is named.
pub const LISTED_ROOMS_DEFAULT: u32 = 50;

/// Longest term that the directory is searched for, in characters.
pub const SEARCH_TERM_MAX: usize = 100;

/// Room types that one search of the directory may name.
pub const ROOM_TYPES_MAX: usize = 8;

/// Rooms of a space that are walked through, however many it has.
pub const SPACE_ROOMS_MAX: usize = 1_000;

/// Children of one space that are looked at.
pub const SPACE_CHILDREN_MAX: usize = 500;

/// Depth to which a space is walked through.
pub const SPACE_DEPTH_MAX: u64 = 32;

/// Steps back from the present that the members of an earlier moment are looked for.
pub const MEMBERS_STEPS_MAX: usize = 1_000;

/// State events that are carried into the room that takes the place of another.
pub const CARRIED_STATE_MAX: usize = 1_000;

/// Invitations, knocks included, that a person sends at once; as many again within [`INVITES_PERIOD`].
pub const INVITES_BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(499);

/// The time in which a person's allowance of invitations is filled up.
pub const INVITES_PERIOD: Duration = Duration::from_secs(3600);

/// Reports that a person files at once; as many again within [`REPORTS_PERIOD`].
pub const REPORTS_BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);

/// The time in which a person's allowance of reports is filled up.
pub const REPORTS_PERIOD: Duration = Duration::from_secs(3600);

/// Longest reason of a report and longest note of its resolution, in bytes.
pub const REPORT_TEXT_BYTES_MAX: usize = 4_096;
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

/// Lists of one sliding sync.
pub const SLIDING_LISTS_MAX: usize = 32;

/// Windows on one of its lists.
pub const SLIDING_RANGES_MAX: usize = 32;

/// Rooms that one connection of a sliding sync subscribes to.
pub const SLIDING_SUBSCRIPTIONS_MAX: usize = 200;

/// Pairs of type and state key that are wanted of each room.
pub const SLIDING_REQUIRED_STATE_MAX: usize = 256;

/// Types or tags that a filter of a list names.
pub const SLIDING_FILTER_NAMES_MAX: usize = 64;

/// Most events of a room's timeline in a sliding sync, whatever was asked.
pub const SLIDING_TIMELINE_MAX: u32 = 100;

/// Rooms in one answer of a sliding sync; the rest comes with the next, which does not wait.
pub const SLIDING_ROOMS_MAX: usize = 200;

/// Longest name of a list and longest transaction id of a sliding sync, in bytes.
pub const SLIDING_NAME_BYTES_MAX: usize = 255;

/// Longest name of a connection, in bytes.
pub const SLIDING_CONNECTION_ID_BYTES_MAX: usize = 64;

/// Connections of sliding sync that a device has on one node; of more the one that was quiet longest goes.
pub const SLIDING_CONNECTIONS_A_DEVICE_MAX: usize = 8;

/// Connections that a node remembers; of more those that were quiet longest go.
pub const SLIDING_CONNECTIONS_MAX: usize = 50_000;

/// Rooms that a node remembers of all its connections together, some 100 bytes each.
pub const SLIDING_ROOMS_KEPT_MAX: usize = 2_000_000;

/// How long a quiet connection is remembered.
pub const SLIDING_CONNECTION_KEPT: Duration = Duration::from_secs(3600);

/// Answers of a connection that are remembered until its client shows which of them it got.
pub const SLIDING_ANSWERS_KEPT: usize = 4;

/// Rooms of which a node keeps in mind what filters ask.
pub const SLIDING_FACTS_MAX: usize = 100_000;
