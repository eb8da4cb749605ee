//! The nouns and rules of the ledger: accounts, transfers, entries, and what may not be transferred.

use haechi_base::{Currency, Money, MoneyError, PersonId, Time, define_id};
use serde::{Deserialize, Serialize};
use thiserror::Error;

define_id! {
    /// A wallet or another account of the ledger.
    pub AccountId, AccountNoun, "account"
}

define_id! {
    /// One movement of money from one account to another.
    pub TransferId, TransferNoun, "transfer"
}

define_id! {
    /// One side of a transfer, as it stands in one account.
    pub EntryId, EntryNoun, "entry"
}

/// The most that one transfer may move, in minor units: 2,000,000 won.
pub const TRANSFER_AMOUNT_MAX: i64 = 2_000_000;

/// The most that one top-up may add, in minor units: 100,000,000 won.
pub const TOP_UP_AMOUNT_MAX: i64 = 100_000_000;

/// Longest memo, in characters.
pub const MEMO_CHARACTERS_MAX: usize = 140;

/// Transfers in one transaction.
pub const BATCH_TRANSFERS_MAX: usize = 256;

/// Why money moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransferKind {
    /// From one person to another.
    Transfer,
    /// Into a wallet, by an administrator.
    TopUp,
}

impl TransferKind {
    /// The word in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::TopUp => "top_up",
        }
    }

    /// Reads the word in the store.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Transfer, Self::TopUp]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// A person's account: it never goes below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wallet {
    /// The account.
    pub account_id: AccountId,
    /// Whose it is.
    pub owner: PersonId,
    /// What is in it.
    pub balance: Money,
}

/// A movement that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Its id.
    pub transfer_id: TransferId,
    /// Why.
    pub kind: TransferKind,
    /// Who paid; nobody for a top-up.
    pub from: Option<PersonId>,
    /// Who received.
    pub to: PersonId,
    /// How much, always positive.
    pub amount: Money,
    /// What the payer wrote.
    pub memo: Option<String>,
    /// The room it was sent in.
    pub room_id: Option<String>,
    /// The chat event that tells of it.
    pub event_id: Option<String>,
    /// When.
    pub created_at: Time,
}

/// One line of an account's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id; later ones sort later.
    pub entry_id: EntryId,
    /// The movement it is one side of.
    pub transfer_id: TransferId,
    /// Why.
    pub kind: TransferKind,
    /// Positive: received. Negative: paid.
    pub amount: Money,
    /// The person on the other side; nobody for a top-up.
    pub counterparty: Option<PersonId>,
    /// What the payer wrote.
    pub memo: Option<String>,
    /// When.
    pub created_at: Time,
}

/// What the whole ledger must show at any moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LedgerCheck {
    /// How many entries there are.
    pub entries: i64,
    /// The sum of all entries: zero.
    pub sum: i64,
    /// Wallets whose balance is not the sum of their entries: none.
    pub wallets_out_of_balance: i64,
}

/// Why a transfer is refused by the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum TransferRefusal {
    /// Payer and receiver are one person.
    #[error("one cannot send money to oneself")]
    SamePerson,
    /// Zero or less.
    #[error("the amount must be positive")]
    AmountNotPositive,
    /// Over the limit of one transfer.
    #[error("one transfer may move {0} at the most")]
    AmountTooLarge(Money),
    /// Another currency than the wallet's.
    #[error("wallets are kept in {expected}, not in {found}")]
    CurrencyNotSupported {
        /// The wallets' currency.
        expected: Currency,
        /// What was asked for.
        found: Currency,
    },
    /// Less in the wallet than is to be sent.
    #[error("the wallet holds {balance}, which is less than {amount}")]
    InsufficientFunds {
        /// What is there.
        balance: Money,
        /// What was asked for.
        amount: Money,
    },
    /// The receiver's balance would pass 64 bits.
    #[error("the receiver's wallet cannot hold more")]
    WalletFull,
}

/// Whether the amount may be moved at all, before anyone's balance is looked at.
///
/// # Errors
/// [`TransferRefusal`].
pub fn check_amount(amount: Money, limit: i64) -> Result<(), TransferRefusal> {
    if amount.currency != Currency::KRW {
        let (expected, found) = (Currency::KRW, amount.currency);
        return Err(TransferRefusal::CurrencyNotSupported { expected, found });
    }
    if amount.amount <= 0 {
        return Err(TransferRefusal::AmountNotPositive);
    }
    if amount.amount > limit {
        return Err(TransferRefusal::AmountTooLarge(Money {
            amount: limit,
            ..amount
        }));
    }
    Ok(())
}

/// Moves money between two wallets in memory: both balances change, or neither does.
///
/// # Errors
/// [`TransferRefusal`].
pub fn transfer(from: &mut Wallet, to: &mut Wallet, amount: Money) -> Result<(), TransferRefusal> {
    check_amount(amount, TRANSFER_AMOUNT_MAX)?;
    if from.owner == to.owner {
        return Err(TransferRefusal::SamePerson);
    }
    let balance = from.balance;
    let left = amount
        .checked_neg()
        .and_then(|negative| balance.checked_add(negative));
    let Ok(left @ Money { amount: 0.., .. }) = left else {
        return Err(TransferRefusal::InsufficientFunds { balance, amount });
    };
    let received = top_up(to, amount)?;
    from.balance = left;
    to.balance = received;
    Ok(())
}

/// The balance of a wallet after `amount` came in.
///
/// # Errors
/// [`TransferRefusal::WalletFull`].
pub fn top_up(to: &Wallet, amount: Money) -> Result<Money, TransferRefusal> {
    to.balance.checked_add(amount).map_err(|error| match error {
        MoneyError::CurrencyMismatch(expected, found) => {
            TransferRefusal::CurrencyNotSupported { expected, found }
        }
        MoneyError::Overflow | MoneyError::UnknownCurrency(_) => TransferRefusal::WalletFull,
    })
}

/// What a client without our web app shows for a transfer: `5,000 KRW`, and the memo.
#[must_use]
pub fn message_body(amount: Money, memo: Option<&str>) -> String {
    memo.map_or_else(|| amount.to_string(), |memo| format!("{amount}: {memo}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn wallet(seed: i64, balance: i64) -> Wallet {
        let now = Time::from_micros(1_700_000_000_000_000 + seed);
        Wallet {
            account_id: AccountId::new(now),
            owner: PersonId::new(now),
            balance: Money::krw(balance),
        }
    }

    #[test]
    fn refusals_name_their_reason() {
        let (mut rich, mut poor) = (wallet(1, 5_000), wallet(2, 0));
        let cases = [
            (Money::krw(0), TransferRefusal::AmountNotPositive),
            (Money::krw(-1), TransferRefusal::AmountNotPositive),
            (Money::krw(i64::MIN), TransferRefusal::AmountNotPositive),
            (
                Money::krw(i64::MAX),
                TransferRefusal::AmountTooLarge(Money::krw(TRANSFER_AMOUNT_MAX)),
            ),
            (
                Money::krw(5_001),
                TransferRefusal::InsufficientFunds {
                    balance: Money::krw(5_000),
                    amount: Money::krw(5_001),
                },
            ),
        ];
        for (amount, refusal) in cases {
            assert_eq!(transfer(&mut rich, &mut poor, amount), Err(refusal));
        }
        let euro = "EUR".parse().unwrap();
        let refused = transfer(
            &mut rich,
            &mut poor,
            Money {
                amount: 1,
                currency: euro,
            },
        );
        assert!(matches!(
            refused,
            Err(TransferRefusal::CurrencyNotSupported { .. })
        ));
        let mut twin = rich;
        assert_eq!(
            transfer(&mut rich, &mut twin, Money::krw(1)),
            Err(TransferRefusal::SamePerson)
        );
        assert_eq!((rich.balance, poor.balance), (Money::krw(5_000), Money::krw(0)));
    }

    #[test]
    fn the_fallback_text_can_be_read_by_any_client() {
        assert_eq!(message_body(Money::krw(5_000), None), "5,000 KRW");
        assert_eq!(message_body(Money::krw(5_000), Some("lunch")), "5,000 KRW: lunch");
    }

    proptest! {
        /// Whatever is tried, in whatever order: nothing is made, nothing is lost, nobody goes below zero.
        #[test]
        fn money_is_neither_made_nor_lost(
            balances in prop::collection::vec(0..i64::MAX, 2..6),
            moves in prop::collection::vec((0_usize..6, 0_usize..6, any::<i64>(), 0_i64..3_000_000), 0..60),
        ) {
            let mut wallets: Vec<Wallet> =
                balances.iter().enumerate().map(|(seed, balance)| wallet(i64::try_from(seed).unwrap(), *balance)).collect();
            let total = |wallets: &[Wallet]| wallets.iter().map(|wallet| i128::from(wallet.balance.amount)).sum::<i128>();
            let before = total(&wallets);
            for (from, to, wild, tame) in moves {
                let (from, to) = (from % wallets.len(), to % wallets.len());
                let amount = if wild % 2 == 0 { wild } else { tame };
                let (mut payer, mut receiver) = (wallets[from], wallets[to]);
                let unchanged = (payer, receiver);
                match transfer(&mut payer, &mut receiver, Money::krw(amount)) {
                    Ok(()) => {
                        prop_assert!(amount > 0 && amount <= TRANSFER_AMOUNT_MAX && from != to);
                        wallets[from] = payer;
                        wallets[to] = receiver;
                    }
                    Err(_) => prop_assert_eq!((payer, receiver), unchanged),
                }
                prop_assert!(wallets.iter().all(|wallet| wallet.balance.amount >= 0));
            }
            prop_assert_eq!(total(&wallets), before);
        }
    }
}
