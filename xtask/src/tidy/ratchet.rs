//! The ratchet: today's exceptions to a length rule, which may shrink but never grow.
//!
//! Why: a rule that cannot be kept at once is still worth having when it cannot be broken further.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Finding;
use super::tree::Tree;

/// The checked-in file, empty when all is well.
pub(super) const FILE: &str = "xtask/ratchet.toml";

/// One table of the file: what is longer than the limit, and how long it is.
pub(super) struct Ratchet {
    rule: &'static str,
    table: &'static str,
    lines_max: usize,
    listed: BTreeMap<String, usize>,
    seen: BTreeSet<String>,
    findings: Vec<Finding>,
}

impl Ratchet {
    /// Reads the table named `table`, for things that may have `lines_max` lines.
    pub(super) fn read(tree: &Tree, rule: &'static str, table: &'static str, lines_max: usize) -> Self {
        let mut ratchet = Self {
            rule,
            table,
            lines_max,
            listed: BTreeMap::new(),
            seen: BTreeSet::new(),
            findings: Vec::new(),
        };
        let text = tree.files.get(FILE).map_or("", String::as_str);
        match text.parse::<toml::Table>() {
            Ok(file) => {
                for (name, lines) in file
                    .get(table)
                    .and_then(toml::Value::as_table)
                    .into_iter()
                    .flatten()
                {
                    let lines = lines.as_integer().and_then(|lines| usize::try_from(lines).ok());
                    ratchet.listed.insert(name.clone(), lines.unwrap_or_default());
                }
            }
            Err(error) => {
                let finding = Finding::new(rule, FILE, 1, error.to_string(), "Mend the file");
                ratchet.findings.push(finding);
            }
        }
        ratchet
    }

    /// Judges one thing, known in the file as `name`, that has `lines` lines at `path`:`line`.
    pub(super) fn judge(&mut self, name: &str, path: &str, line: usize, lines: usize, mend: &str) {
        let (rule, table, lines_max) = (self.rule, self.table, self.lines_max);
        let listed = self.listed.get(name).copied();
        if listed.is_some() {
            self.seen.insert(name.to_owned());
        }
        let finding = match listed {
            None if lines > lines_max => Finding::new(
                rule,
                path,
                line,
                format!("{lines} lines, at most {lines_max} are allowed"),
                mend,
            ),
            Some(listed) if lines > listed.max(lines_max) => Finding::new(
                rule,
                path,
                line,
                format!("{lines} lines, it had {listed} and may only shrink"),
                mend,
            ),
            Some(_) if lines <= lines_max => Finding::new(
                rule,
                path,
                line,
                format!("{lines} lines are within the rule now"),
                format!("Take `{name}` out of [{table}] in {FILE}"),
            ),
            Some(listed) if lines < listed => Finding::new(
                rule,
                path,
                line,
                format!("{lines} lines, fewer than the {listed} it had"),
                format!("Lower `{name}` to {lines} in [{table}] of {FILE}"),
            ),
            _ => return,
        };
        self.findings.push(finding);
    }

    /// All findings, with the entries that name nothing any more.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        for name in self.listed.keys().filter(|name| !self.seen.contains(*name)) {
            let what = format!("`{name}` is no more");
            self.findings.push(Finding::new(
                self.rule,
                FILE,
                1,
                what,
                format!("Take it out of [{}]", self.table),
            ));
        }
        self.findings
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::{FILE, Ratchet, Tree};

    /// What is said of `a` when it has `lines` lines, 10 are allowed, and the file holds `listed`.
    fn told(listed: &str, lines: usize) -> Vec<String> {
        let tree = Tree::of(&[(FILE, listed)]);
        let mut ratchet = Ratchet::read(&tree, "length", "files", 10);
        ratchet.judge("a", "a", 1, lines, "Split it");
        ratchet.finish().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_not_listed_keeps_the_limit() {
        assert!(told("", 10).is_empty());
        assert_eq!(
            told("", 11),
            ["a:1: [length] 11 lines, at most 10 are allowed. Split it."]
        );
    }

    #[test]
    fn what_is_listed_may_only_shrink() {
        assert!(told("[files]\na = 12\n", 12).is_empty());
        assert_eq!(
            told("[files]\na = 12\n", 13),
            ["a:1: [length] 13 lines, it had 12 and may only shrink. Split it."]
        );
        assert!(told("[files]\na = 12\n", 11)[0].contains("Lower `a` to 11"));
        assert!(told("[files]\na = 12\n", 10)[0].contains("Take `a` out"));
    }

    #[test]
    fn what_is_gone_goes_from_the_list() {
        assert_eq!(told("[files]\nb = 12\n", 5).len(), 1);
        assert_eq!(told("[files", 5).len(), 1, "a broken file is told");
    }
}
