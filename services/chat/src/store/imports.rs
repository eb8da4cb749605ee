//! Imports: what is to come into a room, and how far it has.

use haechi_base::{PersonId, Time};
use haechi_store::{BlobId, StoreError, Tx};

const PUT: &str = "
    INSERT INTO chat_import (import_id, person, room_id, blob_id, name, own_name, offset_minutes, total, done,
        finished_at, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, NULL, $9)
    ON CONFLICT (import_id) DO UPDATE SET total = excluded.total";
const FIND: &str = "
    SELECT import_id, person, room_id, blob_id, name, own_name, offset_minutes, total, done, finished_at, created_at
    FROM chat_import WHERE import_id = $1";
const COUNT: &str = "
    SELECT COUNT(*) AS imports FROM chat_import WHERE person = $1 AND created_at > $2";
const ADVANCE: &str = "UPDATE chat_import SET done = $2 WHERE import_id = $1 AND done < $2";
const FINISH: &str = "
    UPDATE chat_import SET finished_at = $2 WHERE import_id = $1 AND finished_at IS NULL";

/// An import.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    pub(crate) import_id: String,
    pub(crate) person: PersonId,
    pub(crate) room_id: String,
    pub(crate) blob: BlobId,
    pub(crate) name: String,
    pub(crate) own_name: Option<String>,
    pub(crate) offset_minutes: i64,
    pub(crate) total: i64,
    pub(crate) done: i64,
    pub(crate) finished_at: Option<Time>,
    pub(crate) created_at: Time,
}

/// Keeps a new import; its text is there already.
pub(crate) async fn put(tx: &mut Tx<'_>, import: &Import) -> Result<(), StoreError> {
    tx.execute(
        PUT,
        &[
            &import.import_id,
            &import.person,
            &import.room_id,
            &import.blob,
            &import.name,
            &import.own_name,
            &import.offset_minutes,
            &import.total,
            &import.created_at,
        ],
    )
    .await
    .map(drop)
}

/// An import by its id.
pub(crate) async fn find(tx: &mut Tx<'_>, import_id: &str) -> Result<Option<Import>, StoreError> {
    let Some(row) = tx.query_optional(FIND, &[&import_id]).await? else {
        return Ok(None);
    };
    Ok(Some(Import {
        import_id: row.get("import_id")?,
        person: row.get("person")?,
        room_id: row.get("room_id")?,
        blob: row.get("blob_id")?,
        name: row.get("name")?,
        own_name: row.get("own_name")?,
        offset_minutes: row.get("offset_minutes")?,
        total: row.get("total")?,
        done: row.get("done")?,
        finished_at: row.get("finished_at")?,
        created_at: row.get("created_at")?,
    }))
}

/// How many imports a person began since.
pub(crate) async fn count(tx: &mut Tx<'_>, person: PersonId, since: Time) -> Result<u64, StoreError> {
    tx.query_one(COUNT, &[&person, &since]).await?.get("imports")
}

/// Keeps that so many messages are in the room.
pub(crate) async fn advance(tx: &mut Tx<'_>, import_id: &str, done: i64) -> Result<(), StoreError> {
    tx.execute(ADVANCE, &[&import_id, &done]).await.map(drop)
}

/// Keeps that an import is at its end.
pub(crate) async fn finish(tx: &mut Tx<'_>, import_id: &str, now: Time) -> Result<(), StoreError> {
    tx.execute(FINISH, &[&import_id, &now]).await.map(drop)
}
