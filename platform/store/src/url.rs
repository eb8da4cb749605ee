//! Where the store is: `sqlite:PATH` or `postgres://...`.

use std::path::PathBuf;
use std::str::FromStr;

use crate::StoreError;
use crate::postgres::PostgresUrl;

/// Names an embedded database file or the hosts of a PostgreSQL cluster.
#[derive(Clone)]
pub enum StoreUrl {
    /// `sqlite:PATH`: one embedded file on this machine.
    Sqlite(PathBuf),
    /// `postgres://user@a,b,c/database`: several hosts may be named, the writable one is found.
    Postgres(Box<PostgresUrl>),
}

impl std::fmt::Debug for StoreUrl {
    /// Without the password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite:{}", path.display()),
            Self::Postgres(config) => {
                write!(
                    formatter,
                    "postgres://{:?}/{}",
                    config.get_hosts(),
                    config.get_dbname().unwrap_or("")
                )
            }
        }
    }
}

impl StoreUrl {
    /// The databases it names, each as `host:port`; none for an embedded file.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        use tokio_postgres::config::Host;
        let Self::Postgres(config) = self else {
            return Vec::new();
        };
        let ports = config.get_ports();
        // One port for all, one each, or none said (libpq, "Specifying Multiple Hosts").
        let port_of = |place: usize| ports.get(place).or(ports.first()).copied().unwrap_or(5_432);
        let hosts = config.get_hosts().iter().enumerate();
        hosts
            .map(|(place, host)| match host {
                Host::Tcp(name) => format!("{name}:{}", port_of(place)),
                Host::Unix(path) => format!("{}:{}", path.display(), port_of(place)),
            })
            .collect()
    }
}

impl StoreUrl {
    /// Whether connections to it are encrypted; nothing of an embedded file leaves the machine.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(url) => url.get_ssl_mode() == tokio_postgres::config::SslMode::Require,
        }
    }
}

impl FromStr for StoreUrl {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            if path.is_empty() || path.starts_with(":memory:") {
                return Err(refusal(
                    "sqlite:",
                    "a file path must follow, as in sqlite:haechi.sqlite",
                ));
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let url = PostgresUrl::parse(text).map_err(|reason| refusal("postgres://...", &reason))?;
            return Ok(Self::Postgres(Box::new(url)));
        }
        let scheme = text.split(':').next().unwrap_or_default();
        Err(refusal(
            scheme,
            "expected sqlite:PATH or postgres://USER@HOST[,HOST...]/DATABASE",
        ))
    }
}

fn refusal(url: &str, reason: &str) -> StoreError {
    StoreError::Url {
        url: url.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_kinds_are_read() {
        assert!(
            matches!("sqlite:/tmp/a.sqlite".parse().unwrap(), StoreUrl::Sqlite(path) if path.ends_with("a.sqlite"))
        );
        let url = "postgres://me@a,b:5433,c/haechi?sslmode=disable";
        let StoreUrl::Postgres(config) = url.parse().unwrap() else {
            panic!("not a PostgreSQL URL")
        };
        assert_eq!(config.get_hosts().len(), 3);
    }

    #[test]
    fn the_databases_are_told_with_their_ports() {
        let hosts = |url: &str| url.parse::<StoreUrl>().unwrap().hosts();
        let url = "postgres://me@a,b:5433,c/haechi?sslmode=disable";
        assert_eq!(hosts(url), ["a:5432", "b:5433", "c:5432"]);
        assert_eq!(hosts("postgres://me@localhost/haechi"), ["localhost:5432"]);
        assert_eq!(hosts("sqlite:/tmp/a.sqlite"), Vec::<String>::new());
    }

    #[test]
    fn a_bad_url_is_refused_without_showing_its_password() {
        for bad in [
            "",
            "mysql://x",
            "sqlite:",
            "sqlite::memory:",
            "postgres://me:hunter2@host:notaport/db",
        ] {
            let error = bad.parse::<StoreUrl>().unwrap_err().to_string();
            assert!(error.contains("names no store"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
