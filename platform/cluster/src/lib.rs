//! The node in a cluster: who is alive, who leads, live updates between nodes, and the detector of a silent site.

mod cluster;

pub use cluster::Cluster;
