//! Many rows in one statement, in few fixed sizes, so that each text is prepared once a connection.

use crate::{Row, StoreError, ToValue, Tx, Value};

/// Rows that one statement takes, largest first. 100 rows go as 64 + 32 + 4.
const SIZES: [usize; 9] = [256, 128, 64, 32, 16, 8, 4, 2, 1];

/// The most parameters either engine takes in one statement.
const PARAMETERS_MAX: usize = 32_766;

/// A statement with its values, of which several go out together by [`Tx::ask_all`].
#[derive(Debug)]
pub struct Asked<'v> {
    pub(crate) sql: String,
    pub(crate) values: Vec<Value<'v>>,
}

impl<'v> Asked<'v> {
    /// `sql` with values for `$1`, `$2`, ...
    #[must_use]
    pub fn new(sql: &str, values: Vec<Value<'v>>) -> Self {
        Self {
            sql: sql.to_owned(),
            values,
        }
    }

    /// `before ($1, $2, ...) after` for all `keys`: an IN list, in as few statements as there are. The last key is
    /// repeated until their number is one of a few.
    #[must_use]
    pub fn among<K: ToValue>(before: &str, keys: &'v [K], after: &str) -> Vec<Self> {
        let chunks = keys.chunks(SIZES[0]).map(|chunk| {
            let count = chunk.len().next_power_of_two();
            let last = chunk.last().into_iter().cycle();
            let padded = chunk.iter().chain(last).take(count);
            Self {
                sql: format!("{before} {} {after}", tuples(1, count)),
                values: padded.map(ToValue::to_value).collect(),
            }
        });
        chunks.collect()
    }
}

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
        let asked: Vec<Asked<'_>> = chunks(rows, width)
            .map(|chunk| Asked {
                sql: format!("{before} {} {after}", tuples(chunk.len(), width)),
                values: chunk.iter().flatten().map(ToValue::to_value).collect(),
            })
            .collect();
        Ok(self.ask_all(&asked).await?.into_iter().flatten().collect())
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
        let asked = Asked::among(before, keys, after);
        Ok(self.ask_all(&asked).await?.into_iter().flatten().collect())
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
        assert_eq!(chunks(&rows, 200).map(<[u32]>::len).max(), Some(128));
        assert_eq!(chunks::<u32>(&[], 3).count(), 0);
    }

    #[test]
    fn keys_are_filled_up_to_few_sizes() {
        let keys: Vec<i64> = (0..259).collect();
        let asked = Asked::among("IN", &keys, "");
        let counts: Vec<usize> = asked.iter().map(|asked| asked.values.len()).collect();
        assert_eq!(counts, [256, 4]);
        assert_eq!(asked[1].sql, "IN ($1, $2, $3, $4) ");
        assert_eq!(asked[1].values[2..], [Value::Integer(258), Value::Integer(258)]);
        assert!(Asked::among::<i64>("IN", &[], "").is_empty());
    }

    #[test]
    fn tuples_are_numbered_through() {
        assert_eq!(tuples(2, 2), "($1, $2), ($3, $4)");
        assert_eq!(tuples(1, 3), "($1, $2, $3)");
    }
}
