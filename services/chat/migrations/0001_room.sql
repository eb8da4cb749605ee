-- Rooms, their events and state, who is in them, and what each person keeps about them.

-- The counters that positions are drawn from. Streams 0 to 3 hold rooms (by a hash of the room id), stream 4 what
-- people keep for themselves.
CREATE TABLE chat_stream (
    stream BIGINT PRIMARY KEY NOT NULL,
    position BIGINT NOT NULL
);
INSERT INTO chat_stream (stream, position) VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0);

-- What the rules ask of a room, in one row: it is read with every message.
CREATE TABLE chat_room (
    room_id TEXT PRIMARY KEY NOT NULL,
    stream BIGINT NOT NULL,
    creator BYTEA NOT NULL,
    join_rule TEXT NOT NULL,
    history_visibility TEXT NOT NULL,
    power_levels TEXT,
    created_at BIGINT NOT NULL
);

-- What changes with every message, apart so that the row stays narrow. `ordinal` counts the messages that notify.
CREATE TABLE chat_activity (
    room_id TEXT PRIMARY KEY NOT NULL,
    position BIGINT NOT NULL,
    ordinal BIGINT NOT NULL
);

-- An event has no position until its stream's batcher gave it its place; until then nobody sees it.
CREATE TABLE chat_event (
    event_id TEXT PRIMARY KEY NOT NULL,
    room_id TEXT NOT NULL,
    position BIGINT,
    ordinal BIGINT NOT NULL,
    sender BYTEA NOT NULL,
    type TEXT NOT NULL,
    state_key TEXT,
    content TEXT NOT NULL,
    sent_at BIGINT NOT NULL,
    visible_to TEXT NOT NULL,
    redacts TEXT,
    redacted_because TEXT,
    replaces TEXT,
    previous_content TEXT,
    sent_as TEXT,
    repeats BIGINT NOT NULL
);
CREATE INDEX chat_event_room_id_position ON chat_event (room_id, position);
-- What a redaction looks for: the event that stands in the place of the one taken back, and quotes it.
CREATE INDEX chat_event_replaces ON chat_event (replaces) WHERE replaces IS NOT NULL;

-- Events that another service wrote in its own transaction and that wait for their place.
CREATE TABLE chat_unplaced (
    event_id TEXT PRIMARY KEY NOT NULL,
    stream BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX chat_unplaced_stream_created_at ON chat_unplaced (stream, created_at);

CREATE TABLE chat_room_state (
    room_id TEXT NOT NULL,
    type TEXT NOT NULL,
    state_key TEXT NOT NULL,
    event_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (room_id, type, state_key)
);
CREATE INDEX chat_room_state_room_id_position ON chat_room_state (room_id, position);

-- `member` is the person's id followed by the room's: one column, so that many pairs are found by one IN list.
-- `position` is that of the event that made the membership; `joined_from` and `invited_from` say since when the
-- person may read what is visible to members or to the invited only, `left_at` where their last stay ended.
CREATE TABLE chat_membership (
    member BYTEA PRIMARY KEY NOT NULL,
    room_id TEXT NOT NULL,
    person BYTEA NOT NULL,
    membership TEXT NOT NULL,
    event_id TEXT NOT NULL,
    stream BIGINT NOT NULL,
    position BIGINT NOT NULL,
    joined_from BIGINT,
    invited_from BIGINT,
    left_at BIGINT,
    forgotten BOOLEAN NOT NULL
);
-- The first holds all that a sync asks of someone with many rooms, the second all that a summary asks of a large one.
CREATE INDEX chat_membership_person ON chat_membership (person, membership, stream, room_id);
CREATE INDEX chat_membership_room_id ON chat_membership (room_id, membership, position, person);

-- How far a person has read, by receipt or by writing.
CREATE TABLE chat_read (
    room_id TEXT NOT NULL,
    person BYTEA NOT NULL,
    position BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    PRIMARY KEY (room_id, person)
);

CREATE TABLE chat_mention (
    room_id TEXT NOT NULL,
    person BYTEA NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (room_id, person, position)
);

CREATE TABLE chat_receipt (
    room_id TEXT NOT NULL,
    person BYTEA NOT NULL,
    kind TEXT NOT NULL,
    thread TEXT NOT NULL,
    event_id TEXT NOT NULL,
    sent_at BIGINT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (room_id, person, kind, thread)
);
CREATE INDEX chat_receipt_room_id_position ON chat_receipt (room_id, position);

-- `room_id` is empty for what belongs to no room.
CREATE TABLE chat_account_data (
    person BYTEA NOT NULL,
    room_id TEXT NOT NULL,
    type TEXT NOT NULL,
    content TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (person, room_id, type)
);
CREATE INDEX chat_account_data_person_position ON chat_account_data (person, position);

CREATE TABLE chat_filter (
    person BYTEA NOT NULL,
    filter_id TEXT NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (person, filter_id)
);

CREATE TABLE chat_media (
    media_id TEXT PRIMARY KEY NOT NULL,
    uploader BYTEA NOT NULL,
    blob_id BYTEA NOT NULL,
    content_type TEXT NOT NULL,
    file_name TEXT,
    size_bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

-- How much a person uploaded in a day.
CREATE INDEX chat_media_uploader_created_at ON chat_media (uploader, created_at, size_bytes);

CREATE TABLE chat_profile (
    person BYTEA PRIMARY KEY NOT NULL,
    avatar_url TEXT
);

-- Friends are one-sided: whom a person keeps in their list.
CREATE TABLE chat_friend (
    person BYTEA NOT NULL,
    friend BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (person, friend)
);

-- The one room of two people; `pair` is both ids, the smaller first.
CREATE TABLE chat_direct (
    pair BYTEA PRIMARY KEY NOT NULL,
    room_id TEXT NOT NULL
);
