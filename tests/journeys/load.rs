//! The drill's load and check, tried on two nodes of one store: one node is killed under load, and nothing is lost;
//! and what is not there is found to be missing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use haechi_bench::server::Server;
use haechi_drill::load::figures::Figures;
use haechi_drill::load::{Administrator, Clients, Load, LoadOptions, Phase, Record, SiteAddress};
use haechi_drill::verify::{Verified, verify};

use crate::program::{FreshStore, binary};

/// Acknowledged writes in each phase before the next one begins.
const WRITES_IN_A_PHASE: u64 = 400;

/// Longest that a phase may take.
const PHASE_WAIT: Duration = Duration::from_secs(60);

/// Longest that a read may take, in milliseconds, while a node is killed.
const READ_STALL_MS_MAX: u64 = 1_000;

/// Waits until this many more writes were acknowledged.
async fn carry(load: &Load, writes: u64) -> Result<()> {
    let before = load.live().acknowledged;
    let enough = async {
        while load.live().acknowledged < before + writes {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PHASE_WAIT, enough)
        .await
        .with_context(|| format!("fewer than {writes} writes were acknowledged in time"))
}

fn site(name: &str, server: &Server, weight: u32) -> SiteAddress {
    SiteAddress {
        name: name.to_owned(),
        http: server.address(),
        weight,
    }
}

fn faults(verified: &Verified) -> (u64, u64) {
    (verified.lost.sum(), verified.duplicated.sum())
}

/// Adds a write that was never made to each kind of note, as if a site had acknowledged it.
fn forge(record: &mut Record) -> Result<()> {
    let forged = |sent: &[haechi_drill::load::notes::Sent]| {
        let mut last = sent.last().context("a client sent nothing")?.clone();
        last.number += 1_000_000;
        last.acknowledged_us = Some(1);
        last.id = format!("{}forged", last.id).into();
        anyhow::Ok(last)
    };
    let chat = &mut record.chat[0].sent;
    chat.push(forged(chat)?);
    let pay = &mut record.pay[0].sent;
    pay.push(forged(pay)?);
    let media = &mut record.media[0];
    media.sent.push(forged(&media.sent)?);
    media.hashes.push([7; 32]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_change_over_from_a_killed_node_and_a_missing_write_is_found() -> Result<()> {
    let store = FreshStore::postgres().await?;
    let mut burnt = Server::start(&binary(), &store.url).await?;
    let kept = Server::start(&binary(), &store.url).await?;
    let sites = [site("pangyo", &burnt, 60), site("gasan", &kept, 40)];
    let mut options = LoadOptions::new(Administrator {
        program: binary(),
        store: store.url.clone(),
        environment: Vec::new(),
    });
    options.clients = Clients {
        chat: 6,
        receivers: 2,
        pay: 4,
        refresh: 2,
        media: 2,
        readers: 2,
    };
    let load = Load::start(&sites, options).await?;
    carry(&load, WRITES_IN_A_PHASE).await?;
    load.mark(Phase::Steady);
    carry(&load, WRITES_IN_A_PHASE).await?;
    load.mark(Phase::Struck);
    burnt.kill().await?;
    carry(&load, WRITES_IN_A_PHASE).await?;
    let mut record = load.stop().await;

    let survivors = &sites[1..];
    let verified = verify(&record, survivors).await?;
    ensure!(faults(&verified) == (0, 0), "lost or doubled: {verified:#?}");
    ensure!(
        verified.acknowledged.sum() >= 3 * WRITES_IN_A_PHASE,
        "only {:?} were acknowledged",
        verified.acknowledged
    );
    ensure!(
        (
            verified.ledger_sum,
            verified.wallets_out_of_balance,
            verified.sessions_ended
        ) == (0, 0, 0),
        "{verified:#?}"
    );
    let figures = Figures::of(&record);
    ensure!(
        figures.change_overs > 0 && figures.write_stall_ms.overall.is_some(),
        "nobody changed over: {figures:#?}"
    );
    ensure!(
        figures.refused == 0 && figures.signin_failures == 0 && figures.read_failures == 0,
        "refused: {:?}, signed out: {:?}, {figures:#?}",
        record.refused,
        record.signin_failures
    );
    ensure!(
        figures.sync_missed == 0 && figures.sync_seen_again == 0,
        "{figures:#?}"
    );
    ensure!(figures.read_stall_ms <= READ_STALL_MS_MAX, "{figures:#?}");

    forge(&mut record)?;
    let forged = verify(&record, survivors).await?;
    let lost = forged.lost;
    ensure!((lost.chat, lost.pay, lost.media) == (1, 1, 1), "{forged:#?}");
    kept.stop().await
}
