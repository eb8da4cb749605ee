//! Background work of identity: forgetting what has expired.

use std::time::Duration;

use haechi_service::{JobHandler, JobOutcome};

use crate::Identity;

const PAUSE: Duration = Duration::from_secs(10 * 60);

/// Forgets codes, sessions and login tokens whose time is over; at once again while there is much of it.
pub(crate) fn forget_expired(identity: &Identity) -> JobHandler {
    let identity = identity.clone();
    JobHandler::recurring("identity.forget-expired", move |_job| {
        let identity = identity.clone();
        async move {
            let forgotten = identity
                .forget_expired()
                .await
                .map_err(|error| error.to_string())?;
            let now = identity.context().now();
            let again_at = if forgotten == 0 { now + PAUSE } else { now };
            Ok(JobOutcome::RunAgainAt(again_at))
        }
    })
}
