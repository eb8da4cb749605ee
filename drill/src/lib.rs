//! The drill: four data centres on this machine, real clients, one site struck, every acknowledged write read back.

mod disk;
mod etcd;
mod fault;
mod http;
pub mod install;
mod keeper;
pub mod load;
mod network;
mod patroni;
mod processes;
mod rejoin;
pub mod report;
mod run;
mod site;
mod sites;
mod strike;
pub mod verify;
pub mod view;
mod wait;

pub use fault::{Fault, FaultKind, Target};
pub use network::{enter_hub, is_in_hub};
pub use run::{DrillOptions, run};
pub use sites::{Sites, SitesOptions};
