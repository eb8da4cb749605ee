//! The workspace as the rules see it: its texts, the Rust files as tokens, the manifests as tables.
//!
//! It is read once, or made of snippets in a rule's tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use walkdir::{DirEntry, WalkDir};

use super::finding::Finding;
use super::source::Source;

/// Folders that hold nothing written by us. Hidden ones are left out too.
const SKIPPED_FOLDERS: &[&str] = &["target", "node_modules", "dist", "work"];

/// The workspace's files, from its root, with `/` between folders.
#[derive(Default)]
pub struct Tree {
    /// Every text that a rule may want to read.
    pub files: BTreeMap<String, String>,
    /// The Rust files.
    pub sources: Vec<Source>,
    /// The manifests of crates (the workspace's own is not one).
    pub(super) manifests: Vec<Manifest>,
    /// What could not be read, told as findings.
    pub(super) unreadable: Vec<Finding>,
}

/// One crate's Cargo.toml.
pub(super) struct Manifest {
    /// The crate's folder.
    pub(super) folder: String,
    /// The crate's name.
    pub(super) name: String,
    /// The whole manifest.
    pub(super) table: toml::Table,
}

impl Manifest {
    /// The manifest's own path.
    pub(super) fn path(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }
}

impl Tree {
    /// Reads the workspace at `root`.
    ///
    /// # Errors
    /// A folder or file cannot be read. Files that do not parse are findings instead.
    pub fn read(root: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        for entry in WalkDir::new(root)
            .into_iter()
            .filter_entry(|entry| entry.depth() == 0 || !is_skipped(entry))
        {
            let entry = entry?;
            let path = entry
                .path()
                .strip_prefix(root)?
                .to_string_lossy()
                .replace('\\', "/");
            if entry.file_type().is_file() && is_wanted(&path) {
                let bytes = std::fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
                files.insert(path, String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        Ok(Self::from_files(files))
    }

    /// A tree of snippets, for a rule's tests.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self::from_files(
            files
                .iter()
                .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
                .collect(),
        )
    }

    fn from_files(files: BTreeMap<String, String>) -> Self {
        let mut tree = Self::default();
        for (path, text) in &files {
            if path.ends_with(".rs") {
                match Source::parse(path, text) {
                    Ok(source) => tree.sources.push(source),
                    Err(finding) => tree.unreadable.push(finding),
                }
            } else if let Some(folder) = path.strip_suffix("/Cargo.toml") {
                match read_manifest(folder, text) {
                    Ok(manifest) => tree.manifests.push(manifest),
                    Err(error) => {
                        tree.unreadable.push(Finding::new(
                            "parse",
                            path,
                            1,
                            error.to_string(),
                            "Mend the file",
                        ));
                    }
                }
            }
        }
        mark_tests(&mut tree.sources);
        tree.files = files;
        tree
    }

    /// The names of the services, from the folders that have a manifest.
    pub(super) fn services(&self) -> impl Iterator<Item = &str> {
        self.manifests
            .iter()
            .filter_map(|manifest| manifest.folder.strip_prefix("services/"))
    }

    /// Whether a Rust file or a folder module is there: `src/store.rs`, or `src/store/mod.rs`.
    pub(super) fn has_module(&self, stem: &str) -> bool {
        self.files.contains_key(&format!("{stem}.rs")) || self.files.contains_key(&format!("{stem}/mod.rs"))
    }
}

/// The line (from 1) of the first line that begins with `start`, or 1.
pub(super) fn line_starting(text: &str, start: &str) -> usize {
    text.lines()
        .position(|line| line.trim_start().starts_with(start))
        .map_or(1, |index| index + 1)
}

fn is_skipped(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    entry.file_type().is_dir() && (name.starts_with('.') || SKIPPED_FOLDERS.contains(&name.as_ref()))
}

fn is_wanted(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit('.').next().unwrap_or(name);
    matches!(extension, "rs" | "sql" | "ts" | "svelte")
        || matches!(name, "Cargo.toml" | "README.md" | "ratchet.toml")
}

fn read_manifest(folder: &str, text: &str) -> Result<Manifest> {
    let table: toml::Table = text.parse()?;
    let name = table
        .get("package")
        .and_then(|package| package.get("name"))
        .and_then(toml::Value::as_str);
    let name = name.context("the manifest has no package.name")?.to_owned();
    Ok(Manifest {
        folder: folder.to_owned(),
        name,
        table,
    })
}

/// Marks the files that a `#[cfg(test)] mod name;` declares, and those below them, as tests.
fn mark_tests(sources: &mut [Source]) {
    let declared: BTreeSet<String> = sources.iter().flat_map(Source::declared_test_stems).collect();
    for source in sources {
        let stem = source.path.trim_end_matches(".rs");
        let inside = declared.iter().any(|test| {
            stem == test
                || stem
                    .strip_prefix(test.as_str())
                    .is_some_and(|rest| rest.starts_with('/'))
        });
        if inside {
            source.mark_as_test();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::{Tree, line_starting};

    #[test]
    fn a_module_declared_for_tests_is_a_test_with_all_below_it() {
        let tree = Tree::of(&[
            (
                "services/pay/src/lib.rs",
                "//! Pay.\n#[cfg(test)]\nmod proofs;\nmod ops;",
            ),
            ("services/pay/src/proofs.rs", "//! Proofs.\nmod ledger;"),
            ("services/pay/src/proofs/ledger.rs", "//! Ledger."),
            ("services/pay/src/ops.rs", "//! Ops."),
            ("services/pay/src/ops/tests.rs", "//! Tests."),
        ]);
        let tests: Vec<&str> = tree
            .sources
            .iter()
            .filter(|source| source.is_test)
            .map(|source| source.path.as_str())
            .collect();
        assert_eq!(
            tests,
            [
                "services/pay/src/ops/tests.rs",
                "services/pay/src/proofs.rs",
                "services/pay/src/proofs/ledger.rs"
            ]
        );
    }

    #[test]
    fn what_does_not_parse_is_a_finding() {
        let tree = Tree::of(&[
            ("a/src/lib.rs", "//! A.\nfn f( {"),
            ("a/Cargo.toml", "[package]\n"),
        ]);
        let told: Vec<String> = tree.unreadable.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told.iter()
                .any(|line| line.starts_with("a/src/lib.rs:2: [parse]")),
            "{told:?}"
        );
    }

    #[test]
    fn services_are_the_folders_with_a_manifest() {
        let tree = Tree::of(&[("services/pay/Cargo.toml", "[package]\nname = \"haechi-pay\"\n")]);
        assert_eq!(tree.services().collect::<Vec<_>>(), ["pay"]);
    }

    #[test]
    fn a_line_is_found_by_its_start() {
        assert_eq!(line_starting("a\n  serde = 1\n", "serde"), 2);
        assert_eq!(line_starting("a\n", "serde"), 1);
    }
}
