//! The directory of rooms: which stand in it, and pages of it.

use haechi_base::Actor;
use haechi_store::Tx;
use serde_json::{Map, Value};

use super::Chat;
use super::aliases::telling;
use super::cards::cards;
use super::post_message::load_room;
use crate::model::limits::{LISTED_ROOMS_DEFAULT, LISTED_ROOMS_MAX};
use crate::model::{
    CanonicalAlias, ChatError, Content, Event, ListingFilter, ListingPlace, authorise, searched,
};
use crate::store;
use crate::store::listing::{Listed, Word, Words};

/// The state that is searched.
const SEARCHED: [&str; 4] = [
    "m.room.create",
    "m.room.name",
    "m.room.topic",
    "m.room.canonical_alias",
];

/// A page of the directory.
#[derive(Debug, Clone)]
pub(crate) struct ListingPage {
    pub(crate) rooms: Vec<Map<String, Value>>,
    pub(crate) next: Option<ListingPlace>,
    pub(crate) previous: Option<ListingPlace>,
    /// Rooms in the whole directory.
    pub(crate) total: u32,
}

impl Chat {
    /// A page of the directory, the rooms with most people first.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] and [`ChatError::Store`].
    pub(crate) async fn listing(
        &self,
        filter: ListingFilter,
        since: Option<&str>,
        limit: Option<u32>,
    ) -> Result<ListingPage, ChatError> {
        filter.check()?;
        let place: Option<ListingPlace> = since.map(str::parse).transpose()?;
        let limit = limit.unwrap_or(LISTED_ROOMS_DEFAULT).clamp(1, LISTED_ROOMS_MAX);
        self.read(async move |tx: &mut Tx<'_>| {
            let mut found = store::listing::page(tx, &filter, place.as_ref(), limit + 1).await?;
            let has_more = found.len() > limit as usize;
            found.truncate(limit as usize);
            let is_forward = place.as_ref().is_none_or(|place| place.is_forward);
            if !is_forward {
                found.reverse();
            }
            let (before, after) = if is_forward {
                (place.is_some(), has_more)
            } else {
                (has_more, true)
            };
            let at = |listed: Option<&Listed>, is_forward| {
                listed.map(|listed| ListingPlace {
                    is_forward,
                    joined: listed.joined,
                    room_id: listed.room_id.clone(),
                })
            };
            let room_ids: Vec<&str> = found.iter().map(|listed| listed.room_id.as_str()).collect();
            let cards = cards(tx, &room_ids).await?;
            Ok(ListingPage {
                rooms: room_ids
                    .iter()
                    .filter_map(|room_id| Some(cards.get(*room_id)?.told()))
                    .collect(),
                next: at(found.last().filter(|_| after), true),
                previous: at(found.first().filter(|_| before), false),
                total: store::listing::count(tx).await?,
            })
        })
        .await
    }

    /// Whether a room stands in the directory.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] and [`ChatError::Store`].
    pub(crate) async fn is_listed(&self, room_id: String) -> Result<bool, ChatError> {
        self.read(async move |tx: &mut Tx<'_>| {
            if store::rooms::creator(tx, &room_id).await?.is_none() {
                return Err(ChatError::not_found("there is no such room"));
            }
            Ok(store::listing::is_listed(tx, &room_id).await?)
        })
        .await
    }

    /// Puts a room into the directory, or takes it out: by who may tell its aliases.
    ///
    /// # Errors
    /// [`ChatError::NotFound`], [`ChatError::Forbidden`] and [`ChatError::Store`].
    pub(crate) async fn set_listed(
        &self,
        actor: &Actor,
        room_id: String,
        is_listed: bool,
    ) -> Result<(), ChatError> {
        let (person, server_name) = (actor.person, self.server_name().to_owned());
        self.write(async move |tx: &mut Tx<'_>| {
            let room = load_room(tx, &room_id, person).await?;
            if room.rules.is_none() {
                return Err(ChatError::not_found("there is no such room"));
            }
            authorise(&room, &telling(person, Content::of(&Map::new())), &server_name)?;
            if !is_listed {
                return Ok(store::listing::unlist(tx, &room_id).await?);
            }
            let keys = SEARCHED.map(|kind| (room_id.clone(), kind.to_owned(), String::new()));
            let state = store::state::current(tx, &keys).await?;
            let words = words_of_state(state.iter());
            let (joined, _) = store::memberships::count(tx, &room_id).await?;
            Ok(store::listing::list(tx, &room_id, i64::from(joined), &words).await?)
        })
        .await
    }
}

/// The word for the search that an event changes: (room, which, the new one).
pub(super) fn searched_word(event: &Event) -> Option<(String, Word, String)> {
    let kinds = ["m.room.name", "m.room.topic", "m.room.canonical_alias"];
    if event.state_key.as_deref() != Some("") || !kinds.contains(&event.kind.as_str()) {
        return None;
    }
    let content = Content::of_stored(event.content.clone());
    let field = |name: &str| {
        let words: Option<Map<String, Value>> = content.read();
        let word = words.and_then(|words| Some(words.get(name)?.as_str()?.to_owned()));
        searched(&word.unwrap_or_default())
    };
    let (which, word) = match event.kind.as_str() {
        "m.room.name" => (Word::Name, field("name")),
        "m.room.topic" => (Word::Topic, field("topic")),
        "m.room.canonical_alias" => {
            let told = CanonicalAlias::read(&content).unwrap_or_default();
            (Word::Alias, searched(&told.all().collect::<Vec<_>>().join(" ")))
        }
        _ => return None,
    };
    Some((event.room_id.clone(), which, word))
}

/// What is searched of a room, from its state.
pub(super) fn words_of_state<'e>(state: impl Iterator<Item = &'e Event>) -> Words {
    let mut words = Words::default();
    for event in state {
        if event.kind == "m.room.create" {
            let creation: Value = serde_json::from_str(&event.content).unwrap_or_default();
            words.room_type = creation["type"].as_str().unwrap_or_default().to_owned();
        }
        match searched_word(event) {
            Some((_, Word::Name, word)) => words.name = word,
            Some((_, Word::Topic, word)) => words.topic = word,
            Some((_, Word::Alias, word)) => words.alias = word,
            None => {}
        }
    }
    words
}
