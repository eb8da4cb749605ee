//! The generations of a session's refresh tokens, through everything that a network and a fail-over do to requests.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use crate::model::{GivenToken, LATE_REFRESH_MAX, RefreshStep, refresh_step};

const MOMENT: Duration = Duration::from_secs(1);

fn given(generation: u32, replaced_for: Option<Duration>) -> GivenToken {
    GivenToken {
        generation,
        replaced_for,
    }
}

#[test]
fn a_late_token_waits_and_a_used_one_ends_the_session() {
    let late = Some(LATE_REFRESH_MAX);
    let used = Some(LATE_REFRESH_MAX + MOMENT);
    for (generation, used_generation, token, step) in [
        (3, 2, given(3, None), RefreshStep::Rotate),
        (3, 2, given(2, used), RefreshStep::Repeat),
        (3, 3, given(2, late), RefreshStep::Wait),
        (9, 9, given(2, late), RefreshStep::Wait),
        (3, 3, given(2, used), RefreshStep::End),
        (3, 3, given(2, None), RefreshStep::End),
        (3, 0, given(1, None), RefreshStep::End),
        (3, 3, given(4, None), RefreshStep::Rotate),
        (3, 3, given(0, late), RefreshStep::Refuse),
    ] {
        assert_eq!(
            refresh_step(generation, used_generation, token),
            step,
            "{generation} {used_generation} {token:?}"
        );
    }
}

/// What a client, its network and the sites do.
#[derive(Debug, Clone, Copy)]
enum Turn {
    ClientRefreshes {
        answer_is_lost: bool,
        /// The same request stays in a node that hangs, and is done later.
        is_left_behind: bool,
    },
    ClientRefreshesWithoutPrimary {
        /// How many rotations the standby has not heard of.
        lag: u32,
    },
    ClientUsesAccessToken,
    NodeWakes,
    UnacknowledgedCommitIsLost,
    TimePasses(u64),
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        4 => any::<(bool, bool)>().prop_map(|(answer_is_lost, is_left_behind)| Turn::ClientRefreshes {
            answer_is_lost,
            is_left_behind,
        }),
        1 => (0..3_u32).prop_map(|lag| Turn::ClientRefreshesWithoutPrimary { lag }),
        3 => Just(Turn::ClientUsesAccessToken),
        3 => Just(Turn::NodeWakes),
        1 => Just(Turn::UnacknowledgedCommitIsLost),
        1 => (0..50_u64).prop_map(Turn::TimePasses),
    ]
}

/// A session in the store, and the client that has it.
struct World {
    generation: u32,
    used: u32,
    held: u32,
    now: Duration,
    replaced_at: HashMap<u32, Duration>,
    left_behind: Vec<(u32, Duration)>,
}

impl World {
    fn step(&self, token: u32) -> RefreshStep {
        let ago = self.replaced_at.get(&token).map(|at| self.now - *at);
        refresh_step(self.generation, self.used, given(token, ago))
    }

    fn refresh(&mut self, token: u32) -> RefreshStep {
        let step = self.step(token);
        match step {
            RefreshStep::Rotate => self.generation = token + 1,
            RefreshStep::Repeat => {}
            RefreshStep::Wait | RefreshStep::End | RefreshStep::Refuse => return step,
        }
        self.replaced_at.insert(token, self.now);
        step
    }

    fn turn(&mut self, turn: Turn) -> Result<(), TestCaseError> {
        match turn {
            Turn::ClientRefreshes {
                answer_is_lost,
                is_left_behind,
            } => {
                if is_left_behind {
                    self.left_behind.push((self.held, self.now));
                }
                let step = self.refresh(self.held);
                prop_assert!(
                    matches!(step, RefreshStep::Rotate | RefreshStep::Repeat),
                    "{:?}",
                    step
                );
                if !answer_is_lost {
                    self.held = self.generation;
                }
            }
            Turn::ClientRefreshesWithoutPrimary { lag } => {
                let shown = self.generation.saturating_sub(lag).max(1);
                let step = refresh_step(shown, self.used.min(shown), given(self.held, None));
                // It keeps the token that it has.
                prop_assert!(
                    matches!(step, RefreshStep::Rotate | RefreshStep::Repeat),
                    "{:?}",
                    step
                );
            }
            Turn::ClientUsesAccessToken => self.used = self.used.max(self.held),
            Turn::NodeWakes => {
                for (token, sent_at) in std::mem::take(&mut self.left_behind) {
                    if self.now - sent_at <= LATE_REFRESH_MAX {
                        let step = self.refresh(token);
                        prop_assert!(
                            !matches!(step, RefreshStep::End | RefreshStep::Refuse),
                            "{:?}",
                            step
                        );
                    }
                }
            }
            Turn::UnacknowledgedCommitIsLost => self.generation = self.held,
            Turn::TimePasses(seconds) => self.now += Duration::from_secs(seconds),
        }
        Ok(())
    }
}

proptest! {
    /// Whatever answers are lost on their way, whatever comes late and whatever commit is lost, a client that nobody
    /// robbed is never signed out.
    #[test]
    fn an_honest_client_is_never_signed_out(turns in prop::collection::vec(turn(), 0..60)) {
        let mut world = World {
            generation: 1,
            used: 0,
            held: 1,
            now: Duration::ZERO,
            replaced_at: HashMap::new(),
            left_behind: Vec::new(),
        };
        for turn in turns {
            world.turn(turn)?;
        }
    }

    /// Whoever of client and thief comes second with a token that both hold, the session ends, once the first
    /// one's new token was used and a late request is out of the question. Until then the second gets nothing.
    #[test]
    fn a_stolen_token_ends_the_session(generation in 1..1_000_u32, later in 0..100_u32, ago_s in 0..10_000_u64) {
        let stolen = generation;
        prop_assert_eq!(refresh_step(generation, generation, given(stolen, None)), RefreshStep::Rotate);
        let generation = generation + 1 + later;
        let ago = Duration::from_secs(ago_s);
        let step = refresh_step(generation, generation, given(stolen, Some(ago)));
        let expected = if ago <= LATE_REFRESH_MAX { RefreshStep::Wait } else { RefreshStep::End };
        prop_assert_eq!(step, expected);
        prop_assert_eq!(refresh_step(generation, generation, given(stolen, None)), RefreshStep::End);
    }
}
