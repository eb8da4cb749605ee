//! Many rows in one statement, in few fixed sizes, so that each text is prepared once a connection.

use crate::{Row, StoreError, ToValue, Tx, Value};

/// Rows that one statement takes, largest first. 100 rows go as 64 + 16 + 16 + 4.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// The most parameters either engine takes in one statement.
const PARAMETERS_MAX: usize = 32_766;

impl Tx<'_> {
    /// Runs `before ($1, $2), ($3, $4), ... after` for all `rows`: a VALUES list. Returns the rows of all
    /// answers, in no order that means anything.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn query_values(
        &mut self,
        before: &str,
        rows: &[Vec<Value<'_>>],
        after: &str,
    ) -> Result<Vec<Row>, StoreError> {
        let width = rows.first().map_or(1, Vec::len);
        let mut answer = Vec::with_capacity(rows.len());
        for chunk in chunks(rows, width) {
            let sql = format!("{before} {} {after}", tuples(chunk.len(), width));
            let values: Vec<&dyn ToValue> = chunk
                .iter()
                .flatten()
                .map(|value| value as &dyn ToValue)
                .collect();
            answer.append(&mut self.query(&sql, &values).await?);
        }
        Ok(answer)
    }

    /// Runs `before ($1, $2, ...) after` for all `keys`: an IN list.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn query_in<K: ToValue>(
        &mut self,
        before: &str,
        keys: &[K],
        after: &str,
    ) -> Result<Vec<Row>, StoreError> {
        let mut answer = Vec::new();
        for chunk in chunks(keys, 1) {
            let sql = format!("{before} {} {after}", tuples(1, chunk.len()));
            let values: Vec<&dyn ToValue> = chunk.iter().map(|key| key as &dyn ToValue).collect();
            answer.append(&mut self.query(&sql, &values).await?);
        }
        Ok(answer)
    }
}

/// Cuts rows of `width` values into the fixed sizes.
fn chunks<T>(mut rows: &[T], width: usize) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SIZES
            .into_iter()
            .find(|size| *size <= rows.len() && size * width <= PARAMETERS_MAX)?;
        let (chunk, rest) = rows.split_at(size);
        rows = rest;
        Some(chunk)
    })
}

/// `($1, $2), ($3, $4)` for two tuples of two.
fn tuples(count: usize, width: usize) -> String {
    let mut text = String::with_capacity(count * (width * 5 + 4));
    for tuple in 0..count {
        text.push_str(if tuple == 0 { "(" } else { ", (" });
        for place in 0..width {
            if place > 0 {
                text.push_str(", ");
            }
            text.push('$');
            text.push_str(&(tuple * width + place + 1).to_string());
        }
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_in_few_sizes_and_lose_nothing() {
        let rows: Vec<u32> = (0..341).collect();
        let sizes: Vec<usize> = chunks(&rows, 3).map(<[u32]>::len).collect();
        assert_eq!(sizes, [256, 64, 16, 4, 1]);
        assert_eq!(chunks(&rows, 3).flatten().copied().collect::<Vec<_>>(), rows);
        assert_eq!(chunks(&rows, 200).map(<[u32]>::len).max(), Some(64));
        assert_eq!(chunks::<u32>(&[], 3).count(), 0);
    }

    #[test]
    fn tuples_are_numbered_through() {
        assert_eq!(tuples(2, 2), "($1, $2), ($3, $4)");
        assert_eq!(tuples(1, 3), "($1, $2, $3)");
    }
}
