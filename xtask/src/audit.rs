//! `cargo xtask audit`: licences, advisories and bans of everything we depend on.
//!
//! No part of `cargo xtask test`: an advisory that somebody publishes must not turn a landed commit red.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::{process, web};

/// What an npm registry without the audit service answers, and what npm says without a network.
const NPM_UNREACHABLE: &[&str] = &[
    "ENOAUDIT",
    "audit endpoint",
    "ENOTFOUND",
    "ECONNREFUSED",
    "EAI_AGAIN",
    "ETIMEDOUT",
];

/// How one check ended, when it did not fail.
#[derive(PartialEq, Eq)]
enum Verdict {
    Clean,
    /// Advisories come from the network; without it, the rest is judged and this is said.
    NotChecked(String),
}

/// Checks the Rust crates against deny.toml, and the npm packages against npm's advisories.
///
/// # Errors
/// Something we depend on is refused. Advisories that cannot be fetched are told, and are no error.
pub fn run(root: &Path) -> Result<()> {
    install_cargo_deny(root)?;
    let checks = [
        (
            "licences, bans and sources of crates",
            deny(root, &["licenses", "bans", "sources"]),
        ),
        ("advisories for crates", advisories(root)),
        ("advisories for web", npm_audit(&root.join("web"))),
        (
            "advisories for tests/browser",
            npm_audit(&root.join("tests/browser")),
        ),
        (
            "advisories for tests/matrix",
            npm_audit(&root.join("tests/matrix")),
        ),
    ];
    println!();
    let mut refused = 0;
    for (name, verdict) in checks {
        match verdict {
            Ok(Verdict::Clean) => println!("{name}: nothing is refused"),
            Ok(Verdict::NotChecked(why)) => println!("{name}: NOT CHECKED, {why}"),
            Err(error) => {
                refused += 1;
                println!("{name}: {error:#}");
            }
        }
    }
    if refused > 0 {
        bail!("audit: {refused} checks failed");
    }
    Ok(())
}

fn deny(root: &Path, checks: &[&str]) -> Result<Verdict> {
    process::run(
        process::cargo(root)
            .args(["deny", "--all-features", "check"])
            .args(checks),
    )?;
    Ok(Verdict::Clean)
}

fn advisories(root: &Path) -> Result<Verdict> {
    if process::succeeds(process::cargo(root).args(["deny", "fetch", "db"])) {
        return deny(root, &["advisories"]);
    }
    Ok(Verdict::NotChecked(
        "the advisory database cannot be fetched".to_owned(),
    ))
}

fn npm_audit(folder: &Path) -> Result<Verdict> {
    let mut npm = web::npm(folder)?;
    let output = npm
        .args(["audit", "--audit-level=moderate"])
        .stderr(Stdio::piped())
        .output()
        .context("cannot run npm")?;
    let printed = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if output.status.success() {
        return Ok(Verdict::Clean);
    }
    if NPM_UNREACHABLE.iter().any(|sign| printed.contains(sign)) {
        return Ok(Verdict::NotChecked(
            "npm's registry does not answer about advisories".to_owned(),
        ));
    }
    bail!("npm audit failed:\n{}", printed.trim_end())
}

fn install_cargo_deny(root: &Path) -> Result<()> {
    let there = |command: &mut Command| process::succeeds(command);
    if there(process::cargo(root).args(["deny", "--version"])) {
        return Ok(());
    }
    println!("installing cargo-deny (some minutes, once)");
    process::run(process::cargo(root).args(["install", "cargo-deny", "--locked"]))
}
