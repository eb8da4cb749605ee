//! What an operator can set, and where it is read from: flags, then the environment, then a TOML file.

mod alike;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use haechi_identity::Registration;
use http::Uri;
use serde::Deserialize;

/// Where a node listens when nothing is said.
const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8480);

/// The name in user ids when nothing is said.
const SERVER_NAME_DEFAULT: &str = "localhost";

/// The PostgreSQL cluster's name in Patroni when nothing is said.
const CLUSTER_DEFAULT: &str = "haechi";

/// How codes reach phones when nothing is said: not at all, they are shown.
const DEVELOPMENT: &str = "development";

/// The settings as they were given; what is missing has a default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// A TOML file with these settings, their names with _ instead of -
    #[arg(long, env = "HAECHI_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,

    /// Where everything is kept: sqlite:PATH or postgres://USER@HOST[,HOST...]/DATABASE [default: sqlite:haechi.sqlite]
    #[arg(long, env = "HAECHI_STORE", value_name = "URL")]
    store: Option<String>,

    /// The address to listen on; port 0 takes a free one [default: 127.0.0.1:8480]
    #[arg(long, env = "HAECHI_LISTEN", value_name = "ADDR")]
    listen: Option<SocketAddr>,

    /// An address of its own for metrics, open to whoever reaches it; elsewhere they are for this machine and for
    /// administrators [default: none]
    #[arg(long, env = "HAECHI_METRICS_LISTEN", value_name = "ADDR")]
    metrics_listen: Option<SocketAddr>,

    /// The name in user ids, @...:NAME. The same on all nodes and for ever [default: localhost]
    #[arg(long, env = "HAECHI_SERVER_NAME", value_name = "NAME")]
    server_name: Option<String>,

    /// Where people reach the program, as https://haechi.example [default: http:// and the address it listens on]
    #[arg(long, env = "HAECHI_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,

    /// A file with the master key, 32 bytes in base64; or give the key itself in HAECHI_MASTER_KEY
    #[arg(long, env = "HAECHI_MASTER_KEY_FILE", value_name = "FILE")]
    master_key_file: Option<PathBuf>,

    /// How one-time codes reach phones: the URL of a service that sends them, or "development", which shows them
    /// to whoever asks [default: development, where only this machine reaches it: on a loopback address, without a
    /// proxy, and with no other public-url]
    #[arg(long, env = "HAECHI_CODE_GATEWAY", value_name = "URL")]
    code_gateway: Option<String>,

    /// The country of phone numbers without a country code, as in ISO 3166 [default: KR]
    #[arg(long, env = "HAECHI_COUNTRY", value_name = "CODE")]
    country: Option<String>,

    /// Let everybody sign up with a username and a password, through any Matrix client, beside those with a phone
    /// number. With HAECHI_REGISTRATION_TOKEN instead, only who knows that token [default: phone numbers alone]
    #[arg(long, env = "HAECHI_OPEN_REGISTRATION")]
    open_registration: bool,

    /// The TURN servers of calls, as turn:turn.haechi.example?transport=udp; the secret they share with us stands in
    /// HAECHI_TURN_SECRET [default: none]
    #[arg(long, env = "HAECHI_TURN_URI", value_name = "URIS", value_delimiter = ',')]
    turn_uri: Vec<String>,

    /// Let pushes leave by http:// and to addresses that are not public: for tests
    #[arg(long, env = "HAECHI_PUSH_ANYWHERE")]
    push_anywhere: bool,

    /// Requests a second that one session may send, and one address without a sign-in [default: 100 and 50]
    #[arg(long, env = "HAECHI_REQUESTS_PER_SECOND_MAX", value_name = "NUMBER")]
    requests_per_second_max: Option<NonZeroU32>,

    /// Count nobody's requests: for a bench, in which all clients come from one address
    #[arg(long, env = "HAECHI_NO_RATE_LIMITS")]
    no_rate_limits: bool,

    /// Fetch no pages that people link to, for their previews
    #[arg(long, env = "HAECHI_NO_URL_PREVIEWS")]
    no_url_previews: bool,

    /// A trusted proxy stands in front and says in X-Forwarded-For who calls
    #[arg(long, env = "HAECHI_BEHIND_PROXY")]
    behind_proxy: bool,

    /// The site (data centre) of this node; its PostgreSQL under Patroni and its etcd carry the same name
    #[arg(long, env = "HAECHI_SITE", value_name = "NAME")]
    site: Option<String>,

    /// The etcd of the cluster, this site's first: URL[,URL...]; with it every write is confirmed by the leader key
    #[arg(long, env = "HAECHI_ETCD", value_name = "URLS", value_delimiter = ',')]
    etcd: Vec<String>,

    /// The name of the PostgreSQL cluster in Patroni (its scope) [default: haechi]
    #[arg(long, env = "HAECHI_CLUSTER", value_name = "NAME")]
    cluster: Option<String>,

    /// Where other nodes reach this one [default: http:// and the address it listens on]
    #[arg(long, env = "HAECHI_NODE_URL", value_name = "URL")]
    node_url: Option<String>,

    /// Leave a silent site to Patroni's own lease, and never take the leader key away
    #[arg(long, env = "HAECHI_NO_DETECTOR")]
    no_detector: bool,

    /// Tell nobody who is online: presence costs work whenever people come and go
    #[arg(long, env = "HAECHI_NO_PRESENCE")]
    no_presence: bool,

    /// Apply missing migrations before serving; an embedded store is always migrated
    #[arg(long, env = "HAECHI_MIGRATE")]
    migrate: bool,

    /// What to log, as in info,haechi_store=debug [default: info]
    #[arg(long, env = "HAECHI_LOG", value_name = "FILTER")]
    log: Option<String>,

    /// Log one JSON object a line
    #[arg(long, env = "HAECHI_LOG_JSON")]
    log_json: bool,
}

/// How one-time codes reach phones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CodeGatewaySetting {
    /// Shown on the page and in the log.
    Development,
    /// Posted to this URL, with the token of `HAECHI_CODE_GATEWAY_TOKEN`.
    Webhook(String),
}

impl Settings {
    /// The defaults, on this store.
    pub(crate) fn on_store(url: &str) -> Self {
        Self {
            store: Some(url.to_owned()),
            ..Self::default()
        }
    }

    /// Fills what flags and environment left open from the file that they name.
    pub(crate) fn with_file(self) -> Result<Self> {
        let Some(path) = &self.config else { return Ok(self) };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let file = Self::from_toml(&text).with_context(|| format!("in {}", path.display()))?;
        Ok(self.or(file))
    }

    fn from_toml(text: &str) -> Result<Self> {
        Ok(toml::from_str(text)?)
    }

    fn or(self, other: Self) -> Self {
        Self {
            config: self.config.or(other.config),
            store: self.store.or(other.store),
            listen: self.listen.or(other.listen),
            metrics_listen: self.metrics_listen.or(other.metrics_listen),
            server_name: self.server_name.or(other.server_name),
            public_url: self.public_url.or(other.public_url),
            master_key_file: self.master_key_file.or(other.master_key_file),
            code_gateway: self.code_gateway.or(other.code_gateway),
            country: self.country.or(other.country),
            open_registration: self.open_registration || other.open_registration,
            turn_uri: if self.turn_uri.is_empty() {
                other.turn_uri
            } else {
                self.turn_uri
            },
            push_anywhere: self.push_anywhere || other.push_anywhere,
            requests_per_second_max: self.requests_per_second_max.or(other.requests_per_second_max),
            no_rate_limits: self.no_rate_limits || other.no_rate_limits,
            no_url_previews: self.no_url_previews || other.no_url_previews,
            behind_proxy: self.behind_proxy || other.behind_proxy,
            site: self.site.or(other.site),
            etcd: if self.etcd.is_empty() {
                other.etcd
            } else {
                self.etcd
            },
            cluster: self.cluster.or(other.cluster),
            node_url: self.node_url.or(other.node_url),
            no_detector: self.no_detector || other.no_detector,
            no_presence: self.no_presence || other.no_presence,
            migrate: self.migrate || other.migrate,
            log: self.log.or(other.log),
            log_json: self.log_json || other.log_json,
        }
    }

    pub(crate) fn store(&self) -> &str {
        self.store.as_deref().unwrap_or("sqlite:haechi.sqlite")
    }

    pub(crate) fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or(LISTEN_DEFAULT)
    }

    pub(crate) const fn metrics_listen(&self) -> Option<SocketAddr> {
        self.metrics_listen
    }

    /// The name in user ids: a host name, with a port at the most (Matrix appendix 2.1).
    pub(crate) fn server_name(&self) -> Result<&str> {
        let name = self.server_name.as_deref().unwrap_or(SERVER_NAME_DEFAULT);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
        if name.is_empty() || name.len() > 230 || !name.bytes().all(is_plain) {
            bail!("server-name {name:?} is no host name: expected something like haechi.example");
        }
        Ok(name)
    }

    /// Where people reach the program, once it is known where it listens.
    pub(crate) fn public_url(&self, listen: SocketAddr) -> Result<String> {
        let Some(url) = &self.public_url else {
            return Ok(format!("http://{listen}"));
        };
        if !url.starts_with("https://") && !url.starts_with("http://") {
            bail!("public-url {url:?} must begin with https:// or http://");
        }
        Ok(url.trim_end_matches('/').to_owned())
    }

    pub(crate) fn master_key_file(&self) -> Option<&Path> {
        self.master_key_file.as_deref()
    }

    /// How codes reach phones. Showing them lets anyone sign in as anyone, so where others can reach the program
    /// it must be said in so many words.
    pub(crate) fn code_gateway(&self) -> Result<CodeGatewaySetting> {
        match self.code_gateway.as_deref() {
            Some(DEVELOPMENT) => Ok(CodeGatewaySetting::Development),
            Some(url) => Ok(CodeGatewaySetting::Webhook(url.to_owned())),
            None if self.is_for_this_machine_only() => Ok(CodeGatewaySetting::Development),
            None => bail!(
                "code-gateway is needed on {}, which others can reach, by a proxy or directly: the URL of a service \
                 that sends codes to phones, or \"development\" to show every code to whoever asks for it",
                self.listen()
            ),
        }
    }

    /// Whether nobody elsewhere is meant to reach the program.
    fn is_for_this_machine_only(&self) -> bool {
        let named = self.public_url.as_deref().map(|url| url.parse::<Uri>());
        let is_named_elsewhere = named.is_some_and(|uri| !uri.is_ok_and(|uri| is_this_machine(&uri)));
        self.listen().ip().is_loopback() && !self.behind_proxy && !is_named_elsewhere
    }

    pub(crate) fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }

    /// Who may sign up with a username, given the token that the environment says.
    pub(crate) fn registration(&self, token: Option<String>) -> Result<Registration> {
        match token.filter(|token| !token.is_empty()) {
            Some(_) if self.open_registration => {
                bail!("open-registration lets everybody sign up: take it back, or HAECHI_REGISTRATION_TOKEN")
            }
            Some(token) => Ok(Registration::Token(token)),
            None if self.open_registration => Ok(Registration::Open),
            None => Ok(Registration::Closed),
        }
    }

    /// Where calls find a TURN server.
    pub(crate) fn turn_uri(&self) -> &[String] {
        &self.turn_uri
    }

    /// Whether pushes may go to any address.
    pub(crate) const fn push_anywhere(&self) -> bool {
        self.push_anywhere
    }

    pub(crate) const fn requests_per_second_max(&self) -> Option<NonZeroU32> {
        self.requests_per_second_max
    }

    pub(crate) const fn no_rate_limits(&self) -> bool {
        self.no_rate_limits
    }

    pub(crate) const fn no_url_previews(&self) -> bool {
        self.no_url_previews
    }

    pub(crate) const fn behind_proxy(&self) -> bool {
        self.behind_proxy
    }

    pub(crate) fn site(&self) -> Option<&str> {
        self.site.as_deref()
    }

    /// The URLs of etcd's members, this site's first; none on a single database.
    pub(crate) fn etcd(&self) -> &[String] {
        &self.etcd
    }

    /// The scope of the PostgreSQL cluster in Patroni.
    pub(crate) fn cluster(&self) -> &str {
        self.cluster.as_deref().unwrap_or(CLUSTER_DEFAULT)
    }

    /// Where other nodes reach this one.
    pub(crate) fn node_url(&self, listen: SocketAddr) -> String {
        self.node_url
            .clone()
            .unwrap_or_else(|| format!("http://{listen}"))
    }

    /// Whether this node votes on a silent site.
    pub(crate) const fn has_detector(&self) -> bool {
        !self.no_detector
    }

    /// Whether people are told who is online.
    pub(crate) const fn has_presence(&self) -> bool {
        !self.no_presence
    }

    /// Whether missing migrations are applied at the start.
    pub(crate) fn migrates(&self) -> bool {
        self.migrate || self.store().starts_with("sqlite:")
    }

    pub(crate) fn log(&self) -> &str {
        self.log.as_deref().unwrap_or("info,tokio_postgres=warn")
    }

    pub(crate) const fn log_json(&self) -> bool {
        self.log_json
    }
}

fn is_this_machine(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let flags = Settings {
            server_name: Some("flag.example".to_owned()),
            ..Settings::default()
        };
        let file =
            Settings::from_toml("server_name = \"file.example\"\nlisten = \"127.0.0.1:9000\"").unwrap();
        let settings = flags.or(file);
        assert_eq!(settings.server_name().unwrap(), "flag.example");
        assert_eq!(settings.listen().port(), 9_000);
        assert_eq!(settings.store(), "sqlite:haechi.sqlite");
    }

    #[test]
    fn a_bad_value_is_refused_by_name() {
        let unknown = Settings::from_toml("sever_name = \"typo\"")
            .unwrap_err()
            .to_string();
        assert!(unknown.contains("sever_name"), "{unknown}");
        let malformed = Settings::from_toml("listen = \"somewhere\"")
            .unwrap_err()
            .to_string();
        assert!(malformed.contains("listen"), "{malformed}");
        let named = Settings {
            server_name: Some("no name".to_owned()),
            ..Settings::default()
        };
        assert!(
            named
                .server_name()
                .unwrap_err()
                .to_string()
                .contains("server-name")
        );
        let url = Settings {
            public_url: Some("haechi.example".to_owned()),
            ..Settings::default()
        };
        assert!(
            url.public_url(LISTEN_DEFAULT)
                .unwrap_err()
                .to_string()
                .contains("public-url")
        );
    }

    #[test]
    fn codes_are_shown_to_strangers_only_when_it_is_said_in_so_many_words() {
        let open = Settings {
            listen: Some("0.0.0.0:80".parse().unwrap()),
            ..Settings::default()
        };
        assert!(open.code_gateway().is_err());
        let behind_proxy = Settings {
            behind_proxy: true,
            ..Settings::default()
        };
        assert!(behind_proxy.code_gateway().is_err());
        let named = |url: &str| Settings {
            public_url: Some(url.to_owned()),
            ..Settings::default()
        };
        assert!(named("https://haechi.example").code_gateway().is_err());
        for url in [
            "http://localhost:8480",
            "http://127.0.1.1:8480",
            "http://[::1]:8480",
        ] {
            assert!(named(url).code_gateway().is_ok(), "{url}");
        }
        assert_eq!(
            Settings::default().code_gateway().unwrap(),
            CodeGatewaySetting::Development
        );
        let said = Settings {
            code_gateway: Some(DEVELOPMENT.to_owned()),
            ..open
        };
        assert_eq!(said.code_gateway().unwrap(), CodeGatewaySetting::Development);
    }

    #[test]
    fn people_sign_up_with_a_username_only_where_it_is_offered_and_in_one_way() {
        let token = || Some("a token".to_owned());
        let open = Settings {
            open_registration: true,
            ..Settings::default()
        };
        let closed = Settings::default();
        assert_eq!(closed.registration(None).unwrap(), Registration::Closed);
        assert_eq!(
            closed.registration(Some(String::new())).unwrap(),
            Registration::Closed
        );
        assert_eq!(
            closed.registration(token()).unwrap(),
            Registration::Token("a token".to_owned())
        );
        assert_eq!(open.registration(None).unwrap(), Registration::Open);
        assert!(open.registration(token()).is_err());
    }
}
