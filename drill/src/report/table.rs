//! A report as tables for a terminal.

use std::fmt;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::{Report, Round, Spread};

/// Faults that are told one by one.
const FAULTS_MAX: usize = 10;

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", rounds(&self.rounds))?;
        writeln!(formatter, "{}", spreads(self))?;
        for fault in self
            .rounds
            .iter()
            .flat_map(|round| &round.faults)
            .take(FAULTS_MAX)
        {
            let site = fault.site.as_deref().unwrap_or("nobody");
            let at = fault.acknowledged_ms.map_or_else(String::new, |at_ms| {
                format!(", acknowledged {at_ms} ms after the strike")
            });
            let (service, id, what) = (&fault.service, &fault.id, &fault.what);
            writeln!(formatter, "{service} {id} (by {site}{at}): {what}")?;
        }
        for trouble in self
            .rounds
            .iter()
            .flat_map(|round| &round.troubles)
            .take(FAULTS_MAX)
        {
            writeln!(formatter, "trouble: {trouble}")?;
        }
        for warning in &self.warnings {
            writeln!(formatter, "not as aimed for: {warning}")?;
        }
        for failure in &self.failures {
            writeln!(formatter, "FAILED: {failure}")?;
        }
        if self.passed {
            write!(
                formatter,
                "PASSED: {} acknowledged writes, none lost, none doubled",
                self.acknowledged
            )
        } else {
            write!(formatter, "The drill failed.")
        }
    }
}

fn rounds(rounds: &[Round]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "round",
        "fault",
        "site",
        "acknowledged",
        "lost",
        "doubled",
        "stall ms",
        "read stall ms",
        "failed reads",
        "sign-ins lost",
        "rejoin s",
        "capacity left",
        "ledger",
    ]);
    for round in rounds {
        let figures = &round.figures;
        table.add_row([
            round.round.to_string(),
            round.fault.clone(),
            round.site.clone(),
            round.acknowledged.to_string(),
            round.lost.to_string(),
            round.duplicated.to_string(),
            told(figures.write_stall_ms.overall),
            figures.read_stall_ms.to_string(),
            figures.read_failures.to_string(),
            figures.signin_failures.to_string(),
            round
                .rejoin_s
                .map_or_else(nothing, |seconds| format!("{seconds:.1}")),
            figures
                .capacity_left
                .map_or_else(nothing, |share| format!("{:.0} %", share * 100.0)),
            round.ledger_sum.to_string(),
        ]);
    }
    for (place, column) in table.column_iter_mut().enumerate() {
        if place != 1 && place != 2 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn spreads(report: &Report) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_header(["longest gap", "p50 ms", "p95 ms", "worst ms"]);
    let (stalls, percentiles) = (&report.percentiles.write_stall_ms, &report.percentiles);
    let mut row = |name: &str, spread: Option<Spread>| {
        let Some(spread) = spread else { return };
        table.add_row([
            name.to_owned(),
            spread.p50.to_string(),
            spread.p95.to_string(),
            spread.max.to_string(),
        ]);
    };
    row("writes", stalls.overall);
    row("  chat", stalls.chat);
    row("  pay", stalls.pay);
    row("  sign-in", stalls.sign_in);
    row("  media", stalls.media);
    row("longest single write", percentiles.write_worst_ms);
    row("reads", percentiles.read_stall_ms);
    row("until rejoined", percentiles.rejoin_ms);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn told(figure: Option<u64>) -> String {
    figure.map_or_else(nothing, |figure| figure.to_string())
}

fn nothing() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::tests::round;
    use super::*;
    use crate::load::Clients;

    #[test]
    fn the_table_tells_each_round_and_the_outcome() {
        let mut lost = round(2, 1_234);
        lost.lost = 7;
        let rounds = vec![round(1, 900), lost];
        let report = Report::new(rounds, Clients::default(), BTreeMap::new(), Some(1_000));
        let told = report.to_string();
        for part in [
            "pangyo",
            "1234",
            "98 %",
            "FAILED: round 2: 7 acknowledged writes were lost",
            "1234 ms, which is more than 1000 ms",
        ] {
            assert!(told.contains(part), "{part} is not in\n{told}");
        }
    }
}
