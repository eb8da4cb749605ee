//! Tidy: the rules of the house that a machine can keep, so that people need not.
//!
//! Each rule is one file in `tidy/`, which says why the rule is there and tests it on good and bad snippets. A rule
//! reads the [`Tree`] and answers with findings; it changes nothing.

mod arrows;
mod clock;
mod finding;
mod head;
mod lengths;
mod lints;
mod migrations;
mod panics;
mod portable_sql;
mod pure_model;
mod ratchet;
mod rooms;
mod source;
mod sql_place;
mod tree;

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};

pub use finding::Finding;
pub use tree::Tree;

/// All rules, in the order in which their findings are told.
const RULES: &[fn(&Tree) -> Vec<Finding>] = &[
    arrows::check,
    lints::check,
    rooms::check,
    sql_place::check,
    portable_sql::check,
    migrations::check,
    pure_model::check,
    clock::check,
    panics::check,
    head::check,
    lengths::check,
];

/// Everything in the tree that breaks a rule.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = tree.unreadable.clone();
    findings.extend(RULES.iter().flat_map(|rule| rule(tree)));
    findings
}

/// `cargo xtask tidy`.
///
/// # Errors
/// A rule is broken; the findings were printed.
pub fn run(root: &Path) -> Result<()> {
    let started = Instant::now();
    let tree = Tree::read(root)?;
    let findings = check(&tree);
    for finding in &findings {
        println!("{finding}");
    }
    let seconds = started.elapsed().as_secs_f64();
    if !findings.is_empty() {
        bail!(
            "tidy: {} findings in {} files ({seconds:.1} s)",
            findings.len(),
            tree.files.len()
        );
    }
    println!("tidy: {} files keep the rules ({seconds:.1} s)", tree.files.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::{Tree, check};

    /// The rules, as a test: `cargo test` alone keeps the house tidy.
    #[test]
    fn the_house_is_tidy() {
        let tree = Tree::read(&crate::root::workspace_root()).unwrap();
        assert!(
            tree.sources.len() > 20,
            "the walk through the workspace found next to nothing"
        );
        let findings = check(&tree);
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
    }
}
