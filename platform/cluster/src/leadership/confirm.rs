//! Confirming, after COMMIT, that the primary still leads: one linearizable read of the leader key for all commits
//! that returned before it began, and one read under way at a time.

use std::time::Duration;

use haechi_store::Term;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::record::PatroniKeys;
use crate::Etcd;

/// How long a commit waits to be confirmed. After that its outcome is unknown, and it is tried again with its key.
const CONFIRM_WAIT: Duration = Duration::from_secs(3);

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
    let leader = keys.leader();
    let mut asked = Vec::new();
    // All of them committed before the read begins: what it finds holds for each.
    while waiting
        .recv_many(&mut asked, super::CONFIRMATIONS_WAITING_MAX)
        .await
        > 0
    {
        let found = etcd
            .ask(|mut client| {
                let leader = leader.clone();
                async move { client.get(leader, None).await }
            })
            .await;
        metrics::counter!("cluster_confirmations").increment(1);
        for Confirmation {
            member,
            lease,
            create_revision,
            answer,
        } in asked.drain(..)
        {
            let verdict = match &found {
                Err(error) => Err(error.to_string()),
                Ok(found) => match found.kvs().first() {
                    None => Err("nobody leads".to_owned()),
                    Some(key)
                        if key.value() == member.as_bytes()
                            && key.lease() == lease
                            && key.create_revision() == create_revision =>
                    {
                        Ok(())
                    }
                    Some(_) => Err("the term is over".to_owned()),
                },
            };
            // Who gave up waiting in the meantime has been told that the outcome is unknown.
            drop(answer.send(verdict));
        }
    }
}
