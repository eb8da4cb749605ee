//! Jobs that should have been done.

use haechi_base::Time;

use crate::{Store, StoreError, Tx};

/// A job that is due and that nobody runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateJob {
    /// What kind of work.
    pub kind: String,
    /// How often it was begun.
    pub attempts: i64,
    /// Why it was not done, when it was tried.
    pub last_error: Option<String>,
}

const LATE: &str = "
    SELECT kind, attempts, last_error FROM store_job WHERE run_at < $1 AND leased_until < $1
    ORDER BY run_at LIMIT $2";

impl Store {
    /// Jobs that were due before `before` and that nobody has had since, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn late_jobs(&self, before: Time, count_max: u32) -> Result<Vec<LateJob>, StoreError> {
        self.read(async move |tx: &mut Tx<'_>| {
            let rows = tx.query(LATE, &[&before, &count_max]).await?;
            let late = rows.iter().map(|row| {
                Ok(LateJob {
                    kind: row.get("kind")?,
                    attempts: row.get("attempts")?,
                    last_error: row.get("last_error")?,
                })
            });
            late.collect()
        })
        .await
    }
}
