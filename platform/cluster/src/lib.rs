//! The node in a cluster: who is alive, who leads, live updates between nodes, and the detector of a silent site.

mod cluster;
pub mod detector;
mod etcd;
mod leadership;

pub use cluster::Cluster;
pub use etcd::{Etcd, EtcdError};
pub use leadership::{MemberState, PatroniKeys, PatroniLeadership};
