//! One batch of one stream: loads what all its requests need at once, judges them one after the other in memory,
//! and writes what was allowed with few statements, however many requests there are.

mod found;
mod judge;
mod mention;
mod needs;
mod relate;
mod writes;

use std::sync::Arc;

use haechi_base::Time;
use haechi_store::{StoreError, Tx};

use super::hub::{Hub, News};
use super::stream::{Answer, Request, Wish};
use crate::model::Stream;
use crate::store;

use judge::Bench;
use needs::{Needs, load};

/// Most people on a list of who is in a room.
pub(super) const MEMBERS_LISTED_MAX: u32 = 10_000;

/// Posted events that are placed by one batch; more are placed by the next.
const PLACED_MAX: u32 = 500;

/// Runs the requests in their order; one that is refused leaves nothing and hinders no other.
///
/// A batch may be run again as a whole after a lost COMMIT: every event carries the id it was given before, so
/// what is there already is found and answered alike.
pub(super) async fn run(
    tx: &mut Tx<'_>,
    stream: Stream,
    requests: &[Request],
    server_name: &str,
    hub: &Arc<Hub>,
) -> Result<Vec<Answer>, StoreError> {
    let mut needs = Needs::of(requests, server_name);
    let unplaced = if requests.iter().any(|request| matches!(request.wish, Wish::Place)) {
        store::events::unplaced(tx, stream, PLACED_MAX).await?
    } else {
        Vec::new()
    };
    needs.add_unplaced(&unplaced);
    if needs.positions == 0 {
        return Ok(vec![Ok(None); requests.len()]);
    }
    let (first_position, loaded) = load(tx, stream, &needs).await?;
    let mut bench = Bench::new(loaded, first_position, server_name);
    for event in &unplaced {
        bench.place(event);
    }
    let mut answers: Vec<Answer> = requests.iter().map(|request| bench.judge(request)).collect();
    recognise(tx, requests, &mut answers, &mut bench).await?;
    let now = requests
        .iter()
        .map(|request| request.now)
        .max()
        .unwrap_or(Time::from_micros(0));
    let news = News {
        stream,
        first_position,
        positions: needs.positions,
        room_ids: Vec::new(),
        memberships: Vec::new(),
        people: Vec::new(),
        plain: None,
    };
    let news = writes::keep(tx, bench, now, news).await?;
    let hub = Arc::clone(hub);
    tx.after_commit(move || hub.announce(news));
    Ok(answers)
}

/// Answers what was said once and is asked for again like the first time, though it would be refused by now.
async fn recognise(
    tx: &mut Tx<'_>,
    requests: &[Request],
    answers: &mut [Answer],
    bench: &mut Bench<'_>,
) -> Result<(), StoreError> {
    let refused: Vec<(&mut Answer, &str)> = answers
        .iter_mut()
        .zip(requests)
        .filter_map(|(answer, request)| match &request.wish {
            Wish::Events(drafts) | Wish::Staff(drafts) if answer.is_err() => {
                Some((answer, drafts.last()?.event_id.as_str()))
            }
            _ => None,
        })
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = refused.iter().map(|(_, event_id)| *event_id).collect();
    let found = store::events::existing(tx, &ids).await?;
    for (answer, event_id) in refused {
        if found.iter().any(|found| found == event_id) {
            bench.out.repeats.push(event_id.to_owned());
            *answer = Ok(Some(event_id.to_owned()));
        }
    }
    Ok(())
}
