//! The verbs of this service. Other services call these, in their own transaction.

use haechi_base::{Actor, Time};
use haechi_store::Tx;

use crate::model::{Item, ItemError, ItemId, Title};
use crate::store;

/// Adds an item of the actor's.
///
/// # Errors
/// The store fails.
pub async fn add_item(
    tx: &mut Tx<'_>,
    actor: &Actor,
    item_id: ItemId,
    title: &Title,
    now: Time,
) -> Result<Item, ItemError> {
    let item = Item {
        item_id,
        owner: actor.person,
        title: title.clone(),
        created_at: now,
    };
    store::insert_item(tx, &item).await?;
    Ok(item)
}

/// The actor's items, the newest first: at most `limit`, older than `before`.
///
/// # Errors
/// The store fails.
pub async fn list_items(
    tx: &mut Tx<'_>,
    actor: &Actor,
    before: Option<ItemId>,
    limit: u32,
) -> Result<Vec<Item>, ItemError> {
    store::items_of(tx, actor.person, before, limit).await
}
