//! The verbs of the ledger. Other services call them inside their own transactions.

mod transfer;

use haechi_base::{Money, PersonId, Time};
use haechi_chat::ChatError;
use haechi_identity::IdentityError;
use haechi_store::{StoreError, Tx};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{
    Entry, EntryId, LedgerCheck, TOP_UP_AMOUNT_MAX, Transfer, TransferId, TransferKind, TransferRefusal,
    Wallet, check_amount, top_up as topped_up,
};
use crate::store::{self, Posting};

pub use transfer::{TransferRequest, transfer, transfer_all};

/// Why a movement of money was not done. Nothing was changed.
// Told by one node to another, so every variant can be written and read back.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum PayError {
    /// The rules of the ledger say no.
    #[error(transparent)]
    Refused(#[from] TransferRefusal),
    /// The receiver never signed up.
    #[error("there is no such person")]
    NoSuchPerson,
    /// The receiver is not in the room that the money is sent in.
    #[error("the receiver is not a member of the room")]
    ReceiverNotInRoom,
    /// The chat does not take the message, for one because the payer is not in the room.
    #[error(transparent)]
    Chat(ChatError),
    /// Identity cannot say who somebody is.
    #[error(transparent)]
    Identity(IdentityError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

// A failure of the store stays one, through whichever service it came.
impl From<ChatError> for PayError {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::Store(error) => Self::Store(error),
            error => Self::Chat(error),
        }
    }
}

impl From<IdentityError> for PayError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Store(error) => Self::Store(error),
            error => Self::Identity(error),
        }
    }
}

impl PayError {
    /// The refusal of one member of a batch; a failure of the store ends the whole batch instead.
    fn into_refusal(self) -> Result<Self, StoreError> {
        match self {
            Self::Store(error) => Err(error),
            refusal => Ok(refusal),
        }
    }
}

/// The person's wallet; one that was never used is empty.
///
/// # Errors
/// [`StoreError`].
pub async fn wallet(tx: &mut Tx<'_>, owner: PersonId, now: Time) -> Result<Wallet, StoreError> {
    match store::find_wallets(tx, &[owner]).await?.pop() {
        Some(wallet) => Ok(wallet),
        None => store::open_wallet(tx, owner, now).await,
    }
}

/// The person's balance, without opening a wallet that is not there yet.
///
/// # Errors
/// [`StoreError`].
pub async fn find_wallet(tx: &mut Tx<'_>, owner: PersonId) -> Result<Option<Wallet>, StoreError> {
    Ok(store::find_wallets(tx, &[owner]).await?.pop())
}

/// What came into and went out of the person's wallet before `before` (all of it when there is none), newest
/// first.
///
/// # Errors
/// [`StoreError`].
pub async fn entries(
    tx: &mut Tx<'_>,
    owner: PersonId,
    before: Option<EntryId>,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    let Some(Wallet { account_id, .. }) = find_wallet(tx, owner).await? else {
        return Ok(Vec::new());
    };
    let end = EntryId::from_uuid(haechi_base::uuid::Uuid::max());
    store::find_entries(tx, account_id, before.unwrap_or(end), limit).await
}

/// Money for a wallet, from the issuance account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopUp {
    /// The id that the movement is to have.
    pub transfer_id: TransferId,
    /// Whose wallet.
    pub to: PersonId,
    /// How much.
    pub amount: Money,
}

/// Adds money to a wallet.
///
/// # Errors
/// [`PayError`].
pub async fn top_up(tx: &mut Tx<'_>, request: TopUp, now: Time) -> Result<Transfer, PayError> {
    let TopUp {
        transfer_id,
        to,
        amount,
    } = request;
    check_amount(amount, TOP_UP_AMOUNT_MAX)?;
    if haechi_identity::ops::find_person(tx, to).await?.is_none() {
        return Err(PayError::NoSuchPerson);
    }
    let from_account = store::issuance_account(tx, now).await?;
    let wallet = wallet(tx, to, now).await?;
    let balance = topped_up(&wallet, amount)?;
    let transfer = Transfer {
        transfer_id,
        kind: TransferKind::TopUp,
        from: None,
        to,
        amount,
        memo: None,
        room_id: None,
        event_id: None,
        created_at: now,
    };
    let posting = Posting {
        transfer,
        from_account,
        to_account: wallet.account_id,
    };
    store::insert_postings(tx, std::slice::from_ref(&posting)).await?;
    store::set_balances(tx, &[Wallet { balance, ..wallet }], now).await?;
    Ok(posting.transfer)
}

/// Sums up the whole ledger.
///
/// # Errors
/// [`StoreError`].
pub async fn check_ledger(tx: &mut Tx<'_>) -> Result<LedgerCheck, StoreError> {
    store::check_ledger(tx).await
}
