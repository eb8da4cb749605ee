//! How many tests passed, failed and were left out, read from what the test runners print.

use std::fmt;
use std::ops::AddAssign;

use anyhow::{Context as _, Result};

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Tests that hold.
    pub(super) passed: u64,
    /// Tests that do not hold, or could not run.
    pub(super) failed: u64,
    /// Tests that are written but told not to run.
    pub(super) skipped: u64,
}

impl Counts {
    /// A step counts as one test.
    pub(super) fn of_step(passed: bool) -> Self {
        Self {
            passed: u64::from(passed),
            failed: u64::from(!passed),
            skipped: 0,
        }
    }

    /// Reads libtest's closing line: `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; ...`.
    pub(super) fn of_libtest_line(line: &str) -> Option<Self> {
        let rest = line.trim().strip_prefix("test result: ")?;
        let number = |word: &str| -> Option<u64> {
            let before = rest
                .split(word)
                .next()
                .filter(|before| before.len() < rest.len())?;
            before.trim_end().rsplit(' ').next()?.parse().ok()
        };
        Some(Self {
            passed: number(" passed;")?,
            failed: number(" failed;")?,
            skipped: number(" ignored;")?,
        })
    }

    /// Reads Vitest's JSON report.
    pub(super) fn of_vitest_report(report: &str) -> Result<Self> {
        let report: serde_json::Value =
            serde_json::from_str(report).context("Vitest's report is not JSON")?;
        let number = |name: &str| {
            report
                .get(name)
                .and_then(serde_json::Value::as_u64)
                .with_context(|| format!("Vitest's report has no {name}"))
        };
        let skipped = number("numPendingTests")? + number("numTodoTests")?;
        Ok(Self {
            passed: number("numPassedTests")?,
            failed: number("numFailedTests")?,
            skipped,
        })
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(formatter, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Counts;

    #[test]
    fn libtests_closing_line_is_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.01s";
        assert_eq!(
            Counts::of_libtest_line(line),
            Some(Counts {
                passed: 12,
                failed: 3,
                skipped: 1
            })
        );
        assert_eq!(Counts::of_libtest_line("test tests::a_line ... ok"), None);
        assert_eq!(Counts::of_libtest_line("test result: what?"), None);
    }

    #[test]
    fn vitests_report_is_read() {
        let report = r#"{"numTotalTests":7,"numPassedTests":4,"numFailedTests":1,"numPendingTests":1,"numTodoTests":1}"#;
        assert_eq!(
            Counts::of_vitest_report(report).unwrap(),
            Counts {
                passed: 4,
                failed: 1,
                skipped: 2
            }
        );
        assert!(Counts::of_vitest_report("{}").is_err());
        assert!(Counts::of_vitest_report("").is_err());
    }

    #[test]
    fn the_last_line_is_plain() {
        let mut total = Counts::of_step(true);
        total += Counts::of_step(false);
        assert_eq!(total.to_string(), "1 passed, 1 failed");
        total += Counts {
            passed: 1,
            failed: 0,
            skipped: 2,
        };
        assert_eq!(total.to_string(), "2 passed, 1 failed, 2 skipped");
    }
}
