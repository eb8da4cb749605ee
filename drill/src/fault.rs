//! What can be done to a site, and to which.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rand::RngExt as _;
use rand::rngs::Xoshiro256PlusPlus;

use crate::site::SITES;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Every process of the site ends at once (SIGKILL).
    Burn,
    /// Every process of the site stops where it stands (SIGSTOP), and goes on later.
    Freeze,
    /// Patroni alone stops; PostgreSQL, etcd and the node go on.
    Hang,
    /// Nothing passes between the site and the others, and nothing says so.
    Cut,
    /// PostgreSQL's disk at the site is full.
    DiskFull,
    /// The site is asked to do nothing that others can do, as before a repair.
    Drain,
    /// Every process of every site ends at once.
    BurnAll,
}

impl FaultKind {
    /// Its name, as in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Burn => "burn",
            Self::Freeze => "freeze",
            Self::Hang => "hang",
            Self::Cut => "cut",
            Self::DiskFull => "disk-full",
            Self::Drain => "drain",
            Self::BurnAll => "burn-all",
        }
    }

    /// How long the fault lasts when nothing is said. With `stock` rules the others need Patroni's lease of 20 s to
    /// run out before one is promoted, and the fault must last longer than that to be met.
    #[must_use]
    pub const fn hold(self, stock: bool) -> Duration {
        let (seconds, seconds_stock) = match self {
            Self::Burn => (15, 40),
            Self::Freeze => (15, 40),
            // A hung Patroni is left to the ordinary lease always.
            Self::Hang => (40, 40),
            Self::Cut | Self::DiskFull => (20, 40),
            Self::Drain => (15, 15),
            Self::BurnAll => (1, 1),
        };
        Duration::from_secs(if stock { seconds_stock } else { seconds })
    }
}

/// Which site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The one of this name.
    Site(String),
    /// Where PostgreSQL leads.
    Primary,
    /// Where PostgreSQL follows, the first of them.
    Standby,
    /// The one that serves the most people.
    Largest,
    /// Any, by chance.
    Random,
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "primary" => Self::Primary,
            "standby" => Self::Standby,
            "largest" => Self::Largest,
            "random" => Self::Random,
            name if SITES.iter().any(|(site, _)| *site == name) => Self::Site(name.to_owned()),
            other => {
                let names: Vec<&str> = SITES.iter().map(|(site, _)| *site).collect();
                bail!(
                    "{other:?} is no site; send primary, standby, largest, random, {}",
                    names.join(", ")
                )
            }
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Site(name) => name,
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::Largest => "largest",
            Self::Random => "random",
        })
    }
}

impl Target {
    /// The index of the site that is meant, when the site with the index `primary` leads.
    ///
    /// # Errors
    /// The primary is meant, or another than it, and none leads.
    pub(crate) fn choose(&self, primary: Option<usize>, chance: &mut Chance) -> Result<usize> {
        let leads = || primary.context("no PostgreSQL leads at this moment");
        match self {
            Self::Site(name) => {
                let found = SITES.iter().position(|(site, _)| site == name);
                found.with_context(|| format!("there is no site {name}"))
            }
            Self::Primary => leads(),
            Self::Standby => {
                let leader = leads()?;
                let standby = (0..SITES.len()).find(|index| *index != leader);
                standby.context("there is but one site")
            }
            Self::Largest => {
                let largest = (0..SITES.len()).max_by_key(|index| SITES[*index].1);
                largest.context("there is no site")
            }
            Self::Random => Ok(chance.random_range(0..SITES.len())),
        }
    }
}

/// Chance that can be had again from the same seed, on any machine: another generator may change with a release.
pub(crate) type Chance = Xoshiro256PlusPlus;

/// A fault as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is done.
    pub kind: FaultKind,
    /// To which site; of no meaning for [`FaultKind::BurnAll`].
    pub target: Target,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_target_is_said_by_its_name_and_found() {
        let mut chance = Chance::seed_from_u64(1);
        for (text, index) in [("primary", 2), ("standby", 0), ("largest", 0), ("busan", 3)] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.to_string(), text);
            assert_eq!(target.choose(Some(2), &mut chance).unwrap(), index);
        }
        assert_eq!(Target::Standby.choose(Some(0), &mut chance).unwrap(), 1);
    }

    #[test]
    fn a_target_that_is_not_there_is_refused() {
        let error = "atlantis".parse::<Target>().unwrap_err().to_string();
        assert!(error.contains("atlantis") && error.contains("pangyo"), "{error}");
        let mut chance = Chance::seed_from_u64(1);
        assert!(Target::Primary.choose(None, &mut chance).is_err());
    }

    #[test]
    fn chance_meets_every_site_and_comes_again_with_its_seed() {
        let draw = |seed| {
            let mut chance = Chance::seed_from_u64(seed);
            (0..40)
                .map(|_| Target::Random.choose(None, &mut chance).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!((0..SITES.len()).all(|index| draw(7).contains(&index)));
    }
}
