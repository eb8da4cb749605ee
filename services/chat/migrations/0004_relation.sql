-- What events say of other events, threads and how far they were read, the search index, fields of profiles, and
-- messages that are sent later.

-- Whether an edit, a thread or a reference hangs on the event: only for those the tables below are asked.
ALTER TABLE chat_event ADD COLUMN is_related BOOLEAN NOT NULL DEFAULT FALSE;

-- What an event says of its `target` (`m.relates_to`). `ordinal` counts the messages of a thread up to this one.
-- `reaction` is the hash of sender, target, type and key, for reactions: nobody reacts twice alike. `is_edit` says
-- whether it is an edit that stands: by the sender of the target, and of its type.
CREATE TABLE chat_relation (
    event_id TEXT PRIMARY KEY NOT NULL,
    target TEXT NOT NULL,
    kind TEXT NOT NULL,
    type TEXT NOT NULL,
    position BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    is_edit BOOLEAN NOT NULL,
    reaction BYTEA
);
CREATE INDEX chat_relation_target_position ON chat_relation (target, position);
CREATE INDEX chat_relation_target_kind_position ON chat_relation (target, kind, position);
CREATE INDEX chat_relation_reaction ON chat_relation (reaction) WHERE reaction IS NOT NULL;

-- The latest edit of an event; empty when all were taken back.
CREATE TABLE chat_edit (
    target TEXT PRIMARY KEY NOT NULL,
    event_id TEXT NOT NULL,
    position BIGINT NOT NULL
);

-- A thread, with its latest event. `children` are those that stand, `ordinal` counts the messages it ever had.
CREATE TABLE chat_thread (
    root TEXT PRIMARY KEY NOT NULL,
    room_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    children BIGINT NOT NULL,
    ordinal BIGINT NOT NULL
);
CREATE INDEX chat_thread_room_id_position ON chat_thread (room_id, position);

-- How far a person has read a thread, and whether they wrote in it. `member` is the person's id and the root's.
CREATE TABLE chat_thread_member (
    member BYTEA PRIMARY KEY NOT NULL,
    position BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    participates BOOLEAN NOT NULL
);

-- Up to where all threads of the room are read: by a receipt for the whole room.
ALTER TABLE chat_read ADD COLUMN threads_position BIGINT NOT NULL DEFAULT 0;
UPDATE chat_read SET threads_position = position;

-- Up to where a room's texts are indexed.
CREATE TABLE chat_search_room (
    room_id TEXT PRIMARY KEY NOT NULL,
    position BIGINT NOT NULL
);

-- A run of a room's messages with the pieces of their texts: sorted hashes of 16 bits. What a search looks for can
-- only stand in runs that hold all its pieces.
CREATE TABLE chat_search_block (
    room_id TEXT NOT NULL,
    first_position BIGINT NOT NULL,
    last_position BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    messages BIGINT NOT NULL,
    grams BYTEA NOT NULL,
    PRIMARY KEY (room_id, first_position)
);

-- Messages that were taken back: the run that holds one is made anew.
CREATE TABLE chat_search_stale (
    room_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (room_id, position)
);

CREATE TABLE chat_profile_field (
    person BYTEA NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (person, name)
);

-- Events that wait for their time; `event_id` is what each will be.
CREATE TABLE chat_delayed (
    event_id TEXT PRIMARY KEY NOT NULL,
    delay_id TEXT NOT NULL,
    person BYTEA NOT NULL,
    room_id TEXT NOT NULL,
    type TEXT NOT NULL,
    state_key TEXT,
    content TEXT NOT NULL,
    sent_as TEXT,
    delay_ms BIGINT NOT NULL,
    started_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX chat_delayed_delay_id ON chat_delayed (delay_id);
CREATE INDEX chat_delayed_person ON chat_delayed (person, started_at);
