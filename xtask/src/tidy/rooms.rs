//! Rooms: each service has the same files, and the app names it.
//!
//! Why: who knows one service knows all. A rule, a verb, a query and a route are looked for in one place only.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "rooms";

/// The modules that every service has, each a file or a folder of the same name.
const MODULES: &[&str] = &["lib", "model", "ops", "store", "api", "tests"];

/// Where the app lists its services.
const LIST: &str = "app/src/services.rs";

/// Services that lack a room, or that the app does not list.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in tree.services() {
        let folder = format!("services/{service}");
        let mut missing = Vec::new();
        let modules = MODULES
            .iter()
            .filter(|module| !tree.has_module(&format!("{folder}/src/{module}")));
        missing.extend(modules.map(|module| format!("src/{module}.rs")));
        if !tree.files.contains_key(&format!("{folder}/README.md")) {
            missing.push("README.md".to_owned());
        }
        let migrations = format!("{folder}/migrations/");
        if !tree
            .files
            .keys()
            .any(|path| path.starts_with(&migrations) && path.ends_with(".sql"))
        {
            missing.push("migrations/0001_....sql".to_owned());
        }
        let manifest = format!("{folder}/Cargo.toml");
        for room in missing {
            let mend = "Add it; `cargo xtask new-service` shows what belongs in it";
            findings.push(Finding::new(
                RULE,
                &manifest,
                1,
                format!("{service} has no {room}"),
                mend,
            ));
        }
        let name = format!("haechi_{}", service.replace('-', "_"));
        if !tree.files.get(LIST).is_some_and(|list| list.contains(&name)) {
            let mend = format!("Add its line to {LIST}");
            findings.push(Finding::new(
                RULE,
                &manifest,
                1,
                format!("the app does not list {service}"),
                mend,
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::{Tree, check};

    const WHOLE: &[(&str, &str)] = &[
        (
            "app/src/services.rs",
            "//! Services.\nfn all() { haechi_pay::Pay; }",
        ),
        ("services/pay/Cargo.toml", "[package]\nname = \"haechi-pay\"\n"),
        ("services/pay/README.md", "# pay"),
        ("services/pay/migrations/0001_account.sql", ""),
        ("services/pay/src/lib.rs", ""),
        ("services/pay/src/model.rs", ""),
        ("services/pay/src/ops.rs", ""),
        ("services/pay/src/store/mod.rs", ""),
        ("services/pay/src/api.rs", ""),
        ("services/pay/src/tests.rs", ""),
    ];

    #[test]
    fn a_service_with_all_rooms_is_right() {
        assert_eq!(check(&Tree::of(WHOLE)), []);
    }

    #[test]
    fn each_room_that_is_missing_is_told() {
        for (index, (path, _)) in WHOLE
            .iter()
            .enumerate()
            .filter(|(_, (path, _))| !path.ends_with(".toml"))
        {
            let rest: Vec<(&str, &str)> = WHOLE
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != index)
                .map(|(_, file)| *file)
                .collect();
            assert_eq!(check(&Tree::of(&rest)).len(), 1, "without {path}");
        }
    }
}
