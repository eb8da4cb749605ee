//! What is found of each service's writes.

pub(super) mod chat;
pub(super) mod media;
pub(super) mod pay;
pub(super) mod sessions;

use std::collections::BTreeMap;

use super::Fault;
use crate::load::notes::Sent;
use crate::load::{Phase, Record, Service};

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) lost: BTreeMap<Service, u64>,
    pub(super) duplicated: BTreeMap<Service, u64>,
    pub(super) wallets_out_of_balance: i64,
    pub(super) sessions_ended: u64,
    pub(super) faults: Vec<Fault>,
}

impl Findings {
    pub(super) fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.duplicated.is_empty() && self.wallets_out_of_balance == 0
    }

    pub(super) fn lost(&mut self, record: &Record, service: Service, sent: &Sent, what: String) {
        *self.lost.entry(service).or_default() += 1;
        let struck_us = record.began_us(Phase::Struck).unwrap_or_default();
        let since_strike_ms = |at_us: u64| {
            let (at_us, struck_us) = (i64::try_from(at_us).ok()?, i64::try_from(struck_us).ok()?);
            Some((at_us - struck_us) / 1_000)
        };
        self.faults.push(Fault {
            service: service.name().to_owned(),
            what,
            id: sent.id.to_string(),
            site: record.sites.get(sent.site).cloned(),
            acknowledged_ms: sent.acknowledged_us.and_then(since_strike_ms),
        });
    }

    pub(super) fn duplicated(&mut self, service: Service, id: &str, times: u64) {
        *self.duplicated.entry(service).or_default() += 1;
        self.faults.push(Fault {
            service: service.name().to_owned(),
            what: format!("there {times} times"),
            id: id.to_owned(),
            site: None,
            acknowledged_ms: None,
        });
    }

    pub(super) fn add(&mut self, other: Self) {
        for (all, some) in [
            (&mut self.lost, other.lost),
            (&mut self.duplicated, other.duplicated),
        ] {
            for (service, count) in some {
                *all.entry(service).or_default() += count;
            }
        }
        self.wallets_out_of_balance += other.wallets_out_of_balance;
        self.sessions_ended += other.sessions_ended;
        self.faults.extend(other.faults);
    }
}
