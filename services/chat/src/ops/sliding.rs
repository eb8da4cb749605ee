//! What is new in the part of their rooms that a client looks at (MSC4186, simplified sliding sync): a snapshot, and when
//! there is nothing, a wait.

mod answer;
mod connections;
mod extensions;
mod facts;
mod look;
mod outside;
mod room;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use haechi_base::Actor;
use haechi_store::Tx;

use super::Chat;
use super::sync::come_further;
use crate::model::limits::{SLIDING_ROOMS_MAX, SLIDING_SUBSCRIPTIONS_MAX, SYNC_WAIT_MAX};
use crate::model::{ChatError, Membership, RoomView, SlidingWish, SyncToken, stream_of};
use crate::store;
use crate::store::memberships::FoundMember;
use crate::store::sliding::StandingRoom;

pub(crate) use answer::SlidingAnswer;
use answer::{ListAnswer, RoomAnswer};
use connections::{Base, Caller, Connections, Known, SentRoom, Step};
use facts::Facts;
use look::{Look, Place};
use room::Visit;

/// What a node remembers for sliding syncs.
#[derive(Default)]
pub(crate) struct SlidingDesk {
    connections: Connections,
    facts: Facts,
}

/// What a look at the store found.
struct Found {
    answer: SlidingAnswer,
    step: Step,
    /// Rooms the person is in where something happened.
    moved: Vec<String>,
    /// The token of the messages to the device that are proved to have come, when any of them is still kept.
    received: Option<SyncToken>,
    has_news: bool,
}

impl Chat {
    /// What is new to a connection of the actor since `pos`, or all it asks for when it begins.
    ///
    /// # Errors
    /// [`ChatError::UnknownPosition`] for a `pos` that this node did not give to this connection or no longer knows: the
    /// client begins anew. And [`ChatError::Store`].
    pub(crate) async fn sliding_sync(
        &self,
        actor: &Actor,
        pos: Option<&str>,
        wait: Duration,
        mut wish: SlidingWish,
    ) -> Result<SlidingAnswer, ChatError> {
        let connection = wish.connection.clone();
        let caller = Caller {
            person: actor.person,
            device: &actor.device,
            connection: &connection,
        };
        let connections = &self.0.sliding.connections;
        let base = match pos {
            None => Base::default(),
            Some(pos) => connections.resume(caller, pos, self.now())?,
        };
        keep_subscriptions(&mut wish, &base.known);
        let wish = Arc::new(wish);
        let may_wait = pos.is_some() && !wait.is_zero();
        let end_of_wait = tokio::time::sleep(wait.min(SYNC_WAIT_MAX));
        tokio::pin!(end_of_wait);
        let mut is_first_look = true;
        loop {
            // Noted before the store is read, so that what comes in between wakes the wait below.
            let (mut news, is_stranger) = self.0.hub.listen(actor.person, self.now());
            if is_stranger {
                self.introduce(actor).await?;
            }
            let mut by_others = self.0.hub.pulse.follow();
            let found = self.sliding_look(actor, &base.known, &wish).await?;
            if let Some(received) = found.received.filter(|_| is_first_look) {
                self.forget_received(actor, received);
            }
            is_first_look = false;
            let moved = found.moved.iter().map(String::as_str);
            self.0.hub.learn_rooms(actor.person, moved);
            let token = found.step.token;
            let further = base.known.token.map_or(token, |since| token.at_least(&since));
            let is_over = !may_wait || found.has_news;
            let is_over = is_over
                || tokio::select! {
                    _ = news.changed() => false,
                    () = come_further(&mut by_others, further) => false,
                    () = &mut end_of_wait => true,
                    () = self.0.context.shutdown.cancelled() => true,
                };
            if is_over {
                let mut answer = found.answer;
                answer.pos = connections.answer(caller, &base, found.step, self.now());
                answer.txn_id.clone_from(&wish.transaction_id);
                return Ok(answer);
            }
        }
    }

    async fn sliding_look(
        &self,
        actor: &Actor,
        known: &Arc<Known>,
        wish: &Arc<SlidingWish>,
    ) -> Result<Found, ChatError> {
        if let Some(since) = known.token {
            self.0.typing.reach(since.typing, self.now());
        }
        let (chat, actor) = (self.clone(), actor.clone());
        let (known, wish) = (Arc::clone(known), Arc::clone(wish));
        self.read(async move |tx: &mut Tx<'_>| {
            let now = store::streams::positions(tx, chat.0.typing.serial()).await?;
            let since = match known.token {
                None => None,
                Some(since) => match chat.reached(tx, since, &now).await? {
                    None => return Ok(Found::nothing(&known, since)),
                    reached => reached,
                },
            };
            let mut look = Look::new(&chat, &actor, &wish, &known, (since, now));
            look.take(tx).await
        })
        .await
    }
}

/// A client that names no connection is one of those that say once what they subscribe to, and take it back.
fn keep_subscriptions(wish: &mut SlidingWish, known: &Known) {
    if !wish.connection.is_empty() {
        return;
    }
    for (room_id, view) in &known.subscriptions {
        let is_full = wish.subscriptions.len() >= SLIDING_SUBSCRIPTIONS_MAX;
        if !is_full && !wish.subscriptions.contains_key(room_id) && !wish.unsubscribed.contains(room_id) {
            wish.subscriptions.insert(room_id.clone(), Arc::clone(view));
        }
    }
}

impl Found {
    /// A standby lags behind: nothing can be told yet.
    fn nothing(known: &Known, since: SyncToken) -> Self {
        let counts = known.counts.clone();
        Self {
            answer: SlidingAnswer {
                lists: list_answers(&counts),
                ..SlidingAnswer::default()
            },
            step: Step {
                token: since,
                rooms: Vec::new(),
                counts,
                subscriptions: known.subscriptions.clone(),
                has_account_data: known.has_account_data,
                views: known.views.clone(),
            },
            moved: Vec::new(),
            received: None,
            has_news: false,
        }
    }
}

fn list_answers(counts: &BTreeMap<String, usize>) -> BTreeMap<String, ListAnswer> {
    let answers = counts
        .iter()
        .map(|(name, count)| (name.clone(), ListAnswer { count: *count }));
    answers.collect()
}

impl Look<'_> {
    /// Looks at all that the client wants to see.
    async fn take(&mut self, tx: &mut Tx<'_>) -> Result<Found, ChatError> {
        let entries = self.account_data(tx).await?;
        let rooms = self.rooms(tx).await?;
        let (counts, places) = self.windows(tx, &rooms).await?;
        let mut visits: HashMap<usize, Visit> = HashMap::with_capacity(places.len());
        let mut told = BTreeMap::new();
        for place in &places {
            let Some(room) = rooms.get(place.index) else {
                continue;
            };
            let plan = self.plan(room, &place.view);
            if !plan.is_known() && told.len() >= SLIDING_ROOMS_MAX {
                continue;
            }
            let mut visit = self.visit(tx, room, place, plan).await?;
            if let Some(answer) = visit.answer.take() {
                told.insert(room.found.room_id.clone(), answer);
            }
            visits.insert(place.index, visit);
        }
        let is_cut = visits.len() < places.len();
        let changed = self.changed_rooms(tx).await?;
        let (answer, received) = self
            .extensions(tx, &rooms, (places.as_slice(), &mut visits), &changed, entries)
            .await?;
        let mut steps = self.steps(&rooms, visits);
        for found in changed.into_iter().filter(is_out) {
            if let Some((room_id, _)) = self.known.rooms.get_key_value(found.room_id.as_str()) {
                let gone = self.gone(tx, &found).await?;
                told.insert(found.room_id, gone);
                steps.push((Arc::clone(room_id), None));
            }
        }
        let has_news = is_cut || !told.is_empty() || !answer.is_empty() || counts != self.known.counts;
        Ok(Found {
            moved: self.moved(&rooms),
            received,
            has_news,
            step: Step {
                token: self.now,
                rooms: steps,
                subscriptions: self.wish.subscriptions.clone(),
                has_account_data: self.wish.extensions.account_data.is_some(),
                views: distinct(&places),
                counts: counts.clone(),
            },
            answer: SlidingAnswer {
                lists: list_answers(&counts),
                rooms: told,
                extensions: answer,
                ..SlidingAnswer::default()
            },
        })
    }

    /// What the client knows of rooms from now on, where that changes.
    fn steps(
        &self,
        rooms: &[StandingRoom],
        mut visits: HashMap<usize, Visit>,
    ) -> Vec<(Arc<str>, Option<SentRoom>)> {
        let mut steps = Vec::new();
        for (index, room) in rooms.iter().enumerate() {
            let room_id = room.found.room_id.as_str();
            let record = self.known.rooms.get_key_value(room_id);
            let sent = match (visits.remove(&index), record) {
                (Some(visit), _) => Some(visit.sent),
                (None, Some((_, record))) => Some(self.left_out(room, record)),
                (None, None) => None,
            };
            if let Some(sent) = sent
                && record.is_none_or(|(_, record)| *record != sent)
            {
                let room_id = record.map_or_else(|| Arc::from(room_id), |(room_id, _)| Arc::clone(room_id));
                steps.push((room_id, Some(sent)));
            }
        }
        steps
    }

    /// What the client knows of a room that it does not look at now: all up to the last answer, once more happens.
    fn left_out(&self, room: &StandingRoom, record: &SentRoom) -> SentRoom {
        let known_until = self.since_of(&room.found.room_id);
        let mut sent = record.clone();
        if sent.until.is_none() && room.position > known_until {
            sent.until = Some(known_until);
        }
        sent.followed = connections::Followed::default();
        sent
    }

    fn moved(&self, rooms: &[StandingRoom]) -> Vec<String> {
        let moved = rooms.iter().filter(|room| {
            room.found.member.membership == Membership::Join
                && room.position > self.since_of(&room.found.room_id)
        });
        moved.map(|room| room.found.room_id.clone()).collect()
    }

    /// Up to which position the connection has come in the stream of a room.
    fn since_of(&self, room_id: &str) -> i64 {
        self.since.map_or(0, |since| since.position(stream_of(room_id)))
    }

    async fn visit(
        &self,
        tx: &mut Tx<'_>,
        room: &StandingRoom,
        place: &Place,
        plan: room::Plan,
    ) -> Result<Visit, ChatError> {
        match plan {
            room::Plan::Known(sent) => Ok(Visit::of(None, sent)),
            room::Plan::Outside => self.outside(tx, room, &place.view).await,
            room::Plan::Inside(from) => self.inside(tx, room, &place.view, from).await,
        }
    }

    fn answer_of(&self, room: &StandingRoom) -> RoomAnswer {
        RoomAnswer {
            is_dm: self.is_direct(&room.found.room_id),
            ..RoomAnswer::of(room.found.member.membership, room.bumped_at)
        }
    }
}

fn is_out(found: &FoundMember) -> bool {
    matches!(found.member.membership, Membership::Leave | Membership::Ban)
}

fn distinct(places: &[Place]) -> Vec<Arc<RoomView>> {
    let mut views: Vec<Arc<RoomView>> = Vec::new();
    for place in places {
        if !views.iter().any(|view| Arc::ptr_eq(view, &place.view)) {
            views.push(Arc::clone(&place.view));
        }
    }
    views
}
