//! The cluster as services hold it.

use std::sync::Arc;

/// The nodes of all sites, as one of them sees them. Cheap to clone.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    site: Option<String>,
}

impl Cluster {
    /// A node that has no others: an embedded store, a test, or a single machine.
    #[must_use]
    pub fn alone() -> Self {
        Self(Arc::new(Inner { site: None }))
    }

    /// The site (data centre) that this node stands in, when it was told one.
    #[must_use]
    pub fn site(&self) -> Option<&str> {
        self.0.site.as_deref()
    }
}
