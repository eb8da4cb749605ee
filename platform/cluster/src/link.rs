//! The link to one peer: its stream of hints, which also tells that it lives, and its clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use haechi_base::Time;
use parking_lot::Mutex;
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::clock_check::Reading;
use crate::hints::{GAP, HELLO, Hello, LEASES, LEAVING, LINE_BYTES_MAX, Line};
use crate::joined::Joined;
use crate::lease::LeaseRow;
use crate::node::{BEAT, Node};

/// How often a peer is told that we live, when there is nothing else to tell.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(250);

/// After how long a silent peer is taken for lost.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(1);

/// How long to wait before a lost peer is tried again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(250);

/// The state of a link, shared by whoever wants to know of the peer.
pub(crate) struct Link {
    pub(crate) is_up: watch::Sender<bool>,
    pub(crate) reading: Mutex<Option<Reading>>,
    pub(crate) is_leaving: watch::Sender<bool>,
}

impl Link {
    pub(crate) fn new() -> Self {
        Self {
            is_up: watch::Sender::new(false),
            reading: Mutex::new(None),
            is_leaving: watch::Sender::new(false),
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        *self.is_up.borrow()
    }

    pub(crate) fn is_leaving(&self) -> bool {
        *self.is_leaving.borrow()
    }

    /// Waits until the peer is lost.
    pub(crate) async fn lost(&self) {
        // The sender lives as long as the link.
        drop(self.is_up.subscribe().wait_for(|is_up| !is_up).await);
    }
}

/// Why a stream of hints ended.
#[derive(Debug, Error)]
enum Ended {
    #[error("it was silent for {} ms", SILENCE_MAX.as_millis())]
    Silent,
    #[error("it ended the stream")]
    Closed,
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("it refused us with {0}: do both have the same master key, and the right time?")]
    Refused(reqwest::StatusCode),
    #[error("what it sent is no hint: {0}")]
    NoHint(String),
    #[error("another node answers there")]
    AnotherNode,
}

/// Keeps up the link to a peer for as long as the task lives.
pub(crate) async fn keep_up(joined: Arc<Joined>, node: Node, link: Arc<Link>) {
    tokio::join!(
        follow_hints(&joined, &node, &link),
        follow_clock(&joined, &node, &link)
    );
}

async fn follow_hints(joined: &Joined, node: &Node, link: &Link) {
    let mut was_up_before = false;
    loop {
        let ended = read_hints(joined, node, link, was_up_before).await;
        let was_up = link.is_up.send_replace(false);
        was_up_before |= was_up;
        if was_up && !link.is_leaving() {
            tracing::warn!(node = %node.node_id, site = node.site, reason = %ended, "lost a node");
        } else {
            tracing::debug!(node = %node.node_id, url = node.url, reason = %ended, "no link to a node");
        }
        if was_up {
            joined.look.notify_one();
        }
        sleep(RECONNECT_PAUSE).await;
    }
}

/// Reads hints until the stream ends or falls silent.
async fn read_hints(joined: &Joined, node: &Node, link: &Link, was_up_before: bool) -> Ended {
    let asking = joined.ask(&format!("{}/cluster/hints", node.url)).send();
    let mut response = match timeout(SILENCE_MAX, asking).await {
        Err(_) => return Ended::Silent,
        Ok(Err(error)) => return error.into(),
        Ok(Ok(response)) if !response.status().is_success() => return Ended::Refused(response.status()),
        Ok(Ok(response)) => response,
    };
    let mut gathered = BytesMut::new();
    loop {
        match timeout(SILENCE_MAX, response.chunk()).await {
            Err(_) => return Ended::Silent,
            Ok(Err(error)) => return error.into(),
            Ok(Ok(None)) => return Ended::Closed,
            Ok(Ok(Some(chunk))) => gathered.extend_from_slice(&chunk),
        }
        while let Some(end) = gathered.iter().position(|byte| *byte == b'\n') {
            let line = gathered.split_to(end);
            gathered.advance(1);
            if line.is_empty() {
                continue;
            }
            if let Err(ended) = take_line(joined, node, link, &line, was_up_before) {
                return ended;
            }
        }
        if gathered.len() > LINE_BYTES_MAX {
            return Ended::NoHint(format!("a line of more than {LINE_BYTES_MAX} bytes"));
        }
    }
}

fn take_line(
    joined: &Joined,
    node: &Node,
    link: &Link,
    line: &[u8],
    was_up_before: bool,
) -> Result<(), Ended> {
    let no_hint = |error: serde_json::Error| Ended::NoHint(error.to_string());
    let line: Line<'_> = serde_json::from_slice(line).map_err(no_hint)?;
    match line.topic {
        HELLO => {
            let hello: Hello = serde_json::from_str(line.payload.get()).map_err(no_hint)?;
            if hello.node.node_id != node.node_id {
                return Err(Ended::AnotherNode);
            }
            link.is_leaving.send_replace(hello.is_leaving);
            link.is_up.send_replace(true);
            tracing::info!(node = %node.node_id, site = node.site, url = node.url, "linked to a node");
            if was_up_before {
                joined.hints.tell_of_gap();
            }
            joined.look.notify_one();
        }
        GAP => joined.hints.tell_of_gap(),
        LEASES => {
            // Taken up at once: whoever asks the former owner is sent away, and would do the work beside the new one.
            let moved: BTreeMap<String, LeaseRow> =
                serde_json::from_str(line.payload.get()).map_err(no_hint)?;
            joined.leases.write().rows.extend(moved);
            joined.look.notify_one();
        }
        LEAVING => {
            link.is_leaving.send_replace(true);
            joined.look.notify_one();
        }
        _ => joined.hints.hand_out(node.node_id, &line),
    }
    Ok(())
}

/// What a node answers when it is asked for the time.
#[derive(Debug, serde::Serialize, Deserialize)]
pub(crate) struct ToldTime {
    pub(crate) now: Time,
}

/// Compares the peer's clock with ours, once a beat.
async fn follow_clock(joined: &Joined, node: &Node, link: &Link) {
    loop {
        let reading = read_clock(joined, node).await;
        *link.reading.lock() = reading;
        joined.judge_clock();
        sleep(BEAT).await;
    }
}

async fn read_clock(joined: &Joined, node: &Node) -> Option<Reading> {
    let asked_at = joined.now();
    let started = Instant::now();
    let asking = async {
        let asked = joined.ask(&format!("{}/cluster/clock", node.url)).send().await?;
        asked.error_for_status()?.json::<ToldTime>().await
    };
    let told = timeout(SILENCE_MAX, asking).await.ok()?.ok()?;
    Some(Reading::new(asked_at, started.elapsed(), told.now))
}
