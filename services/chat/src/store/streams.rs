//! The counters that positions are drawn from.

use haechi_store::{Asked, Row, StoreError, Tx, Value};

use crate::model::{STREAMS, Stream, SyncToken, TERM_LEAP};

/// The first draw of a term leaps over all that a host may have shown whose log did not survive the term before: nobody
/// who has seen a position there is later shown another event under it, or misses one.
const DRAW: &str = "UPDATE chat_stream SET position = position + $2 + CASE WHEN term = $3 THEN 0 ELSE CAST($4 AS BIGINT) END, term = $3 \
                    WHERE stream = $1 RETURNING position";
const POSITIONS: &str = "SELECT stream, position FROM chat_stream";

/// Draws `count` positions of a stream in a term of leadership ([`Tx::term`]): for [`first_drawn`].
pub(crate) fn asked_draw(stream: Stream, count: usize, term: &str) -> Asked<'static> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    Asked::new(
        DRAW,
        vec![
            Value::Integer(i64::from(stream)),
            Value::Integer(count),
            Value::Text(term.to_owned().into()),
            Value::Integer(TERM_LEAP),
        ],
    )
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

/// Whether a position of every stream was drawn in the present term.
pub(crate) async fn have_all_leapt(tx: &mut Tx<'_>) -> Result<bool, StoreError> {
    const OTHERS: &str = "SELECT stream FROM chat_stream WHERE term <> $1 LIMIT 1";
    let term = tx.term().to_owned();
    Ok(tx.query_optional(OTHERS, &[&term]).await?.is_none())
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
