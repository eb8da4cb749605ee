//! The event nearest to a moment (client-server API, "Jump to date").
//!
//! A room's events lie in the order of their positions, and that is nearly the order of their times: the place is
//! found by halving, without an index over times that every message would have to pay for.

use haechi_base::{PersonId, Time};
use haechi_store::Tx;

use super::Chat;
use super::read_room::view;
use crate::model::limits::PAGE_ROWS_MAX;
use crate::model::{ChatError, Event, stream_of};
use crate::store;

/// Events on either side of the place that are looked at: requests of one batch may be a little out of order.
const LOOKED_AROUND: u32 = 50;

impl Chat {
    /// The event of a room nearest to a moment, not before it or not after it.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`], [`ChatError::NotFound`] when there is none on that side, and [`ChatError::Store`].
    pub(crate) async fn event_at(
        &self,
        person: PersonId,
        room_id: String,
        moment_ms: i64,
        is_forward: bool,
    ) -> Result<Event, ChatError> {
        self.read(async move |tx: &mut Tx<'_>| {
            let view = view(tx, person, &room_id).await?;
            let now = store::streams::positions(tx, 0)
                .await?
                .position(stream_of(&room_id));
            let newest = now.min(view.until);
            let place = place_of(tx, &room_id, moment_ms, newest).await?;
            let (mut low, mut high, mut looked_at) = (place, place, 0);
            // Those near the place that may lie on its wrong side.
            let mut near = if is_forward {
                store::events::backward(tx, &room_id, 0, place, LOOKED_AROUND).await?
            } else {
                store::events::forward(tx, &room_id, place, newest, LOOKED_AROUND).await?
            };
            while looked_at < PAGE_ROWS_MAX {
                let rows = if is_forward {
                    store::events::forward(tx, &room_id, low, newest, LOOKED_AROUND).await?
                } else {
                    store::events::backward(tx, &room_id, 0, high, LOOKED_AROUND).await?
                };
                looked_at += LOOKED_AROUND;
                let Some(last) = rows.last() else { break };
                (low, high) = (last.position, last.position - 1);
                near.extend(rows);
                if near
                    .iter()
                    .any(|event| view.shows(event) && is_on_side(event.sent_at, moment_ms, is_forward))
                {
                    break;
                }
            }
            near.retain(|event| view.shows(event) && is_on_side(event.sent_at, moment_ms, is_forward));
            near.into_iter()
                .min_by_key(|event| {
                    let away = event.sent_at.millis().abs_diff(moment_ms);
                    // Of several at one moment the one nearest in the room's order.
                    (
                        away,
                        if is_forward {
                            event.position
                        } else {
                            -event.position
                        },
                    )
                })
                .ok_or_else(|| ChatError::not_found("the room has no event on that side of the moment"))
        })
        .await
    }
}

fn is_on_side(sent_at: Time, moment_ms: i64, is_forward: bool) -> bool {
    if is_forward {
        sent_at.millis() >= moment_ms
    } else {
        sent_at.millis() <= moment_ms
    }
}

/// The position right before the first event that is not earlier than the moment.
async fn place_of(tx: &mut Tx<'_>, room_id: &str, moment_ms: i64, newest: i64) -> Result<i64, ChatError> {
    // All up to `low` are earlier, the first after `high` is not.
    let (mut low, mut high) = (0, newest);
    while low < high {
        let middle = low + (high - low) / 2;
        let next = store::events::forward(tx, room_id, middle, newest, 1)
            .await?
            .pop();
        if let Some(event) = next.filter(|event| event.sent_at.millis() < moment_ms) {
            low = event.position;
            continue;
        }
        // Positions may lie far apart: what is halved next ends at an event.
        let last = store::events::backward(tx, room_id, low, middle, 1).await?.pop();
        match last {
            None => break,
            Some(event) if event.sent_at.millis() < moment_ms => {
                low = event.position;
                break;
            }
            Some(event) => high = event.position - 1,
        }
    }
    Ok(low)
}
