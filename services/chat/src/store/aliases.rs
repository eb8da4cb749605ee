//! Names of rooms, and which room each points to.

use haechi_base::{PersonId, Time};
use haechi_store::{Row, StoreError, ToValue, Tx, Value};

const FIND: &str = "SELECT alias, room_id, creator FROM chat_alias WHERE alias IN";
const PUT: &str = "INSERT INTO chat_alias (alias, room_id, creator, claim, created_at) VALUES";
// The room that has it keeps it; the answer says whose it is.
const PUT_AFTER: &str = "
    ON CONFLICT (alias) DO UPDATE SET room_id = chat_alias.room_id RETURNING room_id, claim";
const OF_ROOM: &str =
    "SELECT alias, room_id, creator FROM chat_alias WHERE room_id = $1 ORDER BY alias LIMIT $2";
const COUNT: &str = "SELECT COUNT(*) AS aliases FROM chat_alias WHERE room_id = $1";
const REMOVE: &str = "DELETE FROM chat_alias WHERE alias = $1";
const REMOVE_OF_ROOM: &str = "DELETE FROM chat_alias WHERE room_id = $1";
const MOVE: &str = "UPDATE chat_alias SET room_id = $2 WHERE room_id = $1";

/// An alias as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Alias {
    pub(crate) alias: String,
    pub(crate) room_id: String,
    /// Who made it.
    pub(crate) creator: PersonId,
}

/// Those of these aliases that are there.
pub(crate) async fn find(tx: &mut Tx<'_>, aliases: &[&str]) -> Result<Vec<Alias>, StoreError> {
    tx.query_in(FIND, aliases, "").await?.iter().map(read).collect()
}

/// One alias.
pub(crate) async fn find_one(tx: &mut Tx<'_>, alias: &str) -> Result<Option<Alias>, StoreError> {
    Ok(find(tx, &[alias]).await?.pop())
}

/// Takes an alias for a room; `claim` names the request. Returns whether it is this request's now.
pub(crate) async fn put(tx: &mut Tx<'_>, alias: &Alias, claim: &str, now: Time) -> Result<bool, StoreError> {
    let row: Vec<Value<'_>> = vec![
        alias.alias.to_value(),
        alias.room_id.to_value(),
        alias.creator.to_value(),
        claim.to_value(),
        now.to_value(),
    ];
    let kept = tx.query_values(PUT, &[row], PUT_AFTER).await?;
    let Some(kept) = kept.first() else {
        return Ok(false);
    };
    Ok(kept.get::<String>("claim")? == claim && kept.get::<String>("room_id")? == alias.room_id)
}

/// The first `limit` aliases of a room.
pub(crate) async fn of_room(tx: &mut Tx<'_>, room_id: &str, limit: u32) -> Result<Vec<Alias>, StoreError> {
    let rows = tx.query(OF_ROOM, &[&room_id, &limit]).await?;
    rows.iter().map(read).collect()
}

/// How many aliases a room has.
pub(crate) async fn count(tx: &mut Tx<'_>, room_id: &str) -> Result<u32, StoreError> {
    tx.query_one(COUNT, &[&room_id]).await?.get("aliases")
}

/// Takes an alias away.
pub(crate) async fn remove(tx: &mut Tx<'_>, alias: &str) -> Result<(), StoreError> {
    tx.execute(REMOVE, &[&alias]).await.map(drop)
}

/// Takes all aliases of a room away.
pub(crate) async fn remove_of_room(tx: &mut Tx<'_>, room_id: &str) -> Result<(), StoreError> {
    tx.execute(REMOVE_OF_ROOM, &[&room_id]).await.map(drop)
}

/// Lets all aliases of a room point to another.
pub(crate) async fn move_to(tx: &mut Tx<'_>, from: &str, to: &str) -> Result<(), StoreError> {
    tx.execute(MOVE, &[&from, &to]).await.map(drop)
}

fn read(row: &Row) -> Result<Alias, StoreError> {
    Ok(Alias {
        alias: row.get("alias")?,
        room_id: row.get("room_id")?,
        creator: row.get("creator")?,
    })
}
