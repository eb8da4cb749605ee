-- What the store keeps for itself: idempotency keys, blobs in chunks, jobs.

CREATE TABLE store_write_key (
    name TEXT PRIMARY KEY NOT NULL,
    fingerprint BYTEA NOT NULL,
    answer TEXT,
    attempts BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX store_write_key_created_at ON store_write_key (created_at);

-- A blob is a list of chunks; a chunk is stored once however many blobs hold it.
CREATE TABLE store_chunk (
    hash BYTEA PRIMARY KEY NOT NULL,
    bytes BYTEA NOT NULL
);
CREATE TABLE store_blob (
    hash BYTEA PRIMARY KEY NOT NULL,
    size_bytes BIGINT NOT NULL,
    chunk_count BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE store_blob_chunk (
    blob BYTEA NOT NULL,
    number BIGINT NOT NULL,
    chunk BYTEA NOT NULL,
    PRIMARY KEY (blob, number)
);

CREATE TABLE store_job (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    payload TEXT NOT NULL,
    run_at BIGINT NOT NULL,
    leased_until BIGINT NOT NULL,
    lease TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    -- How often it was asked for: asked for again while it runs, it runs again.
    requests BIGINT NOT NULL,
    last_error TEXT,
    PRIMARY KEY (kind, name)
);
CREATE INDEX store_job_run_at ON store_job (run_at);
