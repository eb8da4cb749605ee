//! Uploads that are announced and awaited.

use haechi_base::{PersonId, Time};
use haechi_store::{StoreError, Tx};

const PUT: &str = "
    INSERT INTO chat_media_reservation (media_id, uploader, created_at, expires_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (media_id) DO UPDATE SET expires_at = excluded.expires_at";
const FIND: &str = "SELECT uploader, expires_at FROM chat_media_reservation WHERE media_id = $1";
const COUNT: &str = "
    SELECT COUNT(*) AS reserved FROM chat_media_reservation
    WHERE uploader = $1 AND expires_at > $2 AND media_id <> $3";
const REMOVE: &str = "DELETE FROM chat_media_reservation WHERE media_id = $1";
const FORGET: &str = "
    DELETE FROM chat_media_reservation WHERE media_id IN (
        SELECT media_id FROM chat_media_reservation WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";

/// An announced upload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reservation {
    pub(crate) uploader: PersonId,
    pub(crate) expires_at: Time,
}

/// Keeps that an upload is awaited.
pub(crate) async fn put(
    tx: &mut Tx<'_>,
    media_id: &str,
    reservation: Reservation,
    now: Time,
) -> Result<(), StoreError> {
    let Reservation { uploader, expires_at } = reservation;
    tx.execute(PUT, &[&media_id, &uploader, &now, &expires_at])
        .await
        .map(drop)
}

/// Whose upload is awaited under this id.
pub(crate) async fn find(tx: &mut Tx<'_>, media_id: &str) -> Result<Option<Reservation>, StoreError> {
    let Some(row) = tx.query_optional(FIND, &[&media_id]).await? else {
        return Ok(None);
    };
    Ok(Some(Reservation {
        uploader: row.get("uploader")?,
        expires_at: row.get("expires_at")?,
    }))
}

/// How many uploads of a person are awaited, without the one of this id.
pub(crate) async fn count(
    tx: &mut Tx<'_>,
    uploader: PersonId,
    now: Time,
    media_id: &str,
) -> Result<u64, StoreError> {
    tx.query_one(COUNT, &[&uploader, &now, &media_id])
        .await?
        .get("reserved")
}

/// Awaits an upload no longer.
pub(crate) async fn remove(tx: &mut Tx<'_>, media_id: &str) -> Result<(), StoreError> {
    tx.execute(REMOVE, &[&media_id]).await.map(drop)
}

/// Forgets up to `limit` that expired before `now`; returns how many.
pub(crate) async fn forget(tx: &mut Tx<'_>, now: Time, limit: u32) -> Result<u64, StoreError> {
    tx.execute(FORGET, &[&now, &limit]).await
}
