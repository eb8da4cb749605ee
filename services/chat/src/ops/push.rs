//! Pushes: who is told, beyond their syncs, of what was said.
//!
//! Off the hot path: a batch that is committed only notes its rooms (`committed`). The owner of each stream looks at what is
//! new there (`pass`), decides by everybody's own rules (`decide`), and sends (`deliver`). How far it has come is kept in the
//! store, and moved on only after each push was taken or is kept to be tried again (`late`). So an owner that dies leaves its
//! work to the next one: what it had not noted yet is pushed again, and nothing is left out.

mod committed;
mod decide;
mod deliver;
mod late;
mod pass;

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::Chat;
use crate::gateway::{Gateways, HouseKey};
use crate::model::{KeptPusher, Notice, STREAMS, Verdict};

pub(crate) use committed::Committed;
pub(crate) use late::handler as late_pushes;

/// What pushing needs.
pub(super) struct Pushes {
    pub(super) gateways: Gateways,
    pub(super) house_key: OnceCell<Arc<HouseKey>>,
}

impl Pushes {
    pub(super) fn new(allows_any_address: bool) -> Self {
        Self {
            gateways: Gateways::new(allows_any_address),
            house_key: OnceCell::new(),
        }
    }
}

/// One event that one pusher is to be told of.
#[derive(Debug, Clone)]
struct Push {
    pusher: KeptPusher,
    user_id: Arc<str>,
    notice: Arc<Notice>,
    verdict: Arc<Verdict>,
    /// The person's unread messages everywhere.
    unread: u32,
}

impl Chat {
    /// Begins to push what this node owns, until the program ends.
    pub(super) fn start_pushing(&self) {
        for stream in 0..STREAMS {
            tokio::spawn(self.clone().push_until_shutdown(stream));
        }
    }
}
