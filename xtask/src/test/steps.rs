//! The steps of `cargo xtask test`, in their order: cheap ones first, those that build on others after them.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::counts::Counts;
use crate::postgres_server::PostgresServer;
use crate::tools::{self, Tool};
use crate::{process, tidy, web};

/// One step.
pub(super) struct Step {
    /// Its name, for `--only`.
    pub(super) name: &'static str,
    /// What it proves.
    pub(super) about: &'static str,
    /// What must be installed for it.
    pub(super) tools: &'static [Tool],
    /// Steps that run before it even if only this one is asked for.
    pub(super) with: &'static [&'static str],
    /// Steps without whose success it cannot work.
    pub(super) requires: &'static [&'static str],
    /// Runs it in the workspace at this root.
    pub(super) run: fn(&Path) -> Result<Counts>,
}

/// All steps.
pub(super) const STEPS: &[Step] = &[
    Step {
        name: "tidy",
        about: "the rules of the house",
        run: run_tidy,
        ..PLAIN
    },
    Step {
        name: "fmt",
        about: "Rust is formatted",
        run: run_fmt,
        ..PLAIN
    },
    Step {
        name: "web-format",
        about: "the web app and the journeys' scripts are formatted",
        run: run_web_format,
        ..WEB
    },
    Step {
        name: "web-check",
        about: "the web app's types are right",
        run: run_web_check,
        ..WEB
    },
    Step {
        name: "web-test",
        about: "the web app's unit tests",
        run: run_web_test,
        ..WEB
    },
    Step {
        name: "web-build",
        about: "the web app is built",
        run: run_web_build,
        ..WEB
    },
    Step {
        name: "clippy",
        about: "Rust without a warning",
        tools: BUILD,
        run: run_clippy,
        with: &["web-build"],
        ..WEB
    },
    Step {
        name: "build",
        about: "the program and all tests",
        tools: BUILD,
        run: run_build,
        with: &["web-build"],
        ..WEB
    },
    Step {
        name: "tests",
        about: "unit tests on both engines, and journeys with a browser and Matrix clients",
        tools: &[
            Tool::ProtocolBuffers,
            Tool::WebPackages,
            Tool::Postgres,
            Tool::PgBackRest,
            Tool::Sites,
            Tool::Chromium,
            Tool::Fonts,
            Tool::MatrixNio,
            Tool::BrowserPackages,
            Tool::MatrixPackages,
        ],
        with: &["web-build", "build"],
        requires: &["build"],
        run: run_tests,
    },
];

/// What building the program needs.
const BUILD: &[Tool] = &[Tool::ProtocolBuffers, Tool::WebPackages];

/// A step that needs nothing but Rust.
const PLAIN: Step = Step {
    name: "",
    about: "",
    tools: &[],
    with: &[],
    requires: &[],
    run: run_tidy,
};

/// A step that needs the web app's packages.
const WEB: Step = Step {
    tools: &[Tool::WebPackages],
    ..PLAIN
};

fn run_tidy(root: &Path) -> Result<Counts> {
    tidy::run(root)?;
    Ok(Counts::of_step(true))
}

fn run_fmt(root: &Path) -> Result<Counts> {
    as_one(process::cargo(root).args(["fmt", "--all", "--check"]))
}

fn run_web_format(root: &Path) -> Result<Counts> {
    as_one(web::npm(&root.join("web"))?.args(["run", "--silent", "format:check"]))
}

fn run_web_check(root: &Path) -> Result<Counts> {
    as_one(web::npm(&root.join("web"))?.args(["run", "--silent", "check"]))
}

fn run_web_test(root: &Path) -> Result<Counts> {
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("vitest.json");
    let mut npm = web::npm(&root.join("web"))?;
    npm.args([
        "run",
        "--silent",
        "test",
        "--",
        "--reporter=default",
        "--reporter=json",
    ]);
    let status = npm
        .arg(format!("--outputFile.json={}", report.display()))
        .status()
        .context("cannot run npm")?;
    let report = std::fs::read_to_string(&report).context("Vitest wrote no report")?;
    with_status(Counts::of_vitest_report(&report)?, status.success(), "Vitest")
}

fn run_web_build(root: &Path) -> Result<Counts> {
    if !web::build(root)? {
        println!("nothing changed since the last build");
    }
    Ok(Counts::of_step(true))
}

fn run_clippy(root: &Path) -> Result<Counts> {
    as_one(process::cargo(root).args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// The binary is built together with the tests: by itself it would be built with fewer features of its dependencies,
/// so that `cargo test` would have to compile those again.
fn run_build(root: &Path) -> Result<Counts> {
    as_one(process::cargo(root).args(["build", "--workspace", "--bins", "--tests"]))
}

fn run_tests(root: &Path) -> Result<Counts> {
    let given = std::env::var("HAECHI_TEST_POSTGRES").ok();
    // One server for the whole run; it ends when this function does.
    let server = if given.is_some() {
        None
    } else {
        Some(PostgresServer::start()?)
    };
    let url = given
        .or_else(|| server.as_ref().map(|server| server.url("postgres")))
        .unwrap_or_default();
    let mut cargo = process::cargo(root);
    cargo.args(["test", "--workspace", "--no-fail-fast"]);
    cargo
        .env("HAECHI_TEST_POSTGRES", url)
        .envs(journey_environment(root)?);
    count_libtest(&mut cargo)
}

/// What the journeys are told by environment variables: which program to try, and with which tools.
fn journey_environment(root: &Path) -> Result<Vec<(&'static str, std::path::PathBuf)>> {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |target| root.join(target));
    Ok(vec![
        ("HAECHI_BINARY", target.join("debug/haechi")),
        ("HAECHI_PYTHON", tools::nio_python(root)),
        (
            "HAECHI_CHROMIUM",
            tools::find_chromium().context("Chromium is missing")?,
        ),
        (
            "HAECHI_NODE",
            process::find_program("node").context("Node is missing: install Node 20 or newer")?,
        ),
    ])
}

/// Runs `cargo test`, showing what it prints and adding up its closing lines.
fn count_libtest(command: &mut Command) -> Result<Counts> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run cargo test")?;
    let output = child.stdout.take().context("cargo test has no output")?;
    let mut counts = Counts::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        if let Some(closing) = Counts::of_libtest_line(&line) {
            counts += closing;
        }
    }
    with_status(counts, child.wait()?.success(), "cargo test")
}

/// A runner that fails without naming a failed test crashed, or did not compile: that is one failure.
fn with_status(mut counts: Counts, success: bool, runner: &str) -> Result<Counts> {
    if !success && counts.failed == 0 {
        println!("{runner} failed without naming a test");
        counts.failed = 1;
    }
    if success && counts.passed == 0 {
        bail!("{runner} found no test");
    }
    Ok(counts)
}

fn as_one(command: &mut Command) -> Result<Counts> {
    process::run(command)?;
    Ok(Counts::of_step(true))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::{Counts, count_libtest, with_status};
    use crate::process;

    fn shell(script: &str) -> Counts {
        count_libtest(process::command("sh", Path::new("/")).args(["-c", script])).unwrap()
    }

    #[test]
    fn a_crash_counts_as_a_failure() {
        assert_eq!(
            shell("echo 'test result: ok. 2 passed; 0 failed; 0 ignored;'; exit 101").failed,
            1
        );
        assert_eq!(
            shell("echo 'test result: FAILED. 2 passed; 3 failed; 0 ignored;'; exit 101").failed,
            3
        );
        assert_eq!(
            shell("echo 'test result: ok. 2 passed; 0 failed; 0 ignored;'").failed,
            0
        );
    }

    #[test]
    fn no_test_at_all_is_no_success() {
        assert!(with_status(Counts::default(), true, "Vitest").is_err());
    }
}
