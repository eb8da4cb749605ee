//! Transfers: each wallet's history is read back as a whole; every acknowledged transfer stands in both wallets.

use std::collections::HashMap;

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt};
use serde::Deserialize;

use super::super::reading::Reading;
use super::super::{LOOK_PAUSE, LOOKS_MAX, READS_AT_ONCE};
use super::Findings;
use crate::load::notes::{PayNotes, amount, text};
use crate::load::{Record, Service, SiteAddress};

/// Entries on one page.
const PAGE_ENTRIES: usize = 200;

#[derive(Deserialize)]
struct Page {
    items: Vec<Entry>,
    next: Option<String>,
}

/// One line of a wallet's history.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::verify) struct Entry {
    pub(in crate::verify) transfer_id: String,
    pub(in crate::verify) amount: Amount,
    pub(in crate::verify) memo: Option<String>,
}

/// Won.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(in crate::verify) struct Amount {
    pub(in crate::verify) amount: i64,
}

#[derive(Deserialize)]
struct Balance {
    balance: Amount,
}

/// A wallet as it was read back.
#[derive(Debug, Clone)]
pub(in crate::verify) struct Wallet {
    pub(in crate::verify) balance: i64,
    pub(in crate::verify) entries: Vec<Entry>,
}

/// Reads all wallets back, again when something is missing.
pub(in crate::verify) async fn check(record: &Record, sites: &[SiteAddress]) -> Result<Findings> {
    let mut looks = 0;
    loop {
        let wallets: HashMap<&str, Wallet> = futures_util::stream::iter(record.pay.iter().enumerate())
            .map(async |(number, notes)| {
                let mut reading = Reading::new(sites, number + looks);
                let wallet = read(&mut reading, notes).await?;
                anyhow::Ok((notes.user_id.as_str(), wallet))
            })
            .buffer_unordered(READS_AT_ONCE)
            .try_collect()
            .await?;
        let findings = compare(record, &wallets);
        looks += 1;
        if findings.is_clean() || looks == LOOKS_MAX as usize {
            return Ok(findings);
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

async fn read(reading: &mut Reading, notes: &PayNotes) -> Result<Wallet> {
    let mut entries = Vec::new();
    let mut before = String::new();
    loop {
        let path = format!("/api/pay/entries?limit={PAGE_ENTRIES}{before}");
        let page: Page = reading.get(&path, &notes.token).await?;
        entries.extend(page.items);
        match page.next {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    let found: Balance = reading.get("/api/pay/wallet", &notes.token).await?;
    Ok(Wallet {
        balance: found.balance.amount,
        entries,
    })
}

/// Every acknowledged transfer stands once, with its amount, in the payer's and in the receiver's wallet; no memo is
/// there twice; each balance is the sum of its wallet's entries.
pub(in crate::verify) fn compare(record: &Record, wallets: &HashMap<&str, Wallet>) -> Findings {
    let mut findings = Findings::default();
    // Entries by wallet and transfer: how many, and their sum.
    let mut moved: HashMap<(&str, &str), (u64, i64)> = HashMap::new();
    let mut memos: HashMap<(&str, &str), u64> = HashMap::new();
    for (user_id, wallet) in wallets {
        for entry in &wallet.entries {
            let of_transfer = moved.entry((user_id, &entry.transfer_id)).or_default();
            *of_transfer = (of_transfer.0 + 1, of_transfer.1 + entry.amount.amount);
            if let Some(memo) = entry.memo.as_deref().filter(|_| entry.amount.amount < 0) {
                *memos.entry((user_id, memo)).or_default() += 1;
            }
        }
        let sum: i64 = wallet.entries.iter().map(|entry| entry.amount.amount).sum();
        if sum != wallet.balance {
            findings.wallets_out_of_balance += 1;
        }
    }
    for payer in &record.pay {
        for sent in &payer.sent {
            let memo = text(payer.client, sent.number);
            let times = memos.get(&(payer.user_id.as_str(), memo.as_str()));
            if let Some(times) = times.copied().filter(|times| *times > 1) {
                findings.duplicated(Service::Pay, &memo, times);
            }
            if sent.acknowledged_us.is_none() {
                continue;
            }
            let found = |user_id: &str| moved.get(&(user_id, &*sent.id)).copied();
            let amount = amount(sent.number);
            let (paid, received) = (found(&payer.user_id), found(&payer.to));
            if (paid, received) != (Some((1, -amount)), Some((1, amount))) {
                let what = format!("paid {paid:?}, received {received:?} (entries, sum), not {amount}");
                findings.lost(record, Service::Pay, sent, what);
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::load::notes::Sent;

    fn record() -> Record {
        let sent = |number: u32| Sent {
            number,
            first_sent_us: 1,
            acknowledged_us: Some(2),
            id: format!("transfer-{number}").into(),
            site: 0,
            is_written: true,
            ended_us: 2,
        };
        let payer = |client, user_id: &str, to: &str, sent| PayNotes {
            token: String::new(),
            user_id: user_id.to_owned(),
            to: to.to_owned(),
            client,
            sent,
        };
        Record {
            pay: vec![
                payer(0, "@minji", "@joon", vec![sent(0), sent(1)]),
                payer(1, "@joon", "@minji", Vec::new()),
            ],
            ..Record::default()
        }
    }

    fn entry(number: u32, amount: i64) -> Entry {
        Entry {
            transfer_id: format!("transfer-{number}"),
            amount: Amount { amount },
            memo: Some(text(0, number)),
        }
    }

    /// Transfers 0 and 1 moved 1 and 2 won.
    fn wallets() -> HashMap<&'static str, Wallet> {
        HashMap::from([
            (
                "@minji",
                Wallet {
                    balance: -3,
                    entries: vec![entry(0, -1), entry(1, -2)],
                },
            ),
            (
                "@joon",
                Wallet {
                    balance: 3,
                    entries: vec![entry(0, 1), entry(1, 2)],
                },
            ),
        ])
    }

    #[test]
    fn transfers_that_stand_in_both_wallets_are_well() {
        assert!(compare(&record(), &wallets()).is_clean());
    }

    #[test]
    fn a_transfer_that_one_side_lacks_is_lost() {
        let mut wallets = wallets();
        wallets.get_mut("@joon").unwrap().entries.pop();
        let findings = compare(&record(), &wallets);
        assert_eq!(findings.lost[&Service::Pay], 1);
        assert_eq!(findings.wallets_out_of_balance, 1);
    }

    #[test]
    fn a_transfer_of_another_amount_is_lost() {
        let mut wallets = wallets();
        wallets.get_mut("@minji").unwrap().entries[1].amount.amount = -5;
        assert_eq!(compare(&record(), &wallets).lost[&Service::Pay], 1);
    }

    #[test]
    fn a_transfer_done_again_under_another_id_is_doubled() {
        let mut wallets = wallets();
        let again = Entry {
            transfer_id: "another".to_owned(),
            ..entry(1, -2)
        };
        wallets.get_mut("@minji").unwrap().entries.push(again);
        let findings = compare(&record(), &wallets);
        assert_eq!(findings.duplicated[&Service::Pay], 1);
        assert!(findings.lost.is_empty());
    }
}
