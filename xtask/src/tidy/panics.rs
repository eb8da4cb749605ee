//! Panics: no `unwrap`, `expect`, `panic!`, `todo!` or `unimplemented!` outside tests.
//!
//! Why: one person's odd request must not end the program for all. What cannot happen is said by a type; what can
//! happen is an error with a name. (Clippy sees calls in code it compiles; this sees into macros too.)

use super::finding::Finding;
use super::source::Source;
use super::tree::Tree;

const RULE: &str = "panics";

/// Where a panic is how one stops: tools for tests, chores, load clients.
const EXEMPT: &[&str] = &["platform/testkit/", "xtask/", "bench/", "drill/", "tests/"];

const METHODS: &[&str] = &["unwrap", "expect", "unwrap_err", "expect_err"];

const MACROS: &[&str] = &["panic", "todo", "unimplemented"];

/// Calls that panic.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let production = tree
        .sources
        .iter()
        .filter(|source| !EXEMPT.iter().any(|place| source.path.starts_with(place)));
    production.flat_map(of_source).collect()
}

fn of_source(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    for method in METHODS {
        let calls = source
            .find(&[".", method, "("])
            .into_iter()
            .chain(source.find(&["::", method]));
        found.extend(calls.map(|index| (source.tokens[index].line, format!("`{method}` panics"))));
    }
    for name in MACROS {
        let calls = source.find(&[name, "!"]).into_iter();
        found.extend(calls.map(|index| (source.tokens[index].line, format!("`{name}!` panics"))));
    }
    found.sort();
    let mend = "Return an error with `?`, or write the code so that the case cannot be";
    found
        .into_iter()
        .map(|(line, what)| Finding::new(RULE, &source.path, line, what, mend))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::{Tree, check};

    fn findings(path: &str, body: &str) -> usize {
        check(&Tree::of(&[(path, &format!("fn a() {{ {body} }}"))])).len()
    }

    fn in_ops(body: &str) -> usize {
        findings("services/pay/src/ops.rs", body)
    }

    #[test]
    fn each_way_to_panic_is_told() {
        assert_eq!(in_ops("b().unwrap();"), 1);
        assert_eq!(in_ops("b().expect(\"c\");"), 1);
        assert_eq!(in_ops("b().unwrap_err();"), 1);
        assert_eq!(in_ops("b().expect_err(\"c\");"), 1);
        assert_eq!(in_ops("b.map(Option::unwrap);"), 1);
        assert_eq!(in_ops("panic!(\"c\");"), 1);
        assert_eq!(in_ops("todo!();"), 1);
        assert_eq!(in_ops("unimplemented!();"), 1);
        assert_eq!(in_ops("format!(\"{}\", b().unwrap());"), 1);
    }

    #[test]
    fn what_does_not_panic_is_right() {
        assert_eq!(
            in_ops("b().unwrap_or(1); c.unwrap_or_default(); self.unwrap = 1; expect(2);"),
            0
        );
    }

    #[test]
    fn tests_and_tools_may_panic() {
        assert_eq!(findings("services/pay/src/tests.rs", "b().unwrap();"), 0);
        assert_eq!(findings("platform/testkit/src/lib.rs", "b().unwrap();"), 0);
        assert_eq!(
            findings(
                "platform/store/src/lib.rs",
                "} #[cfg(test)] mod tests { fn a() { b().unwrap(); }"
            ),
            0
        );
        assert_eq!(findings("platform/store/src/lib.rs", "b().unwrap();"), 1);
    }
}
