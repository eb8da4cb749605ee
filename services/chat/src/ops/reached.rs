//! From where on a snapshot has news for a token, which may be ahead of it.

use haechi_store::Tx;

use super::Chat;
use crate::model::{ChatError, SyncToken};
use crate::store;

impl Chat {
    /// From where on a snapshot that has come to `now` has news for a token; `None` when there is nothing yet.
    ///
    /// A token may be ahead for two reasons. A standby lags behind what the primary gave out: then there is nothing yet. Or
    /// it was given out in an earlier term by a host whose log did not survive. Then its holder has all that there is in
    /// the streams in which it is ahead: what the present term draws there lies beyond any such token.
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
        if tx.may_lag() || self.store().is_degraded() {
            return Ok(None);
        }
        if since.is_ahead_of(&store::streams::ceilings(tx).await?) {
            return Err(ChatError::UnknownPosition);
        }
        Ok(Some(since.at_most(now)))
    }
}
