//! `cargo xtask test`: everything that must hold, from the rules of the house to a browser and a real Matrix client.
//!
//! Steps run in an order that fails early and cheaply, and go on after a failure where that still tells something. The
//! run ends with one plain line of counts, and fails when anything failed or could not run.

mod counts;
mod steps;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::builder::PossibleValuesParser;

use crate::disk;
use crate::tools::{self, Tool};
use counts::Counts;
use steps::{STEPS, Step};

/// What to run.
#[derive(clap::Args)]
pub struct Arguments {
    /// Run only this step, with the steps it builds on (may be given more than once)
    #[arg(long, value_name = "STEP", value_parser = PossibleValuesParser::new(STEPS.iter().map(|step| step.name)))]
    only: Vec<String>,
}

/// How one step ended.
struct Outcome {
    name: &'static str,
    counts: Counts,
    took: Duration,
}

/// Runs the tests. What fails is counted, and told by the exit code.
#[must_use]
pub fn run(root: &Path, arguments: &Arguments) -> ExitCode {
    if let Err(error) = disk::require_free(root) {
        println!("{error:#}");
        return ExitCode::FAILURE;
    }
    let chosen = choose(&arguments.only);
    let mut outcomes = Vec::new();
    let missing = install_tools(root, &chosen, &mut outcomes);
    for step in chosen {
        println!("\n== {}: {}", step.name, step.about);
        let started = Instant::now();
        let failed = |name: &&&str| {
            outcomes
                .iter()
                .any(|outcome: &Outcome| outcome.name == **name && outcome.counts.failed > 0)
        };
        let result = if let Some((tool, _)) = missing.iter().find(|(tool, _)| step.tools.contains(tool)) {
            Err(anyhow::anyhow!(
                "could not run without {}, see above",
                tool.name()
            ))
        } else if let Some(needed) = step.requires.iter().find(failed) {
            Err(anyhow::anyhow!("could not run, because {needed} failed"))
        } else {
            (step.run)(root)
        };
        let counts = result.unwrap_or_else(|error| {
            println!("{}: {error:#}", step.name);
            Counts::of_step(false)
        });
        outcomes.push(Outcome {
            name: step.name,
            counts,
            took: started.elapsed(),
        });
    }
    report(&outcomes)
}

/// The steps to run: all, or those asked for with those they build on, in their order.
fn choose(only: &[String]) -> Vec<&'static Step> {
    let asked = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
    let needed = |name: &str| {
        STEPS
            .iter()
            .any(|step| asked(step.name) && step.with.contains(&name))
    };
    STEPS
        .iter()
        .filter(|step| asked(step.name) || needed(step.name))
        .collect()
}

fn install_tools(root: &Path, chosen: &[&Step], outcomes: &mut Vec<Outcome>) -> Vec<(Tool, anyhow::Error)> {
    let mut wanted: Vec<Tool> = Vec::new();
    for tool in chosen.iter().flat_map(|step| step.tools) {
        if !wanted.contains(tool) {
            wanted.push(*tool);
        }
    }
    if wanted.is_empty() {
        return Vec::new();
    }
    println!("== tools: what the tests need is there, or is installed");
    let started = Instant::now();
    let missing = tools::install(root, &wanted);
    for (tool, error) in &missing {
        println!("{}: {error:#}", tool.name());
    }
    outcomes.push(Outcome {
        name: "tools",
        counts: Counts::of_step(missing.is_empty()),
        took: started.elapsed(),
    });
    missing
}

fn report(outcomes: &[Outcome]) -> ExitCode {
    let mut total = Counts::default();
    println!();
    for Outcome { name, counts, took } in outcomes {
        let verdict = if counts.failed > 0 { "FAILED" } else { "ok" };
        println!("{name:<12} {:>7.1} s  {verdict:<6}  {counts}", took.as_secs_f64());
        total += *counts;
    }
    println!("{total}");
    if total.failed > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::{STEPS, choose};

    fn chosen(only: &[&str]) -> Vec<&'static str> {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        choose(&only).iter().map(|step| step.name).collect()
    }

    #[test]
    fn without_a_choice_all_steps_run() {
        assert_eq!(chosen(&[]).len(), STEPS.len());
    }

    #[test]
    fn a_step_brings_those_it_builds_on() {
        assert_eq!(chosen(&["tidy"]), ["tidy"]);
        assert_eq!(chosen(&["tests"]), ["web-build", "build", "tests"]);
    }

    #[test]
    fn steps_name_steps_before_them() {
        for (index, step) in STEPS.iter().enumerate() {
            for name in step.with.iter().chain(step.requires) {
                assert!(
                    STEPS[..index].iter().any(|other| other.name == *name),
                    "{} names {name}",
                    step.name
                );
            }
        }
    }
}
