//! Searching (client-server API, "Server Side Search").

use std::collections::BTreeMap;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use haechi_base::Actor;
use ruma::api::client::filter::RoomEventFilter;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::error::MatrixError;
use super::ruma::{Body, Query, Who, of_json};
use crate::Chat;
use crate::model::{Event, SearchKey, SearchTerms};
use crate::ops::{SearchContext, SearchPage, SearchWish};

pub(super) fn routes() -> Router<Chat> {
    Router::new()
        .route("/_matrix/client/v3/search", post(search))
        .route("/_matrix/client/r0/search", post(search))
}

#[derive(Deserialize)]
struct PageStart {
    next_batch: Option<String>,
}

// Read with types of our own: those of ruma do not tell a missing `event_context` from an empty one.
#[derive(Deserialize)]
struct Request {
    search_categories: Categories,
}

#[derive(Deserialize)]
struct Categories {
    room_events: Option<Criteria>,
}

#[derive(Deserialize)]
struct Criteria {
    search_term: String,
    keys: Option<Vec<SearchKey>>,
    #[serde(default)]
    filter: RoomEventFilter,
    order_by: Option<OrderBy>,
    event_context: Option<Context>,
    #[serde(default)]
    include_state: bool,
    #[serde(default)]
    groupings: Groupings,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum OrderBy {
    Recent,
    Rank,
}

#[derive(Deserialize)]
struct Context {
    #[serde(default = "five")]
    before_limit: u32,
    #[serde(default = "five")]
    after_limit: u32,
    #[serde(default)]
    include_profile: bool,
}

const fn five() -> u32 {
    5
}

#[derive(Default, Deserialize)]
struct Groupings {
    #[serde(default)]
    group_by: Vec<Grouping>,
}

#[derive(Deserialize)]
struct Grouping {
    key: GroupKey,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum GroupKey {
    RoomId,
    Sender,
}

async fn search(
    State(chat): State<Chat>,
    Who(actor): Who,
    Query(from): Query<PageStart>,
    Body(body): Body,
) -> Result<Json<Value>, MatrixError> {
    let request: Request = serde_json::from_slice(&body).map_err(|error| of_json(&error))?;
    let Some(criteria) = request.search_categories.room_events else {
        return Ok(Json(json!({ "search_categories": {} })));
    };
    let wish = SearchWish {
        terms: SearchTerms::read(&criteria.search_term)?,
        keys: criteria
            .keys
            .unwrap_or_else(|| vec![SearchKey::Body, SearchKey::Name, SearchKey::Topic]),
        filter: criteria.filter,
        by_rank: criteria.order_by != Some(OrderBy::Recent),
        context: criteria
            .event_context
            .map(|context| (context.before_limit, context.after_limit, context.include_profile)),
        with_state: criteria.include_state,
        from: from.next_batch,
    };
    let highlights = wish.terms.terms().to_vec();
    let page = chat.search(actor.person, wish).await?;
    let mut told = told(&chat, &actor, &page, &criteria.groupings.group_by);
    told.insert("highlights".to_owned(), highlights.into());
    Ok(Json(json!({ "search_categories": { "room_events": told } })))
}

fn told(chat: &Chat, actor: &Actor, page: &SearchPage, groups: &[Grouping]) -> Map<String, Value> {
    let reader = chat.reader(actor.person, &actor.device);
    let event = |event: &Event| value(&event.for_client(reader, true));
    let results = page.results.iter().map(|result| {
        let mut told = json!({ "rank": result.rank, "result": event(&result.event) });
        if let Some(context) = &result.context {
            told["context"] = around(context, event);
        }
        told
    });
    let mut told = Map::new();
    told.insert("results".to_owned(), results.collect());
    told.insert("count".to_owned(), page.count.into());
    let state = page.state.iter();
    let state: Map<String, Value> = state
        .map(|(room_id, events)| (room_id.clone(), events.iter().map(event).collect()))
        .collect();
    if !state.is_empty() {
        told.insert("state".to_owned(), state.into());
    }
    if let Some(next) = &page.next {
        told.insert("next_batch".to_owned(), next.as_str().into());
    }
    if !groups.is_empty() {
        told.insert("groups".to_owned(), grouped(chat, page, groups));
    }
    told
}

fn value(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

fn around(context: &SearchContext, event: impl Fn(&Event) -> Value) -> Value {
    let list = |events: &[Event]| events.iter().map(&event).collect::<Vec<_>>();
    let mut told = json!({
        "start": context.start.to_string(),
        "end": context.end.to_string(),
        "events_before": list(&context.before),
        "events_after": list(&context.after),
    });
    let profiles: Map<String, Value> = context
        .speakers
        .iter()
        .filter_map(|member| {
            let user = member.state_key.clone()?;
            let mut content: Map<String, Value> = serde_json::from_str(&member.content).ok()?;
            content.retain(|name, _| matches!(name.as_str(), "displayname" | "avatar_url"));
            Some((user, content.into()))
        })
        .collect();
    if !profiles.is_empty() {
        told["profile_info"] = profiles.into();
    }
    told
}

/// The results of the page by room or by sender, in the order of their first ones.
fn grouped(chat: &Chat, page: &SearchPage, groups: &[Grouping]) -> Value {
    let mut told = Map::new();
    for Grouping { key } in groups {
        let mut by_name: BTreeMap<String, (usize, Vec<&str>)> = BTreeMap::new();
        for (order, result) in page.results.iter().enumerate() {
            let name = match key {
                GroupKey::RoomId => result.event.room_id.clone(),
                GroupKey::Sender => chat.user_id(result.event.sender),
            };
            let group = by_name.entry(name).or_insert((order, Vec::new()));
            group.1.push(&result.event.event_id);
        }
        let by_name: Map<String, Value> = by_name
            .into_iter()
            .map(|(name, (order, results))| (name, json!({ "order": order, "results": results })))
            .collect();
        let key = match key {
            GroupKey::RoomId => "room_id",
            GroupKey::Sender => "sender",
        };
        told.insert(key.to_owned(), by_name.into());
    }
    told.into()
}
