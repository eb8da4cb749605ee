-- Thumbnails, announced uploads, previews of links, imports, who is found by number, and what services write.

-- A thumbnail is made once; `size` is method and box, as in `crop 96x96`.
CREATE TABLE chat_thumbnail (
    media_id TEXT NOT NULL,
    size TEXT NOT NULL,
    blob_id BYTEA NOT NULL,
    content_type TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (media_id, size)
);

-- Uploads whose URI is given out and whose bytes are awaited. The row goes when they come, or when it expires.
CREATE TABLE chat_media_reservation (
    media_id TEXT PRIMARY KEY NOT NULL,
    uploader BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX chat_media_reservation_uploader ON chat_media_reservation (uploader, expires_at);
CREATE INDEX chat_media_reservation_expires_at ON chat_media_reservation (expires_at);

-- What pages said of themselves, by the hash of their address: who was sent which link is nobody's business.
CREATE TABLE chat_url_preview (
    url_hash BYTEA PRIMARY KEY NOT NULL,
    preview TEXT NOT NULL,
    fetched_at BIGINT NOT NULL
);
CREATE INDEX chat_url_preview_fetched_at ON chat_url_preview (fetched_at);

-- Texts of other messengers on their way into a room. `done` messages are in it.
CREATE TABLE chat_import (
    import_id TEXT PRIMARY KEY NOT NULL,
    person BYTEA NOT NULL,
    room_id TEXT NOT NULL,
    blob_id BYTEA NOT NULL,
    name TEXT NOT NULL,
    own_name TEXT,
    offset_minutes BIGINT NOT NULL,
    total BIGINT NOT NULL,
    done BIGINT NOT NULL,
    finished_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX chat_import_person_created_at ON chat_import (person, created_at);

-- Who allows being found by their number, under its hash with the server's pepper.
CREATE TABLE chat_findable (
    person BYTEA PRIMARY KEY NOT NULL,
    phone_hash BYTEA NOT NULL
);
CREATE INDEX chat_findable_phone_hash ON chat_findable (phone_hash);

-- How many numbers a person compared on a day (days since 1970-01-01, UTC).
CREATE TABLE chat_match_count (
    person BYTEA PRIMARY KEY NOT NULL,
    day BIGINT NOT NULL,
    hashes BIGINT NOT NULL
);

-- Services whose messages a person does not want.
CREATE TABLE chat_blocked_service (
    person BYTEA NOT NULL,
    service TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (person, service)
);

-- Messages of services to people whose room with them is still to be made, or to be entered again.
CREATE TABLE chat_notice (
    notice_id TEXT PRIMARY KEY NOT NULL,
    service TEXT NOT NULL,
    person BYTEA NOT NULL,
    content TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX chat_notice_person_service ON chat_notice (person, service, created_at);
