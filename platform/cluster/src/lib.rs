//! The node in a cluster: who is alive, who leads, live updates between nodes, and the detector of a silent site.

mod beat;
mod calls;
mod clock_check;
mod cluster;
pub mod detector;
mod etcd;
mod hints;
mod joined;
mod leadership;
mod lease;
mod link;
mod node;
mod owned;
mod pass;
mod question;
mod routes;
mod store;

pub use cluster::{Cluster, ClusterError, MIGRATIONS};
pub use etcd::{Etcd, EtcdError};
pub use leadership::{MemberState, PatroniKeys, PatroniLeadership};
pub use node::{Node, NodeId, NodeSettings, SeenNode};
pub use owned::{Lease, OwnedBatcher};
pub use question::{Asker, QuestionFailed, read_nodes};
