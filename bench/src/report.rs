//! What a bench prints: one JSON object, or a few lines for a reader.

use std::fmt;

use serde::Serialize;

use crate::load::Measured;

/// The figures of one bench.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `chat` or `pay`.
    pub bench: &'static str,
    /// The engine: `sqlite` or `postgres`.
    pub engine: String,
    /// Clients, each with one request under way.
    pub clients: usize,
    /// How long was measured, in seconds.
    pub duration_s: f64,
    /// Requests acknowledged after they were durable, a second.
    pub acknowledged_per_s: f64,
    /// Median latency, in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 were faster, in milliseconds.
    pub p99_ms: f64,
    /// The same rows written raw to the same store in the same run by as many tasks, a transaction each: rows'
    /// transactions a second.
    pub raw_per_s: f64,
    /// `acknowledged_per_s / raw_per_s`.
    pub ratio_to_raw: f64,
    /// Everything acknowledged in the run, read back afterwards.
    pub verified: u64,
}

impl Report {
    pub(crate) fn new(
        bench: &'static str,
        options: &crate::BenchOptions,
        store: &str,
        load: &Measured,
        raw_per_s: f64,
        verified: u64,
    ) -> Self {
        let tenths = |figure: f64| (figure * 10.0).round() / 10.0;
        let thousandths = |figure: f64| (figure * 1_000.0).round() / 1_000.0;
        Self {
            bench,
            engine: store
                .split(':')
                .next()
                .unwrap_or_default()
                .replace("postgresql", "postgres"),
            clients: options.clients,
            duration_s: options.duration.as_secs_f64(),
            acknowledged_per_s: tenths(load.per_s),
            p50_ms: thousandths(load.p50_ms),
            p99_ms: thousandths(load.p99_ms),
            raw_per_s: tenths(raw_per_s),
            ratio_to_raw: thousandths(load.per_s / raw_per_s),
            verified,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{} on {}: {:.0}/s acknowledged by {} clients, p50 {:.1} ms, p99 {:.1} ms",
            self.bench, self.engine, self.acknowledged_per_s, self.clients, self.p50_ms, self.p99_ms
        )?;
        write!(
            formatter,
            "raw rows: {:.0}/s, ratio {:.2}; {} acknowledged and read back",
            self.raw_per_s, self.ratio_to_raw, self.verified
        )
    }
}
