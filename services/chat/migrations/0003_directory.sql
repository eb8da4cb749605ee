-- Names of rooms, the directory of rooms, versions and ways of joining, and what people report.

ALTER TABLE chat_room ADD COLUMN version TEXT NOT NULL DEFAULT '11';
-- Beside who made the room (room version 12), a JSON list of people.
ALTER TABLE chat_room ADD COLUMN more_creators TEXT;
-- The rooms whose members may join, as a JSON list.
ALTER TABLE chat_room ADD COLUMN allowed_rooms TEXT;
-- When staff closed the room.
ALTER TABLE chat_room ADD COLUMN shut_at BIGINT;

-- `claim` names the request that took the alias, so that one that is run again knows its own.
CREATE TABLE chat_alias (
    alias TEXT PRIMARY KEY NOT NULL,
    room_id TEXT NOT NULL,
    creator BYTEA NOT NULL,
    claim TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX chat_alias_room_id ON chat_alias (room_id, alias);

-- What a listing asks of a room: how many are in it, so that nobody counts members, and for those in the directory
-- their type and the words that are searched, in lower case.
CREATE TABLE chat_listing (
    room_id TEXT PRIMARY KEY NOT NULL,
    is_listed BOOLEAN NOT NULL,
    joined BIGINT NOT NULL,
    room_type TEXT NOT NULL,
    name TEXT NOT NULL,
    topic TEXT NOT NULL,
    alias TEXT NOT NULL
);
CREATE INDEX chat_listing_joined ON chat_listing (joined, room_id) WHERE is_listed;
INSERT INTO chat_listing (room_id, is_listed, joined, room_type, name, topic, alias)
    SELECT room_id, FALSE, COUNT(*), '', '', '', '' FROM chat_membership WHERE membership = 'join' GROUP BY room_id;

-- What people tell staff of. `content` is what the event said when it was reported.
CREATE TABLE chat_report (
    report_id BYTEA PRIMARY KEY NOT NULL,
    reporter BYTEA NOT NULL,
    room_id TEXT,
    event_id TEXT,
    person BYTEA,
    content TEXT,
    reason TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    resolved_at BIGINT,
    resolved_by BYTEA,
    resolution TEXT
);
CREATE INDEX chat_report_open ON chat_report (report_id) WHERE resolved_at IS NULL;
