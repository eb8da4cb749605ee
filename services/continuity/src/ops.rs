//! The verbs of continuity: register, drain, return and retire a site; note its loss and its return; file a drill.

mod drill;
mod incident;

use std::num::NonZeroU32;

use haechi_base::{Actor, Role, Time};
use haechi_store::job::enqueue;
use haechi_store::{StoreError, Tx};
use thiserror::Error;

use crate::engine::EngineError;
use crate::model::{DrillRefusal, NewSite, Site, SiteName, SiteRefusal, SiteState, check_change, check_new};
use crate::{jobs, store};

pub use drill::{drills, file_drill};
pub use incident::{incidents, is_lost, note_lost, note_returned};

/// Why something was not done. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ContinuityError {
    /// Only staff may.
    #[error("only an administrator may do this")]
    NotAllowed,
    /// The rules about sites say no.
    #[error(transparent)]
    Site(#[from] SiteRefusal),
    /// The report of a drill lacks something.
    #[error(transparent)]
    Drill(#[from] DrillRefusal),
    /// PostgreSQL or etcd did not say or do something.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Every site, in the order they were registered, retired ones too.
///
/// # Errors
/// [`StoreError`].
pub async fn all_sites(tx: &mut Tx<'_>) -> Result<Vec<Site>, StoreError> {
    store::all_sites(tx).await
}

/// Registers a site: it works from now on.
///
/// # Errors
/// [`ContinuityError`].
pub async fn add_site(
    tx: &mut Tx<'_>,
    actor: &Actor,
    new: &NewSite,
    now: Time,
) -> Result<Site, ContinuityError> {
    authorise(actor)?;
    check_new(new, &store::all_sites(tx).await?)?;
    let site = Site {
        name: new.name.clone(),
        title: new.title.clone(),
        url: new.url.clone(),
        latitude: new.latitude,
        longitude: new.longitude,
        state: SiteState::Active,
        capacity: new.capacity,
        created_at: now,
        state_since: now,
    };
    store::insert_site(tx, &site).await?;
    Ok(site)
}

/// Wishes a site into a state. What was wished before is wished again without a change. The rest follows from the
/// wish: nodes look at it, and a job moves what must move.
///
/// # Errors
/// [`ContinuityError`].
pub async fn change_site(
    tx: &mut Tx<'_>,
    actor: &Actor,
    name: &SiteName,
    to: SiteState,
    now: Time,
) -> Result<Site, ContinuityError> {
    authorise(actor)?;
    let sites = store::all_sites(tx).await?;
    let site = check_change(name, to, &sites)?;
    if site.state == to {
        return Ok(site.clone());
    }
    store::set_state(tx, name, to, now).await?;
    if to == SiteState::Draining {
        enqueue(tx, jobs::DRAIN, "sites", "null", now).await?;
    }
    Ok(Site {
        state: to,
        state_since: now,
        ..site.clone()
    })
}

/// Notes how many requests a second a site carries at the most. What was noted before is noted again without a change.
///
/// # Errors
/// [`ContinuityError`].
pub async fn set_capacity(
    tx: &mut Tx<'_>,
    actor: &Actor,
    name: &SiteName,
    capacity_per_s: NonZeroU32,
) -> Result<Site, ContinuityError> {
    authorise(actor)?;
    let sites = store::all_sites(tx).await?;
    let found = sites.into_iter().find(|site| site.name == *name);
    let site = found.ok_or_else(|| SiteRefusal::NoSuchSite(name.clone()))?;
    if site.state == SiteState::Retired {
        return Err(SiteRefusal::Retired(name.clone()).into());
    }
    let capacity = capacity_per_s.get();
    store::set_capacity(tx, name, capacity).await?;
    Ok(Site {
        capacity: Some(capacity),
        ..site
    })
}

/// Has new members of etcd given their vote as soon as they have caught up.
///
/// # Errors
/// [`ContinuityError`].
pub async fn await_votes(tx: &mut Tx<'_>, actor: &Actor, now: Time) -> Result<(), ContinuityError> {
    authorise(actor)?;
    enqueue(tx, jobs::JOIN, "sites", "null", now).await?;
    Ok(())
}

fn authorise(actor: &Actor) -> Result<(), ContinuityError> {
    if actor.role == Role::Administrator {
        return Ok(());
    }
    Err(ContinuityError::NotAllowed)
}
