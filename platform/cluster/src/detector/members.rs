//! etcd's members, by the sites they stand in: they are the data centres that a majority is counted of.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::time::sleep;

use crate::{Etcd, EtcdError};

/// How often the list is read again: sites are added and retired seldom.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// One member of etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EtcdMember {
    pub(super) id: u64,
    /// Its name, which is its site's.
    pub(super) site: String,
    url: Option<String>,
}

/// The members as last heard. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct EtcdMembers(Arc<RwLock<Vec<EtcdMember>>>);

impl EtcdMembers {
    /// Reads the list again and again until it is dropped.
    pub(super) async fn follow(self, etcd: Etcd) {
        loop {
            match list(&etcd).await {
                Ok(members) => *self.0.write() = members,
                Err(error) => tracing::debug!(%error, "etcd's members are not known anew"),
            }
            sleep(LOOK_EVERY).await;
        }
    }

    pub(super) fn all(&self) -> Vec<EtcdMember> {
        self.0.read().clone()
    }

    /// Where a site's etcd answers.
    pub(super) fn url_of(&self, site: &str) -> Option<String> {
        let members = self.0.read();
        members
            .iter()
            .find(|member| member.site == site)
            .and_then(|member| member.url.clone())
    }

    /// How many sites are a majority; none before the members are known.
    pub(super) fn majority(&self) -> Option<usize> {
        majority_of(self.0.read().len())
    }
}

/// More than half.
fn majority_of(sites: usize) -> Option<usize> {
    (sites > 0).then_some(sites / 2 + 1)
}

async fn list(etcd: &Etcd) -> Result<Vec<EtcdMember>, EtcdError> {
    let found = etcd
        .ask(|mut client| async move { client.member_list().await })
        .await?;
    let voting = found.members().iter().filter(|member| !member.is_learner());
    Ok(voting
        .map(|member| EtcdMember {
            id: member.id(),
            site: member.name().to_owned(),
            url: member.client_urls().first().cloned(),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_is_more_than_half() {
        assert_eq!(majority_of(0), None);
        assert_eq!(majority_of(3), Some(2));
        assert_eq!(majority_of(4), Some(3));
        assert_eq!(majority_of(5), Some(3));
    }
}
