//! Encrypted connections to PostgreSQL: used when asked for, and never to a server that cannot prove who it is.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use haechi_base::SystemClock;
use haechi_testkit::postgres_server::PostgresServer;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::harness::{limits, run_on};
use crate::{Store, StoreError, StoreLimits, StoreUrl, Tx};

/// Who vouches for servers.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let file = folder.join(name);
        fs::write(&file, parameters.self_signed(&key).unwrap().pem()).unwrap();
        Self {
            issuer: Issuer::new(parameters, key),
            file,
        }
    }
}

/// A server with a certificate for `localhost`, and what keeps it.
struct Encrypted {
    server: PostgresServer,
    authority: Authority,
    folder: TempDir,
}

impl Encrypted {
    async fn start() -> Self {
        let server = tokio::task::spawn_blocking(|| PostgresServer::start().unwrap())
            .await
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path(), "authority.crt");
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])
            .unwrap()
            .signed_by(&key, &authority.issuer)
            .unwrap();
        let (key_file, certificate_file) = (folder.path().join("site.key"), folder.path().join("site.crt"));
        fs::write(&key_file, key.serialize_pem()).unwrap();
        fs::write(&certificate_file, certificate.pem()).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
        // PostgreSQL wants its key for itself; it runs under a user of its own when we are root.
        let process = format!("/proc/{}", server.process_id());
        chown(&key_file, Some(fs::metadata(process).unwrap().uid()), None).unwrap();
        let url = server.url("postgres");
        for setting in [
            format!("ssl_cert_file = '{}'", certificate_file.display()),
            format!("ssl_key_file = '{}'", key_file.display()),
            "ssl = on".to_owned(),
        ] {
            run_on(&url, &format!("ALTER SYSTEM SET {setting}")).await;
        }
        run_on(&url, "SELECT pg_reload_conf()").await;
        Self {
            server,
            authority,
            folder,
        }
    }

    /// What a node is told to reach it.
    fn url(&self, host: &str, authority: &Authority) -> StoreUrl {
        let port = self.server.port();
        let file = authority.file.display();
        format!("postgres://postgres@{host}:{port}/postgres?sslmode=verify-full&sslrootcert={file}")
            .parse()
            .unwrap()
    }
}

/// Whether the connection of a store is encrypted, by the word of the server.
async fn is_encrypted(url: &StoreUrl, limits: &StoreLimits) -> Result<bool, StoreError> {
    const ENCRYPTED: &str = "SELECT ssl AS encrypted FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let store = Store::open(url, limits, Arc::new(SystemClock)).unwrap();
    store
        .write_unkeyed(async |tx: &mut Tx<'_>| tx.query_one(ENCRYPTED, &[]).await?.get("encrypted"))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_encrypted_to_who_can_prove_its_name_and_to_nobody_else() {
    let encrypted = Encrypted::start().await;
    let right = encrypted.url("localhost", &encrypted.authority);
    // The server takes up its new settings a moment after it was told.
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        match is_encrypted(&right, &limits()).await {
            Ok(encrypted) => break assert!(encrypted),
            Err(error) => assert!(std::time::Instant::now() < deadline, "{error}"),
        }
    }
    let short = StoreLimits {
        unavailable_wait: Duration::from_millis(500),
        ..limits()
    };
    let stranger = Authority::new(encrypted.folder.path(), "stranger.crt");
    for url in [
        encrypted.url("localhost", &stranger),
        // The certificate is not for this name.
        encrypted.url("127.0.0.1", &encrypted.authority),
    ] {
        let error = is_encrypted(&url, &short).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
    // Without being asked to, nothing is encrypted on one machine.
    let plain = encrypted.server.url("postgres").parse().unwrap();
    assert!(!is_encrypted(&plain, &limits()).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn clear_text_is_no_way_out_when_a_server_cannot_encrypt() {
    let server = tokio::task::spawn_blocking(|| PostgresServer::start().unwrap())
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "authority.crt");
    let url = format!(
        "postgres://postgres@localhost:{}/postgres?sslrootcert={}",
        server.port(),
        authority.file.display()
    );
    let short = StoreLimits {
        unavailable_wait: Duration::from_millis(500),
        ..limits()
    };
    let error = is_encrypted(&url.parse().unwrap(), &short).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
}
