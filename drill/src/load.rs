//! The load: real clients over HTTP at all sites, and a note of everything they sent and were promised.

mod options;

pub use options::{Administrator, Clients, Live, LoadOptions, Phase, SiteAddress, SiteLive};

use anyhow::Result;

/// A load under way.
pub struct Load {}

/// What the clients noted.
pub struct Record {}

impl Load {
    /// Signs people up and starts all clients. The phase is [`Phase::WarmUp`].
    ///
    /// # Errors
    /// The sites refuse to sign people up.
    pub async fn start(_sites: &[SiteAddress], _options: LoadOptions) -> Result<Self> {
        anyhow::bail!("not yet")
    }

    /// Notes that a phase begins now.
    pub fn mark(&self, _phase: Phase) {}

    /// The figures of this moment.
    #[must_use]
    pub fn live(&self) -> Live {
        Live::default()
    }

    /// Ends the load: what is under way is waited for, a little while, and receivers read what is left.
    pub async fn stop(self) -> Record {
        Record {}
    }
}
