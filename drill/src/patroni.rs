//! Patroni at a site: its configuration, and what its REST interface says (Patroni 4.1, "REST API").

use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{self, Answered};
use crate::site::{CLUSTER, Place};

/// What starts Patroni, as at real sites.
pub(crate) const STARTER: &str = include_str!("../../deploy/patroni/haechi_patroni.py");

/// How Patroni keeps the cluster. Each value is argued in docs/decisions.
fn cluster_rules() -> Value {
    json!({
        "loop_wait": 1,
        "retry_timeout": 3,
        "ttl": 20,
        "primary_start_timeout": 0,
        "maximum_lag_on_failover": 1_048_576,
        "check_timeline": true,
        "synchronous_mode": "quorum",
        "synchronous_mode_strict": true,
        "synchronous_node_count": 2,
        "postgresql": {
            "use_pg_rewind": true,
            "use_slots": true,
            "parameters": {
                "wal_level": "replica",
                "hot_standby": "on",
                "wal_log_hints": "on",
                "max_connections": 300,
                "max_wal_senders": 10,
                "max_replication_slots": 10,
                "wal_keep_size": "128MB",
            },
        },
    })
}

/// Settings of PostgreSQL that belong to a site.
fn server_settings() -> Value {
    json!({
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "shared_buffers": "128MB",
        "wal_sender_timeout": "5s",
        "wal_receiver_timeout": "5s",
        "wal_retrieve_retry_interval": "100ms",
        "wal_receiver_status_interval": "1s",
        "hot_standby_feedback": "on",
        "unix_socket_directories": "",
        "logging_collector": "off",
    })
}

/// The configuration of a site's Patroni. JSON is YAML.
pub(crate) fn configuration(place: &Place, etcd: &[String], callers: &str) -> Value {
    let rest = place.patroni.to_string();
    json!({
        "scope": CLUSTER,
        "namespace": "/service/",
        "name": place.name,
        "restapi": { "listen": rest, "connect_address": rest },
        // With `use_proxies` Patroni asks in this order and so its own site first; else it would shuffle, and could
        // depend on a far site that dies.
        "etcd3": { "hosts": etcd, "use_proxies": true },
        "bootstrap": {
            "dcs": cluster_rules(),
            "initdb": [{ "encoding": "UTF8" }, { "locale": "C.UTF-8" }, "data-checksums"],
        },
        "postgresql": {
            "listen": place.postgres.to_string(),
            "connect_address": place.postgres.to_string(),
            "data_dir": place.data(),
            "bin_dir": place.programs.postgres,
            "pgpass": place.folder.join("run/pgpass"),
            "authentication": {
                "superuser": { "username": "postgres" },
                "replication": { "username": "replicator" },
                "rewind": { "username": "postgres" },
            },
            // Addresses of this machine only, and data that a drill made up: no passwords.
            "pg_hba": [
                format!("host all all {callers} trust"),
                format!("host replication replicator {callers} trust"),
            ],
            "basebackup": [{ "checkpoint": "fast" }],
            "remove_data_directory_on_rewind_failure": true,
            "remove_data_directory_on_diverged_timelines": true,
            "parameters": server_settings(),
        },
        "watchdog": { "mode": "off" },
    })
}

/// One member, as `GET /cluster` tells.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) state: String,
    /// Bytes behind the leader; a word when nobody knows.
    #[serde(default)]
    lag: Value,
}

impl Member {
    pub(crate) fn leads(&self) -> bool {
        self.role == "leader"
    }

    /// Whether it follows and its word counts in the quorum, so that it may lead next.
    pub(crate) fn confirms(&self) -> bool {
        self.follows() && self.role == "quorum_standby"
    }

    /// Whether it streams what the leader writes, nothing of it outstanding that Patroni would mention.
    pub(crate) fn follows(&self) -> bool {
        !self.leads()
            && self.state == "streaming"
            && self.lag.as_u64().is_some_and(|bytes| bytes <= LAG_MAX_BYTES)
    }
}

/// Bytes that a standby may be behind and still count as rejoined: a moment's writes under load.
const LAG_MAX_BYTES: u64 = 1_048_576;

/// The members that a site's Patroni knows of.
pub(crate) async fn members(place: &Place) -> anyhow::Result<Vec<Member>> {
    #[derive(Deserialize)]
    struct Cluster {
        members: Vec<Member>,
    }
    let cluster: Cluster = http::get(place.patroni, "/cluster").await?.parse()?;
    Ok(cluster.members)
}

/// Whether the site's PostgreSQL leads by its own Patroni's word.
pub(crate) async fn leads(place: &Place) -> bool {
    http::get(place.patroni, "/leader")
        .await
        .is_ok_and(|answer: Answered| answer.status == 200)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn member(text: &str) -> Member {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_standby_follows_once_it_streams_and_its_lag_is_known_and_small() {
        let follows = |state: &str, lag: &str| {
            member(&format!(
                r#"{{"name":"busan","role":"quorum_standby","state":"{state}","lag":{lag}}}"#
            ))
            .follows()
        };
        assert!(follows("streaming", "0"));
        assert!(!follows("streaming", "\"unknown\""));
        assert!(!follows("streaming", "99999999"));
        assert!(!follows("starting", "0"));
        let leader = member(r#"{"name":"busan","role":"leader","state":"running"}"#);
        assert!(leader.leads() && !leader.follows());
    }
}
