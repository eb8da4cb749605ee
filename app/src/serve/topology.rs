//! Whether this node's settings, the registered sites and the members of the cluster fit together, before it serves.

use std::time::Duration;

use anyhow::{Context as _, Result};
use haechi_continuity::engine::EngineError;
use haechi_continuity::model::{EngineFacts, Topology, TopologyError, Vote, check_settings, check_topology};
use haechi_store::StoreUrl;

use crate::services::Services;
use crate::settings::Settings;

/// How long to wait before etcd is asked again.
const ETCD_PAUSE: Duration = Duration::from_secs(1);

/// What can be told from the settings alone.
///
/// # Errors
/// They contradict each other.
pub(super) fn check_alone(settings: &Settings) -> Result<()> {
    check_settings(settings.site(), settings.etcd(), &store_hosts(settings)?)?;
    Ok(())
}

/// Compares them with the registered sites and with the members of etcd and PostgreSQL. Waits for an etcd and a
/// store that cannot be reached: a node that starts in an outage serves as soon as it ends.
///
/// # Errors
/// They do not fit together; or the store fails.
pub(super) async fn check(settings: &Settings, services: &Services) -> Result<()> {
    let store_hosts = store_hosts(settings)?;
    loop {
        let read = async || services.continuity.read_sites_and_lag().await;
        let (sites, may_lag) = super::wait_for_store(read).await?;
        let facts = match services.continuity.engine() {
            None => EngineFacts::default(),
            Some(engine) => match engine.look().await {
                Ok(facts) => facts,
                Err(error) => {
                    wait_for_etcd(&error).await;
                    continue;
                }
            },
        };
        let etcd_members: Vec<(String, Vote)> = facts.etcd.iter().map(member).collect();
        let postgres_members: Vec<String> = facts.postgres.into_iter().map(|member| member.site).collect();
        let checked = check_topology(&Topology {
            here: settings.site(),
            etcd_urls: settings.etcd(),
            store_hosts: &store_hosts,
            sites: &sites,
            etcd_members: &etcd_members,
            postgres_members: &postgres_members,
        });
        match checked {
            // A member that was added has no name before it has started: it may be this site's.
            Err(error @ TopologyError::NoEtcdMember { .. })
                if etcd_members.iter().any(|(name, _)| name.is_empty()) =>
            {
                tracing::warn!(%error, "waiting for a new member of etcd to start");
                tokio::time::sleep(ETCD_PAUSE).await;
            }
            // A standby told the sites, and may show how they were long ago.
            Err(error) if may_lag => {
                tracing::warn!(%error, "waiting for the store's primary");
                tokio::time::sleep(super::STORE_PAUSE).await;
            }
            checked => return checked.context("this node does not fit the cluster"),
        }
    }
}

fn member(fact: &haechi_continuity::model::EtcdFact) -> (String, Vote) {
    let vote = if fact.is_learner {
        Vote::Learner
    } else {
        Vote::Voter
    };
    (fact.site.clone(), vote)
}

async fn wait_for_etcd(error: &EngineError) {
    tracing::warn!(%error, "waiting for etcd");
    tokio::time::sleep(ETCD_PAUSE).await;
}

/// The hosts of the store as `host:port`; none for an embedded file.
fn store_hosts(settings: &Settings) -> Result<Vec<String>> {
    let url: StoreUrl = settings.store().parse().context("store")?;
    Ok(url.hosts())
}
