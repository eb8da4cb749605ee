//! Spaces and what is in them, and what a single room shows of itself.

use std::collections::{HashMap, HashSet};

use haechi_base::PersonId;
use haechi_store::Tx;
use serde_json::{Map, Value, json};

use super::Chat;
use super::cards::{RoomCard, cards, shown_to};
use crate::model::limits::{SPACE_CHILDREN_MAX, SPACE_DEPTH_MAX, SPACE_ROOMS_MAX};
use crate::model::{ChatError, Child, Membership, Walk, user_id};
use crate::store;

/// A page of a space's rooms.
#[derive(Debug, Clone)]
pub(crate) struct SpacePage {
    pub(crate) rooms: Vec<Map<String, Value>>,
    pub(crate) next: Option<String>,
}

/// What is known of the rooms of a space so far.
#[derive(Default)]
struct Known {
    cards: HashMap<String, RoomCard>,
    shown: HashSet<String>,
}

impl Known {
    /// Looks rooms up that are not known yet.
    async fn learn(&mut self, tx: &mut Tx<'_>, person: PersonId, room_ids: &[&str]) -> Result<(), ChatError> {
        let mut fresh: Vec<&str> = room_ids.to_vec();
        fresh.retain(|room_id| !self.cards.contains_key(*room_id));
        let found = cards(tx, &fresh).await?;
        let (_, shown) = shown_to(tx, person, &found).await?;
        self.cards.extend(found);
        self.shown.extend(shown);
        Ok(())
    }

    /// The card of a room that may be shown.
    fn card(&self, room_id: &str) -> Option<&RoomCard> {
        self.cards.get(room_id).filter(|_| self.shown.contains(room_id))
    }
}

impl Chat {
    /// The rooms of a space that a person may be shown, the space first, each branch to its end before the next.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] when the space itself is not for them, and [`ChatError::Store`].
    pub(crate) async fn hierarchy(
        &self,
        person: PersonId,
        room_id: String,
        walk: Walk,
        limit: usize,
    ) -> Result<SpacePage, ChatError> {
        let server_name = self.server_name().to_owned();
        self.read(async move |tx: &mut Tx<'_>| {
            let mut known = Known::default();
            known.learn(tx, person, &[&room_id]).await?;
            if known.card(&room_id).is_none() {
                return Err(ChatError::not_in_room());
            }
            let depth_max = walk.depth_max.unwrap_or(SPACE_DEPTH_MAX).min(SPACE_DEPTH_MAX);
            let (mut seen, mut walked, mut rooms) = (HashSet::new(), 0_usize, Vec::new());
            // The next room is the last one; its children go on top.
            let mut ahead = vec![(room_id.clone(), 0)];
            while let Some((room_id, depth)) = ahead.pop() {
                let Some(card) = known.card(&room_id) else {
                    continue;
                };
                if !seen.insert(room_id.clone()) {
                    continue;
                }
                if rooms.len() == limit {
                    let next = Some(walk.token_after(limit));
                    return Ok(SpacePage { rooms, next });
                }
                let mut told = card.summary();
                let children = if card.is_space() {
                    children_of(tx, &room_id, walk.suggested_only).await?
                } else {
                    Vec::new()
                };
                walked += 1;
                if walked > walk.skipped {
                    let state: Vec<Value> = children
                        .iter()
                        .map(|child| told_child(child, &server_name))
                        .collect();
                    told.insert("children_state".to_owned(), state.into());
                    rooms.push(told);
                }
                if depth < depth_max && walked < SPACE_ROOMS_MAX {
                    let room_ids: Vec<&str> = children.iter().map(|child| child.room_id.as_str()).collect();
                    known.learn(tx, person, &room_ids).await?;
                    let below = children
                        .iter()
                        .rev()
                        .map(|child| (child.room_id.clone(), depth + 1));
                    ahead.extend(below);
                }
            }
            Ok(SpacePage { rooms, next: None })
        })
        .await
    }

    /// What a room shows of itself to a person, or to a stranger.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] also when it is not to be shown, and [`ChatError::Store`].
    pub(crate) async fn room_summary(
        &self,
        person: Option<PersonId>,
        room: &str,
    ) -> Result<Map<String, Value>, ChatError> {
        let not_found = || ChatError::not_found("there is no such room, or it is not for you to see");
        let room_id = self.room_named(room).await?;
        self.read(async move |tx: &mut Tx<'_>| {
            let cards = cards(tx, &[&room_id]).await?;
            let card = cards.get(&room_id).ok_or_else(not_found)?;
            let mut told = card.summary();
            let Some(person) = person else {
                return if card.is_public() {
                    Ok(told)
                } else {
                    Err(not_found())
                };
            };
            let (memberships, shown) = shown_to(tx, person, &cards).await?;
            let membership = memberships.get(&room_id).copied().unwrap_or(Membership::Leave);
            if !shown.contains(&room_id) {
                return Err(not_found());
            }
            told.insert("membership".to_owned(), membership.as_str().into());
            Ok(told)
        })
        .await
    }
}

/// The children of a space in their order.
async fn children_of(tx: &mut Tx<'_>, room_id: &str, suggested_only: bool) -> Result<Vec<Child>, ChatError> {
    let events = store::state::of_type(tx, room_id, "m.space.child").await?;
    let mut children: Vec<Child> = events.into_iter().filter_map(Child::of).collect();
    children.retain(|child| child.is_suggested || !suggested_only);
    Child::sort(&mut children);
    children.truncate(SPACE_CHILDREN_MAX);
    Ok(children)
}

fn told_child(child: &Child, server_name: &str) -> Value {
    let content: Value = serde_json::from_str(&child.event.content).unwrap_or_default();
    json!({
        "type": child.event.kind,
        "state_key": child.room_id,
        "content": content,
        "sender": user_id(child.event.sender, server_name),
        "origin_server_ts": child.event.sent_at.millis(),
    })
}
