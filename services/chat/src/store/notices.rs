//! What services write to people, where it has to wait for a room; and whose messages people do not want.

use haechi_base::{PersonId, Time};
use haechi_store::{StoreError, Tx};

const PUT: &str = "
    INSERT INTO chat_notice (notice_id, service, person, content, created_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (notice_id) DO UPDATE SET created_at = excluded.created_at";
const WAITING: &str = "
    SELECT notice_id, content, created_at FROM chat_notice
    WHERE person = $1 AND service = $2 ORDER BY created_at LIMIT $3";
const COUNT: &str = "
    SELECT COUNT(*) AS waiting FROM chat_notice WHERE person = $1 AND service = $2";
const REMOVE: &str = "DELETE FROM chat_notice WHERE notice_id IN";
const REMOVE_ALL: &str = "DELETE FROM chat_notice WHERE person = $1 AND service = $2";
const BLOCK: &str = "
    INSERT INTO chat_blocked_service (person, service, created_at) VALUES ($1, $2, $3)
    ON CONFLICT (person, service) DO UPDATE SET created_at = chat_blocked_service.created_at";
const UNBLOCK: &str = "DELETE FROM chat_blocked_service WHERE person = $1 AND service = $2";
const IS_BLOCKED: &str = "
    SELECT service FROM chat_blocked_service WHERE person = $1 AND service = $2";
const BLOCKED: &str = "
    SELECT service FROM chat_blocked_service WHERE person = $1 ORDER BY service LIMIT $2";

/// A message that waits for its room.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) notice_id: String,
    pub(crate) content: String,
    pub(crate) created_at: Time,
}

/// Keeps a message that waits.
pub(crate) async fn put(
    tx: &mut Tx<'_>,
    service: &str,
    person: PersonId,
    notice: &Notice,
) -> Result<(), StoreError> {
    let Notice {
        notice_id,
        content,
        created_at,
    } = notice;
    tx.execute(PUT, &[notice_id, &service, &person, content, created_at])
        .await
        .map(drop)
}

/// Up to `limit` messages of a service to a person that wait, the oldest first.
pub(crate) async fn waiting(
    tx: &mut Tx<'_>,
    service: &str,
    person: PersonId,
    limit: u32,
) -> Result<Vec<Notice>, StoreError> {
    let rows = tx.query(WAITING, &[&person, &service, &limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(Notice {
                notice_id: row.get("notice_id")?,
                content: row.get("content")?,
                created_at: row.get("created_at")?,
            })
        })
        .collect()
}

/// How many messages of a service to a person wait.
pub(crate) async fn count(tx: &mut Tx<'_>, service: &str, person: PersonId) -> Result<u64, StoreError> {
    tx.query_one(COUNT, &[&person, &service]).await?.get("waiting")
}

/// Takes away messages that are in their room.
pub(crate) async fn remove(tx: &mut Tx<'_>, notice_ids: &[&str]) -> Result<(), StoreError> {
    tx.query_in(REMOVE, notice_ids, "").await.map(drop)
}

/// Takes away all messages of a service to a person that wait.
pub(crate) async fn remove_all(tx: &mut Tx<'_>, service: &str, person: PersonId) -> Result<(), StoreError> {
    tx.execute(REMOVE_ALL, &[&person, &service]).await.map(drop)
}

/// Keeps that a person does not want a service's messages.
pub(crate) async fn block(
    tx: &mut Tx<'_>,
    person: PersonId,
    service: &str,
    now: Time,
) -> Result<(), StoreError> {
    tx.execute(BLOCK, &[&person, &service, &now]).await.map(drop)
}

/// Keeps that they do.
pub(crate) async fn unblock(tx: &mut Tx<'_>, person: PersonId, service: &str) -> Result<(), StoreError> {
    tx.execute(UNBLOCK, &[&person, &service]).await.map(drop)
}

/// Whether a person does not want a service's messages.
pub(crate) async fn is_blocked(tx: &mut Tx<'_>, person: PersonId, service: &str) -> Result<bool, StoreError> {
    Ok(tx
        .query_optional(IS_BLOCKED, &[&person, &service])
        .await?
        .is_some())
}

/// Up to `limit` services whose messages a person does not want, by name.
pub(crate) async fn blocked(
    tx: &mut Tx<'_>,
    person: PersonId,
    limit: u32,
) -> Result<Vec<String>, StoreError> {
    let rows = tx.query(BLOCKED, &[&person, &limit]).await?;
    rows.iter().map(|row| row.get("service")).collect()
}
