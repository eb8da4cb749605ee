//! What relates to an event, and the threads of a room, by the page.

use haechi_base::PersonId;
use haechi_store::Tx;

use super::Chat;
use super::read_room::{View, view};
use crate::model::limits::{
    PAGE_EVENTS_MAX, PAGE_ROWS_MAX, RELATIONS_DEFAULT, RELATIONS_DEPTH, RELATIONS_FOLLOWED_MAX,
};
use crate::model::{ChatError, Event, Place, stream_of};
use crate::store;
use crate::store::relations::ChildRange;

/// Which relations somebody wants to read.
#[derive(Debug, Clone)]
pub(crate) struct RelationsWish {
    pub(crate) room_id: String,
    pub(crate) event_id: String,
    /// The relation: `m.thread`.
    pub(crate) kind: Option<String>,
    /// The type of the events that relate.
    pub(crate) event_type: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) is_forward: bool,
    pub(crate) limit: Option<u32>,
    /// Whether what relates to the relating events is wanted, too.
    pub(crate) recurses: bool,
}

/// A page of relations.
#[derive(Debug, Clone)]
pub(crate) struct RelationsPage {
    pub(crate) events: Vec<Event>,
    /// Where the next page begins; `None` at the end.
    pub(crate) next: Option<Place>,
    /// Where this one began, when it is not the first.
    pub(crate) start: Option<Place>,
    /// How deep relations were followed.
    pub(crate) depth: Option<u32>,
}

/// Which threads of a room somebody wants to read.
#[derive(Debug, Clone)]
pub(crate) struct ThreadsWish {
    pub(crate) room_id: String,
    /// Whether only those that the person wrote in.
    pub(crate) participated: bool,
    pub(crate) from: Option<String>,
    pub(crate) limit: Option<u32>,
}

/// The bounds of a page: after `low`, up to `high`.
#[derive(Clone, Copy)]
struct Bounds {
    low: i64,
    high: i64,
    is_forward: bool,
    limit: u32,
}

impl Bounds {
    /// Goes past an event.
    const fn pass(&mut self, position: i64) {
        if self.is_forward {
            self.low = position;
        } else {
            self.high = position - 1;
        }
    }

    const fn place(self) -> Place {
        Place(if self.is_forward { self.low } else { self.high })
    }

    const fn has(self, position: i64) -> bool {
        self.low < position && position <= self.high
    }
}

fn place(token: Option<&String>, room_id: &str) -> Result<Option<Place>, ChatError> {
    token
        .filter(|token| !token.is_empty())
        .map(|token| Place::read(token, stream_of(room_id)))
        .transpose()
}

fn page_limit(asked: Option<u32>) -> u32 {
    asked.unwrap_or(RELATIONS_DEFAULT).clamp(1, PAGE_EVENTS_MAX)
}

impl Chat {
    /// A page of what relates to an event.
    ///
    /// # Errors
    /// [`ChatError::NotFound`], [`ChatError::InvalidParameter`] for a foreign token, and [`ChatError::Store`].
    pub(crate) async fn relations(
        &self,
        person: PersonId,
        wish: RelationsWish,
    ) -> Result<RelationsPage, ChatError> {
        let from = place(wish.from.as_ref(), &wish.room_id)?;
        let to = place(wish.to.as_ref(), &wish.room_id)?;
        // Whoever may not read the event is not told what relates to it.
        self.event(person, wish.room_id.clone(), wish.event_id.clone())
            .await?;
        let chat = self.clone();
        self.read(async move |tx: &mut Tx<'_>| {
            let view = view(tx, person, &wish.room_id).await?;
            let (older, newer) = if wish.is_forward { (from, to) } else { (to, from) };
            let bounds = Bounds {
                low: older.map_or(0, |place| place.0),
                high: newer.map_or(view.until, |place| place.0.min(view.until)),
                is_forward: wish.is_forward,
                limit: page_limit(wish.limit),
            };
            let (mut events, next) = if wish.recurses {
                descendants(tx, &wish, &view, bounds).await?
            } else {
                children(tx, &wish, &view, bounds).await?
            };
            chat.bundle(tx, person, &view, &mut events).await?;
            Ok(RelationsPage {
                events,
                next,
                start: from,
                depth: wish.recurses.then_some(RELATIONS_DEPTH),
            })
        })
        .await
    }

    /// A page of a room's threads, those with the latest news first: the events they begin at.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`], [`ChatError::InvalidParameter`] for a foreign token, and [`ChatError::Store`].
    pub(crate) async fn threads(
        &self,
        person: PersonId,
        wish: ThreadsWish,
    ) -> Result<RelationsPage, ChatError> {
        let from = place(wish.from.as_ref(), &wish.room_id)?;
        let chat = self.clone();
        self.read(async move |tx: &mut Tx<'_>| {
            let view = view(tx, person, &wish.room_id).await?;
            let mut bounds = Bounds {
                low: 0,
                high: from.map_or(i64::MAX, |place| place.0),
                is_forward: false,
                limit: page_limit(wish.limit),
            };
            let (mut events, next) = roots(tx, person, &wish, &view, &mut bounds).await?;
            chat.bundle(tx, person, &view, &mut events).await?;
            Ok(RelationsPage {
                events,
                next,
                start: from,
                depth: None,
            })
        })
        .await
    }
}

/// What relates to the event itself.
async fn children(
    tx: &mut Tx<'_>,
    wish: &RelationsWish,
    view: &View,
    mut bounds: Bounds,
) -> Result<(Vec<Event>, Option<Place>), ChatError> {
    let wanted = usize::try_from(bounds.limit).unwrap_or(usize::MAX);
    let (mut events, mut looked_at) = (Vec::new(), 0);
    while looked_at < PAGE_ROWS_MAX {
        let range = ChildRange {
            target: &wish.event_id,
            kind: wish.kind.as_deref(),
            low: bounds.low,
            high: bounds.high,
            is_forward: bounds.is_forward,
            // One more than wanted tells whether there is more.
            limit: bounds.limit + 1,
        };
        let rows = store::relations::children(tx, range).await?;
        let is_last = rows.len() <= wanted;
        looked_at += bounds.limit + 1;
        for event in rows {
            let is_type = wish.event_type.as_ref().is_none_or(|kind| *kind == event.kind);
            if is_type && event.room_id == wish.room_id && view.shows(&event) {
                if events.len() == wanted {
                    return Ok((events, Some(bounds.place())));
                }
                bounds.pass(event.position);
                events.push(event);
            } else {
                bounds.pass(event.position);
            }
        }
        if is_last {
            return Ok((events, None));
        }
    }
    Ok((events, Some(bounds.place())))
}

/// What relates to the event, what relates to that, and so on.
async fn descendants(
    tx: &mut Tx<'_>,
    wish: &RelationsWish,
    view: &View,
    mut bounds: Bounds,
) -> Result<(Vec<Event>, Option<Place>), ChatError> {
    let most = usize::try_from(RELATIONS_FOLLOWED_MAX).unwrap_or(usize::MAX);
    let mut level = vec![wish.event_id.clone()];
    let mut found = Vec::new();
    for _ in 0..RELATIONS_DEPTH {
        let targets: Vec<&str> = level.iter().map(String::as_str).collect();
        let mut next = store::relations::children_of(tx, &targets).await?;
        next.truncate(most.saturating_sub(found.len()));
        if next.is_empty() {
            break;
        }
        level = next.iter().map(|child| child.event_id.clone()).collect();
        found.extend(next);
    }
    found.retain(|child| {
        bounds.has(child.position)
            && wish.kind.as_ref().is_none_or(|kind| *kind == child.kind)
            && wish
                .event_type
                .as_ref()
                .is_none_or(|kind| *kind == child.event_type)
    });
    found.sort_by_key(|child| child.position);
    if !bounds.is_forward {
        found.reverse();
    }
    let wanted = usize::try_from(bounds.limit).unwrap_or(usize::MAX);
    let has_more = found.len() > wanted;
    found.truncate(wanted);
    if let Some(last) = found.last() {
        bounds.pass(last.position);
    }
    let ids: Vec<&str> = found.iter().map(|child| child.event_id.as_str()).collect();
    let mut events = store::events::find(tx, &ids).await?;
    events.retain(|event| event.room_id == wish.room_id && view.shows(event));
    events.sort_by_key(|event| event.position);
    if !bounds.is_forward {
        events.reverse();
    }
    Ok((events, has_more.then(|| bounds.place())))
}

/// The events that threads begin at.
async fn roots(
    tx: &mut Tx<'_>,
    person: PersonId,
    wish: &ThreadsWish,
    view: &View,
    bounds: &mut Bounds,
) -> Result<(Vec<Event>, Option<Place>), ChatError> {
    let wanted = usize::try_from(bounds.limit).unwrap_or(usize::MAX);
    let (mut events, mut looked_at) = (Vec::new(), 0);
    while looked_at < PAGE_ROWS_MAX {
        let rows = store::relations::of_room(tx, &wish.room_id, bounds.high, bounds.limit + 1).await?;
        let is_last = rows.len() <= wanted;
        looked_at += bounds.limit + 1;
        let ids: Vec<&str> = rows.iter().map(|(_, root)| root.event_id.as_str()).collect();
        let members = if wish.participated {
            store::relations::members(tx, person, &ids).await?
        } else {
            Vec::new()
        };
        let takes_part: Vec<bool> = (0..rows.len())
            .map(|row| members.get(row).is_none_or(|member| member.participates))
            .collect();
        for ((latest, root), takes_part) in rows.into_iter().zip(takes_part) {
            if (takes_part || root.sender == person) && view.shows(&root) {
                if events.len() == wanted {
                    return Ok((events, Some(bounds.place())));
                }
                events.push(root);
            }
            bounds.pass(latest);
        }
        if is_last {
            return Ok((events, None));
        }
    }
    Ok((events, Some(bounds.place())))
}
