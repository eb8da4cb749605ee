//! Pushes that were not taken: tried again by a job for each pusher, with growing pauses, for a day.

use std::collections::HashMap;
use std::time::Duration;

use haechi_base::Time;
use haechi_service::{Job, JobHandler, JobOutcome};
use haechi_store::{StoreError, Tx, WriteKey, job};
use sha2::{Digest, Sha256};

use super::super::Chat;
use super::super::pushers::forget;
use super::decide::Candidate;
use crate::gateway::Outcome;
use crate::model::limits::{PUSH_KEPT, PUSHES_WAITING_MAX};
use crate::model::{ChatError, Event, PusherName};
use crate::store;

/// The kind of the jobs.
const KIND: &str = "chat.push";

/// Pushes that one job tries: each may take seconds, and a job has less than a minute.
const TRIED_AT_ONCE_MAX: usize = 8;

/// How long a gateway may take here, where nobody waits behind it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keeps pushes to be tried again, of each pusher the newest.
pub(super) async fn keep(
    tx: &mut Tx<'_>,
    pushes: &[(PusherName, String)],
    now: Time,
) -> Result<(), StoreError> {
    store::pushes::put_late(tx, pushes, now).await?;
    let mut names: Vec<&PusherName> = pushes.iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    for name in names {
        let kept_max = usize::try_from(PUSHES_WAITING_MAX).unwrap_or(usize::MAX);
        for (event_id, _) in store::pushes::late(tx, name).await?.iter().skip(kept_max) {
            store::pushes::forget_late(tx, name, event_id).await?;
        }
        let payload = serde_json::to_string(name).unwrap_or_default();
        job::enqueue(tx, KIND, &job_name(&payload), &payload, now).await?;
    }
    Ok(())
}

fn job_name(payload: &str) -> String {
    let hash = Sha256::digest(payload.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Does the jobs.
pub(crate) fn handler(chat: &Chat) -> JobHandler {
    let chat = chat.clone();
    JobHandler::new(KIND, move |job: Job| {
        let chat = chat.clone();
        async move {
            let name: PusherName = serde_json::from_str(&job.payload).map_err(|error| error.to_string())?;
            chat.try_again(name).await
        }
    })
}

/// What is to be tried of a pusher.
struct Waiting {
    event_ids: Vec<String>,
    /// Those whose time is over.
    stale: Vec<String>,
    has_more: bool,
}

impl Chat {
    async fn try_again(&self, name: PusherName) -> Result<JobOutcome, String> {
        let told = |error: ChatError| error.to_string();
        let waiting = self.waiting(name.clone()).await.map_err(told)?;
        let mut done = waiting.stale;
        let (mut is_gone, mut failure) = (false, None);
        if !waiting.event_ids.is_empty() {
            let (pushes, is_over) = self
                .decide_again(name.clone(), waiting.event_ids.clone())
                .await
                .map_err(told)?;
            is_gone = is_over;
            // What is no longer to be pushed is as good as done: it was read, or its room was left.
            done.extend(waiting.event_ids);
            for (push, outcome) in self.deliver_pushes(pushes, PATIENCE).await {
                match outcome {
                    Outcome::Taken | Outcome::Refused(_) => {}
                    Outcome::Gone => is_gone = true,
                    Outcome::Late(reason) => {
                        done.retain(|event_id| *event_id != push.notice.event_id);
                        failure = Some(reason);
                    }
                }
            }
        }
        self.store()
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                if is_gone {
                    return Ok(forget(tx, &name).await?);
                }
                for event_id in &done {
                    store::pushes::forget_late(tx, &name, event_id).await?;
                }
                Ok::<(), ChatError>(())
            })
            .await
            .map_err(told)?;
        match failure {
            Some(reason) if !is_gone => Err(reason),
            _ if waiting.has_more && !is_gone => Ok(JobOutcome::RunAgainAt(self.now())),
            _ => Ok(JobOutcome::Done),
        }
    }

    async fn waiting(&self, name: PusherName) -> Result<Waiting, ChatError> {
        let now = self.now();
        let late = self
            .read(async move |tx: &mut Tx<'_>| Ok(store::pushes::late(tx, &name).await?))
            .await?;
        let (stale, fresh): (Vec<_>, Vec<_>) = late
            .into_iter()
            .partition(|(_, since)| now.since(*since) >= PUSH_KEPT);
        let ids = |pushes: Vec<(String, Time)>| pushes.into_iter().map(|(event_id, _)| event_id);
        Ok(Waiting {
            has_more: fresh.len() > TRIED_AT_ONCE_MAX,
            event_ids: ids(fresh).take(TRIED_AT_ONCE_MAX).collect(),
            stale: ids(stale).collect(),
        })
    }

    /// What of these events is still to be pushed to this pusher, and whether its sign-in is over.
    async fn decide_again(
        &self,
        name: PusherName,
        event_ids: Vec<String>,
    ) -> Result<(Vec<super::Push>, bool), ChatError> {
        let (chat, now) = (self.clone(), self.now());
        self.read(async move |tx: &mut Tx<'_>| {
            let ids: Vec<&str> = event_ids.iter().map(String::as_str).collect();
            let mut events: HashMap<String, Vec<Event>> = HashMap::new();
            for event in store::events::find(tx, &ids).await? {
                events.entry(event.room_id.clone()).or_default().push(event);
            }
            let mut candidates = Vec::new();
            for room_id in events.keys() {
                candidates.push(Candidate {
                    person: name.person,
                    room_id: room_id.clone(),
                    read: store::pushes::read_until(tx, name.person, room_id).await?,
                });
            }
            let mut decision = chat.decide(tx, &candidates, &mut events, now).await?;
            decision.pushes.retain(|push| push.pusher.name == name);
            Ok((decision.pushes, decision.ended.contains(&name)))
        })
        .await
    }
}
