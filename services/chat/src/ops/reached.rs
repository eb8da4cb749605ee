//! From where on a snapshot has news for a token, which may be ahead of it.

use haechi_store::Tx;

use super::Chat;
use crate::model::{Ahead, ChatError, SyncToken};
use crate::store;

impl Chat {
    /// From where on a snapshot that has come to `now` has news for a token; `None` when there is nothing yet.
    ///
    /// # Errors
    /// [`ChatError::UnknownPosition`] for a token that this server did not give out, and [`ChatError::Store`].
    pub(super) async fn reached(
        &self,
        tx: &mut Tx<'_>,
        since: SyncToken,
        now: &SyncToken,
    ) -> Result<Option<SyncToken>, ChatError> {
        if !since.is_ahead_of(now) {
            return Ok(Some(since));
        }
        let ahead = if tx.may_lag() || self.store().is_degraded() {
            Ahead::OfStandby
        } else if store::streams::have_all_leapt(tx).await? {
            Ahead::Never
        } else {
            Ahead::OfFailOver
        };
        since.reached(now, ahead)
    }
}
