//! What both kinds of sync tell of a room: its latest events, and who stands for it while it has no name.

use haechi_base::PersonId;
use haechi_store::Tx;

use super::Chat;
use super::read_room::View;
use crate::model::limits::PAGE_ROWS_MAX;
use crate::model::{ChatError, Event, Membership};
use crate::store;

/// People who are asked for, to stand for a room without a name.
const HEROES_ASKED: u32 = 6;

/// People who stand for it (client-server API, `m.heroes`).
const HEROES_MAX: usize = 5;

/// The part of a room that is read: after one position and up to another, so many events at the most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    pub(super) after: i64,
    pub(super) until: i64,
    pub(super) limit: u32,
}

/// The latest events of a stretch, with where they begin.
pub(super) struct Timeline {
    /// Oldest first.
    pub(super) events: Vec<Event>,
    /// Whether the stretch has more of them.
    pub(super) limited: bool,
    /// The position right before the first event.
    pub(super) start: i64,
}

impl Chat {
    /// The latest events of a stretch that the person may see and the client wants.
    pub(super) async fn timeline(
        &self,
        tx: &mut Tx<'_>,
        (person, room_id): (PersonId, &str),
        stretch: Stretch,
        view: &View,
        wants: impl Fn(&Event) -> bool,
    ) -> Result<Timeline, ChatError> {
        let Stretch { after, until, limit } = stretch;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let (mut events, mut high, mut looked_at) = (Vec::new(), until.min(view.until), 0);
        // One more than wanted is read, to know whether there is more.
        let mut is_done = false;
        while !is_done && events.len() <= wanted && looked_at < PAGE_ROWS_MAX {
            let rows = store::events::backward(tx, room_id, after, high, limit + 1).await?;
            let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            looked_at += count;
            is_done = count <= limit;
            high = rows.last().map_or(after, |event| event.position - 1);
            events.extend(rows.into_iter().filter(|event| view.shows(event) && wants(event)));
        }
        let limited = events.len() > wanted || !is_done;
        events.truncate(wanted);
        events.reverse();
        self.bundle(tx, person, view, &mut events).await?;
        let start = events.first().map_or(until, |first| first.position - 1);
        Ok(Timeline {
            events,
            limited,
            start,
        })
    }

    /// The user ids of who stands for a room without a name: others in it, else those asked in, else those who were.
    pub(super) async fn heroes(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
        room_id: &str,
    ) -> Result<Vec<String>, ChatError> {
        let mut people = Vec::new();
        for membership in [Membership::Join, Membership::Invite, Membership::Leave] {
            if people.len() < 2 {
                people.extend(store::memberships::of_room(tx, room_id, membership, HEROES_ASKED).await?);
            }
        }
        people.retain(|other| *other != person);
        people.truncate(HEROES_MAX);
        Ok(people.into_iter().map(|person| self.user_id(person)).collect())
    }
}
