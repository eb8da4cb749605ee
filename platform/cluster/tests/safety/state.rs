//! The cluster at one moment.

use super::log::Log;
use super::rules::Bounds;

/// A site by its number: 0 is where the first primary stands.
pub(crate) type SiteId = u8;

/// What is wrong with a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Health {
    /// Nothing.
    Well,
    /// Everything in it is dead for good.
    Burnt,
    /// All its processes stand still.
    Frozen,
    /// It lives, and reaches no other site.
    Cut,
    /// Its Patroni stands still; its PostgreSQL and its etcd go on.
    Hung,
}

/// What PostgreSQL does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// It accepts writes.
    Primary,
    /// It takes the log of another, or of nobody yet.
    Standby {
        /// Whose log it takes.
        follows: Option<SiteId>,
    },
}

/// Where Patroni is in its cycle, and what it saw when the cycle began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cycle {
    /// It saw another leader, or saw that it is no candidate.
    Idle,
    /// It saw the leader key free and compared the positions; it is about to take the key.
    Candidate {
        /// How often the key had been taken when it looked.
        seen: u8,
    },
    /// It took the key; it is about to promote without looking again.
    Taker {
        /// The number of its term.
        term: u8,
    },
    /// It saw its own name in the key: it renews its lease, and takes the key again should it be free.
    Leader {
        /// The number of the term it saw.
        term: u8,
    },
}

/// One data centre.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Site {
    pub(crate) health: Health,
    pub(crate) role: Role,
    /// The timeline PostgreSQL is on.
    pub(crate) timeline: u8,
    pub(crate) log: Log,
    pub(crate) cycle: Cycle,
    /// Whether the lease of the last term of this site still lives in etcd.
    pub(crate) is_lease_alive: bool,
}

impl Site {
    /// Whether its PostgreSQL serves those who reach it.
    pub(crate) fn is_postgres_up(&self) -> bool {
        matches!(self.health, Health::Well | Health::Cut | Health::Hung)
    }

    /// Whether its PostgreSQL and its etcd reach those of other sites.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.health, Health::Well | Health::Hung)
    }

    /// Whether its PostgreSQL accepts writes.
    pub(crate) fn is_primary(&self) -> bool {
        self.role == Role::Primary
    }
}

/// The key `/leader`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LeaderKey {
    pub(crate) site: SiteId,
    /// Which taking of the key this is. A create revision and a lease belong to one term each.
    pub(crate) term: u8,
}

/// etcd: one linearizable store as long as a majority of its members reach each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Etcd {
    pub(crate) leader: Option<LeaderKey>,
    /// How often the leader key was taken, ever.
    pub(crate) epoch: u8,
    /// Who took it last.
    pub(crate) holder: SiteId,
    /// The leader as `/sync` names it.
    pub(crate) sync_leader: SiteId,
    /// The timeline that `/history` leads to.
    pub(crate) history: u8,
    /// Whether a term was ever revoked.
    pub(crate) is_revoked: bool,
}

/// How far a client's write has come at the node that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Progress {
    /// It is in the primary's log, and COMMIT waits for standbys to have this position.
    Waiting(usize),
    /// COMMIT returned.
    Returned,
}

/// A write that a node has under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Attempt {
    /// The primary it was written to.
    pub(crate) site: SiteId,
    /// The term as it was known when the transaction began.
    pub(crate) term: Option<u8>,
    pub(crate) progress: Progress,
}

/// A client with one write, which it sends again until it has an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    pub(crate) attempt: Option<Attempt>,
    pub(crate) is_acknowledged: bool,
}

/// What has gone wrong so far, for the bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Spent {
    pub(crate) burns: u8,
    pub(crate) faults: u8,
    pub(crate) crashes: u8,
    pub(crate) revocations: u8,
    pub(crate) cancelled_waits: u8,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) etcd: Etcd,
    pub(crate) sites: Vec<Site>,
    /// By key.
    pub(crate) clients: Vec<Client>,
    pub(crate) spent: Spent,
}

impl State {
    /// Site 0 leads in the first term, the others follow it, and nothing was written.
    pub(crate) fn healthy(bounds: &Bounds) -> Self {
        let site = |id: SiteId| Site {
            health: Health::Well,
            role: match id {
                0 => Role::Primary,
                _ => Role::Standby { follows: Some(0) },
            },
            timeline: 1,
            log: Log::default(),
            cycle: match id {
                0 => Cycle::Leader { term: 1 },
                _ => Cycle::Idle,
            },
            is_lease_alive: id == 0,
        };
        Self {
            etcd: Etcd {
                leader: Some(LeaderKey { site: 0, term: 1 }),
                epoch: 1,
                holder: 0,
                sync_leader: 0,
                history: 1,
                is_revoked: false,
            },
            sites: (0..bounds.sites).map(site).collect(),
            clients: vec![Client::default(); usize::from(bounds.writes)],
            spent: Spent::default(),
        }
    }

    pub(crate) fn site(&self, id: SiteId) -> &Site {
        &self.sites[usize::from(id)]
    }

    pub(crate) fn site_mut(&mut self, id: SiteId) -> &mut Site {
        &mut self.sites[usize::from(id)]
    }

    /// All sites with their numbers.
    pub(crate) fn sites(&self) -> impl Iterator<Item = (SiteId, &Site)> {
        (0..).zip(&self.sites)
    }

    /// Whether etcd has a majority.
    pub(crate) fn has_etcd(&self) -> bool {
        self.sites.iter().filter(|site| site.is_connected()).count() * 2 > self.sites.len()
    }

    /// Whether Patroni at this site runs its cycle and reaches etcd.
    pub(crate) fn is_patroni_at_work(&self, id: SiteId) -> bool {
        self.site(id).health == Health::Well && self.has_etcd()
    }

    /// Whether somebody would act on what it saw before the present term began.
    pub(crate) fn has_sleeper(&self) -> bool {
        self.sites.iter().any(|site| {
            site.health != Health::Burnt
                && match site.cycle {
                    Cycle::Idle => false,
                    Cycle::Candidate { seen } => seen < self.etcd.epoch,
                    Cycle::Taker { term } => term < self.etcd.epoch,
                    // While its lease lives a Patroni that is awake may go on in its belief.
                    Cycle::Leader { term } => term < self.etcd.epoch && !site.is_lease_alive,
                }
        })
    }

    /// Forgets what can make no difference any more, so that the checker sees states that are alike as one.
    pub(crate) fn without_remains(mut self) -> Self {
        for site in &mut self.sites {
            if site.health == Health::Burnt {
                site.cycle = Cycle::Idle;
                site.role = Role::Standby { follows: None };
                site.log = Log::default();
                site.timeline = 0;
            }
            if !matches!(site.cycle, Cycle::Leader { .. }) {
                site.is_lease_alive = false;
            }
        }
        let sites = &self.sites;
        for client in &mut self.clients {
            client.attempt.take_if(|attempt| {
                matches!(attempt.progress, Progress::Waiting(_))
                    && !sites[usize::from(attempt.site)].is_primary()
            });
        }
        self
    }

    /// PostgreSQL at this site stops being a primary. Commits that wait there are cut off from their clients.
    pub(crate) fn demote(&mut self, id: SiteId) {
        self.site_mut(id).role = Role::Standby { follows: None };
    }
}
