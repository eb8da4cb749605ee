//! What a person was told of (client-server API, "Listing notifications"): judged anew by the rules of today.

use haechi_base::{Actor, PersonId, Time};
use haechi_store::Tx;
use ruma::push::Action;

use super::Chat;
use super::read_room::{View, ignored_by};
use crate::model::limits::{NOTIFICATION_EVENTS_MAX, NOTIFICATION_ROOMS_MAX};
use crate::model::{ChatError, Event, Ignored, JudgedEvent, Membership, PushRules};
use crate::store;
use crate::store::memberships::FoundMember;

/// One of them.
pub(crate) struct Notification {
    pub(crate) event: Event,
    pub(crate) actions: Vec<Action>,
    pub(crate) is_read: bool,
}

/// A page of them, the newest first, and where the next one begins.
pub(crate) struct NotificationPage {
    pub(crate) items: Vec<Notification>,
    pub(crate) next: Option<String>,
}

/// Right after this notification: its time, and its id for those of one moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    sent_at: Time,
    event_id: String,
}

impl Place {
    fn of(event: &Event) -> Self {
        Self {
            sent_at: event.sent_at,
            event_id: event.event_id.clone(),
        }
    }

    fn read(text: &str) -> Result<Self, ChatError> {
        let refusal = || ChatError::invalid("the token was not given out by this server");
        let (time, event_id) = text
            .strip_prefix('n')
            .and_then(|text| text.split_once('.'))
            .ok_or_else(refusal)?;
        let is_plain = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
        let micros = is_plain
            .then(|| time.parse().ok())
            .flatten()
            .ok_or_else(refusal)?;
        Ok(Self {
            sent_at: Time::from_micros(micros),
            event_id: event_id.to_owned(),
        })
    }

    fn told(&self) -> String {
        format!("n{}.{}", self.sent_at.micros(), self.event_id)
    }
}

impl Chat {
    /// A page of what the actor was told of.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] for a foreign token, and [`ChatError::Store`].
    pub(crate) async fn notifications(
        &self,
        actor: &Actor,
        from: Option<&str>,
        limit: usize,
        only_highlights: bool,
    ) -> Result<NotificationPage, ChatError> {
        let from = from.map(Place::read).transpose()?;
        let (chat, person) = (self.clone(), actor.person);
        let mut found = self
            .read(async move |tx: &mut Tx<'_>| {
                let rules = chat.push_rules_in(tx, person).await?;
                let ignored = ignored_by(tx, person).await?;
                let rooms = store::memberships::of_person(tx, person, Membership::Join).await?;
                let mut found = Vec::new();
                for room in rooms.iter().take(NOTIFICATION_ROOMS_MAX) {
                    let here = chat.notifications_of(tx, person, room, (&rules, &ignored), from.as_ref());
                    found.extend(here.await?);
                }
                Ok(found)
            })
            .await?;
        found.retain(|(_, highlights)| *highlights || !only_highlights);
        let mut items: Vec<Notification> = found.into_iter().map(|(item, _)| item).collect();
        items.sort_by_key(|item| std::cmp::Reverse(Place::of(&item.event)));
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items
            .last()
            .filter(|_| has_more)
            .map(|item| Place::of(&item.event).told());
        Ok(NotificationPage { items, next })
    }

    /// Those of one room, each with whether it is a highlight.
    async fn notifications_of(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
        found: &FoundMember,
        (rules, ignored): (&PushRules, &Ignored),
        from: Option<&Place>,
    ) -> Result<Vec<(Notification, bool)>, ChatError> {
        let room_id = found.room_id.as_str();
        let view = View::of(Some(found))?.ignoring(ignored);
        let joined_from = found.member.joined_from.unwrap_or(0);
        let mut events =
            store::events::backward(tx, room_id, joined_from, i64::MAX, NOTIFICATION_EVENTS_MAX).await?;
        events.retain(|event| {
            event.sender != person && view.shows(event) && from.is_none_or(|from| Place::of(event) < *from)
        });
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let Some(room) = self.judged_room(tx, person, room_id).await? else {
            return Ok(Vec::new());
        };
        let read = store::pushes::read_until(tx, person, room_id).await?;
        let judged = events.into_iter().filter_map(|event| {
            let verdict = rules.judge(&JudgedEvent::of(&event, self.server_name()), &room);
            let notification = Notification {
                is_read: read.has(&event),
                event,
                actions: verdict.actions,
            };
            verdict.notifies.then_some((notification, verdict.highlights))
        });
        Ok(judged.collect())
    }
}
