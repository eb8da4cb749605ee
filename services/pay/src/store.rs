//! All SQL of the ledger, and the only place that touches its tables.

use haechi_base::{Currency, Money, PersonId, Time};
use haechi_store::{FromValue, Row, StoreError, ToValue, Tx, Value};

use crate::model::{AccountId, Entry, EntryId, LedgerCheck, Transfer, TransferId, TransferKind, Wallet};

/// A claimed idempotency key.
pub(crate) struct ClaimedKey {
    pub(crate) name: String,
    pub(crate) fingerprint: [u8; 32],
    /// The transfer the key was first claimed for.
    pub(crate) transfer_id: TransferId,
    /// Whether a transaction before this one claimed it.
    pub(crate) is_repeated: bool,
}

/// A transfer with the accounts it moves money between.
pub(crate) struct Posting {
    pub(crate) transfer: Transfer,
    pub(crate) from_account: AccountId,
    pub(crate) to_account: AccountId,
}

const CLAIM_KEYS: &str =
    "INSERT INTO pay_transfer_key (name, fingerprint, transfer_id, attempts, created_at) VALUES";
const CLAIMED: &str = "
    ON CONFLICT (name) DO UPDATE SET attempts = pay_transfer_key.attempts + 1
    RETURNING name, fingerprint, transfer_id, attempts";

/// Claims keys, each for a new transfer; a key that was claimed before keeps its first one.
pub(crate) async fn claim_keys(
    tx: &mut Tx<'_>,
    keys: &[ClaimedKey],
    now: Time,
) -> Result<Vec<ClaimedKey>, StoreError> {
    let rows: Vec<Vec<Value<'_>>> = keys
        .iter()
        .map(|key| {
            vec![
                key.name.to_value(),
                key.fingerprint.to_value(),
                key.transfer_id.to_value(),
                Value::Integer(1),
                now.to_value(),
            ]
        })
        .collect();
    let claimed = tx.query_values(CLAIM_KEYS, &rows, CLAIMED).await?;
    claimed
        .iter()
        .map(|row| {
            Ok(ClaimedKey {
                name: row.get("name")?,
                fingerprint: row.get("fingerprint")?,
                transfer_id: row.get("transfer_id")?,
                is_repeated: row.get::<i64>("attempts")? > 1,
            })
        })
        .collect()
}

/// Gives back keys whose transfers were refused.
pub(crate) async fn release_keys(tx: &mut Tx<'_>, names: &[String]) -> Result<(), StoreError> {
    tx.query_in("DELETE FROM pay_transfer_key WHERE name IN", names, "")
        .await
        .map(drop)
}

const WALLETS: &str = "
    SELECT account_id, owner, balance, currency FROM pay_account
    WHERE kind = 'wallet' AND currency = 'KRW' AND owner IN";

/// The wallets of some people. Who has none yet is left out.
pub(crate) async fn find_wallets(tx: &mut Tx<'_>, owners: &[PersonId]) -> Result<Vec<Wallet>, StoreError> {
    tx.query_in(WALLETS, owners, "")
        .await?
        .iter()
        .map(wallet)
        .collect()
}

fn wallet(row: &Row) -> Result<Wallet, StoreError> {
    let balance = Money {
        amount: row.get("balance")?,
        currency: row.get("currency")?,
    };
    Ok(Wallet {
        account_id: row.get("account_id")?,
        owner: row.get("owner")?,
        balance,
    })
}

const OPEN_ACCOUNT: &str = "
    INSERT INTO pay_account (account_id, kind, owner, currency, balance, created_at) VALUES ($1, $2, $3, $4, 0, $5)
    ON CONFLICT (owner, kind, currency) DO UPDATE SET kind = excluded.kind
    RETURNING account_id, owner, balance, currency";

/// A person's wallet, opened empty if there is none.
pub(crate) async fn open_wallet(tx: &mut Tx<'_>, owner: PersonId, now: Time) -> Result<Wallet, StoreError> {
    let values: [&dyn ToValue; 5] = [&AccountId::new(now), &"wallet", &owner, &Currency::KRW, &now];
    wallet(&tx.query_one(OPEN_ACCOUNT, &values).await?)
}

const SET_BALANCES: &str = "
    INSERT INTO pay_account (account_id, kind, owner, currency, balance, created_at) VALUES";
const SET_BALANCES_AFTER: &str = "ON CONFLICT (account_id) DO UPDATE SET balance = excluded.balance";

/// Writes the new balances of wallets that are there.
pub(crate) async fn set_balances(tx: &mut Tx<'_>, wallets: &[Wallet], now: Time) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = wallets
        .iter()
        .map(|wallet| {
            vec![
                wallet.account_id.to_value().into_owned(),
                "wallet".to_value(),
                wallet.owner.to_value().into_owned(),
                wallet.balance.currency.to_value().into_owned(),
                wallet.balance.amount.to_value().into_owned(),
                now.to_value().into_owned(),
            ]
        })
        .collect();
    tx.query_values(SET_BALANCES, &rows, SET_BALANCES_AFTER)
        .await
        .map(drop)
}

/// The account that topped-up money comes from, opened if there is none. It may go below zero without limit.
pub(crate) async fn issuance_account(tx: &mut Tx<'_>, now: Time) -> Result<AccountId, StoreError> {
    // Its owner is nobody: an id of zeros, so that there is one of it.
    let nobody = PersonId::from_uuid(haechi_base::uuid::Uuid::nil());
    let values: [&dyn ToValue; 5] = [&AccountId::new(now), &"issuance", &nobody, &Currency::KRW, &now];
    tx.query_one(OPEN_ACCOUNT, &values).await?.get("account_id")
}

const INSERT_TRANSFERS: &str = "
    INSERT INTO pay_transfer (transfer_id, kind, from_account, to_account, from_owner, to_owner, amount, currency,
        memo, room_id, event_id, created_at) VALUES";
const INSERT_ENTRIES: &str =
    "INSERT INTO pay_entry (entry_id, transfer_id, account_id, amount, created_at) VALUES";

/// Writes transfers with their two entries each.
pub(crate) async fn insert_postings(tx: &mut Tx<'_>, postings: &[Posting]) -> Result<(), StoreError> {
    let transfers: Vec<Vec<Value<'_>>> = postings.iter().map(transfer_values).collect();
    tx.query_values(INSERT_TRANSFERS, &transfers, "").await?;
    let entries: Vec<Vec<Value<'_>>> = postings
        .iter()
        .flat_map(|posting| {
            let amount = posting.transfer.amount.amount;
            [
                entry_values(posting, posting.from_account, -amount),
                entry_values(posting, posting.to_account, amount),
            ]
        })
        .collect();
    tx.query_values(INSERT_ENTRIES, &entries, "").await.map(drop)
}

fn transfer_values(posting: &Posting) -> Vec<Value<'_>> {
    let transfer = &posting.transfer;
    let nobody = PersonId::from_uuid(haechi_base::uuid::Uuid::nil());
    vec![
        transfer.transfer_id.to_value(),
        transfer.kind.as_str().to_value(),
        posting.from_account.to_value(),
        posting.to_account.to_value(),
        transfer.from.unwrap_or(nobody).to_value().into_owned(),
        transfer.to.to_value(),
        transfer.amount.amount.to_value(),
        transfer.amount.currency.to_value(),
        transfer.memo.to_value(),
        transfer.room_id.to_value(),
        transfer.event_id.to_value(),
        transfer.created_at.to_value(),
    ]
}

fn entry_values(posting: &Posting, account: AccountId, amount: i64) -> Vec<Value<'_>> {
    let transfer = &posting.transfer;
    vec![
        EntryId::new(transfer.created_at).to_value().into_owned(),
        transfer.transfer_id.to_value(),
        account.to_value().into_owned(),
        Value::Integer(amount),
        transfer.created_at.to_value(),
    ]
}

const TRANSFERS: &str = "
    SELECT transfer_id, kind, from_owner, to_owner, amount, currency, memo, room_id, event_id, created_at
    FROM pay_transfer WHERE transfer_id IN";

/// Transfers by their ids.
pub(crate) async fn find_transfers(tx: &mut Tx<'_>, ids: &[TransferId]) -> Result<Vec<Transfer>, StoreError> {
    tx.query_in(TRANSFERS, ids, "")
        .await?
        .iter()
        .map(transfer)
        .collect()
}

fn transfer(row: &Row) -> Result<Transfer, StoreError> {
    Ok(Transfer {
        transfer_id: row.get("transfer_id")?,
        kind: row.get("kind")?,
        from: person(row.get("from_owner")?),
        to: row.get("to_owner")?,
        amount: Money {
            amount: row.get("amount")?,
            currency: row.get("currency")?,
        },
        memo: row.get("memo")?,
        room_id: row.get("room_id")?,
        event_id: row.get("event_id")?,
        created_at: row.get("created_at")?,
    })
}

/// The nil id stands for nobody.
fn person(id: PersonId) -> Option<PersonId> {
    Some(id).filter(|id| !id.uuid().is_nil())
}

impl FromValue for TransferKind {
    fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
        let word = String::from_value(value)?;
        Self::from_word(&word).ok_or(StoreError::Type {
            expected: "a kind of transfer".to_owned(),
            found: word,
        })
    }
}

const ENTRIES: &str = "
    SELECT e.entry_id AS entry_id, e.transfer_id AS transfer_id, e.amount AS amount, e.created_at AS created_at,
        t.kind AS kind, t.currency AS currency, t.memo AS memo, t.from_owner AS from_owner, t.to_owner AS to_owner
    FROM pay_entry e JOIN pay_transfer t ON t.transfer_id = e.transfer_id
    WHERE e.account_id = $1 AND e.entry_id < $2 ORDER BY e.entry_id DESC LIMIT $3";

/// An account's entries before `before`, newest first.
pub(crate) async fn find_entries(
    tx: &mut Tx<'_>,
    account: AccountId,
    before: EntryId,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    let rows = tx.query(ENTRIES, &[&account, &before, &limit]).await?;
    rows.iter()
        .map(|row| {
            let amount = Money {
                amount: row.get("amount")?,
                currency: row.get("currency")?,
            };
            let other = if amount.amount < 0 {
                row.get("to_owner")?
            } else {
                row.get("from_owner")?
            };
            Ok(Entry {
                entry_id: row.get("entry_id")?,
                transfer_id: row.get("transfer_id")?,
                kind: row.get("kind")?,
                amount,
                counterparty: person(other),
                memo: row.get("memo")?,
                created_at: row.get("created_at")?,
            })
        })
        .collect()
}

const LEDGER: &str = "
    SELECT COUNT(*) AS entries, CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS total FROM pay_entry";
const OUT_OF_BALANCE: &str = "
    SELECT COUNT(*) AS wallets FROM pay_account a WHERE a.kind = 'wallet' AND a.balance <>
        (SELECT CAST(COALESCE(SUM(e.amount), 0) AS BIGINT) FROM pay_entry e WHERE e.account_id = a.account_id)";

/// Sums up the whole ledger. Reads every entry: for checks, not for requests of people.
pub(crate) async fn check_ledger(tx: &mut Tx<'_>) -> Result<LedgerCheck, StoreError> {
    let ledger = tx.query_one(LEDGER, &[]).await?;
    let wallets = tx.query_one(OUT_OF_BALANCE, &[]).await?;
    Ok(LedgerCheck {
        entries: ledger.get("entries")?,
        sum: ledger.get("total")?,
        wallets_out_of_balance: wallets.get("wallets")?,
    })
}
