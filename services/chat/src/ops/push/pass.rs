//! One look after the other at what is new in a stream, by the node that owns it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use haechi_base::PersonId;
use haechi_base::uuid::Uuid;
use haechi_store::{Tx, WriteKey};
use tokio::time::MissedTickBehavior;

use super::super::Chat;
use super::super::pushers::forget;
use super::committed::Touched;
use super::decide::{Candidate, Decision};
use super::{Push, late};
use crate::gateway::Outcome;
use crate::model::limits::PUSHED_EVENTS_MAX;
use crate::model::{ChatError, Event, PusherName, Stream};
use crate::store;
use crate::store::pushes::ReadUntil;

/// How often a stream is looked at whatever was heard of it.
const TICK: Duration = Duration::from_millis(500);

/// The pause between two looks: under load each takes up what came meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a gateway may take while the pushes of others wait behind it. A slower one is left to the jobs.
const PATIENCE: Duration = Duration::from_secs(2);

/// Every how many ticks the store is asked how far the stream has come, for what nobody told of.
const TICKS_A_LOOK: u32 = 4;

/// Looks in a row that find the stream further on than was heard of, until the store is searched for what happened.
const LOOKS_BEHIND_MAX: u32 = 2;

/// How far the progress that is kept may lie behind while there is nothing to push. The next owner looks at that much again.
const UNKEPT_POSITIONS_MAX: i64 = 1_000;

/// People with pushers whose rooms are searched at once.
const SEARCHED_PEOPLE_MAX: u32 = 500;

/// How far one stream was looked at.
struct Standing {
    /// As it is kept.
    kept: i64,
    done: i64,
    ticks: u32,
    looks_behind: u32,
}

/// What a look leaves to write.
#[derive(Debug, Clone, Default)]
struct Settled {
    gone: Vec<PusherName>,
    late: Vec<(PusherName, String)>,
    entered: Vec<(PersonId, String)>,
    absent: Vec<(PersonId, String)>,
    has_pushed: bool,
}

impl Settled {
    fn is_empty(&self) -> bool {
        self.gone.is_empty()
            && self.late.is_empty()
            && self.entered.is_empty()
            && self.absent.is_empty()
            && !self.has_pushed
    }
}

impl Chat {
    pub(super) async fn push_until_shutdown(self, stream: Stream) {
        let shutdown = self.0.context.shutdown.clone();
        let mut standing = None;
        // Also while much is heard: what was not heard of holds all after it up.
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_tick = tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.0.hub.committed.changed(stream) => false,
                _ = ticks.tick() => true,
            };
            if !self.0.streams.is_here(stream) || self.store().is_degraded() {
                standing = None;
                continue;
            }
            let looked = self.look(stream, standing.take(), is_tick).await;
            match looked {
                Ok(now) => standing = now,
                Err(error) => tracing::warn!(%error, stream, "what is new cannot be pushed yet"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One look; `None` when somebody else looks as well.
    async fn look(
        &self,
        stream: Stream,
        standing: Option<Standing>,
        is_tick: bool,
    ) -> Result<Option<Standing>, ChatError> {
        let mut standing = match standing {
            Some(standing) => standing,
            None => self.stand(stream).await?,
        };
        let touched = self.0.hub.committed.after(stream, standing.done);
        if touched.until > standing.done {
            standing.looks_behind = 0;
            return self.push_touched(stream, standing, touched).await;
        }
        if !is_tick {
            return Ok(Some(standing));
        }
        standing.ticks += 1;
        // What was heard of beyond a gap tells that the stream has come further: the counter leapt, or news got lost.
        if !touched.has_more && !standing.ticks.is_multiple_of(TICKS_A_LOOK) {
            return Ok(Some(standing));
        }
        let reached = self
            .read(async move |tx: &mut Tx<'_>| Ok(store::streams::positions(tx, 0).await?.position(stream)))
            .await?;
        if reached <= standing.done {
            standing.looks_behind = 0;
            return self.settle(stream, standing, &Settled::default(), true).await;
        }
        standing.looks_behind += 1;
        if standing.looks_behind < LOOKS_BEHIND_MAX {
            return Ok(Some(standing));
        }
        standing.looks_behind = 0;
        let touched = self.find_touched(stream, standing.done, reached).await?;
        self.push_touched(stream, standing, touched).await
    }

    async fn stand(&self, stream: Stream) -> Result<Standing, ChatError> {
        let kept = self
            .read(async move |tx: &mut Tx<'_>| Ok(store::pushes::progress(tx, stream).await?))
            .await?;
        Ok(Standing {
            kept,
            done: kept,
            ticks: 0,
            looks_behind: 0,
        })
    }

    /// Finds where something happened that was not heard of: in the rooms of those who have pushers.
    async fn find_touched(&self, stream: Stream, from: i64, until: i64) -> Result<Touched, ChatError> {
        let mut touched = Touched {
            until,
            ..Touched::default()
        };
        let mut after = PersonId::from_uuid(Uuid::nil());
        loop {
            let found = self
                .read(async move |tx: &mut Tx<'_>| {
                    let people = store::pushes::next_people(tx, after, SEARCHED_PEOPLE_MAX).await?;
                    let Some(last) = people.last().copied() else {
                        return Ok(None);
                    };
                    let rooms = store::pushes::rooms_with_news(tx, (after, last), stream, from).await?;
                    Ok::<_, ChatError>(Some((last, rooms)))
                })
                .await?;
            let Some((last, rooms)) = found else {
                return Ok(touched);
            };
            after = last;
            touched
                .room_ids
                .extend(rooms.iter().map(|(_, room_id)| room_id.clone()));
            touched.members.extend(rooms);
        }
    }

    async fn push_touched(
        &self,
        stream: Stream,
        mut standing: Standing,
        touched: Touched,
    ) -> Result<Option<Standing>, ChatError> {
        let (chat, now, from) = (self.clone(), self.now(), standing.done);
        let until = touched.until;
        let (decision, entered) = self
            .read(async move |tx: &mut Tx<'_>| {
                let candidates = candidates(tx, &touched).await?;
                let mut events = HashMap::new();
                for candidate in &candidates {
                    if !events.contains_key(&candidate.room_id) {
                        let new = new_events(tx, &candidate.room_id, from, until).await?;
                        events.insert(candidate.room_id.clone(), new);
                    }
                }
                let decision = chat.decide(tx, &candidates, &mut events, now).await?;
                let entered = candidates
                    .into_iter()
                    .map(|candidate| (candidate.person, candidate.room_id))
                    .filter(|entered| touched.members.contains(entered));
                Ok((decision, entered.collect::<Vec<_>>()))
            })
            .await?;
        let Decision {
            pushes,
            ended,
            absent,
        } = decision;
        let mut settled = Settled {
            gone: ended,
            entered,
            absent,
            has_pushed: !pushes.is_empty(),
            ..Settled::default()
        };
        for (push, outcome) in self.deliver_pushes(pushes, PATIENCE).await {
            let Push { pusher, notice, .. } = push;
            match outcome {
                Outcome::Taken | Outcome::Refused(_) => {}
                Outcome::Gone => settled.gone.push(pusher.name),
                Outcome::Late(_) => settled.late.push((pusher.name, notice.event_id.clone())),
            }
        }
        standing.done = until;
        self.settle(stream, standing, &settled, false).await
    }

    /// Writes down what a look came to, together with how far it came. With nothing to write it may wait.
    async fn settle(
        &self,
        stream: Stream,
        mut standing: Standing,
        settled: &Settled,
        is_idle: bool,
    ) -> Result<Option<Standing>, ChatError> {
        let behind = standing.done - standing.kept;
        let may_wait = settled.is_empty() && (behind == 0 || (!is_idle && behind < UNKEPT_POSITIONS_MAX));
        if may_wait {
            return Ok(Some(standing));
        }
        let (settled, now) = (settled.clone(), self.now());
        let (kept, done) = (standing.kept, standing.done);
        let stood = self
            .store()
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                if !store::pushes::advance(tx, stream, kept, done).await? {
                    return Ok::<bool, ChatError>(false);
                }
                write(tx, &settled).await?;
                if !settled.late.is_empty() {
                    late::keep(tx, &settled.late, now).await?;
                }
                Ok(true)
            })
            .await?;
        standing.kept = done;
        Ok(stood.then_some(standing))
    }
}

async fn write(tx: &mut Tx<'_>, settled: &Settled) -> Result<(), ChatError> {
    for name in &settled.gone {
        forget(tx, name).await?;
    }
    for (person, room_id) in &settled.absent {
        store::pushes::forget_member(tx, *person, room_id).await?;
    }
    let left = |entered: &(PersonId, String)| settled.absent.contains(entered);
    let entered: Vec<(PersonId, String)> = settled
        .entered
        .iter()
        .filter(|entered| !left(entered))
        .cloned()
        .collect();
    store::pushes::enter(tx, &entered).await?;
    Ok(())
}

/// Who may have to be told: the rooms' members with pushers, and who came in or was asked in.
async fn candidates(tx: &mut Tx<'_>, touched: &Touched) -> Result<Vec<Candidate>, ChatError> {
    let room_ids: Vec<&str> = touched.room_ids.iter().map(String::as_str).collect();
    let mut found: BTreeMap<(PersonId, String), ReadUntil> = store::pushes::members(tx, &room_ids)
        .await?
        .into_iter()
        .map(|member| ((member.person, member.room_id), member.read))
        .collect();
    let people: Vec<PersonId> = touched.members.iter().map(|(person, _)| *person).collect();
    let with_pushers = store::pushers::of_people(tx, &people).await?;
    for (person, room_id) in &touched.members {
        let key = (*person, room_id.clone());
        let has_pusher = with_pushers.iter().any(|pusher| pusher.name.person == *person);
        if has_pusher && !found.contains_key(&key) {
            let read = store::pushes::read_until(tx, *person, room_id).await?;
            found.insert(key, read);
        }
    }
    let candidates = found.into_iter().map(|((person, room_id), read)| Candidate {
        person,
        room_id,
        read,
    });
    Ok(candidates.collect())
}

async fn new_events(tx: &mut Tx<'_>, room_id: &str, from: i64, until: i64) -> Result<Vec<Event>, ChatError> {
    Ok(store::events::backward(tx, room_id, from, until, PUSHED_EVENTS_MAX).await?)
}
