//! Devices that have identity keys, and dehydrated ones.

use haechi_base::{PersonId, Time};
use haechi_store::{Row, Statement, StoreError, Tx};

// Keys that are there already change nothing, and then nobody is told.
const PUT: &str = "
    INSERT INTO chat_device (person, device_id, keys, looked_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (person, device_id) DO UPDATE SET keys = excluded.keys, looked_at = excluded.looked_at
    WHERE chat_device.keys <> excluded.keys RETURNING device_id";
const OF_PEOPLE: &str = "SELECT person, device_id, keys FROM chat_device WHERE person IN";
const IDS_OF: &str = "SELECT device_id FROM chat_device WHERE person = $1";
const LOOK_AT: &str = "UPDATE chat_device SET looked_at = $2 WHERE person = $1";
const LONG_UNSEEN: &str = "
    SELECT person FROM chat_device WHERE looked_at < $1 ORDER BY looked_at LIMIT $2";
const PUT_DEHYDRATED: &str = "
    INSERT INTO chat_dehydrated_device (person, device_id, display_name, device_data) VALUES ($1, $2, $3, $4)
    ON CONFLICT (person) DO UPDATE SET device_id = excluded.device_id, display_name = excluded.display_name,
        device_data = excluded.device_data";
const DEHYDRATED_OF: &str = "
    SELECT person, device_id, display_name, device_data FROM chat_dehydrated_device WHERE person IN";
const FORGET_DEHYDRATED: &str = "DELETE FROM chat_dehydrated_device WHERE person = $1 AND device_id = $2";

/// All that is kept of one device, table by table.
const FORGET: [&str; 4] = [
    "DELETE FROM chat_device WHERE person = $1 AND device_id = $2",
    "DELETE FROM chat_one_time_key WHERE person = $1 AND device_id = $2",
    "DELETE FROM chat_fallback_key WHERE person = $1 AND device_id = $2",
    "DELETE FROM chat_inbox WHERE person = $1 AND device_id = $2",
];
const FORGET_SIGNATURES: &str = "DELETE FROM chat_signature WHERE pair = $1 AND target = $2";

/// The identity keys of a device.
#[derive(Debug, Clone)]
pub(crate) struct FoundDevice {
    pub(crate) person: PersonId,
    pub(crate) device_id: String,
    pub(crate) keys: String,
}

/// A dehydrated device.
#[derive(Debug, Clone)]
pub(crate) struct Dehydrated {
    pub(crate) person: PersonId,
    pub(crate) device_id: String,
    pub(crate) display_name: Option<String>,
    /// What its owner needs to wake it, encrypted.
    pub(crate) device_data: String,
}

/// Keeps a device's identity keys; returns whether they are new.
pub(crate) async fn put(
    tx: &mut Tx<'_>,
    person: PersonId,
    device_id: &str,
    keys: &str,
    now: Time,
) -> Result<bool, StoreError> {
    let changed = tx
        .query_optional(PUT, &[&person, &device_id, &keys, &now])
        .await?;
    Ok(changed.is_some())
}

/// The devices of these people that have identity keys.
pub(crate) async fn of_people(tx: &mut Tx<'_>, people: &[PersonId]) -> Result<Vec<FoundDevice>, StoreError> {
    let rows = tx.query_in(OF_PEOPLE, people, "").await?;
    rows.iter()
        .map(|row| {
            Ok(FoundDevice {
                person: row.get("person")?,
                device_id: row.get("device_id")?,
                keys: row.get("keys")?,
            })
        })
        .collect()
}

/// The ids of a person's devices that have identity keys.
pub(crate) async fn ids_of(tx: &mut Tx<'_>, person: PersonId) -> Result<Vec<String>, StoreError> {
    let rows = tx.query(IDS_OF, &[&person]).await?;
    rows.iter().map(|row| row.get("device_id")).collect()
}

/// Notes that it was looked whether the person's devices have sessions.
pub(crate) async fn look_at(tx: &mut Tx<'_>, person: PersonId, now: Time) -> Result<(), StoreError> {
    tx.execute(LOOK_AT, &[&person, &now]).await.map(drop)
}

/// Up to `limit` people, some of them perhaps more than once, whose devices were not looked at since.
pub(crate) async fn long_unseen(
    tx: &mut Tx<'_>,
    since: Time,
    limit: u32,
) -> Result<Vec<PersonId>, StoreError> {
    let rows = tx.query(LONG_UNSEEN, &[&since, &limit]).await?;
    rows.iter().map(|row| row.get("person")).collect()
}

/// Forgets devices of a person with their keys, their messages, and what was signed of them by their owner.
pub(crate) async fn forget(tx: &mut Tx<'_>, person: PersonId, device_ids: &[&str]) -> Result<(), StoreError> {
    let own = super::cross_signing::pair(person, person);
    let mut statements = Vec::with_capacity(device_ids.len() * (FORGET.len() + 1));
    for device_id in device_ids {
        let device = |sql| Statement::new(sql, &[&person, device_id]);
        statements.extend(FORGET.into_iter().map(device));
        statements.push(Statement::new(FORGET_SIGNATURES, &[&own, device_id]));
    }
    tx.run_all(&statements).await.map(drop)
}

/// Keeps a dehydrated device in the place of the one before.
pub(crate) async fn put_dehydrated(tx: &mut Tx<'_>, device: &Dehydrated) -> Result<(), StoreError> {
    tx.execute(
        PUT_DEHYDRATED,
        &[
            &device.person,
            &device.device_id,
            &device.display_name,
            &device.device_data,
        ],
    )
    .await
    .map(drop)
}

/// The dehydrated devices of these people.
pub(crate) async fn dehydrated_of(
    tx: &mut Tx<'_>,
    people: &[PersonId],
) -> Result<Vec<Dehydrated>, StoreError> {
    let rows = tx.query_in(DEHYDRATED_OF, people, "").await?;
    rows.iter().map(read_dehydrated).collect()
}

fn read_dehydrated(row: &Row) -> Result<Dehydrated, StoreError> {
    Ok(Dehydrated {
        person: row.get("person")?,
        device_id: row.get("device_id")?,
        display_name: row.get("display_name")?,
        device_data: row.get("device_data")?,
    })
}

/// Forgets that a device is a dehydrated one; its keys go by [`forget`].
pub(crate) async fn forget_dehydrated(
    tx: &mut Tx<'_>,
    person: PersonId,
    device_id: &str,
) -> Result<(), StoreError> {
    tx.execute(FORGET_DEHYDRATED, &[&person, &device_id])
        .await
        .map(drop)
}
