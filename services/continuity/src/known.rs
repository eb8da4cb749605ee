//! The list of sites as a node remembers it: clients ask for it most of all when the store cannot be asked.

use std::sync::Arc;
use std::time::Duration;

use haechi_base::Time;
use haechi_store::{StoreError, Tx};
use parking_lot::RwLock;
use tokio::sync::Mutex;

use crate::model::Site;
use crate::ops;

/// How long the list is told without asking the store again.
const FRESH: Duration = Duration::from_secs(1);

/// How long the store may take before the list that is remembered is told instead.
const ASK_DURATION_MAX: Duration = Duration::from_millis(500);

/// The list, and when the store was last asked for it.
#[derive(Debug, Default)]
pub(crate) struct KnownSites {
    remembered: RwLock<Option<Remembered>>,
    asking: Mutex<()>,
}

#[derive(Debug, Clone)]
struct Remembered {
    asked_at: Time,
    sites: Arc<[Site]>,
}

impl KnownSites {
    /// The sites, at most [`FRESH`] old while the store answers, and as old as it must be while it does not.
    ///
    /// # Errors
    /// [`StoreError`] when they were never read.
    pub(crate) async fn get(&self, store: &haechi_store::Store) -> Result<Arc<[Site]>, StoreError> {
        let remembered = self.remembered.read().clone();
        if let Some(known) = remembered {
            // One asks; the others need not wait for it.
            let is_fresh = store.now().since(known.asked_at) < FRESH;
            let Some(_asking) = (!is_fresh).then(|| self.asking.try_lock().ok()).flatten() else {
                return Ok(known.sites);
            };
            let answer = tokio::time::timeout(ASK_DURATION_MAX, read(store)).await;
            return Ok(match answer {
                Ok(Ok(sites)) => self.remember(store.now(), sites),
                Ok(Err(_)) | Err(_) => self.remember(store.now(), known.sites),
            });
        }
        let _asking = self.asking.lock().await;
        let sites = read(store).await?;
        Ok(self.remember(store.now(), sites))
    }

    /// What was told last, without asking anybody.
    pub(crate) fn last(&self) -> Option<Arc<[Site]>> {
        self.remembered
            .read()
            .as_ref()
            .map(|known| Arc::clone(&known.sites))
    }

    /// Has the store asked at the next chance: something was changed here.
    pub(crate) fn expire(&self) {
        if let Some(known) = self.remembered.write().as_mut() {
            known.asked_at = Time::from_micros(0);
        }
    }

    fn remember(&self, asked_at: Time, sites: Arc<[Site]>) -> Arc<[Site]> {
        let kept = Remembered {
            asked_at,
            sites: Arc::clone(&sites),
        };
        *self.remembered.write() = Some(kept);
        sites
    }
}

async fn read(store: &haechi_store::Store) -> Result<Arc<[Site]>, StoreError> {
    let read = async |tx: &mut Tx<'_>| ops::all_sites(tx).await;
    store.read(read).await.map(Arc::from)
}
