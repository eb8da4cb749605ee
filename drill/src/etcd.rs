//! etcd at a site: how it is started, and its JSON interface (etcd 3.4, "gRPC gateway").

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use crate::http;
use crate::site::Place;

/// How long a question to etcd may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a change of the members may take: it is a decision of the majority.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a site's etcd begins a cluster or comes to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    New,
    Existing,
}

/// The command of a site's etcd. What is said of the cluster counts for an empty data folder only.
pub(crate) fn command(place: &Place, all: &[Place], beginning: Beginning) -> Command {
    let peers: Vec<String> = all
        .iter()
        .map(|peer| format!("{}={}", peer.name, peer.etcd_peer_url()))
        .collect();
    let mut command = Command::new(&place.programs.etcd);
    command
        .args(["--name", &place.name])
        .arg("--data-dir")
        .arg(place.folder.join("etcd"))
        .args(["--listen-client-urls", &place.etcd_url()])
        .args(["--advertise-client-urls", &place.etcd_url()])
        .args(["--listen-peer-urls", &place.etcd_peer_url()])
        .args(["--initial-advertise-peer-urls", &place.etcd_peer_url()])
        .args(["--initial-cluster", &peers.join(",")])
        .args(["--initial-cluster-token", "haechi-drill"])
        .args([
            "--initial-cluster-state",
            if beginning == Beginning::New {
                "new"
            } else {
                "existing"
            },
        ])
        // A member that comes back must not call an election that the others do not need.
        .arg("--pre-vote=true")
        .args([
            "--auto-compaction-mode",
            "periodic",
            "--auto-compaction-retention",
            "1h",
        ])
        .args(["--logger", "zap", "--log-level", "warn"]);
    command
}

#[derive(Deserialize)]
struct Header {
    member_id: String,
}

#[derive(Deserialize)]
struct Status {
    header: Header,
    leader: Option<String>,
}

/// Whether a site's etcd leads the others. `None` when it does not answer.
pub(crate) async fn leads(place: &Place) -> Option<bool> {
    let answer = http::post(
        place.etcd,
        "/v3/maintenance/status",
        &json!({}),
        None,
        ANSWER_TIMEOUT,
    )
    .await;
    let status: Status = answer.ok()?.parse().ok()?;
    Some(status.leader.as_deref() == Some(&status.header.member_id))
}

/// Whether a site's etcd answers, and knows of a leader.
pub(crate) async fn is_healthy(place: &Place) -> bool {
    #[derive(Deserialize)]
    struct Health {
        health: String,
    }
    let answer = http::get(place.etcd, "/health").await;
    let health = answer.and_then(|answer| answer.parse::<Health>());
    health.is_ok_and(|health| health.health == "true")
}

/// Whether there is such a key.
pub(crate) async fn has_key(place: &Place, key: &str) -> Result<bool> {
    #[derive(Deserialize)]
    struct Range {
        #[serde(default)]
        count: String,
    }
    let body = json!({ "key": STANDARD.encode(key), "count_only": true });
    let range = http::post(place.etcd, "/v3/kv/range", &body, None, ANSWER_TIMEOUT).await?;
    // A count of zero is left out.
    let range: Range = range.parse()?;
    Ok(!range.count.is_empty() && range.count != "0")
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "peerURLs", default)]
    peer_urls: Vec<String>,
}

/// Takes the member whose disk is gone out of the cluster and enters it anew, by the word of a survivor.
pub(crate) async fn replace(lost: &Place, survivor: &Place) -> Result<()> {
    #[derive(Deserialize)]
    struct Members {
        members: Vec<Listed>,
    }
    let listed = http::post(
        survivor.etcd,
        "/v3/cluster/member/list",
        &json!({}),
        None,
        ANSWER_TIMEOUT,
    )
    .await?;
    let members: Members = listed.parse()?;
    let url = lost.etcd_peer_url();
    let old = members
        .members
        .into_iter()
        .find(|member| member.peer_urls.contains(&url));
    if let Some(old) = old {
        let body = json!({ "ID": old.id });
        let removed = http::post(
            survivor.etcd,
            "/v3/cluster/member/remove",
            &body,
            None,
            CHANGE_TIMEOUT,
        )
        .await?;
        let _: serde_json::Value = removed.parse().context("etcd does not let the lost member go")?;
    }
    let body = json!({ "peerURLs": [url] });
    let added = http::post(
        survivor.etcd,
        "/v3/cluster/member/add",
        &body,
        None,
        CHANGE_TIMEOUT,
    )
    .await?;
    let _: serde_json::Value = added.parse().context("etcd does not take the member back")?;
    Ok(())
}
