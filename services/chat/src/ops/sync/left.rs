//! The state of a room that somebody is out of, for a sync.

use haechi_store::Tx;

use super::super::read_room::{View, state_at};
use super::super::timeline::Timeline;
use super::room::{RoomReader, state_before};
use crate::model::{ChatError, Event};
use crate::store;
use crate::store::memberships::FoundMember;

impl RoomReader<'_> {
    /// The state where the timeline of a room begins that the person is out of, as far as it is new.
    pub(super) async fn state_of_left(
        &self,
        tx: &mut Tx<'_>,
        found: &FoundMember,
        since: i64,
        timeline: &Timeline,
    ) -> Result<Vec<Event>, ChatError> {
        let Ok(view) = View::of(Some(found)) else {
            return Ok(Vec::new());
        };
        let filter = self.wish.filter.state();
        let with_members = !filter.lazy_loads_members();
        let state = store::state::of_room(tx, &found.room_id, since, i64::MAX, with_members).await?;
        let from = if self.wish.full_state { 0 } else { since };
        let then = state_at(tx, state, view.until).await?;
        let mut state = state_before(tx, then, &timeline.events, from).await?;
        state.retain(|event| event.position > from && filter.wants(event, self.chat.server_name()));
        Ok(state)
    }
}
