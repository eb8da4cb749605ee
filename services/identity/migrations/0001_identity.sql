-- People, the codes that prove a phone number, and sessions: one sign-in of one person on one device.

CREATE TABLE identity_person (
    id BYTEA PRIMARY KEY NOT NULL,
    phone TEXT NOT NULL,
    display_name TEXT NOT NULL,
    role TEXT NOT NULL,
    password_hash TEXT,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX identity_person_phone ON identity_person (phone);

-- A code is kept for an hour although it lives for minutes: the rows of the hour are what limits the next one.
CREATE TABLE identity_code (
    id BYTEA PRIMARY KEY NOT NULL,
    phone TEXT NOT NULL,
    code_hash BYTEA NOT NULL,
    tries BIGINT NOT NULL,
    used BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX identity_code_phone ON identity_code (phone, created_at);
CREATE INDEX identity_code_created_at ON identity_code (created_at);

CREATE TABLE identity_session (
    id BYTEA PRIMARY KEY NOT NULL,
    person BYTEA NOT NULL,
    device_id TEXT NOT NULL,
    device_name TEXT NOT NULL,
    refreshable BOOLEAN NOT NULL,
    generation BIGINT NOT NULL,
    used_generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX identity_session_device ON identity_session (person, device_id);
CREATE INDEX identity_session_expires_at ON identity_session (expires_at);

CREATE TABLE identity_login_token (
    token_hash BYTEA PRIMARY KEY NOT NULL,
    person BYTEA NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX identity_login_token_expires_at ON identity_login_token (expires_at);
