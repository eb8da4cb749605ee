//! A site that was lost and perhaps came back, and how a node comes to say so.

use std::collections::BTreeMap;
use std::time::Duration;

use haechi_base::{Time, define_id};
use serde::{Deserialize, Serialize};

use super::SiteName;

/// How long all nodes of a site must be silent before it is called lost.
const LOST_AFTER: Duration = Duration::from_secs(3);

define_id! {
    /// A loss of a site.
    pub IncidentId, IncidentNoun, "incident"
}

/// A site that was lost, from when to when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id; later ones sort later.
    pub incident_id: IncidentId,
    /// The site.
    pub site: SiteName,
    /// The site whose node said so first.
    pub noticed_by: SiteName,
    /// When the last of its nodes fell silent.
    pub lost_at: Time,
    /// When a node of it answered again; `None` while it is lost.
    pub returned_at: Option<Time>,
}

/// What happened to a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SiteNews {
    /// None of its nodes has answered since then.
    Lost {
        /// The site.
        site: String,
        /// Since when.
        lost_at: Time,
    },
    /// A node of it answers.
    Returned {
        /// The site.
        site: String,
        /// Since when.
        returned_at: Time,
    },
}

/// A node as it is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchedNode<'n> {
    /// Its site.
    pub site: &'n str,
    /// Whether it can be spoken to.
    pub is_up: bool,
    /// Whether it has said that it ends.
    pub is_leaving: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Up,
    /// All its nodes said that they end: somebody stopped them.
    Leaving,
    Silent(Time),
    Lost,
}

/// What a node has seen of the sites since it started.
#[derive(Debug, Default)]
pub struct SiteWatch {
    seen: BTreeMap<String, Seen>,
}

impl SiteWatch {
    /// Takes in how the nodes of the `sites` are now; returns what is new. A node that sees no majority of the
    /// sites that it once saw says nothing of the others: it may be the one that is cut off.
    pub fn observe(&mut self, sites: &[&str], nodes: &[WatchedNode<'_>], now: Time) -> Vec<SiteNews> {
        let is_up = |site: &str| nodes.iter().any(|node| node.site == site && node.is_up);
        // Sites that never came, or were stopped in good order, are no part of the count.
        let counts = |site: &str| !matches!(self.seen.get(site), None | Some(Seen::Leaving));
        let counted = sites.iter().filter(|site| counts(site)).count();
        let up = sites.iter().filter(|site| counts(site) && is_up(site)).count();
        let has_majority = up * 2 > counted;
        let mut news = Vec::new();
        for site in sites {
            let before = self.seen.get(*site).copied();
            let after = match before {
                _ if is_up(site) => {
                    let has_left = !nodes
                        .iter()
                        .any(|node| node.site == *site && node.is_up && !node.is_leaving);
                    if has_left {
                        Some(Seen::Leaving)
                    } else {
                        Some(Seen::Up)
                    }
                }
                Some(Seen::Up) => Some(Seen::Silent(now)),
                Some(Seen::Silent(since)) if has_majority && now.since(since) >= LOST_AFTER => {
                    news.push(SiteNews::Lost {
                        site: (*site).to_owned(),
                        lost_at: since,
                    });
                    Some(Seen::Lost)
                }
                // What was never seen is not missed.
                other => other,
            };
            // Somebody may have noted its loss before this node was there to see it.
            if is_up(site) && matches!(before, None | Some(Seen::Lost)) {
                news.push(SiteNews::Returned {
                    site: (*site).to_owned(),
                    returned_at: now,
                });
            }
            if let Some(after) = after {
                self.seen.insert((*site).to_owned(), after);
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITES: [&str; 4] = ["pangyo", "gasan", "sejong", "busan"];

    fn at(second: i64) -> Time {
        Time::from_micros(second * 1_000_000)
    }

    fn watch(watch: &mut SiteWatch, up: &[&'static str], second: i64) -> Vec<SiteNews> {
        let nodes: Vec<WatchedNode<'_>> = SITES
            .iter()
            .map(|site| WatchedNode {
                site,
                is_up: up.contains(site),
                is_leaving: false,
            })
            .collect();
        watch.observe(&SITES, &nodes, at(second))
    }

    fn returned(site: &str, second: i64) -> SiteNews {
        SiteNews::Returned {
            site: site.to_owned(),
            returned_at: at(second),
        }
    }

    #[test]
    fn a_silent_site_is_lost_after_three_seconds_and_said_so_once() {
        let mut seen = SiteWatch::default();
        assert_eq!(watch(&mut seen, &SITES, 0).len(), 4);
        let three = ["gasan", "sejong", "busan"];
        for second in [10, 11, 12] {
            assert_eq!(watch(&mut seen, &three, second), []);
        }
        let lost = SiteNews::Lost {
            site: "pangyo".to_owned(),
            lost_at: at(10),
        };
        assert_eq!(watch(&mut seen, &three, 13), [lost]);
        assert_eq!(watch(&mut seen, &three, 14), []);
        assert_eq!(watch(&mut seen, &SITES, 60), [returned("pangyo", 60)]);
        assert_eq!(watch(&mut seen, &SITES, 61), []);
    }

    #[test]
    fn a_short_silence_is_no_news() {
        let mut seen = SiteWatch::default();
        watch(&mut seen, &SITES, 0);
        watch(&mut seen, &["gasan", "sejong", "busan"], 1);
        assert_eq!(watch(&mut seen, &SITES, 3), []);
    }

    #[test]
    fn who_sees_no_majority_accuses_nobody() {
        let mut seen = SiteWatch::default();
        watch(&mut seen, &SITES, 0);
        for second in 1..20 {
            assert_eq!(watch(&mut seen, &["pangyo", "gasan"], second), []);
        }
        // Once it sees the others again, nobody was lost.
        assert_eq!(watch(&mut seen, &SITES, 20), []);
    }

    #[test]
    fn a_site_that_never_came_does_not_count_against_those_that_are_there() {
        let mut seen = SiteWatch::default();
        watch(&mut seen, &["pangyo", "gasan", "sejong"], 0);
        let news: Vec<SiteNews> = (1..=4)
            .flat_map(|second| watch(&mut seen, &["gasan", "sejong"], second))
            .collect();
        let lost = SiteNews::Lost {
            site: "pangyo".to_owned(),
            lost_at: at(1),
        };
        assert_eq!(news, [lost]);
    }

    #[test]
    fn a_site_that_was_never_seen_is_not_missed_and_its_first_sight_may_end_an_incident() {
        let mut seen = SiteWatch::default();
        let three = ["gasan", "sejong", "busan"];
        assert_eq!(watch(&mut seen, &three, 0).len(), 3);
        for second in 1..20 {
            assert_eq!(watch(&mut seen, &three, second), []);
        }
        assert_eq!(watch(&mut seen, &SITES, 20), [returned("pangyo", 20)]);
    }

    #[test]
    fn a_site_whose_nodes_said_that_they_end_was_stopped_and_not_lost() {
        let mut seen = SiteWatch::default();
        watch(&mut seen, &SITES, 0);
        let node = |site, is_leaving| WatchedNode {
            site,
            is_up: true,
            is_leaving,
        };
        let leaving: Vec<WatchedNode<'_>> = SITES.iter().map(|site| node(*site, *site == "pangyo")).collect();
        assert_eq!(seen.observe(&SITES, &leaving, at(1)), []);
        for second in 2..20 {
            assert_eq!(watch(&mut seen, &["gasan", "sejong", "busan"], second), []);
        }
        assert_eq!(watch(&mut seen, &SITES, 20), []);
    }
}
