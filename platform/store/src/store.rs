//! The store as the services hold it: transactions in, results out, on whichever engine the URL names.

use std::fmt;
use std::sync::Arc;

use haechi_base::{Clock, Time};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::{Leadership, StoreError, StoreLimits, StoreUrl, Tx, WriteKey};

/// One transactional store. Cheap to clone; the last clone to go closes it.
#[derive(Clone)]
pub struct Store {
    engine: Arc<Engine>,
    clock: Arc<dyn Clock>,
}

enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match *self.engine {
            Engine::Sqlite(_) => "Store(sqlite)",
            Engine::Postgres(_) => "Store(postgres)",
        })
    }
}

impl Store {
    /// Opens the store. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the embedded file cannot be opened. PostgreSQL is not asked yet: a node
    /// starts and waits when no database can be reached.
    pub fn open(url: &StoreUrl, limits: &StoreLimits, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::open_led(url, limits, clock, None)
    }

    /// As [`Store::open`], on a cluster: writes go to whom `leadership` names, and are acknowledged only once it
    /// confirmed, after COMMIT, that this one still leads. The embedded engine has no use for it.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_led(
        url: &StoreUrl,
        limits: &StoreLimits,
        clock: Arc<dyn Clock>,
        leadership: Option<Arc<dyn Leadership>>,
    ) -> Result<Self, StoreError> {
        let engine = match url {
            StoreUrl::Sqlite(path) => Engine::Sqlite(Sqlite::open(path, limits)?),
            StoreUrl::Postgres(config) => Engine::Postgres(Postgres::open(config, limits, leadership)?),
        };
        Ok(Self {
            engine: Arc::new(engine),
            clock,
        })
    }

    /// Runs a serializable write and keeps it: the answer comes only after it is durable.
    ///
    /// A client's `key` makes it happen once: the answer is recorded in the same transaction and given again
    /// when the same request comes back with the key. A [`WriteKey::fresh`] protects the store's own retry.
    /// The code may run several times, so it awaits nothing but its `tx` (see [`Tx`]). It runs to its end even
    /// when the caller goes away.
    ///
    /// # Errors
    /// Whatever the code refuses with, and [`StoreError`]; then nothing was kept, but for
    /// [`StoreError::Unknown`].
    pub async fn write<T, E, F>(&self, key: WriteKey, transaction: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let now = self.now();
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.write(Some(key), now, transaction).await,
            Engine::Postgres(postgres) => postgres.write(Some(key), now, transaction).await,
        }
    }

    /// Runs a serializable write that may be repeated even after it was committed, because what it does when
    /// run again is nothing more: an upsert, or a batch whose members carry keys of their own.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_unkeyed<T, E, F>(&self, transaction: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.write_unkeyed(transaction).await,
            Engine::Postgres(postgres) => postgres.write_unkeyed(transaction).await,
        }
    }

    /// Runs a read on one snapshot. Without a primary it is served by a standby, which [`Store::is_degraded`]
    /// then says.
    ///
    /// # Errors
    /// Whatever the code refuses with, and [`StoreError`].
    pub async fn read<T, E, F>(&self, transaction: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.read(transaction).await,
            Engine::Postgres(postgres) => postgres.read(transaction).await,
        }
    }

    /// Whether reads are served by a host that cannot write.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        match &*self.engine {
            Engine::Sqlite(_) => false,
            Engine::Postgres(postgres) => postgres.is_degraded(),
        }
    }

    /// The present moment by the store's clock.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }
}
