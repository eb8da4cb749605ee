//! Migrations: numbered `0001_noun.sql` upwards, without gaps and without a number twice.
//!
//! Why: they are applied in the order of their numbers, once, everywhere. A gap is a file that somebody forgot to
//! commit, and a number that two branches took is an order that depends on who was merged first.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "migrations";

/// Files in a folder `migrations` whose names are wrong or whose numbers do not follow one another.
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
    // The files are sorted by their paths, so the names are too.
    folders
        .into_iter()
        .flat_map(|(folder, names)| of_folder(folder, &names))
        .collect()
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

    fn findings(names: &[&str]) -> usize {
        let paths: Vec<String> = names
            .iter()
            .map(|name| format!("services/pay/migrations/{name}"))
            .collect();
        let files: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "")).collect();
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
            ("services/b/migrations/0001_b.sql", ""),
        ]);
        assert_eq!(check(&tree), []);
    }
}
