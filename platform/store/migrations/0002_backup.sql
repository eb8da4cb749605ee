-- The backups that were made of this store, so that their age can be asked for.

CREATE TABLE store_backup (
    name TEXT PRIMARY KEY NOT NULL,
    -- 'file': a copy of the embedded file. 'pgbackrest': of a PostgreSQL cluster, beside its archived log.
    kind TEXT NOT NULL,
    -- The folder or the repository that holds it.
    place TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT NOT NULL
);
CREATE INDEX store_backup_finished_at ON store_backup (finished_at);
