//! Whether a node's settings, the registered sites and the members of the engine fit together: checked at start, so
//! that a cluster that could not survive the loss of a site is not taken for one that could.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{Site, SiteName, SiteRefusal, SiteState};

/// Fewer sites than this have no majority left when one is lost.
pub const SITES_MIN: usize = 3;

/// What a node of a cluster was told, and what it found.
#[derive(Debug, Clone, PartialEq)]
pub struct Topology<'t> {
    /// The site it was told it stands in.
    pub here: Option<&'t str>,
    /// The URLs of etcd it was told.
    pub etcd_urls: &'t [String],
    /// The hosts of its store, `host:port`; none when the store is an embedded file.
    pub store_hosts: &'t [String],
    /// The registered sites.
    pub sites: &'t [Site],
    /// The names of etcd's members that vote, and of those that still listen.
    pub etcd_members: &'t [(String, Vote)],
    /// The names of the members of the PostgreSQL cluster that have ever been seen.
    pub postgres_members: &'t [String],
}

/// Whether a member of etcd counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vote {
    /// It votes.
    Voter,
    /// It has not caught up yet.
    Learner,
}

/// Why a node of a cluster does not start.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TopologyError {
    /// etcd without a site.
    #[error("--etcd needs --site: say in which site (data centre) this node stands")]
    NoSite,
    /// The name cannot be one.
    #[error("--site {0:?}: {reason}", reason = SiteRefusal::Name)]
    Name(String),
    /// An embedded file cannot be shared.
    #[error("--etcd needs a PostgreSQL cluster: --store postgres://USER@HOST,HOST,.../DATABASE")]
    EmbeddedStore,
    /// A member named twice is no second member.
    #[error("--etcd names {0} twice; name each member once")]
    EtcdTwice(String),
    /// It is no URL of a member.
    #[error("--etcd {0:?} is no URL of an etcd member, such as http://10.0.0.1:2379")]
    EtcdUrl(String),
    /// A database named twice is no second database.
    #[error("--store names {0} twice; name each PostgreSQL once")]
    StoreTwice(String),
    /// Nobody registered the site.
    #[error("the site {0} is not registered; run `haechi admin site add {0} ...` first")]
    NotRegistered(String),
    /// The site left for good.
    #[error("the site {0} is retired; register a new one under another name")]
    Retired(String),
    /// Two sites cannot be told apart.
    #[error("the sites {0} and {1} are reached at one URL, {2}; give each its own")]
    OneUrl(SiteName, SiteName, String),
    /// Two sites cannot be told apart.
    #[error("two sites are named {0}; give each its own name")]
    OneName(SiteName),
    /// etcd knows nothing of the site.
    #[error(
        "the site {site} has no member in etcd, whose members are {members}; the member must carry the site's name \
         (etcd --name {site})"
    )]
    NoEtcdMember {
        /// The site.
        site: String,
        /// Who is there.
        members: String,
    },
    /// A member that stands nowhere.
    #[error("{engine} has a member {name:?}, and no site is registered under this name")]
    StrangeMember {
        /// etcd or PostgreSQL.
        engine: &'static str,
        /// Its name.
        name: String,
    },
    /// Two halves cannot outvote each other.
    #[error(
        "{engine} stands in {sites} sites; with fewer than {SITES_MIN} the loss of one leaves no majority: add a third"
    )]
    TooFewSites {
        /// etcd or PostgreSQL.
        engine: &'static str,
        /// How many.
        sites: usize,
    },
    /// One site has half of the votes, or more.
    #[error(
        "{members} of etcd's {total} members stand in the site {site}; were it lost, the others would have no majority: \
         spread the members evenly"
    )]
    Uneven {
        /// The site.
        site: String,
        /// Members in it.
        members: usize,
        /// All members.
        total: usize,
    },
}

/// What can be told from a node's settings alone, before anybody is asked.
///
/// # Errors
/// [`TopologyError`].
pub fn check_settings(
    here: Option<&str>,
    etcd_urls: &[String],
    store_hosts: &[String],
) -> Result<(), TopologyError> {
    if let Some(name) = here {
        name.parse::<SiteName>()
            .map_err(|_| TopologyError::Name(name.to_owned()))?;
    }
    if let Some(host) = repeated(store_hosts) {
        return Err(TopologyError::StoreTwice(host.to_owned()));
    }
    if etcd_urls.is_empty() {
        return Ok(());
    }
    if here.is_none() {
        return Err(TopologyError::NoSite);
    }
    if store_hosts.is_empty() {
        return Err(TopologyError::EmbeddedStore);
    }
    let is_url = |url: &str| {
        let authority = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"));
        authority.is_some_and(|authority| !authority.is_empty() && !authority.contains(['/', ' ', '@', '?']))
    };
    let plain = |url: &String| url.strip_suffix('/').unwrap_or(url).to_owned();
    if let Some(url) = etcd_urls.iter().find(|url| !is_url(&plain(url))) {
        return Err(TopologyError::EtcdUrl(url.clone()));
    }
    let plain: Vec<String> = etcd_urls.iter().map(plain).collect();
    if let Some(url) = repeated(&plain) {
        return Err(TopologyError::EtcdTwice(url.to_owned()));
    }
    if store_hosts.len() < SITES_MIN {
        return Err(TopologyError::TooFewSites {
            engine: "PostgreSQL",
            sites: store_hosts.len(),
        });
    }
    Ok(())
}

/// Whether a node may start in this cluster: any one site can be lost, this one too, and a majority is left.
///
/// # Errors
/// [`TopologyError`].
pub fn check_topology(topology: &Topology<'_>) -> Result<(), TopologyError> {
    check_settings(topology.here, topology.etcd_urls, topology.store_hosts)?;
    check_sites(topology.sites)?;
    let (Some(here), false) = (topology.here, topology.etcd_urls.is_empty()) else {
        return Ok(());
    };
    let registered = |name: &str| topology.sites.iter().find(|site| site.name.as_str() == name);
    match registered(here) {
        None => return Err(TopologyError::NotRegistered(here.to_owned())),
        Some(site) if site.state == SiteState::Retired => {
            return Err(TopologyError::Retired(here.to_owned()));
        }
        Some(_) => {}
    }
    if !topology.etcd_members.iter().any(|(name, _)| name == here) {
        let names: Vec<&str> = topology
            .etcd_members
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        return Err(TopologyError::NoEtcdMember {
            site: here.to_owned(),
            members: names.join(", "),
        });
    }
    // One that was added and has not started has no name yet, and no vote before it has caught up.
    let voters = topology
        .etcd_members
        .iter()
        .filter(|(name, vote)| *vote == Vote::Voter && !name.is_empty())
        .map(|(name, _)| name.as_str());
    check_etcd(voters, |name| registered(name).is_some())?;
    match topology
        .postgres_members
        .iter()
        .find(|name| registered(name).is_none())
    {
        None => Ok(()),
        Some(name) => Err(TopologyError::StrangeMember {
            engine: "PostgreSQL",
            name: name.clone(),
        }),
    }
}

fn check_sites(sites: &[Site]) -> Result<(), TopologyError> {
    for (place, site) in sites.iter().enumerate() {
        for other in &sites[..place] {
            if other.name == site.name {
                return Err(TopologyError::OneName(site.name.clone()));
            }
            if other.url == site.url {
                let (one, two) = (other.name.clone(), site.name.clone());
                return Err(TopologyError::OneUrl(one, two, site.url.clone()));
            }
        }
    }
    Ok(())
}

/// Whether any one site can be lost and more than half of the votes are left.
fn check_etcd<'m>(
    voters: impl Iterator<Item = &'m str>,
    is_registered: impl Fn(&str) -> bool,
) -> Result<(), TopologyError> {
    let mut by_site: BTreeMap<&str, usize> = BTreeMap::new();
    for name in voters {
        *by_site.entry(name).or_default() += 1;
    }
    if let Some(name) = by_site.keys().find(|name| !is_registered(name)) {
        return Err(TopologyError::StrangeMember {
            engine: "etcd",
            name: (*name).to_owned(),
        });
    }
    if by_site.len() < SITES_MIN {
        return Err(TopologyError::TooFewSites {
            engine: "etcd",
            sites: by_site.len(),
        });
    }
    let total: usize = by_site.values().sum();
    let majority = total / 2 + 1;
    match by_site.iter().find(|(_, members)| total - **members < majority) {
        None => Ok(()),
        Some((site, members)) => Err(TopologyError::Uneven {
            site: (*site).to_owned(),
            members: *members,
            total,
        }),
    }
}

fn repeated(texts: &[String]) -> Option<&str> {
    let is_second = |place: usize, text: &String| texts[..place].contains(text);
    let mut found = texts
        .iter()
        .enumerate()
        .filter(|(place, text)| is_second(*place, text));
    found.next().map(|(_, text)| text.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use haechi_base::Time;

    use super::*;

    /// A cluster of parts that a test changes.
    #[derive(Clone)]
    struct Parts {
        here: Option<&'static str>,
        etcd_urls: Vec<String>,
        store_hosts: Vec<String>,
        sites: Vec<Site>,
        etcd_members: Vec<(String, Vote)>,
        postgres_members: Vec<String>,
    }

    impl Parts {
        fn of(names: &[&str]) -> Self {
            let owned = |name: &&str| (*name).to_owned();
            Self {
                here: Some("pangyo"),
                etcd_urls: names.iter().map(|name| format!("http://{name}:2379")).collect(),
                store_hosts: names.iter().map(|name| format!("{name}:5432")).collect(),
                sites: names.iter().map(|name| site(name)).collect(),
                etcd_members: names.iter().map(|name| (owned(name), Vote::Voter)).collect(),
                postgres_members: names.iter().map(owned).collect(),
            }
        }

        fn check(&self) -> Result<(), TopologyError> {
            check_topology(&Topology {
                here: self.here,
                etcd_urls: &self.etcd_urls,
                store_hosts: &self.store_hosts,
                sites: &self.sites,
                etcd_members: &self.etcd_members,
                postgres_members: &self.postgres_members,
            })
        }

        /// The refusal after a change.
        fn refusal(&self, change: impl FnOnce(&mut Self)) -> TopologyError {
            let mut changed = self.clone();
            change(&mut changed);
            changed.check().unwrap_err()
        }
    }

    fn site(name: &str) -> Site {
        Site {
            name: name.parse().unwrap(),
            title: name.to_owned(),
            url: format!("https://{name}.example"),
            latitude: 0.0,
            longitude: 0.0,
            state: SiteState::Active,
            capacity: None,
            created_at: Time::from_micros(0),
            state_since: Time::from_micros(0),
        }
    }

    fn four() -> Parts {
        Parts::of(&["pangyo", "gasan", "sejong", "busan"])
    }

    #[test]
    fn three_four_and_five_sites_with_a_member_each_can_lose_one() {
        let names = ["pangyo", "gasan", "sejong", "busan", "daejeon"];
        for count in 3..=5 {
            assert_eq!(Parts::of(&names[..count]).check(), Ok(()), "{count}");
        }
    }

    #[test]
    fn a_node_without_etcd_needs_no_site_and_may_name_one() {
        for here in [None, Some("pangyo")] {
            let mut parts = Parts::of(&[]);
            parts.here = here;
            assert_eq!(parts.check(), Ok(()));
            parts.store_hosts = vec!["db:5432".to_owned()];
            assert_eq!(parts.check(), Ok(()));
        }
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let four = four();
        assert_eq!(four.refusal(|parts| parts.here = None), TopologyError::NoSite);
        assert_eq!(
            four.refusal(|parts| parts.here = Some("Pan gyo")),
            TopologyError::Name("Pan gyo".to_owned())
        );
        assert_eq!(
            four.refusal(|parts| parts.store_hosts.clear()),
            TopologyError::EmbeddedStore
        );
        assert_eq!(
            four.refusal(|parts| parts.etcd_urls[3] = "http://pangyo:2379/".to_owned()),
            TopologyError::EtcdTwice("http://pangyo:2379".to_owned())
        );
        for bad in ["pangyo:2379", "http://", "http://a/b", "http://me@a:2379"] {
            let refused = four.refusal(|parts| parts.etcd_urls[0] = bad.to_owned());
            assert_eq!(refused, TopologyError::EtcdUrl(bad.to_owned()));
        }
        assert_eq!(
            four.refusal(|parts| parts.store_hosts[1] = "pangyo:5432".to_owned()),
            TopologyError::StoreTwice("pangyo:5432".to_owned())
        );
        let two = four.refusal(|parts| parts.store_hosts.truncate(2));
        assert_eq!(
            two,
            TopologyError::TooFewSites {
                engine: "PostgreSQL",
                sites: 2
            }
        );
    }

    #[test]
    fn a_site_that_is_not_registered_is_refused_with_what_to_do() {
        let refused = four().refusal(|parts| parts.here = Some("daejeon"));
        assert_eq!(refused, TopologyError::NotRegistered("daejeon".to_owned()));
        assert!(refused.to_string().contains("haechi admin site add"), "{refused}");
    }

    #[test]
    fn a_retired_site_is_refused_and_a_draining_one_starts() {
        let mut parts = four();
        parts.sites[0].state = SiteState::Draining;
        assert_eq!(parts.check(), Ok(()));
        let refused = parts.refusal(|parts| parts.sites[0].state = SiteState::Retired);
        assert_eq!(refused, TopologyError::Retired("pangyo".to_owned()));
    }

    #[test]
    fn two_sites_of_one_name_or_one_url_are_refused() {
        let name = four().refusal(|parts| parts.sites[1].name = "pangyo".parse().unwrap());
        assert_eq!(name, TopologyError::OneName("pangyo".parse().unwrap()));
        let url = four().refusal(|parts| parts.sites[1].url = "https://pangyo.example".to_owned());
        assert!(matches!(url, TopologyError::OneUrl(..)), "{url}");
    }

    #[test]
    fn a_site_without_a_member_in_etcd_is_refused() {
        let refused = four().refusal(|parts| parts.etcd_members[0].0 = "etcd0".to_owned());
        assert!(
            matches!(&refused, TopologyError::NoEtcdMember { site, .. } if site == "pangyo"),
            "{refused}"
        );
        assert!(refused.to_string().contains("etcd0, gasan"), "{refused}");
    }

    #[test]
    fn members_without_a_registered_site_are_refused() {
        let etcd = four().refusal(|parts| parts.etcd_members[1].0 = "elsewhere".to_owned());
        let name = "elsewhere".to_owned();
        assert_eq!(
            etcd,
            TopologyError::StrangeMember {
                engine: "etcd",
                name: name.clone()
            }
        );
        let postgres = four().refusal(|parts| parts.postgres_members[1] = name.clone());
        assert_eq!(
            postgres,
            TopologyError::StrangeMember {
                engine: "PostgreSQL",
                name
            }
        );
    }

    #[test]
    fn an_even_split_and_a_heavy_site_are_refused() {
        let two = Parts {
            store_hosts: four().store_hosts,
            ..Parts::of(&["pangyo", "gasan"])
        };
        let too_few = TopologyError::TooFewSites {
            engine: "etcd",
            sites: 2,
        };
        assert_eq!(two.check(), Err(too_few.clone()));
        // More members in two places are still two places.
        let four_members = two.refusal(|parts| parts.etcd_members.extend(parts.etcd_members.clone()));
        assert_eq!(four_members, too_few);
        let three = Parts::of(&["pangyo", "gasan", "sejong"]);
        let heavy = three.refusal(|parts| parts.etcd_members.push(("pangyo".to_owned(), Vote::Voter)));
        assert_eq!(
            heavy,
            TopologyError::Uneven {
                site: "pangyo".to_owned(),
                members: 2,
                total: 4
            }
        );
    }

    #[test]
    fn a_site_that_joins_has_no_vote_yet_and_hinders_nobody() {
        let mut parts = four();
        parts.etcd_members.push((String::new(), Vote::Learner));
        assert_eq!(parts.check(), Ok(()));
        parts.sites.push(site("daejeon"));
        parts.etcd_members[4] = ("daejeon".to_owned(), Vote::Learner);
        parts.here = Some("daejeon");
        assert_eq!(parts.check(), Ok(()));
        // Learners do not make a third site.
        parts.etcd_members.drain(0..2);
        assert_eq!(
            parts.check(),
            Err(TopologyError::TooFewSites {
                engine: "etcd",
                sites: 2
            })
        );
    }
}
