//! Pay: a wallet for each person and a double-entry ledger under them.

mod api;
pub mod model;
pub mod ops;
mod store;
#[cfg(test)]
mod tests;

use haechi_base::{Actor, Money, PersonId, Time};
use haechi_chat::Chat;
use haechi_cluster::OwnedBatcher;
use haechi_identity::Identity;
use haechi_service::{Context, OpenApiRouter, Service};
use haechi_store::{BatchLimits, Migration, Migrations, Store, StoreError, Tx, WriteKey};

use model::{BATCH_TRANSFERS_MAX, Transfer, TransferId};
use ops::{PayError, TopUp, TransferRequest};

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Pay {
    context: Context,
    identity: Identity,
    transfers: OwnedBatcher<TransferRequest, Result<Transfer, PayError>>,
}

impl Pay {
    /// The service on its store. Must be called within a tokio runtime.
    #[must_use]
    pub fn new(context: Context, identity: Identity, chat: Chat) -> Self {
        let limits = BatchLimits {
            members_max: BATCH_TRANSFERS_MAX,
            ..BatchLimits::default()
        };
        let store = context.store.clone();
        let transfers = OwnedBatcher::start(&context.cluster, "pay.transfers", limits, move |requests| {
            transfer_batch(store.clone(), chat.clone(), requests)
        });
        Self {
            context,
            identity,
            transfers,
        }
    }

    /// Moves money, together with whoever asks at the same time; the answer comes once it is durable.
    ///
    /// # Errors
    /// [`PayError`].
    pub async fn transfer(&self, request: TransferRequest) -> Result<Transfer, PayError> {
        self.transfers.submit(request).await?
    }

    /// Adds money to a wallet, once for each `key`. The caller has seen to it that `operator` may.
    ///
    /// # Errors
    /// [`PayError`].
    pub async fn top_up(
        &self,
        operator: &str,
        key: &str,
        to: PersonId,
        amount: Money,
    ) -> Result<Transfer, PayError> {
        let now = self.context.now();
        let request = TopUp {
            transfer_id: TransferId::new(now),
            to,
            amount,
        };
        let fingerprint = format!("{to} {} {}", amount.amount, amount.currency);
        let key = WriteKey::client(&format!("pay.top_up/{operator}"), key, fingerprint.as_bytes());
        let write = async move |tx: &mut Tx<'_>| ops::top_up(tx, request, now).await;
        self.context.store.write(key, write).await
    }

    /// Whether this node makes the batches of transfers.
    #[cfg(test)]
    pub(crate) fn is_here(&self) -> bool {
        self.transfers.is_here()
    }

    fn now(&self) -> Time {
        self.context.now()
    }
}

/// One batch is one transaction. It may be repeated after it was committed: each member has a key of its own.
async fn transfer_batch(
    store: Store,
    chat: Chat,
    requests: Vec<TransferRequest>,
) -> Vec<Result<Transfer, PayError>> {
    let members = requests.len();
    let now = store.now();
    let outcome: Result<_, StoreError> = store
        .write_unkeyed(async move |tx: &mut Tx<'_>| ops::transfer_all(tx, &chat, &requests, now).await)
        .await;
    outcome.unwrap_or_else(|error| vec![Err(error.into()); members])
}

/// The scope in which an idempotency key of a person is unique.
fn scoped_key(actor: &Actor, key: &str) -> String {
    format!("{}/{key}", actor.person)
}

impl Service for Pay {
    fn name(&self) -> &'static str {
        "pay"
    }

    fn migrations(&self) -> Migrations {
        Migrations {
            service: "pay",
            steps: &[Migration {
                number: 1,
                name: "ledger",
                sql: include_str!("../migrations/0001_ledger.sql"),
            }],
        }
    }

    fn routes(&self) -> OpenApiRouter {
        api::routes(self.clone())
    }
}
