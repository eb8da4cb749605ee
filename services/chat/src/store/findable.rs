//! Who allows being found by their number, and how often others looked.

use haechi_base::PersonId;
use haechi_store::{StoreError, Tx};

const PUT: &str = "
    INSERT INTO chat_findable (person, phone_hash) VALUES ($1, $2)
    ON CONFLICT (person) DO UPDATE SET phone_hash = excluded.phone_hash";
const REMOVE: &str = "DELETE FROM chat_findable WHERE person = $1";
const IS_FINDABLE: &str = "SELECT person FROM chat_findable WHERE person = $1";
const BY_HASH: &str = "SELECT person, phone_hash FROM chat_findable WHERE phone_hash IN";
// Counts the day's; a new day begins at none.
const COUNT: &str = "
    INSERT INTO chat_match_count (person, day, hashes) VALUES ($1, $2, $3)
    ON CONFLICT (person) DO UPDATE SET day = excluded.day, hashes = excluded.hashes
        + CASE WHEN chat_match_count.day = excluded.day THEN chat_match_count.hashes ELSE 0 END
    RETURNING hashes";

/// Lets a person be found under this hash.
pub(crate) async fn put(tx: &mut Tx<'_>, person: PersonId, phone_hash: &[u8; 32]) -> Result<(), StoreError> {
    tx.execute(PUT, &[&person, phone_hash]).await.map(drop)
}

/// Lets a person no longer be found.
pub(crate) async fn remove(tx: &mut Tx<'_>, person: PersonId) -> Result<(), StoreError> {
    tx.execute(REMOVE, &[&person]).await.map(drop)
}

/// Whether a person can be found.
pub(crate) async fn is_findable(tx: &mut Tx<'_>, person: PersonId) -> Result<bool, StoreError> {
    Ok(tx.query_optional(IS_FINDABLE, &[&person]).await?.is_some())
}

/// Who is found under these hashes.
pub(crate) async fn by_hash(
    tx: &mut Tx<'_>,
    hashes: &[[u8; 32]],
) -> Result<Vec<(PersonId, [u8; 32])>, StoreError> {
    let rows = tx.query_in(BY_HASH, hashes, "").await?;
    rows.iter()
        .map(|row| Ok((row.get("person")?, row.get("phone_hash")?)))
        .collect()
}

/// Counts that a person compares so many numbers on a day; returns how many these are by now.
pub(crate) async fn count(
    tx: &mut Tx<'_>,
    person: PersonId,
    day: i64,
    hashes: i64,
) -> Result<i64, StoreError> {
    tx.query_one(COUNT, &[&person, &day, &hashes])
        .await?
        .get("hashes")
}
