//! Pushers, and the key that the house shows to browsers' push services.

use haechi_base::{PersonId, SessionId, Time};
use haechi_store::{Row, StoreError, Tx};

use crate::model::{KeptPusher, PusherName};

const PUT: &str = "
    INSERT INTO chat_pusher (person, app_id, push_key, session, definition, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (person, app_id, push_key) DO UPDATE SET session = excluded.session,
        definition = excluded.definition, created_at = excluded.created_at";
const OF_PEOPLE: &str = "
    SELECT person, app_id, push_key, session, definition, created_at FROM chat_pusher WHERE person IN";
const REMOVE: &str = "DELETE FROM chat_pusher WHERE person = $1 AND app_id = $2 AND push_key = $3";
const OF_OTHERS: &str = "
    SELECT person, app_id, push_key, session, definition, created_at FROM chat_pusher
    WHERE app_id = $1 AND push_key = $2 AND person <> $3";
const OF_SESSION: &str = "
    SELECT person, app_id, push_key, session, definition, created_at FROM chat_pusher
    WHERE session = $1 AND app_id = $2";
const HAS_ANY: &str = "SELECT app_id FROM chat_pusher WHERE person = $1 LIMIT 1";
const KEEP_KEY: &str = "
    INSERT INTO chat_push_key (id, public_key, sealed_key, created_at) VALUES (1, $1, $2, $3)
    ON CONFLICT (id) DO UPDATE SET created_at = chat_push_key.created_at RETURNING public_key, sealed_key";

/// Keeps a pusher.
pub(crate) async fn put(tx: &mut Tx<'_>, pusher: &KeptPusher) -> Result<(), StoreError> {
    tx.execute(
        PUT,
        &[
            &pusher.name.person,
            &pusher.name.app_id,
            &pusher.name.push_key,
            &pusher.session,
            &pusher.definition,
            &pusher.created_at,
        ],
    )
    .await
    .map(drop)
}

/// The pushers of these people.
pub(crate) async fn of_people(tx: &mut Tx<'_>, people: &[PersonId]) -> Result<Vec<KeptPusher>, StoreError> {
    tx.query_in(OF_PEOPLE, people, "")
        .await?
        .iter()
        .map(read)
        .collect()
}

/// Takes a pusher away; returns whether it was there.
pub(crate) async fn remove(tx: &mut Tx<'_>, name: &PusherName) -> Result<bool, StoreError> {
    let removed = tx
        .execute(REMOVE, &[&name.person, &name.app_id, &name.push_key])
        .await?;
    Ok(removed > 0)
}

/// The pushers of the same app and key that others have.
pub(crate) async fn of_others(tx: &mut Tx<'_>, name: &PusherName) -> Result<Vec<KeptPusher>, StoreError> {
    let rows = tx
        .query(OF_OTHERS, &[&name.app_id, &name.push_key, &name.person])
        .await?;
    rows.iter().map(read).collect()
}

/// The pushers of an app that were set with a sign-in.
pub(crate) async fn of_session(
    tx: &mut Tx<'_>,
    session: SessionId,
    app_id: &str,
) -> Result<Vec<KeptPusher>, StoreError> {
    let rows = tx.query(OF_SESSION, &[&session, &app_id]).await?;
    rows.iter().map(read).collect()
}

/// Whether a person has any pusher.
pub(crate) async fn has_any(tx: &mut Tx<'_>, person: PersonId) -> Result<bool, StoreError> {
    Ok(!tx.query(HAS_ANY, &[&person]).await?.is_empty())
}

/// The house's push key, public and sealed: the one that is there, or else this one from now on.
pub(crate) async fn keep_key(
    tx: &mut Tx<'_>,
    public_key: &str,
    sealed_key: &[u8],
    now: Time,
) -> Result<(String, Vec<u8>), StoreError> {
    let row = tx.query_one(KEEP_KEY, &[&public_key, &sealed_key, &now]).await?;
    Ok((row.get("public_key")?, row.get("sealed_key")?))
}

fn read(row: &Row) -> Result<KeptPusher, StoreError> {
    Ok(KeptPusher {
        name: PusherName {
            person: row.get("person")?,
            app_id: row.get("app_id")?,
            push_key: row.get("push_key")?,
        },
        session: row.get("session")?,
        definition: row.get("definition")?,
        created_at: row.get("created_at")?,
    })
}
