//! Transfers between people, many in one transaction: the hot path of the ledger.
//!
//! All keys are claimed by one upsert, all wallets are read at once, each transfer is decided in memory in the
//! order of arrival, and all that changed is written at once. A refused member is refused alone.

use std::collections::HashMap;

use haechi_base::{Actor, Money, PersonId, Time};
use haechi_chat::Chat;
use haechi_store::{StoreError, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::PayError;
use crate::model::{self, Transfer, TransferId, TransferKind, TransferRefusal, Wallet, message_body};
use crate::store::{self, ClaimedKey, Posting};

/// One transfer that is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TransferRequest {
    /// The idempotency key, unique over all people: it begins with the payer's id.
    pub key: String,
    /// Tells a repetition from another request under the same key.
    pub fingerprint: [u8; 32],
    /// The id that the transfer is to have.
    pub transfer_id: TransferId,
    /// Who pays.
    pub payer: Actor,
    /// Who receives.
    pub to: PersonId,
    /// The receiver as the chat names them.
    pub to_user_id: String,
    /// How much.
    pub amount: Money,
    /// What the payer wrote.
    pub memo: Option<String>,
    /// The room to tell of it in, in the same transaction.
    pub room_id: Option<String>,
}

/// One transfer inside the caller's own transaction.
///
/// # Errors
/// [`PayError`]; then the caller refuses its transaction.
pub async fn transfer(
    tx: &mut Tx<'_>,
    chat: &Chat,
    request: TransferRequest,
    now: Time,
) -> Result<Transfer, PayError> {
    let mut outcomes = transfer_all(tx, chat, &[request], now).await?;
    outcomes
        .pop()
        .unwrap_or(Err(PayError::Store(StoreError::Panicked)))
}

/// Transfers, in order; each is done or refused for itself.
///
/// # Errors
/// [`StoreError`]: then none was done.
pub async fn transfer_all(
    tx: &mut Tx<'_>,
    chat: &Chat,
    requests: &[TransferRequest],
    now: Time,
) -> Result<Vec<Result<Transfer, PayError>>, StoreError> {
    let claims = Claims::of(tx, requests, now).await?;
    let mut batch = Batch::read(tx, chat, requests, now).await?;
    let mut outcomes: Vec<Result<Transfer, PayError>> = Vec::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate() {
        let outcome = match claims.of_request(index, request) {
            Claim::New => batch.decide(tx, request).await?,
            Claim::Done(transfer) => Ok(transfer.clone()),
            Claim::Twin(first) => outcomes
                .get(first)
                .cloned()
                .unwrap_or(Err(StoreError::Panicked.into())),
            Claim::Reused => Err(StoreError::KeyReused.into()),
        };
        outcomes.push(outcome);
    }
    let refused: Vec<String> = requests
        .iter()
        .zip(&outcomes)
        .enumerate()
        .filter(|(index, (request, outcome))| {
            outcome.is_err() && matches!(claims.of_request(*index, request), Claim::New)
        })
        .map(|(_, (request, _))| request.key.clone())
        .collect();
    store::release_keys(tx, &refused).await?;
    batch.write(tx).await?;
    Ok(outcomes)
}

/// What the keys of a batch turned out to be.
struct Claims {
    claimed: HashMap<String, ClaimedKey>,
    done: HashMap<TransferId, Transfer>,
    first: HashMap<String, usize>,
}

enum Claim<'c> {
    /// Not asked for before.
    New,
    /// Done by an earlier transaction.
    Done(&'c Transfer),
    /// Asked for twice in this batch: the answer of the first counts.
    Twin(usize),
    /// The key belongs to another request.
    Reused,
}

impl Claims {
    async fn of(tx: &mut Tx<'_>, requests: &[TransferRequest], now: Time) -> Result<Self, StoreError> {
        let mut first = HashMap::with_capacity(requests.len());
        let mut keys = Vec::with_capacity(requests.len());
        for (index, request) in requests.iter().enumerate() {
            // A VALUES list must not name a key twice.
            first.entry(request.key.clone()).or_insert_with(|| {
                keys.push(ClaimedKey {
                    name: request.key.clone(),
                    fingerprint: request.fingerprint,
                    transfer_id: request.transfer_id,
                    is_repeated: false,
                });
                index
            });
        }
        let claimed: HashMap<String, ClaimedKey> = store::claim_keys(tx, &keys, now)
            .await?
            .into_iter()
            .map(|key| (key.name.clone(), key))
            .collect();
        // This very batch may have been committed before, and its answer lost: then all of its keys are repeated.
        let repeated: Vec<TransferId> = claimed
            .values()
            .filter(|key| key.is_repeated)
            .map(|key| key.transfer_id)
            .collect();
        let done = store::find_transfers(tx, &repeated)
            .await?
            .into_iter()
            .map(|transfer| (transfer.transfer_id, transfer))
            .collect();
        Ok(Self { claimed, done, first })
    }

    fn of_request(&self, index: usize, request: &TransferRequest) -> Claim<'_> {
        let first = self.first.get(&request.key).copied().unwrap_or(index);
        match self.claimed.get(&request.key) {
            Some(claimed) if claimed.fingerprint != request.fingerprint => Claim::Reused,
            _ if first != index => Claim::Twin(first),
            Some(claimed) => self
                .done
                .get(&claimed.transfer_id)
                .map_or(Claim::New, Claim::Done),
            None => Claim::New,
        }
    }
}

/// The wallets of a batch as they stand in memory, and what is to be written.
struct Batch<'c> {
    chat: &'c Chat,
    now: Time,
    wallets: HashMap<PersonId, Wallet>,
    changed: Vec<PersonId>,
    postings: Vec<Posting>,
}

impl<'c> Batch<'c> {
    async fn read(
        tx: &mut Tx<'_>,
        chat: &'c Chat,
        requests: &[TransferRequest],
        now: Time,
    ) -> Result<Self, StoreError> {
        let mut people: Vec<PersonId> = requests
            .iter()
            .flat_map(|request| [request.payer.person, request.to])
            .collect();
        people.sort_unstable();
        people.dedup();
        let wallets = store::find_wallets(tx, &people)
            .await?
            .into_iter()
            .map(|wallet| (wallet.owner, wallet))
            .collect();
        Ok(Self {
            chat,
            now,
            wallets,
            changed: Vec::new(),
            postings: Vec::new(),
        })
    }

    /// Decides one transfer. The outer error is the store's and ends the whole batch.
    async fn decide(
        &mut self,
        tx: &mut Tx<'_>,
        request: &TransferRequest,
    ) -> Result<Result<Transfer, PayError>, StoreError> {
        match self.try_transfer(tx, request).await {
            Err(error) => error.into_refusal().map(Err),
            transferred => Ok(transferred),
        }
    }

    async fn try_transfer(
        &mut self,
        tx: &mut Tx<'_>,
        request: &TransferRequest,
    ) -> Result<Transfer, PayError> {
        let amount = request.amount;
        let mut from = match self.wallets.get(&request.payer.person) {
            Some(wallet) => *wallet,
            None => return Err(self.refuse_without_wallet(request)),
        };
        let mut to = match self.wallets.get(&request.to) {
            Some(wallet) => *wallet,
            None => self.open_wallet(tx, request.to).await?,
        };
        model::transfer(&mut from, &mut to, amount)?;
        let event_id = self.tell(tx, request).await?;
        let transfer = Transfer {
            transfer_id: request.transfer_id,
            kind: TransferKind::Transfer,
            from: Some(from.owner),
            to: to.owner,
            amount,
            memo: request.memo.clone(),
            room_id: request.room_id.clone(),
            event_id,
            created_at: self.now,
        };
        for wallet in [from, to] {
            self.wallets.insert(wallet.owner, wallet);
            self.changed.push(wallet.owner);
        }
        let posting = Posting {
            transfer: transfer.clone(),
            from_account: from.account_id,
            to_account: to.account_id,
        };
        self.postings.push(posting);
        Ok(transfer)
    }

    /// Who never had money has no wallet; the rules still name what else is wrong first.
    fn refuse_without_wallet(&self, request: &TransferRequest) -> PayError {
        let refusal = model::check_amount(request.amount, model::TRANSFER_AMOUNT_MAX).err();
        let balance = Money {
            amount: 0,
            ..request.amount
        };
        if request.payer.person == request.to && refusal.is_none() {
            return TransferRefusal::SamePerson.into();
        }
        refusal
            .unwrap_or(TransferRefusal::InsufficientFunds {
                balance,
                amount: request.amount,
            })
            .into()
    }

    async fn open_wallet(&mut self, tx: &mut Tx<'_>, owner: PersonId) -> Result<Wallet, PayError> {
        if haechi_identity::ops::find_person(tx, owner).await?.is_none() {
            return Err(PayError::NoSuchPerson);
        }
        let wallet = store::open_wallet(tx, owner, self.now).await?;
        self.wallets.insert(owner, wallet);
        Ok(wallet)
    }

    /// Writes the message of a transfer into its room, as part of this transaction.
    async fn tell(&self, tx: &mut Tx<'_>, request: &TransferRequest) -> Result<Option<String>, PayError> {
        let Some(room_id) = &request.room_id else {
            return Ok(None);
        };
        if !self.chat.is_joined(tx, room_id, request.to).await? {
            return Err(PayError::ReceiverNotInRoom);
        }
        let content = json!({
            "msgtype": "kr.haechi.transfer",
            "body": message_body(request.amount, request.memo.as_deref()),
            "kr.haechi.transfer": {
                "transfer_id": request.transfer_id,
                "amount": request.amount.amount,
                "currency": request.amount.currency,
                "to": request.to_user_id,
                "memo": request.memo,
            },
        });
        Ok(Some(
            self.chat
                .post_message(tx, &request.payer, room_id, &content, self.now)
                .await?,
        ))
    }

    async fn write(self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let mut changed = self.changed;
        changed.sort_unstable();
        changed.dedup();
        let wallets: Vec<Wallet> = changed
            .iter()
            .filter_map(|owner| self.wallets.get(owner))
            .copied()
            .collect();
        store::insert_postings(tx, &self.postings).await?;
        store::set_balances(tx, &wallets, self.now).await
    }
}
