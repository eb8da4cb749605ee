-- Who wants to be told of what is said while they look elsewhere, and how far that has been done.

CREATE TABLE chat_pusher (
    person BYTEA NOT NULL,
    app_id TEXT NOT NULL,
    push_key TEXT NOT NULL,
    session BYTEA NOT NULL,
    definition TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (person, app_id, push_key)
);
-- The same app on the same device is signed in as somebody else: the earlier one's pusher goes.
CREATE INDEX chat_pusher_app_id_push_key ON chat_pusher (app_id, push_key);
CREATE INDEX chat_pusher_session ON chat_pusher (session);

-- The rooms of those who have pushers: in a room of ten thousand the three who want to be told are found at once. Rows of
-- who has left do no harm: the membership is asked before anything is pushed.
CREATE TABLE chat_pushed_member (
    room_id TEXT NOT NULL,
    person BYTEA NOT NULL,
    PRIMARY KEY (room_id, person)
);
CREATE INDEX chat_pushed_member_person ON chat_pushed_member (person);

-- Up to which position all of a stream was pushed, or is kept below to be tried again.
CREATE TABLE chat_push_progress (
    stream BIGINT PRIMARY KEY NOT NULL,
    position BIGINT NOT NULL
);
-- What was said before is pushed to nobody.
INSERT INTO chat_push_progress (stream, position) SELECT stream, position FROM chat_stream WHERE stream < 4;

-- Pushes that were not taken and are tried again.
CREATE TABLE chat_late_push (
    person BYTEA NOT NULL,
    app_id TEXT NOT NULL,
    push_key TEXT NOT NULL,
    event_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (person, app_id, push_key, event_id)
);

-- The key by which browsers' push services know this house (RFC 8292): one row, the private half sealed.
CREATE TABLE chat_push_key (
    id BIGINT PRIMARY KEY NOT NULL,
    public_key TEXT NOT NULL,
    sealed_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
