//! Friends and pictures of people.

use haechi_base::{PersonId, Time};
use haechi_store::{StoreError, Tx};

const PUT: &str = "
    INSERT INTO chat_friend (person, friend, created_at) VALUES ($1, $2, $3)
    ON CONFLICT (person, friend) DO UPDATE SET created_at = chat_friend.created_at";
const REMOVE: &str = "DELETE FROM chat_friend WHERE person = $1 AND friend = $2";
const OF_PERSON: &str = "
    SELECT friend FROM chat_friend WHERE person = $1 AND friend > $2 ORDER BY friend LIMIT $3";
const COUNT: &str = "SELECT COUNT(*) AS friends FROM chat_friend WHERE person = $1";
const PUT_PICTURE: &str = "
    INSERT INTO chat_profile (person, avatar_url) VALUES ($1, $2)
    ON CONFLICT (person) DO UPDATE SET avatar_url = excluded.avatar_url";
const PICTURES: &str = "SELECT person, avatar_url FROM chat_profile WHERE person IN";

/// Puts a friend on a person's list.
pub(crate) async fn put(
    tx: &mut Tx<'_>,
    person: PersonId,
    friend: PersonId,
    now: Time,
) -> Result<(), StoreError> {
    tx.execute(PUT, &[&person, &friend, &now]).await.map(drop)
}

/// Takes a friend off a person's list.
pub(crate) async fn remove(tx: &mut Tx<'_>, person: PersonId, friend: PersonId) -> Result<(), StoreError> {
    tx.execute(REMOVE, &[&person, &friend]).await.map(drop)
}

/// Up to `limit` friends of a person, after the one named.
pub(crate) async fn of_person(
    tx: &mut Tx<'_>,
    person: PersonId,
    after: PersonId,
    limit: u32,
) -> Result<Vec<PersonId>, StoreError> {
    let rows = tx.query(OF_PERSON, &[&person, &after, &limit]).await?;
    rows.iter().map(|row| row.get("friend")).collect()
}

/// How many friends are on a person's list.
pub(crate) async fn count(tx: &mut Tx<'_>, person: PersonId) -> Result<u64, StoreError> {
    tx.query_one(COUNT, &[&person]).await?.get("friends")
}

/// Keeps a person's picture, or that they have none.
pub(crate) async fn put_picture(
    tx: &mut Tx<'_>,
    person: PersonId,
    avatar_url: Option<&str>,
) -> Result<(), StoreError> {
    tx.execute(PUT_PICTURE, &[&person, &avatar_url]).await.map(drop)
}

/// The pictures of those of these people who have one.
pub(crate) async fn pictures(
    tx: &mut Tx<'_>,
    people: &[PersonId],
) -> Result<Vec<(PersonId, String)>, StoreError> {
    let mut pictures = Vec::new();
    for row in tx.query_in(PICTURES, people, "").await? {
        if let Some(avatar_url) = row.get("avatar_url")? {
            pictures.push((row.get("person")?, avatar_url));
        }
    }
    Ok(pictures)
}
