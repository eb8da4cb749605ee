//! Rooms that the person is not in: asked into, asking to be let in, or out of since the last answer.

use std::sync::Arc;

use haechi_store::Tx;

use super::super::messages::speakers;
use super::super::read_room::View;
use super::super::sync::INVITE_STATE;
use super::super::timeline::Stretch;
use super::super::unread::Count;
use super::answer::RoomAnswer;
use super::connections::{Followed, SentRoom};
use super::look::Look;
use super::room::Visit;
use crate::model::{ChatError, Event, Place, RoomView, stream_of};
use crate::store;
use crate::store::memberships::FoundMember;
use crate::store::sliding::StandingRoom;

impl Look<'_> {
    /// A room the person is asked into, or asks to be let into: what somebody outside is shown of it.
    pub(super) async fn outside(
        &self,
        tx: &mut Tx<'_>,
        room: &StandingRoom,
        view: &Arc<RoomView>,
    ) -> Result<Visit, ChatError> {
        let room_id = room.found.room_id.as_str();
        let keys: Vec<_> = INVITE_STATE
            .iter()
            .map(|kind| (room_id.to_owned(), (*kind).to_owned(), String::new()))
            .collect();
        let mut events = store::state::current(tx, &keys).await?;
        let invitation: Vec<Event> = self.invitations.get(room_id).cloned().into_iter().collect();
        events.extend(speakers(tx, room_id, &invitation, self.chat.server_name()).await?);
        events.retain(|event| event.event_id != room.found.event_id);
        events.extend(invitation);
        let server_name = self.chat.server_name();
        let mut answer = self.answer_of(room);
        answer.initial = true;
        answer.name = super::room::name_of(&events);
        answer.invite_state = Some(events.iter().map(|event| event.stripped(server_name)).collect());
        let sent = SentRoom {
            membership: room.found.member.membership,
            until: Some(room.found.position),
            view: Arc::clone(view),
            unread: Count::default(),
            followed: Followed::default(),
        };
        Ok(Visit::of(Some(answer), sent))
    }

    /// A room the person is out of: what happened up to then, and how they went.
    pub(super) async fn gone(&self, tx: &mut Tx<'_>, found: &FoundMember) -> Result<RoomAnswer, ChatError> {
        let room_id = found.room_id.as_str();
        let end = store::events::find(tx, &[&found.event_id]).await?;
        let record = self.known.rooms.get(room_id);
        let mut answer = RoomAnswer::of(
            found.member.membership,
            end.first().map_or(0, |end| end.sent_at.micros()),
        );
        // Who declined an invitation sees only that.
        let seen = View::of(Some(found)).ok().zip(record);
        if let Some((seen, record)) = seen {
            let seen = seen.ignoring(&self.preferences.ignored);
            let low = record.until.unwrap_or_else(|| self.since_of(room_id));
            let high = found.position.min(self.now.position(stream_of(room_id)));
            let limit = record.view.timeline_limit;
            let stretch = Stretch {
                after: low,
                until: high,
                limit,
            };
            let timeline = self.timeline(tx, room_id, stretch, &seen).await?;
            answer.timeline = self.written(&timeline.events);
            answer.limited = timeline.limited;
            answer.num_live = Some(timeline.events.len());
            answer.prev_batch = Some(Place(timeline.start).to_string());
        }
        answer.required_state = self.written(&end);
        Ok(answer)
    }
}
