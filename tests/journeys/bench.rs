//! The bench prints its figures. Their size is judged on a release build; here each must be there and true.

use anyhow::{Context, Result, ensure};
use haechi_bench::server::command;
use serde_json::Value;

use crate::program::{FreshStore, binary, on_both_engines, succeed};

async fn figures(store: &FreshStore) -> Result<()> {
    for bench in ["chat", "pay"] {
        let printed = succeed(command(&binary()).args([
            "bench",
            bench,
            "--json",
            "--store",
            &store.url,
            "--clients",
            "4",
            "--duration-s",
            "1",
            "--warm-up-s",
            "0",
        ]))
        .await?;
        let report: Value =
            serde_json::from_str(&printed).context("the bench did not print one JSON object")?;
        for figure in [
            "acknowledged_per_s",
            "p50_ms",
            "p99_ms",
            "raw_per_s",
            "ratio_to_raw",
        ] {
            let value = report[figure]
                .as_f64()
                .with_context(|| format!("{bench} printed no {figure}"))?;
            ensure!(value > 0.0, "{bench}: {figure} is {value}");
        }
        ensure!(
            report["verified"].as_u64() > Some(0),
            "{bench}: nothing was read back"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bench_prints_its_figures() -> Result<()> {
    on_both_engines(figures).await
}
