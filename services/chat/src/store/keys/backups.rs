//! Backups of message keys.

use haechi_base::PersonId;
use haechi_store::{Row, StoreError, ToValue, Tx, Value};

use crate::model::BackedUpKey;

const LAST_VERSION: &str = "
    SELECT COUNT(*) AS backups, COALESCE(MAX(version), 0) AS version FROM chat_backup WHERE person = $1";
const ADD: &str = "
    INSERT INTO chat_backup (person, version, algorithm, auth_data, etag, key_count, deleted)
    VALUES ($1, $2, $3, $4, 0, 0, FALSE)";
const NEWEST: &str = "
    SELECT version, algorithm, auth_data, etag, key_count FROM chat_backup
    WHERE person = $1 AND NOT deleted ORDER BY version DESC LIMIT 1";
const FIND: &str = "
    SELECT version, algorithm, auth_data, etag, key_count FROM chat_backup
    WHERE person = $1 AND version = $2 AND NOT deleted";
const SET_AUTH_DATA: &str = "UPDATE chat_backup SET auth_data = $3 WHERE person = $1 AND version = $2";
const DELETE: &str = "
    UPDATE chat_backup SET deleted = TRUE, key_count = 0 WHERE person = $1 AND version = $2";
const COUNT_CHANGE: &str = "
    UPDATE chat_backup SET etag = etag + 1, key_count = key_count + $3 WHERE person = $1 AND version = $2
    RETURNING etag, key_count";
const PUT_KEYS: &str = "
    INSERT INTO chat_backup_key (person, version, room_id, session_id, rank, data, replaced) VALUES";
// The model ranks copies; here the better one stays.
const PUT_KEYS_AFTER: &str = "
    ON CONFLICT (person, version, room_id, session_id) DO UPDATE SET
        rank = excluded.rank, data = excluded.data, replaced = chat_backup_key.replaced + 1
    WHERE excluded.rank < chat_backup_key.rank RETURNING replaced";
const KEYS: &str = "
    SELECT room_id, session_id, data FROM chat_backup_key WHERE person = $1 AND version = $2";
const KEYS_OF_ROOM: &str = "
    SELECT room_id, session_id, data FROM chat_backup_key
    WHERE person = $1 AND version = $2 AND room_id = $3";
const KEY: &str = "
    SELECT room_id, session_id, data FROM chat_backup_key
    WHERE person = $1 AND version = $2 AND room_id = $3 AND session_id = $4";
const DELETE_KEYS: &str = "DELETE FROM chat_backup_key WHERE person = $1 AND version = $2";
const DELETE_KEYS_OF_ROOM: &str =
    "DELETE FROM chat_backup_key WHERE person = $1 AND version = $2 AND room_id = $3";
const DELETE_KEY: &str = "
    DELETE FROM chat_backup_key WHERE person = $1 AND version = $2 AND room_id = $3 AND session_id = $4";

/// A backup.
#[derive(Debug, Clone)]
pub(crate) struct Backup {
    pub(crate) version: i64,
    pub(crate) algorithm: String,
    pub(crate) auth_data: String,
    /// Grows with each change of its keys.
    pub(crate) etag: i64,
    pub(crate) key_count: i64,
}

/// Which keys of a backup are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chosen {
    All,
    OfRoom(String),
    /// One key, by room and session.
    One(String, String),
}

/// How many backups a person has had, and the version of the last.
pub(crate) async fn last_version(tx: &mut Tx<'_>, person: PersonId) -> Result<(i64, i64), StoreError> {
    let row = tx.query_one(LAST_VERSION, &[&person]).await?;
    Ok((row.get("backups")?, row.get("version")?))
}

/// Adds a backup.
pub(crate) async fn add(
    tx: &mut Tx<'_>,
    person: PersonId,
    version: i64,
    algorithm: &str,
    auth_data: &str,
) -> Result<(), StoreError> {
    tx.execute(ADD, &[&person, &version, &algorithm, &auth_data])
        .await
        .map(drop)
}

/// The newest backup of a person.
pub(crate) async fn newest(tx: &mut Tx<'_>, person: PersonId) -> Result<Option<Backup>, StoreError> {
    let row = tx.query_optional(NEWEST, &[&person]).await?;
    row.as_ref().map(read).transpose()
}

/// One backup of a person.
pub(crate) async fn find(
    tx: &mut Tx<'_>,
    person: PersonId,
    version: i64,
) -> Result<Option<Backup>, StoreError> {
    let row = tx.query_optional(FIND, &[&person, &version]).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Backup, StoreError> {
    Ok(Backup {
        version: row.get("version")?,
        algorithm: row.get("algorithm")?,
        auth_data: row.get("auth_data")?,
        etag: row.get("etag")?,
        key_count: row.get("key_count")?,
    })
}

/// Gives a backup other `auth_data`.
pub(crate) async fn set_auth_data(
    tx: &mut Tx<'_>,
    person: PersonId,
    version: i64,
    auth_data: &str,
) -> Result<(), StoreError> {
    tx.execute(SET_AUTH_DATA, &[&person, &version, &auth_data])
        .await
        .map(drop)
}

/// Deletes a backup with its keys.
pub(crate) async fn delete(tx: &mut Tx<'_>, person: PersonId, version: i64) -> Result<(), StoreError> {
    tx.execute(DELETE, &[&person, &version]).await?;
    tx.execute(DELETE_KEYS, &[&person, &version]).await.map(drop)
}

/// Keeps keys, each once, where they are new or better than what is there; returns how many are new and how many
/// took another's place.
pub(crate) async fn put_keys(
    tx: &mut Tx<'_>,
    person: PersonId,
    version: i64,
    keys: &[BackedUpKey],
) -> Result<(i64, i64), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = keys
        .iter()
        .map(|key| {
            vec![
                person.to_value().into_owned(),
                Value::Integer(version),
                key.room_id.to_value(),
                key.session_id.to_value(),
                Value::Integer(key.rank),
                key.data.to_value(),
                Value::Integer(0),
            ]
        })
        .collect();
    let (mut new, mut better) = (0, 0);
    for row in tx.query_values(PUT_KEYS, &rows, PUT_KEYS_AFTER).await? {
        if row.get::<i64>("replaced")? == 0 {
            new += 1;
        } else {
            better += 1;
        }
    }
    Ok((new, better))
}

/// Notes a change of a backup's keys; returns its etag and how many keys it has.
pub(crate) async fn count_change(
    tx: &mut Tx<'_>,
    person: PersonId,
    version: i64,
    new: i64,
) -> Result<(i64, i64), StoreError> {
    let row = tx.query_one(COUNT_CHANGE, &[&person, &version, &new]).await?;
    Ok((row.get("etag")?, row.get("key_count")?))
}

/// Keys of a backup: (room, session, key).
pub(crate) async fn keys(
    tx: &mut Tx<'_>,
    person: PersonId,
    version: i64,
    chosen: &Chosen,
) -> Result<Vec<(String, String, String)>, StoreError> {
    let rows = match chosen {
        Chosen::All => tx.query(KEYS, &[&person, &version]).await?,
        Chosen::OfRoom(room_id) => tx.query(KEYS_OF_ROOM, &[&person, &version, room_id]).await?,
        Chosen::One(room_id, session_id) => tx.query(KEY, &[&person, &version, room_id, session_id]).await?,
    };
    let read = |row: &Row| Ok((row.get("room_id")?, row.get("session_id")?, row.get("data")?));
    rows.iter().map(read).collect()
}

/// Deletes keys of a backup; returns how many.
pub(crate) async fn delete_keys(
    tx: &mut Tx<'_>,
    person: PersonId,
    version: i64,
    chosen: &Chosen,
) -> Result<u64, StoreError> {
    match chosen {
        Chosen::All => tx.execute(DELETE_KEYS, &[&person, &version]).await,
        Chosen::OfRoom(room_id) => {
            tx.execute(DELETE_KEYS_OF_ROOM, &[&person, &version, room_id])
                .await
        }
        Chosen::One(room_id, session_id) => {
            tx.execute(DELETE_KEY, &[&person, &version, room_id, session_id])
                .await
        }
    }
}
