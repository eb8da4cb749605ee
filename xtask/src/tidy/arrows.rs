//! Arrows: app -> services -> platform -> nothing of ours; protocols depend on nothing of ours.
//!
//! Why: who changes a crate must know what can notice. When arrows run one way only, a service is understood with the
//! platform alone, and a protocol with its standard alone. Cargo forbids circles; it does not forbid a wrong direction.

use super::finding::Finding;
use super::tree::{Manifest, Tree, line_starting};

const RULE: &str = "arrows";

/// The platform from the bottom up: each crate may use those before it.
const PLATFORM: &[&str] = &["base", "store", "cluster", "http", "service"];

/// Tools for tests, on top of the platform; nobody ships it.
const TESTKIT: &str = "platform/testkit";

/// The services that every other may use: people and messages.
const LOWEST: &[&str] = &["identity", "chat"];

/// Which services a service may use. One that is not listed may use the lowest.
const SERVICES: &[(&str, &[&str])] = &[
    ("identity", &[]),
    ("chat", &["identity"]),
    ("gift", &["identity", "chat", "pay"]),
    ("bank", &["identity", "chat", "pay"]),
    ("comics", &["identity", "chat", "pay"]),
    ("taxi", &["identity", "chat", "pay", "map"]),
    ("scooter", &["identity", "chat", "pay", "map"]),
];

/// What `cargo xtask new-service` copies: a service like any other, that the program does not hold.
const TEMPLATE: &str = "xtask/template";

/// The load clients write raw rows to judge the store by, and speak HTTP to the rest.
const BENCH: &[&str] = &["platform/base", "platform/store"];

/// The drill drives the program from outside, with the bench's clients.
const DRILL: &[&str] = &["bench", "platform/base"];

/// Dependencies that point the wrong way.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in &tree.manifests {
        for (name, is_dev) in dependencies(&manifest.table) {
            let Some(target) = tree.manifests.iter().find(|other| other.name == name) else {
                continue;
            };
            if let Some(mend) = refusal(&manifest.folder, &target.folder, is_dev) {
                let line = line_starting(&tree.files[&manifest.path()], &name);
                let what = format!("{} must not depend on {}", manifest.folder, target.folder);
                findings.push(Finding::new(RULE, &manifest.path(), line, what, mend));
            }
        }
        findings.extend(unknown_platform(manifest));
    }
    findings
}

/// A platform crate that the order does not name has no place yet.
fn unknown_platform(manifest: &Manifest) -> Option<Finding> {
    let name = manifest.folder.strip_prefix("platform/")?;
    let known = PLATFORM.contains(&name) || manifest.folder == TESTKIT;
    let mend = "Give it a place in PLATFORM in xtask/src/tidy/arrows.rs";
    (!known).then(|| {
        Finding::new(
            RULE,
            &manifest.path(),
            1,
            format!("{name} has no place in the platform's order"),
            mend,
        )
    })
}

/// How to mend the arrow `from` -> `to`, when it is a wrong one.
fn refusal(from: &str, to: &str, is_dev: bool) -> Option<String> {
    let (layer, name) = match from {
        TEMPLATE => ("services", "sample"),
        _ => from.split_once('/').unwrap_or((from, "")),
    };
    if to == TESTKIT {
        let allowed = is_dev || from == "tests";
        return (!allowed)
            .then(|| "Put it under [dev-dependencies]: the testkit is never shipped".to_owned());
    }
    match layer {
        "app" | "tests" => None,
        "drill" => (!DRILL.contains(&to)).then(|| format!("The drill may use {}", DRILL.join(" and "))),
        "bench" => (!BENCH.contains(&to)).then(|| format!("The bench may use {}", BENCH.join(" and "))),
        "services" => refuse_service(name, to),
        "platform" => refuse_platform(from, name, to),
        _ => Some(
            "It may depend on nothing of ours: move what it needs down into it, or take it as an argument"
                .to_owned(),
        ),
    }
}

fn refuse_service(name: &str, to: &str) -> Option<String> {
    if to.starts_with("platform/") || to.starts_with("protocols/") {
        return None;
    }
    let allowed = SERVICES
        .iter()
        .find(|(service, _)| *service == name)
        .map_or(LOWEST, |(_, allowed)| *allowed);
    let fits = to
        .strip_prefix("services/")
        .is_some_and(|service| allowed.contains(&service));
    (!fits).then(|| {
        let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
        format!("The services it may use: {allowed}. If the design changed, say so in SERVICES in xtask/src/tidy/arrows.rs")
    })
}

fn refuse_platform(from: &str, name: &str, to: &str) -> Option<String> {
    let place = |name: &str| PLATFORM.iter().position(|crate_name| *crate_name == name);
    let target = to.strip_prefix("platform/").and_then(place);
    let fits = match (place(name), target) {
        (Some(own), Some(target)) => target < own,
        (None, Some(_)) => from == TESTKIT,
        _ => false,
    };
    (!fits).then(|| {
        format!(
            "The platform's order is {}: each uses only those before it",
            PLATFORM.join(" <- ")
        )
    })
}

/// The names of all dependencies, whether they are for tests only.
fn dependencies(table: &toml::Table) -> Vec<(String, bool)> {
    let mut names = Vec::new();
    for (kind, is_dev) in [
        ("dependencies", false),
        ("dev-dependencies", true),
        ("build-dependencies", false),
    ] {
        for (name, value) in table
            .get(kind)
            .and_then(toml::Value::as_table)
            .into_iter()
            .flatten()
        {
            let renamed = value.get("package").and_then(toml::Value::as_str);
            names.push((renamed.unwrap_or(name).to_owned(), is_dev));
        }
    }
    for target in table
        .get("target")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flatten()
    {
        names.extend(target.1.as_table().map(dependencies).unwrap_or_default());
    }
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::{Tree, check};

    /// The findings for one crate that depends on others, which lie beside it.
    fn told(folder: &str, kind: &str, targets: &[&str]) -> Vec<String> {
        let name = |folder: &str| format!("haechi-{}", folder.rsplit('/').next().unwrap_or(folder));
        let lines: String = targets
            .iter()
            .map(|target| format!("{}.workspace = true\n", name(target)))
            .collect();
        let mut files = vec![(
            format!("{folder}/Cargo.toml"),
            format!("[package]\nname = \"{}\"\n[{kind}]\n{lines}", name(folder)),
        )];
        for target in targets {
            files.push((
                format!("{target}/Cargo.toml"),
                format!("[package]\nname = \"{}\"\n", name(target)),
            ));
        }
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        check(&Tree::of(&files)).iter().map(ToString::to_string).collect()
    }

    fn allowed(folder: &str, targets: &[&str]) -> bool {
        told(folder, "dependencies", targets).is_empty()
    }

    #[test]
    fn arrows_that_run_down_are_right() {
        assert!(allowed("app", &["services/pay", "platform/http", "bench"]));
        assert!(allowed(
            "services/pay",
            &[
                "services/chat",
                "services/identity",
                "platform/store",
                "protocols/emvqr"
            ]
        ));
        assert!(allowed("services/chat", &["services/identity"]));
        assert!(allowed("services/taxi", &["services/pay", "services/map"]));
        assert!(allowed(
            "platform/service",
            &["platform/http", "platform/store", "platform/base"]
        ));
        assert!(allowed(
            "platform/testkit",
            &["platform/service", "platform/base"]
        ));
        assert!(allowed("bench", &["platform/base", "platform/store"]));
        assert!(allowed("tests", &["platform/testkit", "platform/base"]));
    }

    #[test]
    fn arrows_that_run_up_or_across_are_wrong() {
        assert!(!allowed("platform/base", &["platform/store"]));
        assert!(!allowed("platform/store", &["platform/http"]));
        assert!(!allowed("platform/store", &["services/pay"]));
        assert!(!allowed("platform/testkit", &["services/pay"]));
        assert!(!allowed("services/identity", &["services/chat"]));
        assert!(!allowed("services/chat", &["services/pay"]));
        assert!(!allowed("services/mail", &["services/pay"]));
        assert!(!allowed("services/pay", &["app"]));
        assert!(!allowed("protocols/emvqr", &["platform/base"]));
        assert!(!allowed("bench", &["services/pay"]));
        assert!(!allowed("xtask", &["platform/base"]));
    }

    #[test]
    fn the_testkit_is_for_tests() {
        assert!(!allowed("services/pay", &["platform/testkit"]));
        assert!(!allowed("app", &["platform/testkit"]));
        assert!(told("services/pay", "dev-dependencies", &["platform/testkit"]).is_empty());
        assert_eq!(
            told("platform/base", "dev-dependencies", &["platform/store"]).len(),
            1,
            "tests obey the order too"
        );
    }

    #[test]
    fn other_tables_of_a_manifest_count_too() {
        assert_eq!(
            told("services/chat", "build-dependencies", &["services/pay"]).len(),
            1
        );
        assert_eq!(
            told(
                "services/chat",
                "target.'cfg(unix)'.dependencies",
                &["services/pay"]
            )
            .len(),
            1
        );
    }

    #[test]
    fn the_place_is_the_line_of_the_dependency() {
        let told = told(
            "services/chat",
            "dependencies",
            &["services/identity", "services/pay"],
        );
        assert!(
            told[0].starts_with("services/chat/Cargo.toml:5: [arrows] services/chat must not"),
            "{told:?}"
        );
    }

    #[test]
    fn a_new_platform_crate_needs_a_place() {
        assert!(!allowed("platform/cache", &[]));
    }
}
