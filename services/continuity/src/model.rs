//! The nouns of continuity and their rules: no SQL, no HTTP, no clock.

mod site;

pub use site::{NewSite, Site, SiteName, SiteRefusal, SiteState, check_change, check_new};
