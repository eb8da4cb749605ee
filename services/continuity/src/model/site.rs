//! A site (data centre): its name, where it stands, and what is wished of it.

use std::fmt;
use std::str::FromStr;

use haechi_base::Time;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::SITES_MIN;

/// Longest name of a site, in characters.
const NAME_CHARACTERS_MAX: usize = 40;

/// Patroni 4.1 reads `ANY 2 (anyang,...)` as if the name ended after these words, and then stops making standbys
/// synchronous.
const MISREAD: [&str; 2] = ["any", "first"];

/// Longest title of a site, in characters.
const TITLE_CHARACTERS_MAX: usize = 60;

/// Longest URL of a site, in characters.
const URL_CHARACTERS_MAX: usize = 200;

/// Sites at the most, retired ones included: the list goes to every client and into a header of every page.
const SITES_MAX: usize = 32;

/// The name of a site, which its etcd member and its PostgreSQL under Patroni carry too: `pangyo`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct SiteName(String);

impl SiteName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SiteName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for SiteName {
    type Err = SiteRefusal;

    fn from_str(text: &str) -> Result<Self, SiteRefusal> {
        let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        let starts_well = text.starts_with(|letter: char| letter.is_ascii_lowercase());
        let is_misread = MISREAD.iter().any(|word| text.starts_with(word));
        if !starts_well || is_misread || text.len() > NAME_CHARACTERS_MAX || !text.chars().all(is_plain) {
            return Err(SiteRefusal::Name);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for SiteName {
    type Error = SiteRefusal;

    fn try_from(text: String) -> Result<Self, SiteRefusal> {
        text.parse()
    }
}

impl From<SiteName> for String {
    fn from(name: SiteName) -> Self {
        name.0
    }
}

/// What is wished of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SiteState {
    /// It works.
    Active,
    /// It gives its work to the others: before maintenance, or before it leaves.
    Draining,
    /// It left for good.
    Retired,
}

impl SiteState {
    /// The word in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Draining => "draining",
            Self::Retired => "retired",
        }
    }

    /// Reads the word in the store.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Active, Self::Draining, Self::Retired]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// A site as it is registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// Its name, never used again for another place.
    pub name: SiteName,
    /// What people read.
    pub title: String,
    /// Where clients reach it: scheme, host and port, without a slash at the end.
    pub url: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// What is wished of it.
    pub state: SiteState,
    /// Requests a second that it carries at the most, when somebody measured it.
    pub capacity: Option<u32>,
    /// When it was registered.
    pub created_at: Time,
    /// Since when it is in its state.
    pub state_since: Time,
}

/// A site that is to be registered. Its parts were checked.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSite {
    /// Its name.
    pub name: SiteName,
    /// What people read.
    pub title: String,
    /// Where clients reach it.
    pub url: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Requests a second that it carries at the most.
    pub capacity: Option<u32>,
}

impl NewSite {
    /// Checks the parts of a site.
    ///
    /// # Errors
    /// [`SiteRefusal`].
    pub fn new(name: &str, title: &str, url: &str, place: (f64, f64)) -> Result<Self, SiteRefusal> {
        let (latitude, longitude) = place;
        let title = title.trim();
        let count = title.chars().count();
        if count == 0 || count > TITLE_CHARACTERS_MAX || title.chars().any(char::is_control) {
            return Err(SiteRefusal::Title);
        }
        if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
            return Err(SiteRefusal::Place);
        }
        Ok(Self {
            name: name.parse()?,
            title: title.to_owned(),
            url: origin(url)?,
            latitude,
            longitude,
            capacity: None,
        })
    }
}

/// An origin as a browser writes it (RFC 6454): it stands in the header that says whom the web app may talk to, so
/// nothing else may be in it.
fn origin(url: &str) -> Result<String, SiteRefusal> {
    let url = url.strip_suffix('/').unwrap_or(url);
    let authority = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .ok_or(SiteRefusal::Url)?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let is_host = !host.is_empty() && host.bytes().all(is_plain);
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number > 0));
    if !is_host || !is_port || url.len() > URL_CHARACTERS_MAX {
        return Err(SiteRefusal::Url);
    }
    Ok(url.to_owned())
}

/// Why a site is not registered, or does not go into another state.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SiteRefusal {
    /// The name does not fit etcd, Patroni and a path.
    #[error(
        "a site's name is 1 to {NAME_CHARACTERS_MAX} of a-z, 0-9 and -, and begins with a letter, as pangyo does; it must \
         not begin with any or first, which Patroni misreads"
    )]
    Name,
    /// The title says nothing, or too much.
    #[error("a site's title is 1 to {TITLE_CHARACTERS_MAX} characters on one line")]
    Title,
    /// The URL is no origin.
    #[error(
        "a site's URL is http:// or https://, a host name in lower case and perhaps a port, and nothing after it"
    )]
    Url,
    /// There is no such place on Earth.
    #[error("latitude lies between -90 and 90, longitude between -180 and 180")]
    Place,
    /// There are enough.
    #[error("there are {SITES_MAX} sites already")]
    TooMany,
    /// Another site has the name, or had it.
    #[error("a site named {0} is registered already, perhaps retired; give the new one a name of its own")]
    NameTaken(SiteName),
    /// Another site is reached there.
    #[error("{url} is the URL of the site {site} already")]
    UrlTaken {
        /// The URL.
        url: String,
        /// Whose it is.
        site: SiteName,
    },
    /// Nobody registered it.
    #[error("there is no site {0}; register it with `haechi admin site add`")]
    NoSuchSite(SiteName),
    /// It left for good.
    #[error("the site {0} is retired and does not come back; register a new one under another name")]
    Retired(SiteName),
    /// Work would be cut off.
    #[error("the site {0} still works; drain it first: haechi admin site drain {0}")]
    NotDrained(SiteName),
    /// Others would wait for it.
    #[error(
        "the site {0} is not drained yet: the primary or etcd's leader is there, or nobody says who leads"
    )]
    StillLeads(SiteName),
    /// The next loss would be one too many.
    #[error("without {0} only {left} sites would be left; {SITES_MIN} are needed to survive the loss of one", left = .1)]
    TooFewLeft(SiteName, usize),
    /// Somebody must do the work.
    #[error("no other site would be left to work; {0} cannot be drained")]
    LastActive(SiteName),
}

/// Whether `new` may be registered beside `sites`.
///
/// # Errors
/// [`SiteRefusal`].
pub fn check_new(new: &NewSite, sites: &[Site]) -> Result<(), SiteRefusal> {
    if sites.iter().any(|site| site.name == new.name) {
        return Err(SiteRefusal::NameTaken(new.name.clone()));
    }
    if let Some(site) = sites.iter().find(|site| site.url == new.url) {
        return Err(SiteRefusal::UrlTaken {
            url: new.url.clone(),
            site: site.name.clone(),
        });
    }
    if sites.len() >= SITES_MAX {
        return Err(SiteRefusal::TooMany);
    }
    Ok(())
}

/// Whether the site `name` may go into the state `to`; returns it as it is.
///
/// # Errors
/// [`SiteRefusal`].
pub fn check_change<'s>(name: &SiteName, to: SiteState, sites: &'s [Site]) -> Result<&'s Site, SiteRefusal> {
    let site = sites
        .iter()
        .find(|site| site.name == *name)
        .ok_or_else(|| SiteRefusal::NoSuchSite(name.clone()))?;
    let others_work = sites
        .iter()
        .any(|other| other.name != *name && other.state == SiteState::Active);
    match (site.state, to) {
        // What is asked for twice is done once.
        (state, to) if state == to => Ok(site),
        (SiteState::Retired, _) => Err(SiteRefusal::Retired(name.clone())),
        (SiteState::Active, SiteState::Retired) => Err(SiteRefusal::NotDrained(name.clone())),
        (_, SiteState::Draining) if !others_work => Err(SiteRefusal::LastActive(name.clone())),
        _ => Ok(site),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn new(name: &str, url: &str) -> NewSite {
        NewSite::new(name, "Pangyo", url, (37.4, 127.1)).unwrap()
    }

    fn site(name: &str, state: SiteState) -> Site {
        let now = Time::from_micros(0);
        Site {
            name: name.parse().unwrap(),
            title: name.to_owned(),
            url: format!("https://{name}.haechi.example"),
            latitude: 0.0,
            longitude: 0.0,
            state,
            capacity: None,
            created_at: now,
            state_since: now,
        }
    }

    #[test]
    fn a_name_fits_etcd_patroni_and_a_path() {
        for good in ["a", "pangyo", "busan-2", &"a".repeat(40)] {
            assert_eq!(good.parse::<SiteName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "2busan",
            "-a",
            "Pangyo",
            "pan gyo",
            "판교",
            "a/b",
            &"a".repeat(41),
        ] {
            assert_eq!(bad.parse::<SiteName>(), Err(SiteRefusal::Name), "{bad:?}");
        }
    }

    #[test]
    fn a_url_is_an_origin_and_nothing_smuggled_into_a_header() {
        for (given, kept) in [
            ("https://pangyo.haechi.example", "https://pangyo.haechi.example"),
            ("http://127.0.1.1:8480/", "http://127.0.1.1:8480"),
        ] {
            assert_eq!(new("pangyo", given).url, kept);
        }
        for bad in [
            "",
            "pangyo.example",
            "ftp://pangyo.example",
            "https://",
            "https://:80",
            "https://a.example/path",
            "https://a.example?query",
            "https://a.example; script-src *",
            "https://a.example *",
            "https://user@a.example",
            "https://A.example",
            "https://*",
            "https://a.example:0",
            "https://a.example:65536",
            "https://a.example:80:80",
            &format!("https://{}", "a".repeat(200)),
        ] {
            let refused = NewSite::new("pangyo", "Pangyo", bad, (0.0, 0.0));
            assert_eq!(refused, Err(SiteRefusal::Url), "{bad:?}");
        }
    }

    #[test]
    fn a_title_and_a_place_are_checked() {
        let with = |title: &str, place| NewSite::new("pangyo", title, "https://a.example", place);
        for title in ["", "  ", "a\nb", &"a".repeat(61)] {
            assert_eq!(with(title, (0.0, 0.0)), Err(SiteRefusal::Title), "{title:?}");
        }
        for place in [
            (90.1, 0.0),
            (-91.0, 0.0),
            (0.0, 180.5),
            (f64::NAN, 0.0),
            (0.0, f64::INFINITY),
        ] {
            assert_eq!(with("Pangyo", place), Err(SiteRefusal::Place), "{place:?}");
        }
    }

    #[test]
    fn two_sites_with_one_name_or_one_url_are_refused() {
        let sites = [
            site("pangyo", SiteState::Active),
            site("gasan", SiteState::Retired),
        ];
        let url = "https://new.haechi.example";
        assert_eq!(check_new(&new("busan", url), &sites), Ok(()));
        for name in ["pangyo", "gasan"] {
            let taken = SiteRefusal::NameTaken(name.parse().unwrap());
            assert_eq!(check_new(&new(name, url), &sites), Err(taken));
        }
        let twin = new("busan", "https://pangyo.haechi.example");
        assert!(matches!(
            check_new(&twin, &sites),
            Err(SiteRefusal::UrlTaken { .. })
        ));
        let many: Vec<Site> = (0..SITES_MAX)
            .map(|number| site(&format!("s{number}"), SiteState::Active))
            .collect();
        assert_eq!(check_new(&new("busan", url), &many), Err(SiteRefusal::TooMany));
    }

    #[test]
    fn a_site_goes_from_active_over_draining_to_retired_and_back_only_from_draining() {
        use SiteState::{Active, Draining, Retired};
        let name: SiteName = "pangyo".parse().unwrap();
        let refusal = |from, to| {
            let sites = [site("pangyo", from), site("gasan", Active)];
            check_change(&name, to, &sites).err()
        };
        for (from, to) in [
            (Active, Active),
            (Active, Draining),
            (Draining, Draining),
            (Draining, Active),
            (Draining, Retired),
            (Retired, Retired),
        ] {
            assert_eq!(refusal(from, to), None, "{from:?} to {to:?}");
        }
        let not_drained = Some(SiteRefusal::NotDrained(name.clone()));
        assert_eq!(refusal(Active, Retired), not_drained);
        for to in [Active, Draining] {
            assert_eq!(refusal(Retired, to), Some(SiteRefusal::Retired(name.clone())));
        }
        let alone = [
            site("pangyo", Active),
            site("gasan", Draining),
            site("sejong", Retired),
        ];
        let last = SiteRefusal::LastActive(name.clone());
        assert_eq!(check_change(&name, Draining, &alone), Err(last));
        let unknown: SiteName = "busan".parse().unwrap();
        let missing = SiteRefusal::NoSuchSite(unknown.clone());
        assert_eq!(check_change(&unknown, Draining, &alone), Err(missing));
    }
}
