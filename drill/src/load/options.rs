//! What a load is told, and what it tells while it runs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A site as its clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteAddress {
    /// Its name.
    pub name: String,
    /// Where its node listens.
    pub http: SocketAddr,
    /// Its share of the clients, by comparison with the other sites' weights.
    pub weight: u32,
}

/// The parts of a round. Each begins when it is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// The clients begin; nothing is measured.
    WarmUp,
    /// All sites carry the load.
    Steady,
    /// The fault was just injected; the stall counts from here. Mark it right before the blow.
    Struck,
    /// What was broken was given back; the site is on its way.
    Restored,
    /// The site has rejoined.
    Settled,
}

impl Phase {
    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WarmUp => "warm-up",
            Self::Steady => "steady",
            Self::Struck => "struck",
            Self::Restored => "restored",
            Self::Settled => "settled",
        }
    }
}

/// How many clients of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clients {
    /// Who send messages, two in a room.
    pub chat: usize,
    /// Who sync, each in the room of two who send.
    pub receivers: usize,
    /// Who send money to a neighbour.
    pub pay: usize,
    /// Who refresh their sign-in.
    pub refresh: usize,
    /// Who upload and download.
    pub media: usize,
    /// Who read messages and wallets.
    pub readers: usize,
}

impl Default for Clients {
    fn default() -> Self {
        Self {
            chat: 32,
            receivers: 8,
            pay: 16,
            refresh: 8,
            media: 4,
            readers: 8,
        }
    }
}

/// How an administrator is made, who gives out the money that is sent around.
#[derive(Debug, Clone)]
pub struct Administrator {
    /// The program, for `admin grant`.
    pub program: PathBuf,
    /// The store's URL.
    pub store: String,
    /// What the program needs in its environment, such as `HAECHI_MASTER_KEY`.
    pub environment: Vec<(String, String)>,
}

/// How much load.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// How many clients.
    pub clients: Clients,
    /// How an administrator is made.
    pub administrator: Administrator,
    /// How long a chat or pay client waits after an acknowledgement before it sends again.
    pub pause: Duration,
    /// How long the others (refreshes, media, readers) wait after an answer before they ask again.
    pub slow_pause: Duration,
}

impl LoadOptions {
    /// The usual load.
    #[must_use]
    pub fn new(administrator: Administrator) -> Self {
        Self {
            clients: Clients::default(),
            administrator,
            pause: Duration::ZERO,
            slow_pause: Duration::from_millis(100),
        }
    }
}

/// The figures of a moment, for the view.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// Acknowledged writes so far.
    pub acknowledged: u64,
    /// How long ago the last write was acknowledged.
    pub since_acknowledged: Duration,
    /// Reads answered so far.
    pub reads: u64,
    /// Reads that failed so far.
    pub read_failures: u64,
    /// Sign-ins that failed so far.
    pub signin_failures: u64,
    /// By site, in the order of the addresses.
    pub sites: Vec<SiteLive>,
}

/// The figures of a site at a moment.
#[derive(Debug, Clone, Default)]
pub struct SiteLive {
    /// Requests its node answered so far, failures not counted.
    pub answered: u64,
    /// The longest it was silent since the strike, while clients asked it.
    pub stall: Duration,
}
