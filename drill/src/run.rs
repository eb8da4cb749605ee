//! A whole drill: sites started once, then a round for each blow: load, strike, hold, give back, rejoin, read back.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result};
use parking_lot::Mutex;
use rand::SeedableRng as _;

use crate::etcd;
use crate::fault::{Chance, Fault, FaultKind};
use crate::install;
use crate::load::{Administrator, Clients, Load, LoadOptions, Phase, SiteAddress};
use crate::patroni;
use crate::rejoin::REJOIN_DURATION_MAX;
use crate::report::{Report, Round};
use crate::site::Place;
use crate::sites::{Sites, SitesOptions};
use crate::strike::Blow;
use crate::verify::verify;
use crate::view::{SiteView, View};

/// How long clients run before they are measured.
const WARM_UP_DURATION: Duration = Duration::from_secs(4);

/// How long all sites carry the load before one is struck: what they carry then is compared with what is left.
const STEADY_DURATION: Duration = Duration::from_secs(8);

/// How long the load goes on after everything is whole again.
const SETTLE_DURATION: Duration = Duration::from_secs(3);

/// How often the sites are looked at for the view.
const VIEW_PERIOD: Duration = Duration::from_millis(250);

/// What is drilled.
#[derive(Debug, Clone)]
pub struct DrillOptions {
    /// The sites.
    pub sites: SitesOptions,
    /// The blows, in this order.
    pub faults: Vec<Fault>,
    /// How often all of them are dealt.
    pub repeat: u32,
    /// How long each fault lasts; a length that suits the fault when there is none.
    pub hold: Option<Duration>,
    /// Whether a burnt site's addresses answer nothing, instead of refusing connections.
    pub silent: bool,
    /// Whether a burnt site comes back with empty disks.
    pub wipe: bool,
    /// Of [`crate::Target::Random`].
    pub seed: u64,
    /// Whether a round begins although the nodes just voted on a silent site, and will not do it again for a minute.
    pub is_hasty: bool,
    /// The clients.
    pub clients: Clients,
    /// The longest that writes may stand still.
    pub max_stall_ms: Option<u64>,
}

impl DrillOptions {
    /// These faults, once each, with the usual load.
    #[must_use]
    pub fn new(sites: SitesOptions, faults: Vec<Fault>) -> Self {
        Self {
            sites,
            faults,
            repeat: 1,
            hold: None,
            silent: false,
            wipe: false,
            seed: 0,
            is_hasty: false,
            clients: Clients::default(),
            max_stall_ms: None,
        }
    }

    /// Whether the sites must be in networks of their own, for which the drill must run in a hub
    /// ([`crate::enter_hub`]).
    #[must_use]
    pub fn needs_networks(&self) -> bool {
        self.sites.can_cut || self.silent || self.has(FaultKind::Cut)
    }

    fn has(&self, kind: FaultKind) -> bool {
        self.faults.iter().any(|fault| fault.kind == kind)
    }
}

/// Runs a drill, shows it live on standard error, and reports.
///
/// # Errors
/// The sites do not start, or the first round does not come to its end: one does not rejoin by itself in time. A later
/// round that does not is a failure in the report, which keeps the rounds before it. Lost writes are no error: the
/// report tells them.
pub async fn run(options: &DrillOptions) -> Result<Report> {
    let names: Vec<String> = crate::site::SITES
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    // Asked first: nothing may fail between the last round and the report.
    let versions = versions()?;
    let view = View::new(&names);
    let measured = run_rounds(options, &view).await;
    view.finish();
    let measured = measured?;
    let mut report = Report::new(measured.rounds, options.clients, versions, options.max_stall_ms);
    if let Some(error) = measured.ended_by {
        report.fail(format!("{error:#}"));
    }
    Ok(report)
}

/// What was measured.
#[derive(Debug, Default)]
struct Measured {
    /// The rounds that came to their end.
    rounds: Vec<Round>,
    /// What ended the drill early.
    ended_by: Option<Error>,
}

impl Measured {
    /// Takes in what came of the next round, and answers whether another may follow. An hour's rounds are not thrown
    /// away for one that fails.
    ///
    /// # Errors
    /// The round failed, and none came before it.
    fn add(&mut self, round: Result<Round>) -> Result<bool> {
        match round {
            Ok(round) => self.rounds.push(round),
            Err(error) if self.rounds.is_empty() => return Err(error),
            Err(error) => self.ended_by = Some(error),
        }
        Ok(self.ended_by.is_none())
    }
}

async fn run_rounds(options: &DrillOptions, view: &View) -> Result<Measured> {
    view.phase(
        None,
        "starting four sites: etcd, PostgreSQL under Patroni, a node",
    );
    let sites = SitesOptions {
        can_cut: options.needs_networks(),
        small_disks: options.has(FaultKind::DiskFull),
        ..options.sites.clone()
    };
    let mut sites = Sites::start(&sites).await?;
    let mut chance = Chance::seed_from_u64(options.seed);
    let mut measured = Measured::default();
    let faults = (0..options.repeat).flat_map(|_| &options.faults);
    for (number, fault) in (1_u32..).zip(faults) {
        let round = Drilled {
            options,
            view,
            sites: &mut sites,
            fault,
            number,
        };
        let round = round.run(&mut chance).await;
        let round = round.with_context(|| format!("round {number} ({})", fault.kind.name()));
        if !measured.add(round)? {
            break;
        }
    }
    Ok(measured)
}

/// One round.
struct Drilled<'a> {
    options: &'a DrillOptions,
    view: &'a View,
    sites: &'a mut Sites,
    fault: &'a Fault,
    number: u32,
}

impl Drilled<'_> {
    async fn run(mut self, chance: &mut Chance) -> Result<Round> {
        if !self.options.is_hasty {
            self.view
                .phase(None, "waiting until the nodes may vote on a silent site again");
            self.sites.wait_until_votes_count().await?;
        }
        let places = self.sites.places.clone();
        let addresses = self.sites.addresses();
        self.view.phase(Some(Phase::WarmUp), "people sign up and begin");
        let load = Load::start(&addresses, self.load_options()).await?;
        let view = self.view;
        let states = Mutex::new(vec!["running"; places.len()]);
        let struck = tokio::select! {
            struck = self.drill(&load, &states, chance) => struck?,
            never = watch(&places, &load, view, &states) => match never {},
        };
        self.view.say("reading back every acknowledged write");
        let record = load.stop().await;
        let survivors: Vec<SiteAddress> = match self.fault.kind {
            FaultKind::Drain | FaultKind::BurnAll => addresses,
            _ => addresses
                .into_iter()
                .filter(|site| site.name != struck.site)
                .collect(),
        };
        let verified = verify(&record, &survivors).await?;
        let round = Round::new(
            self.number,
            self.fault.kind.name(),
            &struck.site,
            &record,
            &verified,
            Some(struck.rejoin.as_secs_f64()),
        );
        self.view.say(&format!(
            "round {}: {} {}: {} acknowledged, {} lost, {} duplicated, rejoined after {:.1} s",
            self.number,
            round.fault,
            round.site,
            round.acknowledged,
            round.lost,
            round.duplicated,
            struck.rejoin.as_secs_f64()
        ));
        Ok(round)
    }

    /// From the first write to the last.
    async fn drill(
        &mut self,
        load: &Load,
        states: &Mutex<Vec<&'static str>>,
        chance: &mut Chance,
    ) -> Result<Struck> {
        self.pass(WARM_UP_DURATION).await;
        load.mark(Phase::Steady);
        self.view.phase(Some(Phase::Steady), "all sites carry the load");
        self.pass(STEADY_DURATION).await;

        let blow = self.aim(load, chance).await?;
        let kind = blow.kind;
        let all = kind == FaultKind::BurnAll;
        let site = if all {
            "all"
        } else {
            &self.sites.places[blow.index].name
        }
        .to_owned();
        let set_state = |state| {
            let mut states = states.lock();
            if all {
                states.fill(state);
            } else {
                states[blow.index] = state;
            }
        };
        self.view
            .phase(Some(Phase::Struck), &format!("{} {site}", kind.name()));
        load.mark(Phase::Struck);
        set_state(state_of(kind));
        self.sites.strike(&blow).await?;
        let hold = self.options.hold;
        self.pass(hold.unwrap_or_else(|| kind.hold(self.options.sites.stock)))
            .await;

        self.view
            .phase(Some(Phase::Restored), &format!("{site} rejoins by itself"));
        load.mark(Phase::Restored);
        set_state("rejoining");
        let rejoin = self.give_back(&blow).await.with_context(|| {
            format!(
                "{site} did not rejoin by itself within {REJOIN_DURATION_MAX:?}; its logs are in {} while the drill \
                 runs, and stay when --work names a folder",
                self.sites.work().display()
            )
        })?;
        set_state("running");
        load.mark(Phase::Settled);
        self.view
            .phase(Some(Phase::Settled), "all sites carry the load again");
        self.pass(SETTLE_DURATION).await;
        Ok(Struck { site, rejoin })
    }

    /// Chooses the site, now that it can be known who leads.
    async fn aim(&self, load: &Load, chance: &mut Chance) -> Result<Blow> {
        let primary = self.sites.primary().await;
        let primary = primary.map(|name| self.sites.index(&name)).transpose()?;
        let index = self.fault.target.choose(primary, chance)?;
        let name = &self.sites.places[index].name;
        let what = match (self.fault.kind, primary == Some(index)) {
            (FaultKind::BurnAll, _) => "all sites".to_owned(),
            (_, true) => format!("{name}, where PostgreSQL leads"),
            (_, false) => name.clone(),
        };
        self.view.say(&format!(
            "round {}: {} {what}",
            self.number,
            self.fault.kind.name()
        ));
        Ok(Blow {
            kind: self.fault.kind,
            index,
            silent: self.options.silent,
            wipe: self.options.wipe,
            administrator: load.administrator().to_owned(),
        })
    }

    /// Gives the site back. Answers how long it took until all was whole.
    async fn give_back(&mut self, blow: &Blow) -> Result<Duration> {
        let begun = Instant::now();
        self.sites.give_back(blow).await?;
        self.sites.wait_until_whole().await?;
        Ok(begun.elapsed())
    }

    fn load_options(&self) -> LoadOptions {
        let mut options = LoadOptions::new(Administrator {
            program: self.sites.node.program.clone(),
            store: self.sites.store_url(),
            environment: vec![("HAECHI_MASTER_KEY".to_owned(), self.sites.master_key().to_owned())],
        });
        options.clients = self.options.clients;
        options
    }

    /// Lets time pass, and shows how much of it did.
    async fn pass(&self, duration: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < duration {
            let left = duration.saturating_sub(begun.elapsed());
            tokio::time::sleep(left.min(VIEW_PERIOD)).await;
            self.view
                .progress(begun.elapsed().as_secs_f64() / duration.as_secs_f64());
        }
    }
}

/// What came of a blow.
struct Struck {
    /// The site's name, or `all`.
    site: String,
    /// From giving back until all was whole.
    rejoin: Duration,
}

/// The word for a struck site.
const fn state_of(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Burn | FaultKind::BurnAll => "burnt",
        FaultKind::Freeze => "frozen",
        FaultKind::Hang => "Patroni hangs",
        FaultKind::Cut => "cut off",
        FaultKind::DiskFull => "disk full",
        FaultKind::Drain => "drained",
    }
}

/// Shows the sites, until it is dropped.
async fn watch(places: &[Place], load: &Load, view: &View, states: &Mutex<Vec<&'static str>>) -> Infallible {
    loop {
        // A frozen site's answers take long; its line may not hold up the others' for that long.
        let asked = places.iter().map(|place| async move {
            let asked = async { tokio::join!(patroni::leads(place), etcd::leads(place)) };
            tokio::time::timeout(VIEW_PERIOD, asked).await.unwrap_or_default()
        });
        let answers = futures_util::future::join_all(asked).await;
        let shown: Vec<SiteView> = answers
            .into_iter()
            .zip(states.lock().iter())
            .map(|((leads, etcd_leads), state)| SiteView {
                state: (*state).to_owned(),
                leads,
                etcd_leads: etcd_leads == Some(true),
            })
            .collect();
        view.show(&shown, &load.live());
        tokio::time::sleep(VIEW_PERIOD).await;
    }
}

/// The versions of what ran at the sites.
fn versions() -> Result<BTreeMap<String, String>> {
    let programs = install::programs()?;
    let first_line = |program: &std::path::Path| {
        let output = Command::new(program)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let line = text.lines().next()?;
        // `postgres (PostgreSQL) 15.14`, `etcd Version: 3.4.23`: the number is the first word that begins with a digit.
        let number = line
            .split(' ')
            .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
        Some(number.to_owned())
    };
    let mut versions = BTreeMap::from([
        ("haechi".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("patroni".to_owned(), install::PATRONI_VERSION.to_owned()),
    ]);
    let found = [
        ("postgresql", programs.postgres.join("postgres")),
        ("etcd", programs.etcd),
    ];
    for (name, program) in found {
        versions.insert(
            name.to_owned(),
            first_line(&program).unwrap_or_else(|| "unknown".to_owned()),
        );
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_round_that_fails_ends_the_drill_and_keeps_those_before_it() {
        let mut measured = Measured::default();
        assert!(measured.add(Ok(Round::default())).unwrap());
        assert!(!measured.add(Err(anyhow!("pangyo did not rejoin"))).unwrap());
        assert_eq!(measured.rounds.len(), 1);
        assert_eq!(measured.ended_by.unwrap().to_string(), "pangyo did not rejoin");
    }

    #[test]
    fn a_drill_whose_first_round_fails_is_an_error() {
        let failed = Measured::default().add(Err(anyhow!("no site answers")));
        assert_eq!(failed.unwrap_err().to_string(), "no site answers");
    }
}
