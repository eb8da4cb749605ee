//! Background work of chat: imports, what services write, and forgetting what has expired.

use std::time::Duration;

use haechi_service::{Job, JobHandler, JobOutcome};

use crate::Chat;
use crate::ops::{IMPORT_JOB, NOTICES_JOB, delayed, late_pushes, search_job};

/// How often what has expired is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(10 * 60);

/// All of it.
pub(crate) fn all(chat: &Chat) -> Vec<JobHandler> {
    vec![
        import(chat),
        notices(chat),
        forget_expired(chat),
        chat.forget_job(),
        delayed::job(chat),
        late_pushes(chat),
        search_job(chat),
    ]
}

/// Puts the next messages of an import into its room, and comes again for the rest.
fn import(chat: &Chat) -> JobHandler {
    let chat = chat.clone();
    JobHandler::new(IMPORT_JOB, move |job: Job| {
        let chat = chat.clone();
        async move {
            let is_done = chat
                .run_import(&job.name)
                .await
                .map_err(|error| error.to_string())?;
            Ok(if is_done {
                JobOutcome::Done
            } else {
                JobOutcome::RunAgainAt(chat.moment())
            })
        }
    })
}

/// Makes the room of a service and a person, and puts in what waited for it.
fn notices(chat: &Chat) -> JobHandler {
    let chat = chat.clone();
    JobHandler::new(NOTICES_JOB, move |job: Job| {
        let chat = chat.clone();
        async move {
            let delivered = chat.deliver_notices(&job.name).await;
            delivered.map_err(|error| error.to_string())?;
            Ok(JobOutcome::Done)
        }
    })
}

/// Forgets announced uploads that never came and previews that are no longer fresh.
fn forget_expired(chat: &Chat) -> JobHandler {
    let chat = chat.clone();
    JobHandler::recurring("chat.forget-expired", move |_job| {
        let chat = chat.clone();
        async move {
            let forgotten = chat.forget_expired().await.map_err(|error| error.to_string())?;
            let now = chat.moment();
            let again_at = if forgotten == 0 { now + FORGET_EVERY } else { now };
            Ok(JobOutcome::RunAgainAt(again_at))
        }
    })
}
