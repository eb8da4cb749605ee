//! The counters that positions are drawn from.

use haechi_store::{Asked, Row, StoreError, Tx, Value};

use crate::model::{STREAMS, Stream, SyncToken, TERM_STEP};

const POSITIONS: &str = "SELECT stream, position FROM chat_stream";

/// The first draw of a term leaps beyond all that a host may have shown in a term before whose log did not survive: nobody
/// who has seen a position there is later shown another event under it, or misses one. A term is a revision of etcd: those
/// begin anew where etcd was built anew, and a smaller one leaps by the whole of it. Without a term (0) nothing leaps.
const DRAW: &str = "
    UPDATE chat_stream SET
        position = position + $2
            + CASE WHEN CAST($3 AS BIGINT) = 0 THEN 0 WHEN $3 < term THEN $3 + 1 ELSE $3 - term END * $4,
        term = CASE WHEN $3 = 0 THEN term ELSE $3 END
    WHERE stream = $1 RETURNING position";

/// Where the present term begins to draw, or how far it has come.
const CEILINGS: &str = "
    SELECT stream, position
        + CASE WHEN CAST($1 AS BIGINT) = 0 THEN 0 WHEN $1 < term THEN $1 + 1 ELSE $1 - term END * $2 AS position
    FROM chat_stream";

/// Draws `count` positions of a stream in a term of leadership ([`Tx::term`]): for [`first_drawn`].
pub(crate) fn asked_draw(stream: Stream, count: usize, term: i64) -> Asked<'static> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let values = [i64::from(stream), count, term, TERM_STEP];
    Asked::new(DRAW, values.map(Value::Integer).to_vec())
}

/// The first of the positions that were drawn.
pub(crate) fn first_drawn(rows: &[Row], count: usize) -> Result<i64, StoreError> {
    let row = rows.first().ok_or(StoreError::NotOneRow(0))?;
    Ok(row.get::<i64>("position")? - i64::try_from(count).unwrap_or(i64::MAX) + 1)
}

/// Draws `count` positions of a stream; returns the first one.
pub(crate) async fn draw(tx: &mut Tx<'_>, stream: Stream, count: usize) -> Result<i64, StoreError> {
    let asked = asked_draw(stream, count, tx.term());
    first_drawn(&tx.ask_all(&[asked]).await?.concat(), count)
}

/// How far every stream has come, in this snapshot.
pub(crate) async fn positions(tx: &mut Tx<'_>, typing: i64) -> Result<SyncToken, StoreError> {
    Ok(SyncToken::new(
        by_stream(&tx.query(POSITIONS, &[]).await?)?,
        typing,
    ))
}

/// Beyond which no term before the present one can have drawn, in every stream.
pub(crate) async fn ceilings(tx: &mut Tx<'_>) -> Result<SyncToken, StoreError> {
    let term = tx.term();
    let rows = tx.query(CEILINGS, &[&term, &TERM_STEP]).await?;
    Ok(SyncToken::new(by_stream(&rows)?, 0))
}

fn by_stream(rows: &[Row]) -> Result<[i64; STREAMS as usize + 1], StoreError> {
    let mut positions = [0; STREAMS as usize + 1];
    for row in rows {
        let stream = usize::try_from(row.get::<i64>("stream")?).unwrap_or(usize::MAX);
        if let Some(position) = positions.get_mut(stream) {
            *position = row.get("position")?;
        }
    }
    Ok(positions)
}
