//! Heads: every Rust file begins with `//!` and says what it is.
//!
//! Why: the reader of a file should know in one line whether to read on.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "head";

/// Fewer words than this say nothing.
const WORDS_MIN: usize = 3;

/// Files without a head, or with one that says nothing.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &tree.sources {
        let what = match source.text.lines().next().unwrap_or_default().strip_prefix("//!") {
            None => "the file has no head",
            Some(head) if head.split_whitespace().count() < WORDS_MIN => "the head says nothing",
            Some(_) => continue,
        };
        findings.push(Finding::new(
            RULE,
            &source.path,
            1,
            what,
            "Begin it with `//! What this file is, in a sentence.`",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::{Tree, check};

    fn findings(text: &str) -> usize {
        check(&Tree::of(&[("services/pay/src/tests.rs", text)])).len()
    }

    #[test]
    fn a_file_begins_with_what_it_is() {
        assert_eq!(findings("//! The ledger's proofs.\n"), 0);
        assert_eq!(findings("use a::b;\n"), 1);
        assert_eq!(findings("// The ledger's proofs.\n"), 1);
        assert_eq!(findings("//! placeholder\n"), 1);
        assert_eq!(findings(""), 1);
    }
}
