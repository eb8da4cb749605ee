//! What a node does while it runs: it tells its load, and notes when a site is lost and when it is back.

use std::time::Duration;

use haechi_service::CancellationToken;
use haechi_store::{StoreError, Tx};

use crate::Continuity;
use crate::load::{Load, TOPIC};
use crate::model::{IncidentId, SiteName, SiteNews, SiteState, SiteWatch, WatchedNode};
use crate::ops;

/// How often a node looks at the others.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// News that wait for a writable store, at the most; a site has few in a day.
const NEWS_MAX: usize = 256;

/// Runs until `end`. A node without a site, or without others, tells and notes nothing.
pub(crate) async fn run(continuity: Continuity, end: CancellationToken) {
    let cluster = &continuity.context.cluster;
    let (Some(node_id), Some(here)) = (cluster.node_id(), cluster.site()) else {
        return end.cancelled().await;
    };
    let Ok(here) = here.parse::<SiteName>() else {
        tracing::warn!(
            here,
            "this node's site has a name that no site can have: no incidents are noted"
        );
        return end.cancelled().await;
    };
    let listening = continuity.clone();
    cluster.subscribe(TOPIC, move |load: Load| {
        listening.loads.note(load, listening.now());
    });
    let mut watch = SiteWatch::default();
    let mut waiting: Vec<SiteNews> = Vec::new();
    let mut answered = haechi_http::requests_answered();
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while end.run_until_cancelled(ticks.tick()).await.is_some() {
        let now = haechi_http::requests_answered();
        let load = Load {
            node_id,
            requests_per_s: now.saturating_sub(answered),
        };
        answered = now;
        continuity.loads.note(load, continuity.now());
        cluster.publish(TOPIC, &load);
        waiting.extend(look(&continuity, &mut watch).await);
        waiting.truncate(NEWS_MAX);
        tell(&continuity, &here, &mut waiting, &end).await;
    }
}

async fn look(continuity: &Continuity, watch: &mut SiteWatch) -> Vec<SiteNews> {
    let Ok(sites) = continuity.sites().await else {
        return Vec::new();
    };
    let names: Vec<&str> = sites
        .iter()
        .filter(|site| site.state != SiteState::Retired)
        .map(|site| site.name.as_str())
        .collect();
    let nodes = continuity.context.cluster.nodes();
    let nodes: Vec<WatchedNode<'_>> = nodes
        .iter()
        .map(|seen| WatchedNode {
            site: &seen.node.site,
            is_up: seen.is_here || seen.is_up,
            is_leaving: seen.is_leaving,
        })
        .collect();
    watch.observe(&names, &nodes, continuity.now())
}

/// Notes the news, oldest first; what cannot be noted now waits for the next second.
async fn tell(
    continuity: &Continuity,
    here: &SiteName,
    waiting: &mut Vec<SiteNews>,
    end: &CancellationToken,
) {
    while let Some(news) = waiting.first() {
        match end.run_until_cancelled(note(continuity, here, news)).await {
            Some(Ok(())) => drop(waiting.remove(0)),
            Some(Err(error)) => {
                tracing::debug!(%error, ?news, "what happened to a site is not noted yet");
                return;
            }
            None => return,
        }
    }
}

async fn note(continuity: &Continuity, here: &SiteName, news: &SiteNews) -> Result<(), StoreError> {
    let store = &continuity.context.store;
    match news {
        SiteNews::Lost { site, lost_at } => {
            tracing::error!(site, "a site is lost: none of its nodes answers");
            let Ok(site) = site.parse::<SiteName>() else {
                return Ok(());
            };
            let (here, lost_at, id) = (here.clone(), *lost_at, IncidentId::new(continuity.now()));
            let note = async move |tx: &mut Tx<'_>| ops::note_lost(tx, id, &site, &here, lost_at).await;
            store.write_unkeyed(note).await
        }
        SiteNews::Returned { site, returned_at } => {
            let Ok(site) = site.parse::<SiteName>() else {
                return Ok(());
            };
            // Mostly there is nothing to end: that is found out by reading.
            let asked = site.clone();
            let is_lost = async move |tx: &mut Tx<'_>| ops::is_lost(tx, &asked).await;
            if !store.read(is_lost).await? {
                return Ok(());
            }
            tracing::info!(%site, "a site is back");
            let returned_at = *returned_at;
            let note = async move |tx: &mut Tx<'_>| ops::note_returned(tx, &site, returned_at).await;
            store.write_unkeyed(note).await
        }
    }
}
