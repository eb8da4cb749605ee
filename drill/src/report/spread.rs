//! How the rounds of a drill differ.

use serde::{Deserialize, Serialize};

use super::Round;
use crate::load::figures::{Stalls, percentile};

/// Half of the rounds were not worse than `p50`, 95 of 100 not worse than `p95` (nearest rank).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// The median.
    pub p50: u64,
    /// 95 of 100.
    pub p95: u64,
    /// The worst.
    pub max: u64,
}

impl Spread {
    /// The spread of some values; none of none.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = u64>) -> Option<Self> {
        let values: Vec<u64> = values.into_iter().collect();
        Some(Self {
            p50: percentile(&values, 0.50)?,
            p95: percentile(&values, 0.95)?,
            max: percentile(&values, 1.0)?,
        })
    }
}

/// Spreads of the stalls, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spreads {
    /// Of all services together.
    pub overall: Option<Spread>,
    /// Messages.
    pub chat: Option<Spread>,
    /// Transfers.
    pub pay: Option<Spread>,
    /// Refreshed sign-ins.
    pub sign_in: Option<Spread>,
    /// Uploads.
    pub media: Option<Spread>,
}

impl Spreads {
    fn of(rounds: &[Round]) -> Self {
        let of = |figure: fn(&Stalls) -> Option<u64>| {
            let stalls = rounds.iter().map(|round| &round.figures.write_stall_ms);
            Spread::of(stalls.filter_map(figure))
        };
        Self {
            overall: of(|stalls| stalls.overall),
            chat: of(|stalls| stalls.chat),
            pay: of(|stalls| stalls.pay),
            sign_in: of(|stalls| stalls.sign_in),
            media: of(|stalls| stalls.media),
        }
    }

    /// The longest of each.
    pub(super) fn longest(&self) -> Stalls {
        let max = |spread: Option<Spread>| spread.map(|spread| spread.max);
        Stalls {
            overall: max(self.overall),
            chat: max(self.chat),
            pay: max(self.pay),
            sign_in: max(self.sign_in),
            media: max(self.media),
        }
    }
}

/// The spreads over all rounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Percentiles {
    /// The stalls of writes.
    pub write_stall_ms: Spreads,
    /// The longest that a single write took until it was acknowledged.
    pub write_worst_ms: Option<Spread>,
    /// The stalls of reads.
    pub read_stall_ms: Option<Spread>,
    /// How long the site took to rejoin, in milliseconds.
    pub rejoin_ms: Option<Spread>,
}

impl Percentiles {
    pub(super) fn of(rounds: &[Round]) -> Self {
        let rejoins = rounds.iter().filter_map(|round| round.rejoin_s);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds of a drill"
        )]
        let rejoin_ms = rejoins.map(|seconds| (seconds * 1_000.0).round() as u64);
        Self {
            write_stall_ms: Spreads::of(rounds),
            write_worst_ms: Spread::of(
                rounds
                    .iter()
                    .filter_map(|round| round.figures.write_worst_ms.overall),
            ),
            read_stall_ms: Spread::of(rounds.iter().map(|round| round.figures.read_stall_ms)),
            rejoin_ms: Spread::of(rejoin_ms),
        }
    }
}
