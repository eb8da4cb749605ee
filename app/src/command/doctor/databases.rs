//! Asks every PostgreSQL, etcd and Patroni.

use std::time::Duration;

use anyhow::Result;
use haechi_cluster::MemberState;
use haechi_continuity::engine::Engine;
use haechi_continuity::model::EtcdFact;
use haechi_continuity::model::examination::{
    Copy, Database, DatabaseFacts, EtcdMembers, Keeping, NodeFacts, PatroniRules,
};
use haechi_store::{Chunks, HostFacts, Leadership as _, SeenHost, StoreUrl, look_at_hosts};
use serde::Deserialize;

use super::collect::disk;
use super::nodes::{self, SeenNode};
use crate::services::Services;

/// How long it may take until etcd told who the members are, and Patroni what its rules are.
const ANSWER_WAIT: Duration = Duration::from_secs(3);

/// How everything is kept; and the nodes, which look at the disks of the PostgreSQLs beside them.
pub(super) async fn look(
    services: &Services,
    url: &StoreUrl,
    chunks: Chunks,
) -> Result<(Keeping, Vec<NodeFacts>)> {
    let members = members(services).await;
    let seen = look_at_hosts(url, chunks).await;
    let told = seen.iter().filter_map(|host| host.told.as_ref().ok());
    let mut paths: Vec<String> = told.filter_map(|facts| facts.data_directory.clone()).collect();
    paths.sort();
    paths.dedup();
    let nodes = nodes::look(services, &paths).await?;
    let keeping = Keeping::Replicated {
        databases: seen
            .into_iter()
            .map(|host| database(host, &members, &nodes))
            .collect(),
        etcd: match services.continuity.engine() {
            Some(engine) => Some(etcd(engine.as_ref()).await),
            None => None,
        },
        patroni: rules(&members).await,
    };
    Ok((keeping, nodes.into_iter().map(|seen| seen.facts).collect()))
}

/// The members of the PostgreSQL cluster, once etcd told of them; none where there is no etcd.
async fn members(services: &Services) -> Vec<MemberState> {
    let Some(leadership) = services.context.cluster.leadership() else {
        return Vec::new();
    };
    let mut term = leadership.term();
    // Without a leader the members are told all the same, or nobody answers at all.
    drop(tokio::time::timeout(ANSWER_WAIT, term.wait_for(Option::is_some)).await);
    leadership.members()
}

fn database(seen: SeenHost, members: &[MemberState], beside: &[SeenNode]) -> Database {
    let site = site_of(&seen.host, members, beside);
    let told = seen.told.map(|facts| database_facts(facts, &site, beside));
    Database {
        site,
        host: seen.host,
        told,
    }
}

/// The site of a PostgreSQL: Patroni's name for it; while its session is over, that of the node at the same address.
/// Where nobody names it, it is called by its address.
fn site_of(host: &str, members: &[MemberState], beside: &[SeenNode]) -> String {
    let member = members
        .iter()
        .find(|member| format!("{}:{}", member.host, member.port) == host);
    if let Some(member) = member {
        return member.name.clone();
    }
    let address = host.rsplit_once(':').map_or(host, |(address, _)| address);
    let is_at = |url: &str| reqwest::Url::parse(url).is_ok_and(|url| url.host_str() == Some(address));
    let near = beside
        .iter()
        .find(|node| !node.facts.site.is_empty() && is_at(&node.facts.url));
    near.map_or_else(|| host.to_owned(), |node| node.facts.site.clone())
}

fn database_facts(facts: HostFacts, site: &str, beside: &[SeenNode]) -> DatabaseFacts {
    let disk = facts.data_directory.as_ref().and_then(|path| {
        let near = beside.iter().filter(|node| node.facts.site == site);
        near.filter_map(|node| node.disks.get(path))
            .next()
            .copied()
            .map(disk)
    });
    DatabaseFacts {
        is_standby: facts.is_standby,
        version: facts.version,
        log_position: facts.log_position,
        settings: facts.settings.into_iter().collect(),
        tables: facts
            .tables
            .into_iter()
            .map(|table| (table.name, table.is_logged))
            .collect(),
        copies: facts
            .copies
            .into_iter()
            .map(|copy| Copy {
                site: copy.name,
                state: copy.state,
                sync_state: copy.sync_state,
                lag_bytes: copy.lag_bytes,
                lag_ms: copy.lag_ms,
            })
            .collect(),
        chunks: facts.chunks.map(|seen| [seen.read, seen.damaged, seen.missing]),
        disk,
    }
}

async fn etcd(engine: &dyn Engine) -> EtcdMembers {
    match engine.look().await {
        Err(error) => EtcdMembers::Silent(error.to_string()),
        Ok(facts) => {
            let votes = |member: &&EtcdFact| !member.is_learner && !member.site.is_empty();
            let voter = |member: &EtcdFact| (member.site.clone(), member.is_reachable, member.is_leader);
            EtcdMembers::Voters(facts.etcd.iter().filter(votes).map(voter).collect())
        }
    }
}

/// Patroni's rules for the whole cluster, as `GET /config` tells them.
#[derive(Debug, Deserialize)]
struct Told {
    #[serde(default)]
    synchronous_mode: serde_json::Value,
    #[serde(default)]
    synchronous_mode_strict: bool,
    #[serde(default)]
    synchronous_node_count: Option<u64>,
}

async fn rules(members: &[MemberState]) -> Option<PatroniRules> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(ANSWER_WAIT)
        .build()
        .ok()?;
    for member in members {
        let base = member.api_url.trim_end_matches("/patroni");
        let Ok(answer) = client.get(format!("{base}/config")).send().await else {
            continue;
        };
        if let Ok(told) = answer.json::<Told>().await {
            return Some(rules_of(&told));
        }
    }
    None
}

fn rules_of(told: &Told) -> PatroniRules {
    let mode = match &told.synchronous_mode {
        serde_json::Value::String(mode) => mode.clone(),
        serde_json::Value::Bool(true) => "on".to_owned(),
        _ => "off".to_owned(),
    };
    PatroniRules {
        synchronous_mode: mode,
        is_strict: told.synchronous_mode_strict,
        synchronous_node_count: told.synchronous_node_count.unwrap_or(1),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use haechi_continuity::model::examination::NodeTold;

    use super::*;

    #[test]
    fn a_silent_postgresql_is_known_by_the_node_at_its_address() {
        let node = SeenNode {
            facts: NodeFacts {
                site: "pangyo".to_owned(),
                url: "http://10.0.0.1:8480".to_owned(),
                version: "1".to_owned(),
                told: NodeTold::AnotherKey,
            },
            disks: std::collections::BTreeMap::new(),
        };
        let member = MemberState {
            name: "gasan".to_owned(),
            host: "10.0.0.2".to_owned(),
            port: 5_432,
            api_url: String::new(),
            state: String::new(),
            role: String::new(),
            timeline: None,
        };
        let (members, nodes) = ([member], [node]);
        let of = |host: &str| site_of(host, &members, &nodes);
        assert_eq!(of("10.0.0.2:5432"), "gasan");
        assert_eq!(of("10.0.0.1:5432"), "pangyo");
        assert_eq!(of("10.0.0.3:5432"), "10.0.0.3:5432");
    }

    #[test]
    fn patronis_rules_are_read_with_its_defaults() {
        let rules = |text: &str| rules_of(&serde_json::from_str(text).unwrap());
        let quorum = r#"{"ttl": 20, "synchronous_mode": "quorum", "synchronous_mode_strict": true,
            "synchronous_node_count": 2}"#;
        assert_eq!(
            rules(quorum),
            PatroniRules {
                synchronous_mode: "quorum".to_owned(),
                is_strict: true,
                synchronous_node_count: 2,
            }
        );
        assert_eq!(rules(r#"{"synchronous_mode": true}"#).synchronous_mode, "on");
        let nothing = rules("{}");
        assert_eq!(
            (nothing.synchronous_mode.as_str(), nothing.is_strict),
            ("off", false)
        );
        assert_eq!(nothing.synchronous_node_count, 1);
    }
}
