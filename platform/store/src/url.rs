//! Where the store is: `sqlite:PATH` or `postgres://...`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use tokio_postgres::config::{Host, SslMode};

use crate::StoreError;

/// Names an embedded database file or the hosts of a PostgreSQL cluster.
#[derive(Clone)]
pub enum StoreUrl {
    /// `sqlite:PATH`: one embedded file on this machine.
    Sqlite(PathBuf),
    /// `postgres://user@a,b,c/database`: several hosts may be named, the writable one is found.
    Postgres(Box<tokio_postgres::Config>),
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
            let config = text.parse().map_err(|error: tokio_postgres::Error| {
                let reason =
                    std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                refusal("postgres://...", &reason)
            })?;
            refuse_clear_text(&config)?;
            return Ok(Self::Postgres(Box::new(config)));
        }
        let scheme = text.split(':').next().unwrap_or_default();
        Err(refusal(
            scheme,
            "expected sqlite:PATH or postgres://USER@HOST[,HOST...]/DATABASE",
        ))
    }
}

/// Connections are not encrypted yet. To another machine that must be said in so many words.
fn refuse_clear_text(config: &tokio_postgres::Config) -> Result<(), StoreError> {
    let is_here = |host: &Host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
        Host::Unix(_) => true,
    };
    if config.get_ssl_mode() == SslMode::Disable || config.get_hosts().iter().all(is_here) {
        return Ok(());
    }
    let reason =
        "connections are not encrypted; where the network between the hosts is, add ?sslmode=disable";
    Err(refusal("postgres://...", reason))
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
    fn clear_text_to_another_machine_must_be_said() {
        assert!(
            "postgres://me@127.0.0.1,localhost/haechi"
                .parse::<StoreUrl>()
                .is_ok()
        );
        for url in [
            "postgres://me@db1/haechi",
            "postgres://me@db1/haechi?sslmode=require",
        ] {
            let error = url.parse::<StoreUrl>().unwrap_err().to_string();
            assert!(error.contains("sslmode=disable"), "{error}");
        }
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
