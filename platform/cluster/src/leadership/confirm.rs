//! Confirming, after COMMIT, that the primary still leads: one linearizable read of the leader key for all commits
//! that returned before it began, and one read under way at a time.

use std::time::Duration;

use etcd_client::{KeyValue, Txn, TxnOp, TxnOpResponse};
use haechi_store::Term;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::record::{PatroniKeys, history_timeline, sync_leader};
use crate::{Etcd, EtcdError};

/// How long a commit waits to be confirmed. After that its outcome is unknown, and it is tried again with its key.
const CONFIRM_WAIT: Duration = Duration::from_secs(5);

/// How often etcd is asked again while a new term settles.
pub(super) const SETTLING_LOOK_EVERY: Duration = Duration::from_millis(20);

/// A commit that waits to be confirmed.
pub(super) struct Confirmation {
    member: String,
    lease: i64,
    create_revision: i64,
    timeline: i64,
    answer: oneshot::Sender<Result<(), String>>,
}

/// Asks for one commit.
pub(super) async fn ask(
    confirmations: &mpsc::Sender<Confirmation>,
    term: &Term,
    timeline: i64,
) -> Result<(), String> {
    let (answer, answered) = oneshot::channel();
    let confirmation = Confirmation {
        member: term.member.clone(),
        lease: term.lease,
        create_revision: term.create_revision,
        timeline,
        answer,
    };
    let confirmed = async {
        confirmations
            .send(confirmation)
            .await
            .map_err(|_| "the node ends".to_owned())?;
        answered.await.map_err(|_| "the node ends".to_owned())?
    };
    timeout(CONFIRM_WAIT, confirmed)
        .await
        .map_err(|_| "etcd did not answer in time".to_owned())?
}

/// Answers until nobody asks any more.
pub(super) async fn run(etcd: Etcd, keys: PatroniKeys, mut waiting: mpsc::Receiver<Confirmation>) {
    let mut asked = Vec::new();
    let mut settled: Option<Settled> = None;
    while gather(&mut waiting, &mut asked).await {
        // All of them committed before the read begins: what it finds holds for each.
        let found = read(&etcd, &keys, settled).await;
        metrics::counter!("cluster_confirmations").increment(1);
        for confirmation in std::mem::take(&mut asked) {
            let verdict = match &found {
                Err(error) => Verdict::Refused(error.to_string()),
                Ok(found) => found.judge(&confirmation),
            };
            if verdict == Verdict::Confirmed {
                settled = Some(confirmation.settled());
            }
            match verdict {
                Verdict::Settling => asked.push(confirmation),
                // Who gave up waiting in the meantime has been told that the outcome is unknown.
                Verdict::Confirmed => drop(confirmation.answer.send(Ok(()))),
                Verdict::Refused(reason) => drop(confirmation.answer.send(Err(reason))),
            }
        }
    }
}

/// Gathers those that wait, with those in `asked` whose term was not settled yet. Whether there are any.
async fn gather(waiting: &mut mpsc::Receiver<Confirmation>, asked: &mut Vec<Confirmation>) -> bool {
    asked.retain(|confirmation| !confirmation.answer.is_closed());
    if asked.is_empty() {
        return waiting.recv_many(asked, super::CONFIRMATIONS_WAITING_MAX).await > 0;
    }
    sleep(SETTLING_LOOK_EVERY).await;
    while asked.len() < super::CONFIRMATIONS_WAITING_MAX
        && let Ok(more) = waiting.try_recv()
    {
        asked.push(more);
    }
    true
}

/// What is to be answered.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Confirmed,
    /// It leads, but Patroni has not yet made the cluster its own.
    Settling,
    Refused(String),
}

/// A holding of the leader key, by its lease and its create revision, and the timeline that it settled on. It stays
/// settled as long as it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Settled {
    lease: i64,
    create_revision: i64,
    timeline: i64,
}

impl Confirmation {
    const fn settled(&self) -> Settled {
        Settled {
            lease: self.lease,
            create_revision: self.create_revision,
            timeline: self.timeline,
        }
    }
}

/// What etcd says at one revision.
#[derive(Debug)]
struct Found {
    /// The leader's name, and the session that holds the key.
    leader: Option<(Vec<u8>, i64, i64)>,
    /// For whom Patroni reckons the quorum.
    sync_leader: Option<String>,
    /// Where the history of timelines leads to, if it can be read.
    timeline: Option<i64>,
}

/// Asks etcd. Of a session that is known to be settled only whether it still leads.
async fn read(etcd: &Etcd, keys: &PatroniKeys, settled: Option<Settled>) -> Result<Found, EtcdError> {
    let answer = etcd
        .ask(|mut client| {
            let mut questions = vec![TxnOp::get(keys.leader(), None)];
            if settled.is_none() {
                questions.push(TxnOp::get(keys.history(), None));
                questions.push(TxnOp::get(keys.sync(), None));
            }
            async move { client.txn(Txn::new().and_then(questions)).await }
        })
        .await?;
    let responses = answer.op_responses();
    let pair = |index: usize| match responses.get(index) {
        Some(TxnOpResponse::Get(response)) => response.kvs().first().cloned(),
        _ => None,
    };
    let leader = pair(0).map(|pair| (pair.value().to_vec(), pair.lease(), pair.create_revision()));
    let Some(settled) = settled else {
        return Ok(Found {
            leader,
            sync_leader: pair(2).and_then(|pair| sync_leader(pair.value())),
            timeline: history_timeline(pair(1).as_ref().map(KeyValue::value)),
        });
    };
    let is_still = leader
        .as_ref()
        .is_some_and(|(_, lease, revision)| (*lease, *revision) == (settled.lease, settled.create_revision));
    if is_still {
        let name = leader
            .as_ref()
            .and_then(|(name, ..)| String::from_utf8(name.clone()).ok());
        return Ok(Found {
            leader,
            sync_leader: name,
            timeline: Some(settled.timeline),
        });
    }
    // Another leads by now: whether that one is settled stands in the other keys.
    Box::pin(read(etcd, keys, None)).await
}

impl Found {
    fn judge(&self, confirmation: &Confirmation) -> Verdict {
        let Some((name, lease, create_revision)) = &self.leader else {
            return Verdict::Refused("nobody leads".to_owned());
        };
        let is_same = *name == confirmation.member.as_bytes()
            && (*lease, *create_revision) == (confirmation.lease, confirmation.create_revision);
        if !is_same {
            Verdict::Refused("the term is over".to_owned())
        } else if self.timeline == Some(confirmation.timeline)
            && self.sync_leader.as_deref() == Some(&*confirmation.member)
        {
            Verdict::Confirmed
        } else {
            // Were it lost now, the leader before it could return and take over without a vote (rule 7 of
            // docs/decisions/0006-never-a-lost-write.md).
            Verdict::Settling
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timelines_are_read_as_patroni_writes_them() {
        assert_eq!(history_timeline(None), Some(1));
        assert_eq!(history_timeline(Some(b"[]")), Some(1));
        let twice = br#"[[1,84158472,"no recovery target specified","2026-11-22T16:06:50","sejong"],[2,84158999,"x"]]"#;
        assert_eq!(history_timeline(Some(twice)), Some(3));
        assert_eq!(history_timeline(Some(b"?")), None);
        assert_eq!(sync_leader(br#"{"leader":null,"sync_standby":null}"#), None);
        assert_eq!(
            sync_leader(br#"{"leader":"pangyo","quorum":1}"#).as_deref(),
            Some("pangyo")
        );
    }
}
