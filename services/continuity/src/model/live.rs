//! A site as it is at this moment, put together from what nodes, Patroni and etcd tell. Pure functions over facts.

use serde::{Deserialize, Serialize};

use super::{SITES_MIN, Site, SiteName, SiteRefusal, SiteState};

/// What a node of some site is known to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFact {
    /// Its site.
    pub site: String,
    /// Whether it can be spoken to.
    pub is_up: bool,
    /// Requests it answered in the last second, when it told of late.
    pub requests_per_s: Option<u64>,
}

/// What a member of the PostgreSQL cluster told when it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresFact {
    /// Its site.
    pub site: String,
    /// Whether its Patroni answered, and its PostgreSQL runs.
    pub is_reachable: bool,
    /// What its Patroni says of it: `running`, `streaming`, `starting`, ...; empty when it did not answer.
    pub state: String,
    /// Where its write-ahead log ends, in bytes, when it told.
    pub log_position: Option<u64>,
}

/// What a member of etcd told when it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdFact {
    /// Its site; empty when it was registered and never started.
    pub site: String,
    /// Whether it answered.
    pub is_reachable: bool,
    /// Whether it leads the others.
    pub is_leader: bool,
    /// Whether it only listens so far, and has no vote.
    pub is_learner: bool,
}

/// What is known of the engine under the sites.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineFacts {
    /// The site whose PostgreSQL is the primary, as the leader key says.
    pub leader: Option<String>,
    /// The members of the PostgreSQL cluster.
    pub postgres: Vec<PostgresFact>,
    /// The members of etcd.
    pub etcd: Vec<EtcdFact>,
}

/// What a site's PostgreSQL is at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PostgresRole {
    /// The primary, which takes the writes.
    Leader,
    /// A standby.
    Replica,
    /// It does not answer.
    Unreachable,
}

/// What a site's etcd is at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EtcdRole {
    /// It leads the others.
    Leader,
    /// It votes.
    Member,
    /// It listens, until it has caught up and is given a vote.
    Learner,
    /// It does not answer.
    Unreachable,
}

/// A site at this moment.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveSite {
    /// As it is registered.
    pub site: Site,
    /// Nodes of it that can be spoken to.
    pub nodes_alive: usize,
    /// Its PostgreSQL; `None` when there is no cluster, or the site is no member of it.
    pub postgres: Option<PostgresRole>,
    /// How far its PostgreSQL is behind the primary's, in bytes; `None` when it cannot be told.
    pub lag_bytes: Option<u64>,
    /// Its etcd; `None` when there is none, or the site is no member of it.
    pub etcd: Option<EtcdRole>,
    /// Requests a second that its nodes answered of late; `None` when none of them told.
    pub requests_per_s: Option<u64>,
    /// Whether it gave away everything that others wait for: it may be switched off.
    pub is_drained: bool,
}

/// What is known of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineView<'f> {
    /// There is none: one database, no etcd.
    None,
    /// There is one, and it does not say how it is.
    Silent,
    /// It told.
    Told(&'f EngineFacts),
}

/// The sites that are not retired, as they are at this moment.
#[must_use]
pub fn live_sites(sites: &[Site], nodes: &[NodeFact], engine: EngineView<'_>) -> Vec<LiveSite> {
    sites
        .iter()
        .filter(|site| site.state != SiteState::Retired)
        .map(|site| live_site(site, nodes, engine))
        .collect()
}

fn live_site(site: &Site, nodes: &[NodeFact], view: EngineView<'_>) -> LiveSite {
    let engine = match view {
        EngineView::Told(facts) => Some(facts),
        EngineView::None | EngineView::Silent => None,
    };
    let name = site.name.as_str();
    let alive = || nodes.iter().filter(|node| node.site == name && node.is_up);
    let told: Vec<u64> = alive().filter_map(|node| node.requests_per_s).collect();
    let leads = match view {
        EngineView::None => false,
        EngineView::Silent => true,
        EngineView::Told(facts) => may_lead(facts, name),
    };
    LiveSite {
        site: site.clone(),
        nodes_alive: alive().count(),
        postgres: engine.and_then(|facts| postgres_role(facts, name)),
        lag_bytes: engine.and_then(|facts| lag_bytes(facts, name)),
        etcd: engine.and_then(|facts| etcd_role(facts, name)),
        requests_per_s: (!told.is_empty()).then(|| told.iter().sum()),
        is_drained: site.state == SiteState::Draining && !leads,
    }
}

/// Whether the primary or etcd's leader is there, or could be because nobody says who leads.
fn may_lead(facts: &EngineFacts, name: &str) -> bool {
    let etcd_leader = facts.etcd.iter().find(|member| member.is_leader);
    match (facts.leader.as_deref(), etcd_leader) {
        (Some(primary), Some(leader)) => primary == name || leader.site == name,
        _ => true,
    }
}

fn postgres_role(facts: &EngineFacts, name: &str) -> Option<PostgresRole> {
    let member = facts.postgres.iter().find(|member| member.site == name)?;
    Some(match (member.is_reachable, facts.leader.as_deref()) {
        (false, _) => PostgresRole::Unreachable,
        (true, Some(leader)) if leader == name => PostgresRole::Leader,
        (true, _) => PostgresRole::Replica,
    })
}

fn etcd_role(facts: &EngineFacts, name: &str) -> Option<EtcdRole> {
    let member = facts.etcd.iter().find(|member| member.site == name)?;
    Some(match member {
        EtcdFact {
            is_reachable: false, ..
        } => EtcdRole::Unreachable,
        EtcdFact { is_leader: true, .. } => EtcdRole::Leader,
        EtcdFact { is_learner: true, .. } => EtcdRole::Learner,
        _ => EtcdRole::Member,
    })
}

fn lag_bytes(facts: &EngineFacts, name: &str) -> Option<u64> {
    let position = |site: &str| {
        facts
            .postgres
            .iter()
            .find(|member| member.site == site)?
            .log_position
    };
    let (end, own) = (position(facts.leader.as_deref()?)?, position(name)?);
    // They were asked one after the other: a standby asked later may seem to be ahead.
    Some(end.saturating_sub(own))
}

/// Something to be moved out of a draining site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrainStep {
    /// The primary leaves `from`. Where it goes is left to Patroni's own race, in which the standbys compare how much
    /// they have and vote. A named candidate takes over without a vote: were its stream broken, what the other two
    /// confirmed would be lost with it. And all others would pause for two seconds before they follow it.
    MovePrimary {
        /// Where it is.
        from: String,
    },
    /// etcd's leader goes to `to`.
    MoveEtcdLeader {
        /// Where it goes.
        to: String,
    },
}

/// What is still to be moved out of the sites that drain or left. Nothing when all is done, or nobody could take it.
#[must_use]
pub fn drain_steps(sites: &[Site], facts: &EngineFacts) -> Vec<DrainStep> {
    let is_leaving = |name: &str| {
        let leaves = |site: &Site| site.name.as_str() == name && site.state != SiteState::Active;
        sites.iter().any(leaves)
    };
    let mut steps = Vec::new();
    if let Some(from) = facts.leader.as_deref().filter(|leader| is_leaving(leader)) {
        // While two sites drain it may come to the other one, and is moved on.
        let could_take_it = |member: &PostgresFact| member.is_reachable && !is_leaving(&member.site);
        let from = from.to_owned();
        steps.extend(
            facts
                .postgres
                .iter()
                .any(could_take_it)
                .then_some(DrainStep::MovePrimary { from }),
        );
    }
    if facts
        .etcd
        .iter()
        .any(|member| member.is_leader && is_leaving(&member.site))
    {
        // Best not beside the primary: a fire there would cost an election first.
        let fit = |member: &&EtcdFact| member.is_reachable && !member.is_learner && !is_leaving(&member.site);
        let is_beside = |member: &EtcdFact| facts.leader.as_deref() == Some(member.site.as_str());
        let best = facts
            .etcd
            .iter()
            .filter(fit)
            .min_by_key(|member| is_beside(member));
        steps.extend(best.map(|member| DrainStep::MoveEtcdLeader {
            to: member.site.clone(),
        }));
    }
    steps
}

/// Whether a site may leave for good: nothing leads from there, and those that are left can still lose one.
///
/// # Errors
/// [`SiteRefusal`].
pub fn check_leaving(name: &SiteName, sites: &[Site], facts: &EngineFacts) -> Result<(), SiteRefusal> {
    if may_lead(facts, name.as_str()) {
        return Err(SiteRefusal::StillLeads(name.clone()));
    }
    let others = sites
        .iter()
        .filter(|site| site.name != *name && site.state != SiteState::Retired);
    match others.count() {
        left if left < SITES_MIN => Err(SiteRefusal::TooFewLeft(name.clone(), left)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use haechi_base::Time;

    use super::SiteState::{Active, Draining, Retired};
    use super::*;
    use super::{EtcdRole as E, PostgresRole as P};

    const NAMES: [&str; 4] = ["pangyo", "gasan", "sejong", "busan"];

    fn sites(states: [SiteState; 4]) -> Vec<Site> {
        let site = |(name, state): (&str, SiteState)| Site {
            name: name.parse().unwrap(),
            title: name.to_owned(),
            url: format!("https://{name}.example"),
            latitude: 0.0,
            longitude: 0.0,
            state,
            capacity: None,
            created_at: Time::from_micros(0),
            state_since: Time::from_micros(0),
        };
        NAMES.into_iter().zip(states).map(site).collect()
    }

    /// All is well: Pangyo has the primary, Gasan leads etcd.
    fn facts() -> EngineFacts {
        let postgres = |(site, position): (&str, u64)| PostgresFact {
            site: site.to_owned(),
            is_reachable: true,
            state: "streaming".to_owned(),
            log_position: Some(position),
        };
        let etcd = |site: &str| EtcdFact {
            site: site.to_owned(),
            is_reachable: true,
            is_leader: site == "gasan",
            is_learner: false,
        };
        EngineFacts {
            leader: Some("pangyo".to_owned()),
            postgres: NAMES
                .into_iter()
                .zip([900, 800, 900, 950])
                .map(postgres)
                .collect(),
            etcd: NAMES.into_iter().map(etcd).collect(),
        }
    }

    #[test]
    fn a_site_shows_who_leads_what_lags_and_what_it_carries() {
        let node = |site: &str, is_up, requests_per_s| NodeFact {
            site: site.to_owned(),
            is_up,
            requests_per_s,
        };
        let nodes = [
            node("pangyo", true, Some(40)),
            node("pangyo", true, Some(2)),
            node("pangyo", false, Some(7)),
            node("gasan", true, None),
        ];
        let mut facts = facts();
        facts.postgres[2].is_reachable = false;
        facts.postgres[2].log_position = None;
        facts.etcd[2].is_reachable = false;
        facts.etcd[3].is_learner = true;
        let live = live_sites(&sites([Active; 4]), &nodes, EngineView::Told(&facts));
        let shown: Vec<_> = live
            .iter()
            .map(|site| {
                (
                    site.nodes_alive,
                    site.requests_per_s,
                    site.postgres,
                    site.lag_bytes,
                    site.etcd,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (2, Some(42), Some(P::Leader), Some(0), Some(E::Member)),
                (1, None, Some(P::Replica), Some(100), Some(E::Leader)),
                (0, None, Some(P::Unreachable), None, Some(E::Unreachable)),
                (0, None, Some(P::Replica), Some(0), Some(E::Learner)),
            ]
        );
    }

    #[test]
    fn without_an_engine_its_part_is_left_open_and_retired_sites_are_not_shown() {
        let live = live_sites(&sites([Active, Draining, Retired, Active]), &[], EngineView::None);
        assert_eq!(live.len(), 3);
        assert!(
            live.iter()
                .all(|site| site.postgres.is_none() && site.etcd.is_none())
        );
    }

    #[test]
    fn a_site_is_drained_once_neither_primary_nor_etcds_leader_is_there() {
        let is_drained = |state, facts: &EngineFacts| {
            let live = live_sites(
                &sites([state, Active, Active, Active]),
                &[],
                EngineView::Told(facts),
            );
            live[0].is_drained
        };
        let mut facts = facts();
        assert!(!is_drained(Draining, &facts));
        // A leader that does not answer is not known to be gone.
        facts.postgres[0].is_reachable = false;
        assert!(!is_drained(Draining, &facts));
        facts.leader = Some("busan".to_owned());
        assert!(is_drained(Draining, &facts));
        assert!(!is_drained(Active, &facts));
        for member in &mut facts.etcd {
            member.is_leader = member.site == "pangyo";
        }
        assert!(!is_drained(Draining, &facts));
        // Where nobody says who leads, nothing is known to be gone.
        facts.etcd[0].is_leader = false;
        assert!(!is_drained(Draining, &facts));
        let states = sites([Draining, Active, Active, Active]);
        assert!(!live_sites(&states, &[], EngineView::Silent)[0].is_drained);
        assert!(live_sites(&states, &[], EngineView::None)[0].is_drained);
    }

    #[test]
    fn a_draining_site_gives_the_primary_away_while_somebody_could_take_it() {
        let steps = |states, facts: &EngineFacts| drain_steps(&sites(states), facts);
        let mut facts = facts();
        let from = "pangyo".to_owned();
        let moves = [DrainStep::MovePrimary { from }];
        assert_eq!(steps([Draining, Active, Active, Active], &facts), moves);
        assert_eq!(steps([Active; 4], &facts), []);
        assert_eq!(steps([Active, Active, Draining, Active], &facts), []);
        let two_drain = [Draining, Active, Active, Draining];
        assert_eq!(steps(two_drain, &facts), moves);
        facts.postgres[1].is_reachable = false;
        assert_eq!(steps(two_drain, &facts), moves);
        facts.postgres[2].is_reachable = false;
        assert_eq!(steps(two_drain, &facts), []);
    }

    #[test]
    fn etcds_leader_leaves_too_and_goes_beside_the_primary_only_when_nobody_else_is_left() {
        let to = |site: &str| DrainStep::MoveEtcdLeader { to: site.to_owned() };
        let steps = |facts: &EngineFacts| drain_steps(&sites([Active, Draining, Active, Active]), facts);
        let mut facts = facts();
        assert_eq!(steps(&facts), [to("sejong")]);
        facts.etcd[2].is_reachable = false;
        facts.etcd[3].is_learner = true;
        assert_eq!(steps(&facts), [to("pangyo")]);
        facts.etcd[0].is_reachable = false;
        assert_eq!(steps(&facts), []);
    }

    #[test]
    fn a_site_leaves_only_when_nothing_leads_there_and_three_are_left() {
        let check = |name: &str, states, facts: &EngineFacts| {
            check_leaving(&name.parse().unwrap(), &sites(states), facts)
        };
        let states = [Draining, Active, Active, Active];
        let still_leads = |name: &str| Err(SiteRefusal::StillLeads(name.parse().unwrap()));
        let mut facts = facts();
        assert_eq!(check("pangyo", states, &facts), still_leads("pangyo"));
        assert_eq!(check("gasan", states, &facts), still_leads("gasan"));
        assert_eq!(check("busan", states, &facts), Ok(()));
        let one_left = [Retired, Active, Active, Draining];
        let too_few = SiteRefusal::TooFewLeft("busan".parse().unwrap(), 2);
        assert_eq!(check("busan", one_left, &facts), Err(too_few));
        facts.leader = None;
        assert_eq!(check("busan", states, &facts), still_leads("busan"));
    }

    #[test]
    fn what_is_left_in_a_retired_site_moves_too() {
        let steps = drain_steps(&sites([Retired, Retired, Active, Active]), &facts());
        assert_eq!(steps.len(), 2, "{steps:?}");
    }
}
