//! One look at what is new to a connection: the person's rooms in their order, and the windows on them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use haechi_base::Actor;
use haechi_store::Tx;
use serde::Deserialize;

use super::super::Chat;
use super::super::unread::Preferences;
use super::connections::Known;
use super::facts::Fact;
use crate::model::{ChatError, Event, Listed, Membership, PEOPLE, RoomView, SlidingWish, SyncToken};
use crate::store;
use crate::store::account_data::Entry;
use crate::store::memberships::FoundMember;
use crate::store::sliding::StandingRoom;

/// The account data that names direct chats.
const DIRECT: &str = "m.direct";

/// One look for one connection.
pub(super) struct Look<'l> {
    pub(super) chat: &'l Chat,
    pub(super) actor: &'l Actor,
    pub(super) wish: &'l SlidingWish,
    pub(super) known: &'l Known,
    pub(super) since: Option<SyncToken>,
    pub(super) now: SyncToken,
    /// Whom the person ignores, and their push rules.
    pub(super) preferences: Preferences,
    /// Rooms that the person calls direct chats.
    direct: HashSet<String>,
    /// The events by which the person is asked into rooms, or asks to be let in.
    pub(super) invitations: HashMap<String, Event>,
}

/// A room that the client looks at.
pub(super) struct Place {
    /// Which of the person's rooms it is.
    pub(super) index: usize,
    /// The lists with a window it stands in: a bit each.
    pub(super) lists: u32,
    pub(super) is_subscribed: bool,
    /// What is wanted of it, by all of them together.
    pub(super) view: Arc<RoomView>,
}

#[derive(Deserialize)]
struct Invitation {
    #[serde(default)]
    is_direct: bool,
}

#[derive(Deserialize)]
struct Tags {
    tags: BTreeMap<String, serde::de::IgnoredAny>,
}

impl<'l> Look<'l> {
    pub(super) fn new(
        chat: &'l Chat,
        actor: &'l Actor,
        wish: &'l SlidingWish,
        known: &'l Known,
        (since, now): (Option<SyncToken>, SyncToken),
    ) -> Self {
        Self {
            chat,
            actor,
            wish,
            known,
            since,
            now,
            preferences: Preferences::default(),
            direct: HashSet::new(),
            invitations: HashMap::new(),
        }
    }

    /// The account data that is new to the connection, when it wants to know; and the look learns of the person's push
    /// rules, of whom they ignore and of their direct chats.
    pub(super) async fn account_data(&mut self, tx: &mut Tx<'_>) -> Result<Vec<Entry>, ChatError> {
        let (person, to) = (self.actor.person, self.now.position(PEOPLE));
        let from = self.account_data_from();
        let mut entries = store::account_data::since(tx, person, from, to).await?;
        self.preferences = Preferences::of(&entries);
        entries.retain(|entry| entry.position > from);
        let direct = store::account_data::find(tx, person, "", DIRECT).await?;
        let rooms: Option<BTreeMap<String, Vec<String>>> =
            direct.and_then(|direct| serde_json::from_str(&direct.content).ok());
        self.direct = rooms.unwrap_or_default().into_values().flatten().collect();
        Ok(entries)
    }

    /// From which position on account data is new: none of it when it is not wanted, all when it was not before.
    pub(super) fn account_data_from(&self) -> i64 {
        if self.wish.extensions.account_data.is_none() {
            return self.now.position(PEOPLE);
        }
        let since = self.since.filter(|_| self.known.has_account_data);
        since.map_or(0, |since| since.position(PEOPLE))
    }

    /// The rooms the person is in or asked into, those where something was said last first.
    pub(super) async fn rooms(&mut self, tx: &mut Tx<'_>) -> Result<Vec<StandingRoom>, ChatError> {
        let mut rooms = store::sliding::rooms(tx, self.actor.person).await?;
        let is_outside = |room: &&StandingRoom| room.found.member.membership != Membership::Join;
        let asked: Vec<&str> = rooms
            .iter()
            .filter(is_outside)
            .map(|room| room.found.event_id.as_str())
            .collect();
        if !asked.is_empty() {
            let events = store::events::find(tx, &asked).await?;
            let events = events.into_iter().map(|event| (event.room_id.clone(), event));
            self.invitations = events.collect();
        }
        let ignored = &self.preferences.ignored;
        let invitations = &self.invitations;
        rooms.retain_mut(|room| {
            if room.found.member.membership == Membership::Join {
                return true;
            }
            let Some(invitation) = invitations.get(&room.found.room_id) else {
                return false;
            };
            room.bumped_at = invitation.sent_at.micros();
            !ignored.has(invitation.sender)
        });
        rooms.sort_unstable_by(|one, other| {
            let by_time = other.bumped_at.cmp(&one.bumped_at);
            by_time.then_with(|| one.found.room_id.cmp(&other.found.room_id))
        });
        Ok(rooms)
    }

    /// How many rooms each list holds, and the rooms the client looks at, each once.
    pub(super) async fn windows(
        &self,
        tx: &mut Tx<'_>,
        rooms: &[StandingRoom],
    ) -> Result<(BTreeMap<String, usize>, Vec<Place>), ChatError> {
        let lists = &self.wish.lists;
        let facts = match lists.iter().any(|list| list.filter.needs_facts()) {
            true => self.chat.0.sliding.facts.of(tx, rooms).await?,
            false => vec![Fact::default(); rooms.len()],
        };
        let tags = match lists.iter().any(|list| list.filter.needs_tags()) {
            true => self.tags(tx).await?,
            false => HashMap::new(),
        };
        let mut standing: Vec<u32> = vec![0; rooms.len()];
        let mut counts = BTreeMap::new();
        for (bit, list) in lists.iter().enumerate() {
            let mut count = 0;
            for ((room, fact), lists) in rooms.iter().zip(&facts).zip(&mut standing) {
                let room_id = room.found.room_id.as_str();
                let listed = Listed {
                    is_dm: self.is_direct(room_id),
                    is_encrypted: fact.is_encrypted,
                    is_invite: room.found.member.membership == Membership::Invite,
                    room_type: fact.room_type.as_deref(),
                    tags: tags.get(room_id).map_or(&[], Vec::as_slice),
                };
                if !list.filter.wants(listed) {
                    continue;
                }
                let is_seen = |(first, last): &(usize, usize)| (*first..=*last).contains(&count);
                if list.ranges.iter().any(is_seen) {
                    *lists |= 1 << bit;
                }
                count += 1;
            }
            counts.insert(list.name.clone(), count);
        }
        Ok((counts, self.places(rooms, &standing)))
    }

    /// The rooms the client looks at: first those it subscribes to.
    fn places(&self, rooms: &[StandingRoom], standing: &[u32]) -> Vec<Place> {
        let mut views: HashMap<(u32, Option<&str>), Arc<RoomView>> = HashMap::new();
        let looked_at = rooms
            .iter()
            .zip(standing)
            .enumerate()
            .filter_map(|(index, (room, lists))| {
                let subscribed = self.wish.subscriptions.get_key_value(room.found.room_id.as_str());
                if *lists == 0 && subscribed.is_none() {
                    return None;
                }
                let key = (*lists, subscribed.map(|(room_id, _)| room_id.as_str()));
                let view = views
                    .entry(key)
                    .or_insert_with(|| self.combined(*lists, subscribed.map(|(_, view)| view)));
                Some(Place {
                    index,
                    lists: *lists,
                    is_subscribed: subscribed.is_some(),
                    view: Arc::clone(view),
                })
            });
        let mut places: Vec<Place> = looked_at.collect();
        places.sort_by_key(|place| !place.is_subscribed);
        places
    }

    /// What these lists and a subscription want together; the same value as before when it is the same.
    fn combined(&self, lists: u32, subscribed: Option<&Arc<RoomView>>) -> Arc<RoomView> {
        let of_lists = self.wish.lists.iter().enumerate();
        let of_lists = of_lists
            .filter(|(bit, _)| lists & (1 << bit) != 0)
            .map(|(_, list)| &list.view);
        let mut views = subscribed.into_iter().chain(of_lists);
        let first = views.next().map(Arc::clone).unwrap_or_default();
        let view = views.fold(first, |view, other| {
            if view == *other {
                view
            } else {
                Arc::new(view.with(other))
            }
        });
        let before = self.known.views.iter().find(|before| **before == view);
        before.map_or(view, Arc::clone)
    }

    async fn tags(&self, tx: &mut Tx<'_>) -> Result<HashMap<String, Vec<String>>, ChatError> {
        let contents = store::sliding::tags(tx, self.actor.person).await?;
        let tags = contents.into_iter().map(|(room_id, content)| {
            let tags = serde_json::from_str::<Tags>(&content).map(|content| content.tags);
            (room_id, tags.unwrap_or_default().into_keys().collect())
        });
        Ok(tags.collect())
    }

    /// Whether the person calls the room a direct chat, or is asked into it as one.
    pub(super) fn is_direct(&self, room_id: &str) -> bool {
        let invitation = || self.invitations.get(room_id);
        self.direct.contains(room_id)
            || invitation().is_some_and(|event| {
                serde_json::from_str::<Invitation>(&event.content).is_ok_and(|content| content.is_direct)
            })
    }

    /// The rooms to which the person stands in another way since the last answer, but those they are in now.
    pub(super) async fn changed_rooms(&self, tx: &mut Tx<'_>) -> Result<Vec<FoundMember>, ChatError> {
        let Some(since) = self.since else {
            return Ok(Vec::new());
        };
        Ok(store::memberships::changed(tx, self.actor.person, &since).await?)
    }
}
