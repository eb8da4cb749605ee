-- What people keep.
CREATE TABLE sample_item (
    item_id BYTEA PRIMARY KEY NOT NULL,
    owner_id BYTEA NOT NULL,
    title TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX sample_item_by_owner ON sample_item (owner_id, item_id);
