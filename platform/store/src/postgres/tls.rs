//! Where a PostgreSQL is, and how connections to it are protected from who listens on the way.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Where PostgreSQL listens when nothing is said.
const PORT_DEFAULT: u16 = 5_432;

/// The settings of a `postgres://` URL, with the authority that its servers' certificates are judged by.
///
/// Two parameters are read here and not by the driver, as libpq names them: `sslmode` (`disable`, or `verify-full`;
/// `require` means the same, since an encrypted connection to who knows whom protects nobody) and `sslrootcert`, a
/// file with the authority's certificates in PEM.
#[derive(Clone)]
pub struct PostgresUrl {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl PostgresUrl {
    /// Reads a URL. The error says why it is refused, without a password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (rest, protection) = split(text)?;
        let mut config: Config = rest.parse().map_err(|error: tokio_postgres::Error| {
            std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
        })?;
        let tls = match protection {
            Protection::Unsaid => {
                refuse_clear_text(&config)?;
                None
            }
            Protection::None => {
                config.ssl_mode(SslMode::Disable);
                None
            }
            Protection::Verified(authority) => {
                config.ssl_mode(SslMode::Require);
                Some(MakeRustlsConnect::new(trusting(Path::new(&authority))?))
            }
        };
        Ok(Self { config, tls })
    }

    /// The same database at one host, with what else the URL says.
    pub(super) fn at(&self, host: &Host, port: u16) -> Self {
        let mut config = Config::new();
        match host {
            Host::Tcp(name) => config.host(name),
            Host::Unix(folder) => config.host_path(folder),
        };
        config.port(port).ssl_mode(self.get_ssl_mode());
        if let Some(user) = self.get_user() {
            config.user(user);
        }
        if let Some(password) = self.get_password() {
            config.password(password);
        }
        if let Some(database) = self.get_dbname() {
            config.dbname(database);
        }
        if let Some(options) = self.get_options() {
            config.options(options);
        }
        if let Some(wait) = self.get_connect_timeout() {
            config.connect_timeout(*wait);
        }
        if let Some(silence) = self.get_tcp_user_timeout() {
            config.tcp_user_timeout(*silence);
        }
        Self {
            config,
            tls: self.tls.clone(),
        }
    }

    /// Each host by itself, with its name as `host:port`, in the order of the URL.
    pub(crate) fn each(&self) -> Vec<(String, Self)> {
        let ports = self.get_ports();
        let hosts = self.get_hosts().iter().enumerate();
        hosts
            .map(|(place, host)| {
                let port = ports.get(place).or_else(|| ports.first());
                let port = port.copied().unwrap_or(PORT_DEFAULT);
                let name = match host {
                    Host::Tcp(name) => name.clone(),
                    Host::Unix(folder) => folder.display().to_string(),
                };
                (format!("{name}:{port}"), self.at(host, port))
            })
            .collect()
    }

    /// What encrypts a connection; `None` where it goes in clear text.
    pub(super) const fn tls(&self) -> Option<&MakeRustlsConnect> {
        self.tls.as_ref()
    }
}

impl Deref for PostgresUrl {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

impl fmt::Debug for PostgresUrl {
    /// Without the password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.get_dbname().unwrap_or("");
        write!(formatter, "postgres://{:?}/{database}", self.get_hosts())
    }
}

/// What a URL says of encryption.
#[derive(Debug, PartialEq, Eq)]
enum Protection {
    Unsaid,
    None,
    /// By the authority whose certificates are in this file.
    Verified(String),
}

/// Takes what is said of encryption out of a URL.
fn split(text: &str) -> Result<(String, Protection), String> {
    let Some((head, query)) = text.split_once('?') else {
        return Ok((text.to_owned(), Protection::Unsaid));
    };
    let (mut mode, mut authority, mut rest) = (None, None, Vec::new());
    for parameter in query.split('&') {
        match parameter.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value),
            Some(("sslrootcert", value)) => authority = Some(value.to_owned()),
            _ => rest.push(parameter),
        }
    }
    let protection = match (mode, authority) {
        (None, None) => Protection::Unsaid,
        (Some("disable"), None) => Protection::None,
        (None | Some("require" | "verify-full"), Some(file)) => Protection::Verified(file),
        (Some("require" | "verify-full"), None) => {
            return Err("sslrootcert=FILE must say whose certificates are trusted".to_owned());
        }
        (Some("disable"), Some(_)) => return Err("sslmode=disable needs no sslrootcert".to_owned()),
        (Some(other), _) => return Err(format!("sslmode={other}: expected disable or verify-full")),
    };
    let rest = if rest.is_empty() {
        head.to_owned()
    } else {
        format!("{head}?{}", rest.join("&"))
    };
    Ok((rest, protection))
}

/// To another machine, clear text must be said in so many words.
fn refuse_clear_text(config: &Config) -> Result<(), String> {
    let is_here = |host: &Host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
        Host::Unix(_) => true,
    };
    if config.get_hosts().iter().all(is_here) {
        return Ok(());
    }
    Err(
        "the connection to another machine must be encrypted: add ?sslmode=verify-full&sslrootcert=FILE; or, where \
         the network between the hosts is encrypted, ?sslmode=disable"
            .to_owned(),
    )
}

/// Trusts the servers that an authority in this file vouches for, under the name by which they are called.
fn trusting(file: &Path) -> Result<ClientConfig, String> {
    let unreadable = |reason: &dyn fmt::Display| format!("sslrootcert {}: {reason}", file.display());
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| unreadable(&error))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        roots.add(certificate).map_err(|error| unreadable(&error))?;
    }
    if roots.is_empty() {
        return Err(unreadable(&"there is no certificate in it"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| unreadable(&error))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn clear_text_to_another_machine_must_be_said() {
        assert!(PostgresUrl::parse("postgres://me@127.0.0.1,localhost/haechi").is_ok());
        assert!(PostgresUrl::parse("postgres://me@db1/haechi?sslmode=disable").is_ok());
        let error = PostgresUrl::parse("postgres://me@db1/haechi").unwrap_err();
        assert!(error.contains("sslmode=verify-full"), "{error}");
    }

    #[test]
    fn what_is_said_of_encryption_is_taken_out_and_the_rest_kept() {
        let (rest, protection) =
            split("postgres://me@db1/haechi?sslmode=require&connect_timeout=3&sslrootcert=/a.crt").unwrap();
        assert_eq!(rest, "postgres://me@db1/haechi?connect_timeout=3");
        assert_eq!(protection, Protection::Verified("/a.crt".to_owned()));
    }

    #[test]
    fn encryption_that_cannot_be_judged_is_refused() {
        for (query, reason) in [
            ("sslmode=require", "sslrootcert=FILE"),
            ("sslmode=prefer", "expected disable or verify-full"),
            ("sslmode=disable&sslrootcert=/a.crt", "needs no sslrootcert"),
            ("sslrootcert=/nowhere/a.crt", "/nowhere/a.crt"),
            ("sslrootcert=/dev/null", "no certificate in it"),
        ] {
            let error = PostgresUrl::parse(&format!("postgres://me@db1/haechi?{query}")).unwrap_err();
            assert!(error.contains(reason), "{query}: {error}");
        }
    }
}
