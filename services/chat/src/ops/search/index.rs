//! Keeping the index of the search: a job that goes from room to room, again and again.
//!
//! A room is indexed when enough was said there since the last time, or when what was said is some minutes old: so that
//! a run of messages is written a few times, not with each message. A message that was taken back has its run made
//! anew, without it.

use std::time::Duration;

use haechi_base::Time;
use haechi_service::{JobHandler, JobOutcome};
use haechi_store::Tx;

use super::super::Chat;
use crate::model::{Block, ChatError, Event, searched_text};
use crate::store;
use crate::store::search::Progress;

/// Messages after which a room is indexed at once.
const MESSAGES_AT_ONCE: usize = 16;

/// After how long it is for fewer.
const AGE_MAX: Duration = Duration::from_secs(600);

/// Events without a text after which it is noted that they were looked at.
const EVENTS_AT_ONCE: usize = 200;

/// Events of a room that one step reads.
const EVENTS_MAX: u32 = 1_000;

/// Rooms that are looked at by one statement, and how many such statements a run of the job makes.
const ROOMS_AT_ONCE: u32 = 500;
const ROOMS_STEPS: u32 = 20;

/// Events that one run of the job reads, about.
const RUN_EVENTS_MAX: usize = 50_000;

/// Messages that were taken back and are forgotten by one run.
const STALE_AT_ONCE: u32 = 200;

/// The pause between two runs while there is work, and when there is none.
const PAUSE_AT_WORK: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_secs(15);

/// The job that keeps the index.
pub(crate) fn job(chat: &Chat) -> JobHandler {
    let chat = chat.clone();
    JobHandler::recurring("chat.index-search", move |_job| {
        let chat = chat.clone();
        async move {
            let has_more = chat.index_search().await.map_err(|error| error.to_string())?;
            let pause = if has_more { PAUSE_AT_WORK } else { PAUSE };
            Ok(JobOutcome::RunAgainAt(chat.now() + pause))
        }
    })
}

impl Chat {
    /// Brings the index of some rooms up to now; returns whether there is more to do at once.
    async fn index_search(&self) -> Result<bool, ChatError> {
        let now = self.now();
        let mut has_more = self.make_stale_anew().await?;
        let mut events = 0;
        for _ in 0..ROOMS_STEPS {
            let after = self.0.search_sweep.lock().clone();
            let rooms = self
                .read(async move |tx: &mut Tx<'_>| {
                    Ok(store::search::rooms_after(tx, &after, ROOMS_AT_ONCE).await?)
                })
                .await?;
            let is_end = rooms.len() < usize::try_from(ROOMS_AT_ONCE).unwrap_or(usize::MAX);
            let last = rooms.last().map(|room| room.room_id.clone());
            for room in rooms.into_iter().filter(|room| room.position > room.indexed) {
                events += self.index_room(room, now).await?;
            }
            *self.0.search_sweep.lock() = if is_end {
                String::new()
            } else {
                last.unwrap_or_default()
            };
            if is_end {
                return Ok(has_more);
            }
            if events >= RUN_EVENTS_MAX {
                break;
            }
        }
        has_more |= events > 0;
        Ok(has_more)
    }

    /// Indexes what was said in a room since the last time; returns how many events that were.
    async fn index_room(&self, room: Progress, now: Time) -> Result<usize, ChatError> {
        let mut indexed = room.indexed;
        let mut count = 0;
        loop {
            let room_id = room.room_id.clone();
            let (events, last) = self
                .read(async move |tx: &mut Tx<'_>| {
                    let events = store::events::forward(tx, &room_id, indexed, i64::MAX, EVENTS_MAX).await?;
                    let last = store::search::last_block(tx, &room_id, indexed).await?;
                    Ok((events, last))
                })
                .await?;
            if !is_due(&events, now) {
                return Ok(count);
            }
            count += events.len();
            let Some(reached) = events.last().map(|event| event.position) else {
                return Ok(count);
            };
            let blocks = Block::extend(last, &events);
            let room_id = room.room_id.clone();
            let is_kept = self
                .write(async move |tx: &mut Tx<'_>| {
                    // Another node was here meanwhile: what it wrote stands.
                    if store::search::indexed(tx, &room_id).await? != indexed {
                        return Ok(false);
                    }
                    store::search::put_blocks(tx, &room_id, &blocks).await?;
                    store::search::put_indexed(tx, &room_id, reached).await?;
                    Ok(true)
                })
                .await?;
            let is_last = events.len() < usize::try_from(EVENTS_MAX).unwrap_or(usize::MAX);
            if !is_kept || is_last || count >= RUN_EVENTS_MAX {
                return Ok(count);
            }
            indexed = reached;
        }
    }

    /// Makes the runs anew that hold what was taken back; returns whether there is more.
    async fn make_stale_anew(&self) -> Result<bool, ChatError> {
        let stale = self
            .read(async move |tx: &mut Tx<'_>| Ok(store::search::stale(tx, STALE_AT_ONCE).await?))
            .await?;
        let has_more = stale.len() == usize::try_from(STALE_AT_ONCE).unwrap_or(usize::MAX);
        for (room_id, position) in stale {
            self.write(async move |tx: &mut Tx<'_>| {
                if let Some(block) = store::search::last_block(tx, &room_id, position).await?
                    && position <= block.last_position
                {
                    let run = (room_id.as_str(), block.first_position, block.last_position);
                    let events = store::search::events_of(tx, &[run]).await?;
                    let block = block.of_messages(&events);
                    store::search::put_blocks(tx, &room_id, &[block]).await?;
                }
                Ok(store::search::forget_stale(tx, &room_id, position).await?)
            })
            .await?;
        }
        Ok(has_more)
    }
}

/// Whether it is time to index these events.
fn is_due(events: &[Event], now: Time) -> bool {
    let mut texts = events.iter().filter(|event| searched_text(event).is_some());
    let oldest = texts.next().map(|event| event.sent_at);
    let is_old = oldest.is_some_and(|oldest| now.since(oldest) >= AGE_MAX);
    let is_much = oldest.is_some() && texts.count() + 1 >= MESSAGES_AT_ONCE;
    is_old || is_much || events.len() >= EVENTS_AT_ONCE
}
