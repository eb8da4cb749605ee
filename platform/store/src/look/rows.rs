//! How many rows the tables hold, counted up to a bound: a table of a billion rows is not read for a figure.

use crate::copy::quoted;
use crate::{Store, StoreError, Tx};

impl Store {
    /// Counts the rows of these tables, each up to `rows_max`; a table that is not there has none to tell. The tables'
    /// names come from the migrations, not from people.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_rows(
        &self,
        tables: &[String],
        rows_max: u64,
    ) -> Result<Vec<(String, Option<u64>)>, StoreError> {
        let mut counts = Vec::with_capacity(tables.len());
        for table in tables {
            // One short transaction each: a long one would hold up the cleaning of old rows.
            let sql = format!(
                "SELECT COUNT(*) AS rows FROM (SELECT 1 AS one FROM {} LIMIT {rows_max}) AS part",
                quoted(table)
            );
            let count = async move |tx: &mut Tx<'_>| tx.query_one(&sql, &[]).await?.get::<i64>("rows");
            let count = match self.read(count).await {
                Ok(count) => Some(u64::try_from(count).unwrap_or_default()),
                Err(StoreError::NoTable(_)) => None,
                Err(error) => return Err(error),
            };
            counts.push((table.clone(), count));
        }
        Ok(counts)
    }
}
