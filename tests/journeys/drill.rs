//! A short drill: four real data centres on this machine, the primary's burnt, then frozen, then all of them killed,
//! and every acknowledged write read back.

use anyhow::{Context, Result, ensure};
use haechi_bench::server::command;
use serde_json::Value;

use crate::program::{FOUR_SITES, binary};

/// How long each fault lasts here, in seconds: longer than a fail-over, shorter than the usual drill.
const HOLD_S: &str = "8";

/// A bound on how long writes may stand still while one site is struck. Other tests share the two cores, so it is no
/// measure of speed: it is shorter than what Patroni's lease of 20 s would cost, and so shows that the detector worked.
const STALL_MS_MAX: u64 = 18_000;

/// The same where all sites are killed: they start anew, and the lease of who led runs out first.
const STALL_OF_ALL_MS_MAX: u64 = 60_000;

#[tokio::test]
async fn a_burnt_primary_a_frozen_one_and_a_fire_in_all_sites_lose_nothing() -> Result<()> {
    let _alone = FOUR_SITES.lock().await;
    let report = drill(&["--burn", "primary", "--freeze", "primary", "--burn-all"]).await?;
    let rounds = report["rounds"].as_array().context("rounds")?;
    ensure!(rounds.len() == 3, "{} rounds", rounds.len());
    let faults = [
        ("burn", STALL_MS_MAX),
        ("freeze", STALL_MS_MAX),
        ("burn-all", STALL_OF_ALL_MS_MAX),
    ];
    for (round, (fault, stall_ms_max)) in rounds.iter().zip(faults) {
        ensure!(round["fault"] == fault, "{}", round["fault"]);
        let stall_ms = round["write_stall_ms"]["overall"].as_u64().context("stall")?;
        ensure!(stall_ms <= stall_ms_max, "{stall_ms} ms: {round}");
        ensure!(round["acknowledged"].as_u64() > Some(0), "{round}");
        ensure!(round["lost"] == 0 && round["duplicated"] == 0, "{round}");
        ensure!(round["ledger_sum"] == 0, "{round}");
        ensure!(round["rejoin_s"].is_number(), "{round}");
    }
    ensure!(report["lost"] == 0 && report["duplicated"] == 0, "{report}");
    Ok(())
}

#[tokio::test]
async fn a_standby_site_that_is_cut_off_loses_nothing_and_rejoins() -> Result<()> {
    let _alone = FOUR_SITES.lock().await;
    // The sites in networks of their own, and no wait for a vote that a standby's site does not need.
    let report = drill(&["--cut", "standby", "--hasty"]).await?;
    let round = &report["rounds"][0];
    let stall_ms = round["write_stall_ms"]["overall"].as_u64().context("stall")?;
    ensure!(stall_ms <= STALL_MS_MAX, "{stall_ms} ms: {round}");
    ensure!(
        round["fault"] == "cut" && round["acknowledged"].as_u64() > Some(0),
        "{round}"
    );
    ensure!(round["lost"] == 0 && round["duplicated"] == 0, "{round}");
    ensure!(round["rejoin_s"].is_number(), "{round}");
    Ok(())
}

/// Runs `haechi drill` to its end and reads what it reports.
async fn drill(faults: &[&str]) -> Result<Value> {
    let mut drill = command(&binary());
    drill
        .arg("drill")
        .args(faults)
        .args(["--hold-s", HOLD_S, "--json"])
        .kill_on_drop(true);
    let output = drill.output().await.context("the drill does not start")?;
    let (said, wrong) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    ensure!(output.status.success(), "{}:\n{said}\n{wrong}", output.status);
    serde_json::from_str(&said).with_context(|| format!("no report:\n{said}\n{wrong}"))
}
