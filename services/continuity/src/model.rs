//! The nouns of continuity and their rules: no SQL, no HTTP, no clock.

mod drill;
pub mod examination;
mod incident;
mod live;
mod site;
mod topology;

pub(crate) use drill::figures;
pub use drill::{Drill, DrillId, DrillNoun, DrillRefusal};
pub use incident::{Incident, IncidentId, IncidentNoun, SiteNews, SiteWatch, WatchedNode};
pub use live::{
    DrainStep, EngineFacts, EngineView, EtcdFact, EtcdRole, LiveSite, NodeFact, PostgresFact, PostgresRole,
    check_leaving, drain_steps, live_sites,
};
pub use site::{NewSite, Site, SiteName, SiteRefusal, SiteState, check_change, check_new};
pub use topology::{SITES_MIN, Topology, TopologyError, Vote, check_settings, check_topology};
