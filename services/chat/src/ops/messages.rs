//! Reading back: pages of events, and what stands around one.

use haechi_base::PersonId;
use haechi_store::Tx;
use ruma::api::client::filter::RoomEventFilter;

use super::Chat;
use super::read_room::{View, view};
use crate::model::limits::{PAGE_EVENTS_MAX, PAGE_ROWS_MAX};
use crate::model::{ChatError, Event, EventFilter, Place, stream_of};
use crate::store;

/// A page that somebody wants to read.
#[derive(Debug, Clone)]
pub(crate) struct PageWish {
    pub(crate) room_id: String,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) is_forward: bool,
    pub(crate) limit: u32,
    pub(crate) filter: RoomEventFilter,
}

/// A page of events.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) start: Place,
    /// Where the next page begins; `None` at the end.
    pub(crate) end: Option<Place>,
    pub(crate) events: Vec<Event>,
    /// The memberships of who speaks, when members are loaded lazily.
    pub(crate) members: Vec<Event>,
}

/// What stands around an event.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) event: Event,
    /// Before it, the nearest first.
    pub(crate) before: Vec<Event>,
    /// After it, the nearest first.
    pub(crate) after: Vec<Event>,
    pub(crate) start: Place,
    pub(crate) end: Place,
    pub(crate) state: Vec<Event>,
}

/// What is looked for in a room: after `low`, up to `high`.
pub(super) struct Range<'r> {
    pub(super) room_id: &'r str,
    pub(super) low: i64,
    pub(super) high: i64,
    pub(super) is_forward: bool,
    pub(super) limit: u32,
}

impl Chat {
    /// A page of a room's events, in either direction.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`], [`ChatError::InvalidParameter`] for a foreign token, [`ChatError::Store`].
    pub(crate) async fn page(&self, person: PersonId, wish: PageWish) -> Result<Page, ChatError> {
        let stream = stream_of(&wish.room_id);
        let place = |token: &Option<String>| {
            token
                .as_deref()
                .filter(|token| !token.is_empty())
                .map(|token| Place::read(token, stream))
                .transpose()
        };
        let (from, to) = (place(&wish.from)?, place(&wish.to)?);
        let (chat, server_name) = (self.clone(), self.server_name().to_owned());
        self.read(async move |tx: &mut Tx<'_>| {
            let view = view(tx, person, &wish.room_id).await?;
            let now = store::streams::positions(tx, 0).await?.position(stream);
            let newest = now.min(view.until);
            let start = from.unwrap_or(Place(if wish.is_forward { 0 } else { newest }));
            let limit = wish.limit.clamp(1, PAGE_EVENTS_MAX);
            let range = if wish.is_forward {
                let high = to.map_or(newest, |to| to.0.min(newest));
                Range {
                    room_id: &wish.room_id,
                    low: start.0,
                    high,
                    is_forward: true,
                    limit,
                }
            } else {
                let low = to.map_or(0, |to| to.0);
                Range {
                    room_id: &wish.room_id,
                    low,
                    high: start.0.min(newest),
                    is_forward: false,
                    limit,
                }
            };
            let filter = EventFilter(&wish.filter);
            let (mut events, end) = collect(tx, &range, &view, filter, &server_name).await?;
            chat.bundle(tx, person, &view, &mut events).await?;
            let members = if filter.lazy_loads_members() {
                speakers(tx, &wish.room_id, &events, &server_name).await?
            } else {
                Vec::new()
            };
            Ok(Page {
                start,
                end,
                events,
                members,
            })
        })
        .await
    }

    /// What stands around an event: half of `limit` on either side, and the room's state.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] and [`ChatError::Store`].
    pub(crate) async fn surroundings(
        &self,
        person: PersonId,
        room_id: String,
        event_id: String,
        limit: u32,
        filter: RoomEventFilter,
    ) -> Result<Surroundings, ChatError> {
        let event = self.event(person, room_id.clone(), event_id).await?;
        let (chat, server_name) = (self.clone(), self.server_name().to_owned());
        self.read(async move |tx: &mut Tx<'_>| {
            let view = view(tx, person, &room_id).await?;
            let now = store::streams::positions(tx, 0)
                .await?
                .position(stream_of(&room_id));
            let newest = now.min(view.until);
            let filter = EventFilter(&filter);
            let half = (limit.min(PAGE_EVENTS_MAX) / 2).max(1);
            let older = Range {
                room_id: &room_id,
                low: 0,
                high: event.position - 1,
                is_forward: false,
                limit: half,
            };
            let (mut before, start) = collect(tx, &older, &view, filter, &server_name).await?;
            let newer = Range {
                room_id: &room_id,
                low: event.position,
                high: newest,
                is_forward: true,
                limit: half,
            };
            let (mut after, end) = collect(tx, &newer, &view, filter, &server_name).await?;
            chat.bundle(tx, person, &view, &mut before).await?;
            chat.bundle(tx, person, &view, &mut after).await?;
            let mut state =
                store::state::of_room(tx, &room_id, 0, newest, !filter.lazy_loads_members()).await?;
            if filter.lazy_loads_members() {
                let shown: Vec<Event> = before.iter().chain(&after).chain([&event]).cloned().collect();
                state.extend(speakers(tx, &room_id, &shown, &server_name).await?);
            }
            Ok(Surroundings {
                start: start.unwrap_or(Place(0)),
                end: end.unwrap_or(Place(newest)),
                event: event.clone(),
                before,
                after,
                state,
            })
        })
        .await
    }
}

/// Reads rows until the page is full, the range is at its end, or too many rows were looked at. Returns the
/// events and where to go on, if there is more.
pub(super) async fn collect(
    tx: &mut Tx<'_>,
    range: &Range<'_>,
    view: &View,
    filter: EventFilter<'_>,
    server_name: &str,
) -> Result<(Vec<Event>, Option<Place>), ChatError> {
    let (mut low, mut high) = (range.low, range.high);
    let (mut events, mut looked_at) = (Vec::new(), 0);
    let wanted = usize::try_from(range.limit).unwrap_or(usize::MAX);
    while low < high && looked_at < PAGE_ROWS_MAX {
        let rows = if range.is_forward {
            store::events::forward(tx, range.room_id, low, high, range.limit).await?
        } else {
            store::events::backward(tx, range.room_id, low, high, range.limit).await?
        };
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        looked_at += count;
        for event in rows {
            if range.is_forward {
                low = event.position;
            } else {
                high = event.position - 1;
            }
            if view.shows(&event) && filter.wants(&event, server_name) {
                events.push(event);
            }
            if events.len() == wanted {
                return Ok((events, Some(Place(if range.is_forward { low } else { high }))));
            }
        }
        if count < range.limit {
            return Ok((events, None));
        }
    }
    let more = low < high;
    Ok((
        events,
        more.then_some(Place(if range.is_forward { low } else { high })),
    ))
}

/// The memberships of who speaks in these events.
pub(super) async fn speakers(
    tx: &mut Tx<'_>,
    room_id: &str,
    events: &[Event],
    server_name: &str,
) -> Result<Vec<Event>, ChatError> {
    let mut users: Vec<String> = events
        .iter()
        .map(|event| crate::model::user_id(event.sender, server_name))
        .collect();
    users.sort_unstable();
    users.dedup();
    let keys: Vec<_> = users
        .into_iter()
        .map(|user| (room_id.to_owned(), "m.room.member".to_owned(), user))
        .collect();
    Ok(store::state::current(tx, &keys).await?)
}
