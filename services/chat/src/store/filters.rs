//! Filters that clients have left with us.

use haechi_base::PersonId;
use haechi_store::{StoreError, Tx};

const PUT: &str = "
    INSERT INTO chat_filter (person, filter_id, definition) VALUES ($1, $2, $3)
    ON CONFLICT (person, filter_id) DO UPDATE SET definition = excluded.definition";
const FIND: &str = "SELECT definition FROM chat_filter WHERE person = $1 AND filter_id = $2";

/// Keeps a filter under an id that its content gives.
pub(crate) async fn put(
    tx: &mut Tx<'_>,
    person: PersonId,
    filter_id: &str,
    definition: &str,
) -> Result<(), StoreError> {
    tx.execute(PUT, &[&person, &filter_id, &definition])
        .await
        .map(drop)
}

/// A filter of this person.
pub(crate) async fn find(
    tx: &mut Tx<'_>,
    person: PersonId,
    filter_id: &str,
) -> Result<Option<String>, StoreError> {
    let row = tx.query_optional(FIND, &[&person, &filter_id]).await?;
    row.map(|row| row.get("definition")).transpose()
}
