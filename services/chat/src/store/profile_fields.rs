//! What people say of themselves beside name and picture.

use haechi_base::PersonId;
use haechi_store::{StoreError, Tx};

const PUT: &str = "
    INSERT INTO chat_profile_field (person, name, value) VALUES ($1, $2, $3)
    ON CONFLICT (person, name) DO UPDATE SET value = excluded.value";
const REMOVE: &str = "DELETE FROM chat_profile_field WHERE person = $1 AND name = $2";
const OF_PERSON: &str = "SELECT name, value FROM chat_profile_field WHERE person = $1 ORDER BY name";

/// Keeps a field; its value is JSON.
pub(crate) async fn put(
    tx: &mut Tx<'_>,
    person: PersonId,
    name: &str,
    value: &str,
) -> Result<(), StoreError> {
    tx.execute(PUT, &[&person, &name, &value]).await.map(drop)
}

/// Takes a field away.
pub(crate) async fn remove(tx: &mut Tx<'_>, person: PersonId, name: &str) -> Result<(), StoreError> {
    tx.execute(REMOVE, &[&person, &name]).await.map(drop)
}

/// The fields of a person: (name, value as JSON).
pub(crate) async fn of_person(
    tx: &mut Tx<'_>,
    person: PersonId,
) -> Result<Vec<(String, String)>, StoreError> {
    let rows = tx.query(OF_PERSON, &[&person]).await?;
    rows.iter()
        .map(|row| Ok((row.get("name")?, row.get("value")?)))
        .collect()
}
