//! What a node tells of itself to who holds the master key: for `haechi doctor`.

use std::collections::BTreeMap;

use haechi_base::Time;
use haechi_service::Context;
use serde::{Deserialize, Serialize};

use crate::settings::Settings;

/// The question's name among nodes.
pub(crate) const QUESTION: &str = "report";

/// Paths that one question may name.
const PATHS_MAX: usize = 8;

/// What is asked.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Question {
    /// Folders whose disks to look at, where they are on this machine.
    pub(crate) paths: Vec<String>,
}

/// What is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    /// What time it is here.
    pub(crate) now: Time,
    pub(crate) is_clock_trusted: bool,
    /// The settings that must be alike everywhere.
    pub(crate) settings: BTreeMap<String, String>,
    /// Requests answered since the start.
    pub(crate) requests_answered: u64,
    /// The disk that the node runs on.
    pub(crate) disk: Option<Free>,
    /// The disks of the folders that were asked for and are here.
    pub(crate) disks: BTreeMap<String, Free>,
}

/// A disk, in bytes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Free {
    pub(crate) free_bytes: u64,
    pub(crate) size_bytes: u64,
}

/// Has this node answer from now on.
pub(super) fn answer(settings: &Settings, context: &Context) {
    let settings = settings.alike(&context.secrets);
    let (clock, cluster) = (context.clock.clone(), context.cluster.clone());
    context
        .cluster
        .answer(QUESTION, move |question: Question| Report {
            now: clock.now(),
            is_clock_trusted: cluster.clock_is_trusted(),
            settings: settings.clone(),
            requests_answered: haechi_http::requests_answered(),
            disk: free(&std::env::current_dir().unwrap_or_default().display().to_string()),
            disks: question
                .paths
                .into_iter()
                .take(PATHS_MAX)
                .filter_map(|path| free(&path).map(|free| (path, free)))
                .collect(),
        });
}

/// How full the disk is that this path is on; `None` when there is no such path here.
pub(crate) fn free(path: &str) -> Option<Free> {
    let told = rustix::fs::statvfs(path).ok()?;
    Some(Free {
        free_bytes: told.f_bavail.saturating_mul(told.f_frsize),
        size_bytes: told.f_blocks.saturating_mul(told.f_frsize),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::free;

    #[test]
    fn a_disk_is_looked_at_where_the_folder_is_here() {
        let here = free("/").unwrap();
        assert!(
            here.size_bytes > 0 && here.free_bytes <= here.size_bytes,
            "{here:?}"
        );
        assert!(free("/nobody/has/such/a/folder").is_none());
    }
}
