//! Searching what was said (client-server API, "Server Side Search"), in the rooms one is or was in.
//!
//! The index is kept by a job ([`index`]), seconds to minutes behind; what it has not come to yet is read here itself,
//! so that the message just sent is found as well.

pub(crate) mod index;

use std::collections::{BTreeMap, HashMap, HashSet};

use haechi_base::{PersonId, Time};
use haechi_store::Tx;
use ruma::api::client::filter::RoomEventFilter;

use super::Chat;
use super::messages::{Range, collect, speakers};
use super::read_room::{View, ignored_by};
use crate::model::limits::{
    SEARCH_CONTEXT_MAX, SEARCH_HITS_MAX, SEARCH_PAGE_DEFAULT, SEARCH_PAGE_MAX, SEARCH_ROOMS_MAX,
    SEARCH_ROWS_MAX,
};
use crate::model::{
    ChatError, Event, EventFilter, Ignored, Membership, Place, SearchKey, SearchTerms, searched_text,
    stream_of,
};
use crate::store;
use crate::store::search::FoundBlock;

/// Runs of messages that are read before it is looked whether that is enough.
const RUNS_AT_ONCE: usize = 64;

/// What somebody looks for.
#[derive(Debug, Clone)]
pub(crate) struct SearchWish {
    pub(crate) terms: SearchTerms,
    /// Where it may stand.
    pub(crate) keys: Vec<SearchKey>,
    pub(crate) filter: RoomEventFilter,
    /// Whether the best come first, or else the latest.
    pub(crate) by_rank: bool,
    /// How many events before and after each result are wanted, and whether with the names of who speaks.
    pub(crate) context: Option<(u32, u32, bool)>,
    /// Whether the state of the results' rooms is wanted.
    pub(crate) with_state: bool,
    pub(crate) from: Option<String>,
}

/// A message that was looked for.
#[derive(Debug, Clone)]
pub(crate) struct SearchResult {
    pub(crate) event: Event,
    pub(crate) rank: f64,
    pub(crate) context: Option<SearchContext>,
}

/// What stands around a result.
#[derive(Debug, Clone)]
pub(crate) struct SearchContext {
    /// The nearest first, as the next ones.
    pub(crate) before: Vec<Event>,
    pub(crate) after: Vec<Event>,
    pub(crate) start: Place,
    pub(crate) end: Place,
    /// The memberships of who speaks.
    pub(crate) speakers: Vec<Event>,
}

/// A page of results.
#[derive(Debug, Clone)]
pub(crate) struct SearchPage {
    pub(crate) results: Vec<SearchResult>,
    /// How many were found, on all pages.
    pub(crate) count: usize,
    pub(crate) state: BTreeMap<String, Vec<Event>>,
    pub(crate) next: Option<String>,
}

/// Where a page of results begins: how many were shown, of those that were there at that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SearchPlace {
    shown: usize,
    at: Time,
}

impl SearchPlace {
    fn read(token: &str) -> Result<Self, ChatError> {
        let refusal = || ChatError::invalid("the token was not given out by this server");
        let (shown, at) = token
            .strip_prefix('n')
            .and_then(|rest| rest.split_once('_'))
            .ok_or_else(refusal)?;
        Ok(Self {
            shown: shown.parse().map_err(|_| refusal())?,
            at: Time::from_micros(at.parse().map_err(|_| refusal())?),
        })
    }

    fn token(self) -> String {
        format!("n{}_{}", self.shown, self.at.micros())
    }
}

/// The rooms that are looked through, and what may be seen of each.
struct Search {
    wish: SearchWish,
    views: HashMap<String, View>,
    server_name: String,
    place: SearchPlace,
}

impl Chat {
    /// Looks for messages.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] for a foreign token, and [`ChatError::Store`].
    pub(crate) async fn search(&self, person: PersonId, wish: SearchWish) -> Result<SearchPage, ChatError> {
        let place = match wish.from.as_deref().filter(|token| !token.is_empty()) {
            Some(token) => SearchPlace::read(token)?,
            None => SearchPlace {
                shown: 0,
                at: self.now(),
            },
        };
        let chat = self.clone();
        self.read(async move |tx: &mut Tx<'_>| {
            let search = Search {
                views: views(tx, person, &wish.filter).await?,
                wish: wish.clone(),
                server_name: chat.server_name().to_owned(),
                place,
            };
            chat.page_of_results(tx, person, &search).await
        })
        .await
    }

    async fn page_of_results(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
        search: &Search,
    ) -> Result<SearchPage, ChatError> {
        let mut hits = search.hits(tx).await?;
        let by_time = |one: &(Event, f64), other: &(Event, f64)| {
            let key = |event: &Event| (event.sent_at, event.position);
            key(&other.0).cmp(&key(&one.0))
        };
        if search.wish.by_rank {
            hits.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| by_time(one, other)));
        } else {
            hits.sort_by(by_time);
        }
        let count = hits.len();
        let limit = search
            .wish
            .filter
            .limit
            .map(u64::from)
            .map_or(SEARCH_PAGE_DEFAULT, |limit| {
                usize::try_from(limit)
                    .unwrap_or(usize::MAX)
                    .clamp(1, SEARCH_PAGE_MAX)
            });
        let shown = search.place.shown.saturating_add(limit);
        let next = (shown < count).then(|| {
            SearchPlace {
                shown,
                at: search.place.at,
            }
            .token()
        });
        let mut results = Vec::new();
        for (mut event, rank) in hits.into_iter().skip(search.place.shown).take(limit) {
            let Some(view) = search.views.get(&event.room_id) else {
                continue;
            };
            self.bundle(tx, person, view, std::slice::from_mut(&mut event))
                .await?;
            let context = match search.wish.context {
                Some(wanted) => Some(self.context_of(tx, person, search, view, &event, wanted).await?),
                None => None,
            };
            results.push(SearchResult { event, rank, context });
        }
        let mut state = BTreeMap::new();
        if search.wish.with_state {
            let with_members = !EventFilter(&search.wish.filter).lazy_loads_members();
            let rooms: HashSet<&str> = results
                .iter()
                .map(|result| result.event.room_id.as_str())
                .collect();
            for room_id in rooms {
                let until = search.views.get(room_id).map_or(0, |view| view.until);
                let events = store::state::of_room(tx, room_id, 0, until, with_members).await?;
                state.insert(room_id.to_owned(), events);
            }
        }
        Ok(SearchPage {
            results,
            count,
            state,
            next,
        })
    }

    /// What stands around a result.
    async fn context_of(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
        search: &Search,
        view: &View,
        event: &Event,
        (before, after, with_profiles): (u32, u32, bool),
    ) -> Result<SearchContext, ChatError> {
        let filter = RoomEventFilter::default();
        let now = store::streams::positions(tx, 0)
            .await?
            .position(stream_of(&event.room_id));
        let newest = now.min(view.until);
        let mut range = Range {
            room_id: &event.room_id,
            low: 0,
            high: event.position - 1,
            is_forward: false,
            limit: before.min(SEARCH_CONTEXT_MAX),
        };
        let (mut older, mut newer) = (Vec::new(), Vec::new());
        let (mut start, mut end) = (Place(event.position - 1), Place(event.position));
        if range.limit > 0 {
            let (events, place) =
                collect(tx, &range, view, EventFilter(&filter), &search.server_name).await?;
            (older, start) = (events, place.unwrap_or(Place(0)));
        }
        (range.low, range.high, range.is_forward) = (event.position, newest, true);
        range.limit = after.min(SEARCH_CONTEXT_MAX);
        if range.limit > 0 {
            let (events, place) =
                collect(tx, &range, view, EventFilter(&filter), &search.server_name).await?;
            (newer, end) = (events, place.unwrap_or(Place(newest)));
        }
        self.bundle(tx, person, view, &mut older).await?;
        self.bundle(tx, person, view, &mut newer).await?;
        let speakers = if with_profiles {
            let shown: Vec<Event> = older.iter().chain(&newer).chain([event]).cloned().collect();
            speakers(tx, &event.room_id, &shown, &search.server_name).await?
        } else {
            Vec::new()
        };
        Ok(SearchContext {
            before: older,
            after: newer,
            start,
            end,
            speakers,
        })
    }
}

impl Search {
    /// The messages that match, each with how well it does.
    async fn hits(&self, tx: &mut Tx<'_>) -> Result<Vec<(Event, f64)>, ChatError> {
        let room_ids: Vec<&str> = self.views.keys().map(String::as_str).collect();
        let (mut hits, mut known) = (Vec::new(), HashSet::new());
        let tail = store::search::tail(tx, &room_ids).await?;
        let mut looked_at = tail.len();
        self.take(tail, &mut hits, &mut known);
        let terms = self.wish.terms.clone();
        let mut blocks: Vec<FoundBlock> =
            store::search::blocks(tx, &room_ids, move |grams| terms.may_stand_in(grams)).await?;
        blocks.sort_by_key(|block| std::cmp::Reverse(block.last_at));
        for few in blocks.chunks(RUNS_AT_ONCE) {
            if hits.len() >= SEARCH_HITS_MAX || looked_at >= SEARCH_ROWS_MAX {
                break;
            }
            let runs: Vec<(&str, i64, i64)> = few
                .iter()
                .map(|block| (block.room_id.as_str(), block.first_position, block.last_position))
                .collect();
            let events = store::search::events_of(tx, &runs).await?;
            looked_at += events.len();
            self.take(events, &mut hits, &mut known);
        }
        hits.truncate(SEARCH_HITS_MAX);
        Ok(hits)
    }

    /// Takes those of these events that are meant.
    fn take(&self, events: Vec<Event>, hits: &mut Vec<(Event, f64)>, known: &mut HashSet<String>) {
        let filter = EventFilter(&self.wish.filter);
        for event in events {
            let is_seen = self
                .views
                .get(&event.room_id)
                .is_some_and(|view| view.shows(&event));
            if !is_seen || event.sent_at > self.place.at || !filter.wants(&event, &self.server_name) {
                continue;
            }
            let Some((key, text)) = searched_text(&event) else {
                continue;
            };
            if !self.wish.keys.contains(&key) {
                continue;
            }
            if let Some(rank) = self.wish.terms.rank(&text)
                && known.insert(event.event_id.clone())
            {
                hits.push((event, rank));
            }
        }
    }
}

/// The rooms that a person is or was in, as far as the filter wants them.
async fn views(
    tx: &mut Tx<'_>,
    person: PersonId,
    filter: &RoomEventFilter,
) -> Result<HashMap<String, View>, ChatError> {
    let ignored: Ignored = ignored_by(tx, person).await?;
    let mut views = HashMap::new();
    for membership in [Membership::Join, Membership::Leave, Membership::Ban] {
        for found in store::memberships::of_person(tx, person, membership).await? {
            if views.len() == SEARCH_ROOMS_MAX {
                break;
            }
            let wanted = filter
                .rooms
                .as_ref()
                .is_none_or(|rooms| rooms.iter().any(|room| *room == found.room_id));
            let unwanted = filter.not_rooms.iter().any(|room| *room == found.room_id);
            if wanted
                && !unwanted
                && let Ok(view) = View::of(Some(&found))
            {
                views.insert(found.room_id, view.ignoring(&ignored));
            }
        }
    }
    Ok(views)
}
