//! Confirming, after COMMIT, that the primary still leads: one linearizable read of the leader key for all commits
//! that returned before it began, and one read under way at a time.

use std::time::Duration;

use etcd_client::{Txn, TxnOp, TxnOpResponse};
use haechi_store::Term;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::record::{PatroniKeys, sync_leader};
use crate::{Etcd, EtcdError};

/// How long a commit waits to be confirmed. After that its outcome is unknown, and it is tried again with its key.
const CONFIRM_WAIT: Duration = Duration::from_secs(5);

/// How often etcd is asked again while a new term settles.
pub(super) const SETTLING_LOOK_EVERY: Duration = Duration::from_millis(50);

/// A commit that waits to be confirmed.
pub(super) struct Confirmation {
    member: String,
    lease: i64,
    create_revision: i64,
    answer: oneshot::Sender<Result<(), String>>,
}

/// Asks for one commit.
pub(super) async fn ask(confirmations: &mpsc::Sender<Confirmation>, term: &Term) -> Result<(), String> {
    let (answer, answered) = oneshot::channel();
    let confirmation = Confirmation {
        member: term.member.clone(),
        lease: term.lease,
        create_revision: term.create_revision,
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
    loop {
        // All of them committed before the read begins: what it finds holds for each.
        if asked.is_empty() {
            if waiting
                .recv_many(&mut asked, super::CONFIRMATIONS_WAITING_MAX)
                .await
                == 0
            {
                return;
            }
        } else {
            // The term is not settled yet; those that wait for that are asked about again with the next.
            sleep(SETTLING_LOOK_EVERY).await;
            while let Ok(more) = waiting.try_recv() {
                asked.push(more);
            }
        }
        let found = read(&etcd, &keys).await;
        metrics::counter!("cluster_confirmations").increment(1);
        asked.retain(|confirmation| !confirmation.answer.is_closed());
        for confirmation in std::mem::take(&mut asked) {
            let verdict = match &found {
                Err(error) => Verdict::Refused(error.to_string()),
                Ok(found) => found.judge(&confirmation),
            };
            match verdict {
                Verdict::Settling => asked.push(confirmation),
                // Who gave up waiting in the meantime has been told that the outcome is unknown.
                Verdict::Confirmed => drop(confirmation.answer.send(Ok(()))),
                Verdict::Refused(reason) => drop(confirmation.answer.send(Err(reason))),
            }
        }
    }
}

/// What is to be answered.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Confirmed,
    /// It leads, but Patroni has not yet made the cluster its own.
    Settling,
    Refused(String),
}

/// What etcd says at one revision.
struct Found {
    /// The leader's name, its lease and since when.
    leader: Option<(Vec<u8>, i64, i64)>,
    /// For whom Patroni reckons the quorum.
    sync_leader: Option<String>,
}

impl Found {
    fn judge(&self, confirmation: &Confirmation) -> Verdict {
        let Some((name, lease, create_revision)) = &self.leader else {
            return Verdict::Refused("nobody leads".to_owned());
        };
        let is_same = *name == confirmation.member.as_bytes()
            && *lease == confirmation.lease
            && *create_revision == confirmation.create_revision;
        if !is_same {
            Verdict::Refused("the term is over".to_owned())
        } else if self.sync_leader.as_deref() == Some(&*confirmation.member) {
            Verdict::Confirmed
        } else {
            // Were it lost now, the leader before it could return and take over without a vote (rule 7 of
            // docs/decisions/0006-never-a-lost-write.md).
            Verdict::Settling
        }
    }
}

/// Reads both keys at once, as they are at one moment after the call.
async fn read(etcd: &Etcd, keys: &PatroniKeys) -> Result<Found, EtcdError> {
    let answer = etcd
        .ask(|mut client| {
            let both = [TxnOp::get(keys.leader(), None), TxnOp::get(keys.sync(), None)];
            async move { client.txn(Txn::new().and_then(both)).await }
        })
        .await?;
    let mut found = Found {
        leader: None,
        sync_leader: None,
    };
    for response in answer.op_responses() {
        let TxnOpResponse::Get(response) = response else {
            continue;
        };
        let Some(pair) = response.kvs().first() else {
            continue;
        };
        if pair.key() == keys.leader().as_bytes() {
            found.leader = Some((pair.value().to_vec(), pair.lease(), pair.create_revision()));
        } else {
            found.sync_leader = sync_leader(pair.value());
        }
    }
    Ok(found)
}
