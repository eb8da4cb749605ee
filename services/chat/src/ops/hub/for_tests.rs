//! What tests see of the hub, and how busy they make it.

use std::time::Duration;

use haechi_base::PersonId;

use super::Hub;
use super::pace::Pace;

impl Hub {
    /// Whether a person asks for news.
    pub(crate) fn is_asking(&self, person: PersonId) -> bool {
        let state = self.state.lock();
        let listener = state.people.get(&person);
        listener.is_some_and(|listener| listener.news.receiver_count() > 0)
    }

    /// Whether it is known what a person's sync would find.
    pub(crate) fn is_known(&self, person: PersonId) -> bool {
        let state = self.state.lock();
        let listener = state.people.get(&person);
        listener.is_some_and(|listener| listener.mind.is_some())
    }

    /// As if the node were so busy that each person rests as long as this, and woke nobody yet: how many it woke since is
    /// said by [`Hub::woken`].
    pub(crate) fn make_busy(&self, rest: Duration) {
        let mut state = self.state.lock();
        state.pace = Pace::default();
        state.pace.set_rest(rest);
    }

    /// How many of those who waited were noted as woken.
    pub(crate) fn woken(&self) -> u32 {
        self.state.lock().pace.woken()
    }
}
