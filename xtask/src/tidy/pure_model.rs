//! Pure models: a service's nouns and rules know nothing of HTTP.
//!
//! Why: a rule that can be called with plain values is tested in a line, and holds whoever calls it: a route, a job,
//! another service.

use super::finding::Finding;
use super::source::Source;
use super::tree::Tree;

const RULE: &str = "pure-model";

/// Crates that speak HTTP.
const WEB: &[&str] = &[
    "axum",
    "http",
    "hyper",
    "tower",
    "tower_http",
    "reqwest",
    "utoipa_axum",
    "haechi_http",
];

/// Uses of HTTP in model.rs, or below model/.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.sources
        .iter()
        .filter(|source| is_model(&source.path))
        .flat_map(of_source)
        .collect()
}

fn of_source(source: &Source) -> impl Iterator<Item = Finding> + '_ {
    let uses = WEB
        .iter()
        .flat_map(|name| source.lines_using(name).into_iter().map(move |line| (name, line)));
    uses.map(|(name, line)| {
        let mend = "Return a value or an error of the model; api.rs makes the answer of it";
        Finding::new(RULE, &source.path, line, format!("a model uses `{name}`"), mend)
    })
}

fn is_model(path: &str) -> bool {
    let inside = path
        .strip_prefix("services/")
        .and_then(|rest| rest.split_once("/src/"))
        .map(|(_, inside)| inside);
    inside.is_some_and(|inside| inside == "model.rs" || inside.starts_with("model/"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::{Tree, check};

    fn findings(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn a_model_that_speaks_http_is_told() {
        assert_eq!(findings("services/pay/src/model.rs", "use axum::Json;"), 1);
        assert_eq!(
            findings(
                "services/pay/src/model/transfer.rs",
                "fn a() -> http::StatusCode { b() }"
            ),
            1
        );
        assert_eq!(
            findings("services/pay/src/model.rs", "use haechi_http::Problem;"),
            1
        );
    }

    #[test]
    fn others_may_and_a_model_may_use_the_rest() {
        assert_eq!(findings("services/pay/src/api.rs", "use axum::Json;"), 0);
        assert_eq!(
            findings(
                "services/pay/src/model.rs",
                "use haechi_base::Money; const HTTP: u8 = 1;"
            ),
            0
        );
    }
}
