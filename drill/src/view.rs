//! The live view in the terminal.

use crate::load::{Live, Phase};

/// A site's state, for its line.
#[derive(Debug, Clone, Default)]
pub struct SiteView {
    /// `running`, `burnt`, `frozen`, `cut`, `rejoining`, ...
    pub state: String,
    /// Whether its PostgreSQL leads.
    pub leads: bool,
    /// Whether its etcd member leads.
    pub etcd_leads: bool,
}

/// The view.
pub struct View {}

impl View {
    /// A view of these sites.
    #[must_use]
    pub fn new(_sites: &[String]) -> Self {
        Self {}
    }

    /// Something that is worth a line of its own.
    pub fn say(&self, _line: &str) {}

    /// A phase begins: the title of what happens, and how long it may take.
    pub fn phase(&self, _phase: Phase, _what: &str) {}

    /// How far this step is, from 0 to 1.
    pub fn progress(&self, _share: f64) {}

    /// Shows the present state. Call it several times a second.
    pub fn show(&self, _sites: &[SiteView], _live: &Live) {}

    /// Leaves the terminal tidy.
    pub fn finish(&self) {}
}
