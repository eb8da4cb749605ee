//! Lints: every crate takes the workspace's lints.
//!
//! Why: a crate that forgets the two lines is silently held to nothing.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "lints";

/// Crates without `[lints] workspace = true`.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let inherits = |table: &toml::Table| {
        table
            .get("lints")
            .and_then(|lints| lints.get("workspace"))
            .and_then(toml::Value::as_bool)
            == Some(true)
    };
    let lax = tree
        .manifests
        .iter()
        .filter(|manifest| !inherits(&manifest.table));
    lax.map(|manifest| {
        let what = format!("{} does not take the workspace's lints", manifest.name);
        Finding::new(
            RULE,
            &manifest.path(),
            1,
            what,
            "Add `[lints]` with `workspace = true`",
        )
    })
    .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::{Tree, check};

    fn findings(lints: &str) -> usize {
        check(&Tree::of(&[(
            "bench/Cargo.toml",
            &format!("[package]\nname = \"haechi-bench\"\n{lints}"),
        )]))
        .len()
    }

    #[test]
    fn a_crate_takes_the_lints_or_is_told() {
        assert_eq!(findings("[lints]\nworkspace = true\n"), 0);
        assert_eq!(findings(""), 1);
        assert_eq!(findings("[lints]\nworkspace = false\n"), 1);
        assert_eq!(findings("[lints.rust]\nmissing_docs = \"warn\"\n"), 1);
    }
}
