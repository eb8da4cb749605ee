//! Clock and chance: no wall clock and no randomness outside platform/base.
//!
//! Why: time comes from a clock that is handed in and chance from one function, so that a test can turn the one and
//! repeat the other, and so that a transaction that runs twice writes the same thing twice.

use super::finding::Finding;
use super::source::Source;
use super::tree::Tree;

const RULE: &str = "clock";

/// The home of clock and chance.
const HOME: &str = "platform/base/";

/// Tests and tools for them, chores, and load clients read the machine's clock; nothing they do is kept.
const TOOLS: &[&str] = &["platform/testkit/", "tests/", "xtask/", "bench/", "drill/"];

/// Files that may measure how long something took by `Instant::now`, each with its reason.
const MEASURES: &[(&str, &str)] = &[
    (
        "platform/http/src/layers.rs",
        "how long each request took, for /metrics and the log",
    ),
    (
        "platform/cluster/src/detector.rs",
        "how long the primary's site has been silent",
    ),
    (
        "platform/cluster/src/detector/vote.rs",
        "how old this node's vote is",
    ),
    (
        "platform/cluster/src/etcd.rs",
        "how long this site's etcd has been passed over",
    ),
    (
        "platform/cluster/src/leadership.rs",
        "for how long a full disk has refused writes",
    ),
    (
        "platform/cluster/src/leadership/follow.rs",
        "how long etcd has not answered",
    ),
    (
        "platform/cluster/src/link.rs",
        "how long another node has been silent",
    ),
    (
        "platform/store/src/postgres.rs",
        "how long ago the primary was lost, before it is asked again",
    ),
    (
        "platform/store/src/postgres/patience.rs",
        "how long a transaction has been tried",
    ),
    (
        "services/chat/src/ops/hub.rs",
        "how late those run who were woken",
    ),
];

/// Ways to ask the machine what time it is.
const WALL_CLOCK: &[&[&str]] = &[
    &["SystemTime", "::", "now"],
    &["UNIX_EPOCH", ".", "elapsed"],
    &["Utc", "::", "now"],
    &["Local", "::", "now"],
    &["OffsetDateTime", "::", "now_utc"],
    &["Timestamp", "::", "now"],
];

/// Ways to measure a span of time.
const STOPWATCH: &[&str] = &["Instant", "::", "now"];

/// Ways to draw chance.
const CHANCE: &[&[&str]] = &[
    &["::", "now_v7"],
    &["::", "now_v6"],
    &["::", "now_v1"],
    &["::", "new_v4"],
    &["::", "new_v7"],
    &["OsRng"],
    &["SysRng"],
    &["ThreadRng"],
    &["thread_rng"],
    &["from_os_rng"],
    &["from_entropy"],
];

/// Crates whose whole purpose is chance.
const CHANCE_CRATES: &[&str] = &["rand", "getrandom", "fastrand", "rand_core"];

/// Readings of the wall clock, and draws of chance, outside their home.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = tree.sources.iter().flat_map(of_source).collect();
    findings.extend(MEASURES.iter().filter_map(|(path, _)| outdated(tree, path)));
    findings
}

fn of_source(source: &Source) -> Vec<Finding> {
    if source.path.starts_with(HOME) || TOOLS.iter().any(|place| source.path.starts_with(place)) {
        return Vec::new();
    }
    let mut found: Vec<(usize, String, &str)> = Vec::new();
    let lines = |pattern: &[&str]| -> Vec<usize> {
        source
            .find(pattern)
            .into_iter()
            .map(|index| source.tokens[index].line)
            .collect()
    };
    for pattern in WALL_CLOCK {
        let mend = "Take `now: Time`, or ask the clock you were handed (`ctx.clock.now()`)";
        found.extend(
            lines(pattern)
                .into_iter()
                .map(|line| (line, pattern.concat(), mend)),
        );
    }
    if !MEASURES.iter().any(|(path, _)| *path == source.path) {
        let mend =
            "Take `now: Time`; a measure of latency is declared with its reason in xtask/src/tidy/clock.rs";
        found.extend(
            lines(STOPWATCH)
                .into_iter()
                .map(|line| (line, STOPWATCH.concat(), mend)),
        );
    }
    let mend = "Use `haechi_base::random`, and typed ids made by `new(now)`";
    for pattern in CHANCE {
        found.extend(
            lines(pattern)
                .into_iter()
                .map(|line| (line, pattern.concat(), mend)),
        );
    }
    for name in CHANCE_CRATES {
        found.extend(
            source
                .lines_using(name)
                .into_iter()
                .map(|line| (line, format!("{name}::"), mend)),
        );
    }
    found.sort();
    let told = |(line, what, mend)| {
        Finding::new(
            RULE,
            &source.path,
            line,
            format!("`{what}` outside platform/base"),
            mend,
        )
    };
    found.into_iter().map(told).collect()
}

/// A permission that nobody uses any more is an invitation: it goes.
fn outdated(tree: &Tree, path: &str) -> Option<Finding> {
    let source = tree.sources.iter().find(|source| source.path == path);
    // A tree of snippets does not hold the file.
    let used = source.is_none_or(|source| !source.find(STOPWATCH).is_empty());
    (!used).then(|| {
        Finding::new(
            RULE,
            path,
            1,
            "it no longer measures time",
            "Take it out of MEASURES in xtask/src/tidy/clock.rs",
        )
    })
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
    fn the_wall_clock_is_told() {
        assert_eq!(in_ops("SystemTime::now();"), 1);
        assert_eq!(in_ops("std::time::SystemTime::now();"), 1);
        assert_eq!(in_ops("UNIX_EPOCH.elapsed();"), 1);
        assert_eq!(in_ops("Instant::now();"), 1);
        assert_eq!(in_ops("b.map_or_else(tokio::time::Instant::now, c);"), 1);
        assert_eq!(in_ops("chrono::Utc::now();"), 1);
    }

    #[test]
    fn chance_is_told() {
        assert_eq!(in_ops("Uuid::now_v7();"), 1);
        assert_eq!(in_ops("json!({\"id\": Uuid::new_v4()});"), 1);
        assert_eq!(in_ops("rand::random::<u8>();"), 1);
        assert_eq!(in_ops("b(&mut OsRng);"), 1);
        assert_eq!(findings("app/src/main.rs", "} use rand::Rng; fn c() {"), 1);
    }

    #[test]
    fn what_is_handed_in_is_right() {
        assert_eq!(
            in_ops("ctx.clock.now(); haechi_base::random::token(); crate::rand::b(); c(Instant::from(now));"),
            0
        );
    }

    #[test]
    fn the_home_and_the_tools_may() {
        assert_eq!(findings("platform/base/src/time.rs", "SystemTime::now();"), 0);
        assert_eq!(findings("bench/src/load.rs", "Instant::now();"), 0);
        assert_eq!(findings("services/pay/src/tests.rs", "Instant::now();"), 0);
        assert_eq!(findings("platform/store/src/lib.rs", "Instant::now();"), 1);
    }
}
