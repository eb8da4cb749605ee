//! Confirming, after COMMIT, that the primary still leads: one linearizable read of the leader key for all commits
//! that returned before it began, and one read under way at a time.

use std::time::Duration;

use etcd_client::{GetOptions, KeyValue};
use haechi_store::Term;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::record::{PatroniKeys, history_timeline, member_timeline, sync_leader};
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
    let mut settled = None;
    while gather(&mut waiting, &mut asked).await {
        // All of them committed before the read begins: what it finds holds for each.
        let found = read(&etcd, &keys, settled).await;
        metrics::counter!("cluster_confirmations").increment(1);
        if let Ok(found) = &found {
            settled = found.settled_session();
        }
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

/// Asks etcd. Of a session that is known to be settled only whether it still leads.
async fn read(etcd: &Etcd, keys: &PatroniKeys, settled: Option<Session>) -> Result<Found, EtcdError> {
    let answer = etcd
        .ask(|mut client| {
            let (key, options) = match settled {
                Some(_) => (keys.leader(), GetOptions::new()),
                None => (keys.prefix().to_owned(), GetOptions::new().with_prefix()),
            };
            async move { client.get(key, Some(options)).await }
        })
        .await?;
    let found = Found::of(keys, answer.kvs(), settled);
    if settled.is_some() && found.settled_session().is_none() {
        // Another leads by now: whether that one is settled stands in the other keys.
        return Box::pin(read(etcd, keys, None)).await;
    }
    Ok(found)
}

/// A holding of the leader key: its lease and its create revision, which no other holding has.
type Session = (i64, i64);

/// What etcd says at one revision.
#[derive(Debug, Default)]
struct Found {
    leader: Option<(Vec<u8>, Session)>,
    is_settled: bool,
}

impl Found {
    fn of(keys: &PatroniKeys, pairs: &[KeyValue], settled: Option<Session>) -> Self {
        let value = |key: &str| {
            let pair = pairs.iter().find(|pair| pair.key() == key.as_bytes());
            pair.map(KeyValue::value)
        };
        let leader_key = keys.leader();
        let Some(pair) = pairs.iter().find(|pair| pair.key() == leader_key.as_bytes()) else {
            return Self::default();
        };
        let session = (pair.lease(), pair.create_revision());
        let name = String::from_utf8_lossy(pair.value());
        // Patroni reckons the quorum for it, and the history of timelines leads to its own. Were it lost sooner, the
        // leader before it could return and take over without a vote (rule 7 of
        // docs/decisions/0006-never-a-lost-write.md).
        let is_settled = settled == Some(session)
            || value(&keys.sync()).and_then(sync_leader).as_deref() == Some(&*name) && {
                let timeline = value(&keys.member(&name)).and_then(member_timeline);
                timeline.is_some() && timeline == history_timeline(value(&keys.history()))
            };
        Self {
            leader: Some((pair.value().to_vec(), session)),
            is_settled,
        }
    }

    /// Who leads, if that is settled: it stays so while the session lasts.
    fn settled_session(&self) -> Option<Session> {
        let (_, session) = self.leader.as_ref()?;
        self.is_settled.then_some(*session)
    }

    fn judge(&self, confirmation: &Confirmation) -> Verdict {
        let Some((name, session)) = &self.leader else {
            return Verdict::Refused("nobody leads".to_owned());
        };
        let is_same = *name == confirmation.member.as_bytes()
            && *session == (confirmation.lease, confirmation.create_revision);
        match (is_same, self.is_settled) {
            (false, _) => Verdict::Refused("the term is over".to_owned()),
            (true, true) => Verdict::Confirmed,
            (true, false) => Verdict::Settling,
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
