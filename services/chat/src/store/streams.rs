//! The counters that positions are drawn from.

use haechi_store::{StoreError, Tx};

use crate::model::{STREAMS, Stream, SyncToken};

const DRAW: &str = "UPDATE chat_stream SET position = position + $2 WHERE stream = $1 RETURNING position";
const POSITIONS: &str = "SELECT stream, position FROM chat_stream";

/// Draws `count` positions of a stream; returns the first one.
pub(crate) async fn draw(tx: &mut Tx<'_>, stream: Stream, count: usize) -> Result<i64, StoreError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let last: i64 = tx
        .query_one(DRAW, &[&i64::from(stream), &count])
        .await?
        .get("position")?;
    Ok(last - count + 1)
}

/// How far every stream has come, in this snapshot.
pub(crate) async fn positions(tx: &mut Tx<'_>, typing: i64) -> Result<SyncToken, StoreError> {
    let mut positions = [0; STREAMS as usize + 1];
    for row in tx.query(POSITIONS, &[]).await? {
        let stream = usize::try_from(row.get::<i64>("stream")?).unwrap_or(usize::MAX);
        if let Some(position) = positions.get_mut(stream) {
            *position = row.get("position")?;
        }
    }
    Ok(SyncToken::new(positions, typing))
}
