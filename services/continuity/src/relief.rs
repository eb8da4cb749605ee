//! A primary whose disk is full is moved to another site: it lives, so nobody else would see to it.

use std::time::Duration;

use haechi_service::CancellationToken;
use tokio::time::sleep;

use crate::Continuity;

/// After a move. Should the next site's disk be full as well, the primary does not wander without end.
const QUIET: Duration = Duration::from_secs(60);

/// After a move that did not come about.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Runs until `end`. Every node that notices asks for the move: of a primary that leads no more it is refused.
pub(crate) async fn run(continuity: Continuity, end: CancellationToken) {
    let Some(engine) = continuity.engine() else {
        return end.cancelled().await;
    };
    while let Some(from) = end.run_until_cancelled(engine.full_disk()).await {
        tracing::error!(
            from,
            "the disk of the primary is full: it is moved to another site"
        );
        let pause = match engine.move_primary(&from).await {
            Ok(to) => {
                tracing::warn!(
                    from,
                    to,
                    "the primary left a site whose disk is full: make room there"
                );
                QUIET
            }
            Err(error) => {
                tracing::warn!(from, %error, "the primary cannot leave a site whose disk is full");
                TRY_AGAIN
            }
        };
        if end.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
    }
}
