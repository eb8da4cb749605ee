//! The counters that positions are drawn from.

use haechi_store::{Asked, Row, StoreError, Tx, Value};

use crate::model::{STREAMS, Stream, SyncToken};

const DRAW: &str = "UPDATE chat_stream SET position = position + $2 WHERE stream = $1 RETURNING position";
const POSITIONS: &str = "SELECT stream, position FROM chat_stream";

/// Draws `count` positions of a stream: for [`first_drawn`].
pub(crate) fn asked_draw(stream: Stream, count: usize) -> Asked<'static> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    Asked::new(
        DRAW,
        vec![Value::Integer(i64::from(stream)), Value::Integer(count)],
    )
}

/// The first of the positions that were drawn.
pub(crate) fn first_drawn(rows: &[Row], count: usize) -> Result<i64, StoreError> {
    let row = rows.first().ok_or(StoreError::NotOneRow(0))?;
    Ok(row.get::<i64>("position")? - i64::try_from(count).unwrap_or(i64::MAX) + 1)
}

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
