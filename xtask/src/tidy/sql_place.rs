//! SQL's place: only a service's store.rs (or store/) holds SQL, and below the services only platform/store.
//!
//! Why: who changes a table must find every statement that touches it in one file. It also keeps rules readable:
//! an op that holds no SQL reads as the domain speaks.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "sql-place";

/// Texts that are statements, where they do not belong.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources.iter().filter(|source| !may_hold_sql(&source.path)) {
        for token in &source.tokens {
            if token.string.as_deref().is_some_and(is_statement) {
                let mend = "Move the statement into a function of the service's store.rs that is named for what it finds";
                findings.push(Finding::new(
                    RULE,
                    &source.path,
                    token.line,
                    "a SQL statement outside the store",
                    mend,
                ));
            }
        }
    }
    findings
}

/// Whether a service's file is its store. The cluster keeps its tables as a service does.
pub(super) fn is_service_store(path: &str) -> bool {
    if path == "platform/cluster/src/store.rs" {
        return true;
    }
    let inside = path
        .strip_prefix("services/")
        .and_then(|rest| rest.split_once("/src/"))
        .map(|(_, inside)| inside);
    inside.is_some_and(|inside| inside == "store.rs" || inside.starts_with("store/"))
}

fn may_hold_sql(path: &str) -> bool {
    // xtask's template is judged as the service it becomes, by a test of new_service.rs.
    let platform = ["platform/store/", "platform/testkit/", "xtask/"]
        .iter()
        .any(|place| path.starts_with(place));
    // The bench writes the same rows raw, to judge the store by.
    let raw = path
        .strip_prefix("bench/src/")
        .is_some_and(|name| name.starts_with("raw") && !name.contains('/'));
    platform || raw || is_service_store(path) || path.starts_with("tests/")
}

/// Whether a text is a SQL statement: its first word in one case throughout, and the word that must follow.
///
/// `DELETE /api/session` and `Select a room` are none.
pub(super) fn is_statement(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let Some(first) = words.first() else { return false };
    let lower = first.to_lowercase();
    if *first != lower && *first != first.to_uppercase() {
        return false;
    }
    let second = words.get(1).map(|word| word.to_lowercase()).unwrap_or_default();
    let has = |wanted: &str| words.iter().skip(1).any(|word| word.eq_ignore_ascii_case(wanted));
    match lower.as_str() {
        "select" => *first != lower || has("from"),
        "insert" => second == "into" || second == "or",
        "update" => has("set"),
        "delete" => second == "from",
        "with" => {
            second == "recursive"
                || (has("as") && has("select"))
                || words.iter().any(|word| word.eq_ignore_ascii_case("(select"))
        }
        "create" | "drop" | "alter" => {
            matches!(
                second.as_str(),
                "table" | "index" | "unique" | "view" | "database" | "schema" | "role"
            )
        }
        "begin" | "commit" | "rollback" | "savepoint" | "pragma" => *first != lower,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::{Tree, check, is_statement};

    fn findings(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn statements_are_known() {
        for text in [
            "SELECT 1",
            "\n  SELECT a\n FROM b",
            "select a from b",
            "INSERT INTO a VALUES ($1)",
            "UPDATE a SET b = $1",
            "DELETE FROM a",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "CREATE TABLE a (b TEXT)",
            "BEGIN",
        ] {
            assert!(is_statement(text), "{text}");
        }
        for text in [
            "DELETE /api/sessions",
            "Select a room",
            "select",
            "update the app",
            "with care as ever",
            "UPDATE",
            "",
        ] {
            assert!(!is_statement(text), "{text}");
        }
    }

    #[test]
    fn statements_outside_a_store_are_told() {
        assert_eq!(
            findings("services/pay/src/ops.rs", "const A: &str = \"SELECT 1\";"),
            1
        );
        assert_eq!(
            findings(
                "services/pay/src/api.rs",
                "fn a() { format!(r#\"DELETE FROM {b}\"#); }"
            ),
            1
        );
        assert_eq!(
            findings("services/pay/src/restore.rs", "const A: &str = \"SELECT 1\";"),
            1
        );
        assert_eq!(findings("app/src/main.rs", "const A: &str = \"SELECT 1\";"), 1);
        assert_eq!(
            findings("platform/cluster/src/store.rs", "const A: &str = \"SELECT 1\";"),
            0
        );
        assert_eq!(
            findings("platform/cluster/src/beat.rs", "const A: &str = \"SELECT 1\";"),
            1
        );
        assert_eq!(
            findings("platform/http/src/lib.rs", "const A: &str = \"SELECT 1\";"),
            1
        );
        assert_eq!(findings("bench/src/load.rs", "const A: &str = \"SELECT 1\";"), 1);
    }

    #[test]
    fn stores_and_tests_hold_sql() {
        for path in [
            "services/pay/src/store.rs",
            "services/pay/src/store/ledger.rs",
            "services/pay/src/tests.rs",
            "platform/store/src/lib.rs",
            "bench/src/raw.rs",
            "bench/src/raw_postgres.rs",
            "tests/src/kill.rs",
        ] {
            assert_eq!(findings(path, "const A: &str = \"SELECT 1\";"), 0, "{path}");
        }
        assert_eq!(
            findings("services/pay/src/ops.rs", "/// SELECT 1\nfn a() {}"),
            0,
            "comments are not statements"
        );
    }
}
