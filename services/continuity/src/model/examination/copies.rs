//! How many copies of an acknowledged write there are for certain: what the primary waits for before it answers.

use super::facts::{DatabaseFacts, Facts, Keeping};

/// Whose confirmation the primary waits for (PostgreSQL's `synchronous_standby_names`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncNames {
    /// Nobody's.
    Nobody,
    /// That of so many of these.
    Of {
        /// How many.
        count: usize,
        /// Of whom; `*` is anybody.
        names: Vec<String>,
    },
}

impl SyncNames {
    /// Reads the setting: `ANY 2 (a,b,c)`, `FIRST 1 (a,b)`, `2 (a,b,c)`, `a,b`.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let text = text.trim();
        let (count, list) = match text.split_once('(') {
            None => (1, text),
            Some((head, tail)) => {
                let number = head.split_whitespace().last().and_then(|word| word.parse().ok());
                (number.unwrap_or(0), tail.trim_end_matches(')'))
            }
        };
        let names: Vec<String> = list
            .split(',')
            .map(|name| name.trim().trim_matches('"').to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        if names.is_empty() || count == 0 {
            return Self::Nobody;
        }
        Self::Of { count, names }
    }
}

/// What a commit waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRule {
    /// The site of the primary.
    pub primary: String,
    /// The standbys that have to have it on their disks.
    pub names: SyncNames,
}

impl CommitRule {
    /// The rule of the present primary; `None` when nobody is found to be one.
    #[must_use]
    pub fn of(facts: &Facts) -> Option<Self> {
        let (primary, told) = primary(facts)?;
        let setting = |name: &str| told.settings.get(name).map_or("", String::as_str);
        // `remote_write` is in the standby's memory only, `local` and `off` wait for nobody.
        let names = match setting("synchronous_commit") {
            "on" | "remote_apply" => SyncNames::read(setting("synchronous_standby_names")),
            _ => SyncNames::Nobody,
        };
        Some(Self {
            primary: primary.to_owned(),
            names,
        })
    }

    /// In how many other sites every acknowledged write is for certain, should this one burn.
    #[must_use]
    pub fn copies_elsewhere(&self, site: &str) -> usize {
        let SyncNames::Of { count, names } = &self.names else {
            // Only the primary has it for certain.
            return usize::from(site != self.primary);
        };
        let is_anybody = names.iter().any(|name| name == "*");
        let count = if is_anybody {
            *count
        } else {
            (*count).min(names.len())
        };
        let counts = is_anybody || names.iter().any(|name| name == site);
        match (site == self.primary, counts) {
            (true, _) => count,
            // The primary, and all that confirmed but perhaps this one.
            (false, true) => count,
            (false, false) => count + 1,
        }
    }

    /// How many of the standbys must be there after the primary's loss, so that one of them has everything for certain.
    #[must_use]
    pub fn needed_to_promote(&self) -> Option<usize> {
        match &self.names {
            SyncNames::Nobody => None,
            SyncNames::Of { count, names } => Some(names.len().saturating_sub(*count) + 1),
        }
    }
}

/// The primary's site and what it told. Of two that say they are one, neither is believed.
pub(super) fn primary(facts: &Facts) -> Option<(&str, &DatabaseFacts)> {
    let Keeping::Replicated { databases, .. } = &facts.keeping else {
        return None;
    };
    let mut found = databases.iter().filter_map(|database| {
        let told = database.told.as_ref().ok()?;
        (!told.is_standby).then_some((database.site.as_str(), told))
    });
    match (found.next(), found.next()) {
        (Some(primary), None) => Some(primary),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(names: &str) -> CommitRule {
        CommitRule {
            primary: "pangyo".to_owned(),
            names: SyncNames::read(names),
        }
    }

    #[test]
    fn the_setting_is_read_as_postgresql_reads_it() {
        let of = |count, names: &[&str]| SyncNames::Of {
            count,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        for (text, expected) in [
            ("", SyncNames::Nobody),
            ("  ", SyncNames::Nobody),
            ("ANY 2 (busan,gasan,sejong)", of(2, &["busan", "gasan", "sejong"])),
            ("FIRST 1 (\"busan-2\", gasan)", of(1, &["busan-2", "gasan"])),
            ("2 (a,b)", of(2, &["a", "b"])),
            ("a, b", of(1, &["a", "b"])),
            ("*", of(1, &["*"])),
            ("ANY 0 (a)", SyncNames::Nobody),
            ("ANY x (a)", SyncNames::Nobody),
        ] {
            assert_eq!(SyncNames::read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn copies_are_counted_whoever_burns() {
        let quorum = rule("ANY 2 (busan,gasan,sejong)");
        for site in ["pangyo", "busan", "gasan", "sejong"] {
            assert_eq!(quorum.copies_elsewhere(site), 2, "{site}");
        }
        assert_eq!(quorum.copies_elsewhere("daejeon"), 3, "it confirms nothing");
        assert_eq!(rule("ANY 1 (busan,gasan)").copies_elsewhere("pangyo"), 1);
        assert_eq!(
            rule("ANY 2 (busan)").copies_elsewhere("pangyo"),
            1,
            "there is only one"
        );
        assert_eq!(rule("ANY 2 (*)").copies_elsewhere("pangyo"), 2);
        assert_eq!(rule("").copies_elsewhere("pangyo"), 0);
        assert_eq!(rule("").copies_elsewhere("busan"), 1, "the primary");
    }

    #[test]
    fn a_promotion_needs_who_overlaps_with_every_quorum() {
        assert_eq!(rule("ANY 2 (a,b,c)").needed_to_promote(), Some(2));
        assert_eq!(rule("ANY 1 (a,b,c)").needed_to_promote(), Some(3));
        assert_eq!(rule("").needed_to_promote(), None);
    }
}
