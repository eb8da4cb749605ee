//! Following the leader key: woken by etcd's watch, and looking by itself in case the watch hangs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use etcd_client::{GetOptions, WatchOptions, WatchStream};
use tokio::time::{Instant, sleep};

use super::PatroniLeadership;
use super::record::Record;
use crate::EtcdError;

/// How often the keys are read when no watch says that something changed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// After how long without an answer of etcd nobody can say who leads.
const ETCD_SILENT_AFTER: Duration = Duration::from_secs(2);

/// Follows until it is dropped.
pub(super) async fn run(leadership: PatroniLeadership) {
    let mut record = Record::default();
    let mut changes: Option<WatchStream> = None;
    let mut answered_at = Instant::now();
    loop {
        match look(&leadership, &mut record).await {
            Ok(()) => {
                answered_at = Instant::now();
                leadership.0.is_etcd_silent.store(false, Ordering::Relaxed);
            }
            Err(error) => {
                changes = None;
                if answered_at.elapsed() > ETCD_SILENT_AFTER
                    && !leadership.0.is_etcd_silent.swap(true, Ordering::Relaxed)
                {
                    tracing::warn!(%error, "nobody can say who leads");
                }
            }
        }
        if changes.is_none() {
            changes = watch(&leadership).await;
        }
        let change = async {
            match &mut changes {
                Some(stream) => matches!(stream.message().await, Ok(Some(_))),
                None => std::future::pending().await,
            }
        };
        let has_watch = tokio::select! {
            is_news = change => is_news,
            () = sleep(LOOK_EVERY) => true,
        };
        if !has_watch {
            changes = None;
        }
    }
}

async fn watch(leadership: &PatroniLeadership) -> Option<WatchStream> {
    let mut client = leadership.0.etcd.nearest();
    let key = leadership.0.keys.leader();
    let begun = client.watch(key, Some(WatchOptions::new()));
    tokio::time::timeout(LOOK_EVERY, begun).await.ok()?.ok()
}

/// Reads all keys of the cluster and tells what they say.
async fn look(leadership: &PatroniLeadership, record: &mut Record) -> Result<(), EtcdError> {
    let keys = &leadership.0.keys;
    let found = leadership
        .0
        .etcd
        .ask(|mut client| {
            let prefix = keys.prefix().to_owned();
            async move { client.get(prefix, Some(GetOptions::new().with_prefix())).await }
        })
        .await?;
    record.read(keys, found.kvs());
    let term = record.term();
    leadership.0.term.send_if_modified(|told| {
        let is_other = told.as_deref() != term.as_ref();
        if is_other {
            *told = term.map(Arc::new);
        }
        is_other
    });
    leadership.0.members.send_replace(record.members());
    Ok(())
}
