-- End-to-end encryption: what devices tell one another about their keys, messages between devices, and backups of
-- message keys. The server reads none of it: keys and messages are kept as their clients wrote and signed them.

-- The identity keys of a device. `looked_at` is when it was last seen to have a living session.
CREATE TABLE chat_device (
    person BYTEA NOT NULL,
    device_id TEXT NOT NULL,
    keys TEXT NOT NULL,
    looked_at BIGINT NOT NULL,
    PRIMARY KEY (person, device_id)
);
CREATE INDEX chat_device_looked_at ON chat_device (looked_at);

-- A device that nobody is signed in on: it gathers keys for the person's next real one (MSC3814).
CREATE TABLE chat_dehydrated_device (
    person BYTEA PRIMARY KEY NOT NULL,
    device_id TEXT NOT NULL,
    display_name TEXT,
    device_data TEXT NOT NULL
);

-- A claimed key stays for a while, so that an upload that is repeated does not bring it back.
CREATE TABLE chat_one_time_key (
    person BYTEA NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    key TEXT NOT NULL,
    uploaded_at BIGINT NOT NULL,
    claimed_at BIGINT,
    PRIMARY KEY (person, device_id, algorithm, key_id)
);
CREATE INDEX chat_one_time_key_unclaimed
    ON chat_one_time_key (person, device_id, algorithm, uploaded_at, key_id) WHERE claimed_at IS NULL;
CREATE INDEX chat_one_time_key_claimed_at ON chat_one_time_key (claimed_at) WHERE claimed_at IS NOT NULL;

-- What is handed out, again and again, once the one-time keys are used up.
CREATE TABLE chat_fallback_key (
    person BYTEA NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    key TEXT NOT NULL,
    used BOOLEAN NOT NULL,
    PRIMARY KEY (person, device_id, algorithm)
);

-- `usage` is master, self_signing or user_signing; `public_key` is the key itself, in base64.
CREATE TABLE chat_cross_signing_key (
    person BYTEA NOT NULL,
    usage TEXT NOT NULL,
    public_key TEXT NOT NULL,
    keys TEXT NOT NULL,
    PRIMARY KEY (person, usage)
);

-- Signatures that came after the key they sign. `pair` is the signer's id followed by the owner's; `target` is a device
-- id or the master key in base64, `signer_key` the id of the key that signed.
CREATE TABLE chat_signature (
    pair BYTEA NOT NULL,
    target TEXT NOT NULL,
    signer_key TEXT NOT NULL,
    signature TEXT NOT NULL,
    PRIMARY KEY (pair, target, signer_key)
);

-- When a person's keys last changed, by a position of the people's stream.
CREATE TABLE chat_device_change (
    person BYTEA PRIMARY KEY NOT NULL,
    position BIGINT NOT NULL
);
CREATE INDEX chat_device_change_position ON chat_device_change (position, person);

-- When a person last signed another one's key: of that only the signer's own devices hear.
CREATE TABLE chat_signature_change (
    signer BYTEA NOT NULL,
    person BYTEA NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (signer, person)
);
CREATE INDEX chat_signature_change_signer ON chat_signature_change (signer, position);

-- Messages to a device, kept until a sync token proves that they were received.
CREATE TABLE chat_inbox (
    person BYTEA NOT NULL,
    device_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (person, device_id, position)
);

-- Which requests to send messages to devices were done, by a hash of all that makes them the same request.
CREATE TABLE chat_sent_to_device (
    request TEXT PRIMARY KEY NOT NULL,
    sent_at BIGINT NOT NULL,
    repeats BIGINT NOT NULL
);
CREATE INDEX chat_sent_to_device_sent_at ON chat_sent_to_device (sent_at);

-- A deleted version stays, so that its number is never given out again.
CREATE TABLE chat_backup (
    person BYTEA NOT NULL,
    version BIGINT NOT NULL,
    algorithm TEXT NOT NULL,
    auth_data TEXT NOT NULL,
    etag BIGINT NOT NULL,
    key_count BIGINT NOT NULL,
    deleted BOOLEAN NOT NULL,
    PRIMARY KEY (person, version)
);

-- `rank` orders copies of one key: the smaller is the better one. `replaced` counts the copies before this one.
CREATE TABLE chat_backup_key (
    person BYTEA NOT NULL,
    version BIGINT NOT NULL,
    room_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    rank BIGINT NOT NULL,
    data TEXT NOT NULL,
    replaced BIGINT NOT NULL,
    PRIMARY KEY (person, version, room_id, session_id)
);
