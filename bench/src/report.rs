//! What a bench prints: one JSON object, or a few lines for a reader.

use std::fmt;

use serde::Serialize;

use crate::growth::Growth;
use crate::load::Measured;

/// How messages reached members who sync.
#[derive(Debug, Clone, Serialize)]
pub struct Deliveries {
    /// Rooms.
    pub rooms: usize,
    /// People in each, all of whom sync; who writes is among them and is told as well.
    pub members: usize,
    /// Messages a second that were sent, when there was a pace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_s: Option<u32>,
    /// Messages told to a member, a second.
    pub deliveries_per_s: f64,
    /// Median from when a message was sent to when the receiver had the sync's answer that tells it, in milliseconds.
    pub delivery_p50_ms: f64,
    /// 99 of 100 were faster, in milliseconds.
    pub delivery_p99_ms: f64,
    /// Syncs answered, a second.
    pub syncs_per_s: f64,
}

/// What else a chat bench measured.
#[derive(Debug, Clone, Default, Serialize)]
pub struct More {
    /// How messages reached members who sync.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<Deliveries>,
    /// Long polls that were parked at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_clients: Option<usize>,
    /// By how many bytes of memory of its own each made the server grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_bytes_per_client: Option<u64>,
    /// The same with the pages of the embedded database that were read meanwhile, which the machine takes back when it
    /// needs them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_resident_bytes_per_client: Option<u64>,
    /// Rooms of the person whose first sync was timed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_sync_rooms: Option<usize>,
    /// How long it took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_sync_ms: Option<f64>,
    /// Sends as rooms grow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub growth: Vec<Growth>,
}

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
    /// What only a chat bench measures, and only when it is asked for.
    #[serde(flatten)]
    pub more: More,
}

/// A figure to a tenth.
pub(crate) fn tenths(figure: f64) -> f64 {
    (figure * 10.0).round() / 10.0
}

/// A figure to a thousandth.
pub(crate) fn thousandths(figure: f64) -> f64 {
    (figure * 1_000.0).round() / 1_000.0
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
            more: More::default(),
        }
    }

    pub(crate) fn with(self, more: More) -> Self {
        Self { more, ..self }
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
        )?;
        self.more.fmt(formatter)
    }
}

impl fmt::Display for More {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(told) = &self.deliveries {
            write!(
                formatter,
                "\n{} rooms of {}, all syncing: {:.0} deliveries/s, from send to receipt p50 {:.1} ms, p99 {:.1} ms; {:.0} syncs/s",
                told.rooms,
                told.members,
                told.deliveries_per_s,
                told.delivery_p50_ms,
                told.delivery_p99_ms,
                told.syncs_per_s
            )?;
        }
        if let (Some(clients), Some(bytes)) = (self.idle_clients, self.idle_bytes_per_client) {
            write!(
                formatter,
                "\n{clients} waiting clients: {bytes} bytes of memory each"
            )?;
        }
        if let (Some(rooms), Some(ms)) = (self.initial_sync_rooms, self.initial_sync_ms) {
            write!(formatter, "\nfirst sync of a person in {rooms} rooms: {ms:.0} ms")?;
        }
        for growth in &self.growth {
            write!(
                formatter,
                "\n{} rooms of {}: {:.0}/s by {} clients, p99 {:.1} ms",
                growth.rooms, growth.room_size, growth.acknowledged_per_s, growth.senders, growth.p99_ms
            )?;
        }
        Ok(())
    }
}
