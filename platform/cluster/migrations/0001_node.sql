-- The nodes of all sites, and which of them does what only one at a time should do.

-- One row a run of the program. `seen_at` is renewed about every second; old rows are forgotten.
CREATE TABLE cluster_node (
    node_id BYTEA PRIMARY KEY NOT NULL,
    site TEXT NOT NULL,
    url TEXT NOT NULL,
    version TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);

-- A lease spares two nodes from fighting over the same rows. Nothing is wrong when two hold it for a moment.
CREATE TABLE cluster_lease (
    name TEXT PRIMARY KEY NOT NULL,
    owner BYTEA NOT NULL,
    expires_at BIGINT NOT NULL
);
