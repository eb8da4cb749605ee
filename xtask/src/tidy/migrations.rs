//! Migrations: numbered `0001_noun.sql` upwards, without gaps and without a number twice, and each part of the program.
//!
//! Why: they are applied in the order of their numbers, once, everywhere. A gap is a file that somebody forgot to
//! commit, and a number that two branches took is an order that depends on who was merged first. A file that no code
//! includes is never applied at all.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "migrations";

/// Files in a folder `migrations` whose names are wrong, whose numbers do not follow one another, or that are left out.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for path in tree.files.keys().filter(|path| path.ends_with(".sql")) {
        if let Some((folder, name)) = path
            .rsplit_once('/')
            .filter(|(folder, _)| folder.ends_with("/migrations"))
        {
            folders.entry(folder).or_default().push(name);
        }
    }
    let mut findings = Vec::new();
    for (folder, names) in folders {
        // The files are sorted by their paths, so the names are too.
        findings.extend(of_folder(folder, &names));
        let left_out = names.iter().filter(|name| !is_included(tree, folder, name));
        findings.extend(left_out.map(|name| {
            let mend = "List it with `include_str!` among the crate's migrations";
            Finding::new(RULE, &format!("{folder}/{name}"), 1, "no code includes it", mend)
        }));
    }
    findings
}

/// Whether a source of the crate names the file in a text that ends like its path.
fn is_included(tree: &Tree, folder: &str, name: &str) -> bool {
    let home = folder.trim_end_matches("migrations");
    let end = format!("migrations/{name}");
    let mut sources = tree.sources.iter().filter(|source| source.path.starts_with(home));
    sources.any(|source| {
        source
            .tokens
            .iter()
            .filter_map(|token| token.string.as_ref())
            .any(|text| text.ends_with(&end))
    })
}

fn of_folder(folder: &str, names: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let wanted = index + 1;
        let what = match number(name) {
            None => "its name is not like 0001_account.sql".to_owned(),
            Some(number) if number != wanted => format!("number {wanted:04} was expected here"),
            Some(_) => continue,
        };
        let mend =
            "Number the migrations 0001, 0002, ... without gaps; only those that never landed may be renamed";
        findings.push(Finding::new(RULE, &format!("{folder}/{name}"), 1, what, mend));
    }
    findings
}

/// The number of `0001_account.sql`.
fn number(name: &str) -> Option<usize> {
    let (number, noun) = name.strip_suffix(".sql")?.split_once('_')?;
    let plain = !noun.is_empty()
        && noun
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    (number.len() == 4 && plain)
        .then(|| number.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::{Tree, check};

    /// Findings for migrations that are all included.
    fn findings(names: &[&str]) -> usize {
        let includes: String = names
            .iter()
            .map(|name| format!("include_str!(\"../migrations/{name}\");"))
            .collect();
        let mut files = vec![(
            "services/pay/src/lib.rs".to_owned(),
            format!("fn a() {{ {includes} }}"),
        )];
        files.extend(
            names
                .iter()
                .map(|name| (format!("services/pay/migrations/{name}"), String::new())),
        );
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        check(&Tree::of(&files)).len()
    }

    #[test]
    fn numbers_follow_one_another() {
        assert_eq!(findings(&["0001_account.sql", "0002_entry.sql"]), 0);
        assert_eq!(findings(&["0001_account.sql", "0003_entry.sql"]), 1);
        assert_eq!(findings(&["0001_account.sql", "0001_entry.sql"]), 1);
        assert_eq!(findings(&["0002_account.sql"]), 1);
    }

    #[test]
    fn names_say_number_and_noun() {
        assert_eq!(findings(&["1_account.sql"]), 1);
        assert_eq!(findings(&["0001-account.sql"]), 1);
        assert_eq!(findings(&["0001_Account.sql"]), 1);
        assert_eq!(findings(&["0001_.sql"]), 1);
    }

    #[test]
    fn each_folder_counts_for_itself() {
        let tree = Tree::of(&[
            ("services/a/migrations/0001_a.sql", ""),
            (
                "services/a/src/lib.rs",
                "const A: &str = include_str!(\"../migrations/0001_a.sql\");",
            ),
            ("services/b/migrations/0001_b.sql", ""),
            (
                "services/b/src/lib.rs",
                "const B: &str = include_str!(\"../migrations/0001_b.sql\");",
            ),
        ]);
        assert_eq!(check(&tree), []);
    }

    #[test]
    fn a_file_that_is_left_out_is_told() {
        let tree = Tree::of(&[
            ("services/a/migrations/0001_a.sql", ""),
            (
                "services/b/src/lib.rs",
                "const B: &str = include_str!(\"../migrations/0001_a.sql\");",
            ),
        ]);
        assert_eq!(check(&tree).len(), 1);
    }
}
