//! All SQL of continuity, and the only place that touches its tables.

mod site;

pub(crate) use site::{all_sites, insert_site, set_state};
