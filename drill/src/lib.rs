//! The drill: four data centres on this machine, real clients, one site struck, every acknowledged write read back.

mod etcd;
mod http;
pub mod install;
mod keeper;
pub mod load;
mod network;
mod patroni;
mod processes;
pub mod report;
mod site;
mod sites;
pub mod verify;
pub mod view;
mod wait;

pub use network::{enter_hub, is_in_hub};
pub use sites::{Sites, SitesOptions};
