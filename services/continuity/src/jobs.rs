//! Background work: what was wished of a site is carried out by whichever node comes to it, again and again until it
//! is so. A node that dies over it leaves it to the next.

use std::time::Duration;

use haechi_service::{JobHandler, JobOutcome};

use crate::Continuity;
use crate::engine::EngineError;
use crate::model::{DrainStep, SiteState, drain_steps};

/// Moves what leads out of sites that drain, and keeps it out.
pub(crate) const DRAIN: &str = "continuity.drain";

/// Gives the etcd of a new site its vote.
pub(crate) const JOIN: &str = "continuity.join";

/// How often it is looked again while a site drains, or joins.
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub(crate) fn handlers(continuity: &Continuity) -> Vec<JobHandler> {
    let (draining, joining) = (continuity.clone(), continuity.clone());
    vec![
        JobHandler::new(DRAIN, move |_| {
            let continuity = draining.clone();
            async move { drain(&continuity).await }
        }),
        JobHandler::new(JOIN, move |_| {
            let continuity = joining.clone();
            async move { join(&continuity).await }
        }),
    ]
}

/// One look at the sites that drain. It ends when none does: a site whose return was wished is left alone.
async fn drain(continuity: &Continuity) -> Result<JobOutcome, String> {
    let sites = continuity.read_sites().await.map_err(|error| error.to_string())?;
    let drains = sites.iter().any(|site| site.state == SiteState::Draining);
    let (true, Some(engine)) = (drains, continuity.engine()) else {
        return Ok(JobOutcome::Done);
    };
    // Failures are told and tried again soon, rather than ever later as the runner would.
    match engine.look().await {
        Err(error) => tracing::warn!(%error, "a site drains, and the engine does not say how it is"),
        Ok(facts) => {
            for step in drain_steps(&sites, &facts) {
                if let Err(error) = take(continuity, &step).await {
                    tracing::warn!(%error, ?step, "a site does not drain yet");
                }
            }
        }
    }
    Ok(JobOutcome::RunAgainAt(continuity.now() + LOOK_EVERY))
}

async fn take(continuity: &Continuity, step: &DrainStep) -> Result<(), EngineError> {
    let engine = continuity.engine().ok_or(EngineError::None)?;
    match step {
        DrainStep::MovePrimary { from } => {
            let leader = engine.move_primary(from).await?;
            tracing::info!(from, to = leader, "the primary left a draining site");
        }
        DrainStep::MoveEtcdLeader { to } => {
            engine.move_etcd_leader(to).await?;
            tracing::info!(to, "etcd's leader left a draining site");
        }
    }
    Ok(())
}

/// One look at the members of etcd that have no vote yet.
async fn join(continuity: &Continuity) -> Result<JobOutcome, String> {
    let Some(engine) = continuity.engine() else {
        return Ok(JobOutcome::Done);
    };
    match engine.promote_learners().await {
        Ok(0) => Ok(JobOutcome::Done),
        Ok(_) => Ok(JobOutcome::RunAgainAt(continuity.now() + LOOK_EVERY)),
        Err(error) => {
            tracing::warn!(%error, "etcd does not say who has no vote yet");
            Ok(JobOutcome::RunAgainAt(continuity.now() + LOOK_EVERY))
        }
    }
}
