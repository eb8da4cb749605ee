//! All SQL of continuity, and the only place that touches its tables.

mod drill;
mod incident;
mod site;

pub(crate) use drill::{drills, insert_drill};
pub(crate) use incident::{incidents, insert_incident, latest_incident, set_lost_at, set_returned_at};
pub(crate) use site::{all_sites, insert_site, set_capacity, set_state};
