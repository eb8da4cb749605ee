//! All SQL of this service; nobody else touches its tables.

use haechi_base::PersonId;
use haechi_base::uuid::Uuid;
use haechi_store::{Row, Tx};

use crate::model::{Item, ItemError, ItemId, Title};

const INSERT_ITEM: &str = "
    INSERT INTO sample_item (item_id, owner_id, title, created_at) VALUES ($1, $2, $3, $4)";
const ITEMS_OF: &str = "
    SELECT item_id, owner_id, title, created_at FROM sample_item
    WHERE owner_id = $1 AND item_id < $2 ORDER BY item_id DESC LIMIT $3";

pub(crate) async fn insert_item(tx: &mut Tx<'_>, item: &Item) -> Result<(), ItemError> {
    let title = item.title.as_str();
    tx.execute(
        INSERT_ITEM,
        &[&item.item_id, &item.owner, &title, &item.created_at],
    )
    .await?;
    Ok(())
}

pub(crate) async fn items_of(
    tx: &mut Tx<'_>,
    owner: PersonId,
    before: Option<ItemId>,
    limit: u32,
) -> Result<Vec<Item>, ItemError> {
    // Without a cursor, older than the last id there can be.
    let before = before.unwrap_or(ItemId::from_uuid(Uuid::max()));
    let rows = tx.query(ITEMS_OF, &[&owner, &before, &limit]).await?;
    rows.iter().map(read_item).collect()
}

fn read_item(row: &Row) -> Result<Item, ItemError> {
    let title: String = row.get("title")?;
    Ok(Item {
        item_id: row.get("item_id")?,
        owner: row.get("owner_id")?,
        title: Title::new(&title)?,
        created_at: row.get("created_at")?,
    })
}
