//! `haechi bench`: what this machine carries.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use haechi_bench::{BenchOptions, ChatOptions, RoomsLoad, chat, pay};

/// Starts a server of its own in another process, drives it over HTTP, reads back what was acknowledged, and
/// compares with the same rows written raw to the same store.
#[derive(Debug, Args)]
pub(super) struct Bench {
    /// What to measure
    what: What,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// A store to use, which the bench fills [default: a temporary embedded one in this folder]
    #[arg(long, value_name = "URL")]
    store: Option<String>,

    /// Clients, each with one request under way
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(2..))]
    clients: u16,

    /// Seconds that are measured
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    duration_s: u64,

    /// Seconds of load before it is measured
    #[arg(long, default_value_t = 2)]
    warm_up_s: u64,

    /// Chat: rooms to write into, with --members people in each who all sync [default: rooms of two, nobody syncs]
    #[arg(long, requires = "members", value_parser = clap::value_parser!(u16).range(1..))]
    rooms: Option<u16>,

    /// Chat: people in each of --rooms; all of them sync
    #[arg(long, requires = "rooms", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    members: Option<u16>,

    /// Chat: messages a second that --clients send together into --rooms [default: as many as are taken]
    #[arg(long, requires = "rooms", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,

    /// Chat: people who wait for news, to see what memory each costs
    #[arg(long, default_value_t = 0)]
    idle: u16,

    /// Chat: rooms of a person whose first sync is timed
    #[arg(long, default_value_t = 0)]
    initial_sync: u16,

    /// Chat: also send into rooms of 2, 10, 100, 1,000 and 10,000 people
    #[arg(long)]
    growth: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Messages sent into rooms of two
    Chat,
    /// Transfers of one won between neighbours
    Pay,
}

impl Bench {
    pub(super) async fn run(self) -> Result<()> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let options = BenchOptions {
            clients: usize::from(self.clients),
            duration: Duration::from_secs(self.duration_s),
            warm_up: Duration::from_secs(self.warm_up_s),
            store: self.store,
        };
        let rooms = self.rooms.zip(self.members).map(|(rooms, members)| RoomsLoad {
            rooms: usize::from(rooms),
            members: usize::from(members),
            rate_per_s: self.rate,
        });
        let wanted = ChatOptions {
            rooms,
            idle: usize::from(self.idle),
            initial_sync_rooms: usize::from(self.initial_sync),
            growth: self.growth,
        };
        let report = match self.what {
            What::Chat => chat::run(&program, &options, &wanted).await?,
            What::Pay => pay::run(&program, &options).await?,
        };
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!("{report}");
        }
        Ok(())
    }
}
