//! A PostgreSQL store is backed up by pgBackRest and restored to a moment: what was written before it is there, what
//! came later is not. The configuration and the script are those of deploy/, the commands those of the guide.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use haechi_bench::chat;
use haechi_bench::server::{Server, command};
use haechi_testkit::postgres_server::{find_programs, is_root};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio_postgres::{Client, NoTls};

use crate::program::{binary, folder, succeed};

/// How long a server may take to start, or an archived segment to arrive.
const WAIT: Duration = Duration::from_secs(60);

/// How long to wait between two looks.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// One machine of a site: PostgreSQL, pgBackRest and its repository, all in one folder.
struct Machine {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Machine {
    fn new() -> Result<Self> {
        ensure!(
            crate::program::tool("PGBACKREST", "/usr/bin/pgbackrest").is_file(),
            "pgBackRest is missing: apt-get install pgbackrest"
        );
        let programs = find_programs().context("PostgreSQL is missing: apt-get install postgresql")?;
        let machine = Self {
            folder: tempfile::Builder::new().prefix("haechi-restore-").tempdir()?,
            programs,
            port: TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port(),
        };
        for name in ["", "repository", "log", "lock", "socket", "bin"] {
            let path = machine.path(name);
            fs::create_dir_all(&path)?;
            if is_root() {
                let owner = fs::metadata("/var/lib/postgresql")?;
                chown(&path, Some(std::os::unix::fs::MetadataExt::uid(&owner)), None)?;
            }
        }
        fs::set_permissions(machine.path(""), fs::Permissions::from_mode(0o755))?;
        machine.configure()?;
        Ok(machine)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration of deploy/ with the folders of this machine.
    fn configure(&self) -> Result<()> {
        let deploy = folder().join("../deploy/pgbackrest");
        let mut text = fs::read_to_string(deploy.join("pgbackrest.conf"))?;
        for (there, here) in [
            ("=/var/lib/pgbackrest", self.path("repository")),
            ("=/var/log/pgbackrest", self.path("log")),
            ("=/var/spool/pgbackrest/lock", self.path("lock")),
            ("=/var/lib/postgresql/haechi", self.path("data")),
            ("=/var/run/postgresql", self.path("socket")),
        ] {
            ensure!(text.contains(there), "pgbackrest.conf names no {there}");
            text = text.replace(there, &format!("={}", here.display()));
        }
        text = text.replace("=5432", &format!("={}", self.port));
        fs::write(self.path("pgbackrest.conf"), text)?;
        fs::copy(
            deploy.join("restore-to-moment"),
            self.path("bin/restore-to-moment"),
        )?;
        // Whoever calls it, pgBackRest works as the user of PostgreSQL, as the guide's units do.
        let user = if is_root() {
            AS_POSTGRES.join(" ")
        } else {
            String::new()
        };
        let shim = format!("#!/bin/sh\nexec {user} /usr/bin/pgbackrest \"$@\"\n");
        fs::write(self.path("bin/pgbackrest"), shim)?;
        fs::set_permissions(self.path("bin/pgbackrest"), fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    /// Where the program that backs up finds pgBackRest.
    fn path_variable(&self) -> String {
        let usual = std::env::var("PATH").unwrap_or_default();
        format!("{}:{usual}", self.path("bin").display())
    }

    /// A command as the user of PostgreSQL, which refuses root.
    fn as_postgres(&self, program: &Path) -> Command {
        let mut command = if is_root() {
            let mut command = Command::new(AS_POSTGRES[0]);
            command.args(&AS_POSTGRES[1..]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command
            .env("PGBACKREST_CONFIG", self.path("pgbackrest.conf"))
            .current_dir(self.path(""))
            .stdin(Stdio::null());
        command
    }

    async fn pgbackrest(&self, arguments: &[&str]) -> Result<String> {
        succeed(
            self.as_postgres(Path::new("/usr/bin/pgbackrest"))
                .arg("--stanza=haechi")
                .args(arguments),
        )
        .await
    }

    async fn make_database(&self) -> Result<()> {
        let mut command = self.as_postgres(&self.programs.join("initdb"));
        command.arg("--pgdata").arg(self.path("data"));
        succeed(command.args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--data-checksums",
        ]))
        .await
        .map(drop)
    }

    /// Starts PostgreSQL with the archive settings of deploy/patroni.
    async fn start(&self) -> Result<Child> {
        let patroni = fs::read_to_string(folder().join("../deploy/patroni/patroni.yml"))?;
        let setting = |name: &str| -> Result<String> {
            let line = patroni
                .lines()
                .find_map(|line| line.trim().strip_prefix(&format!("{name}: ")));
            let value = line.with_context(|| format!("patroni.yml has no {name}"))?;
            Ok(format!("{name}={}", value.trim_matches('"')))
        };
        let mut command = self.as_postgres(&self.programs.join("postgres"));
        command.arg("-D").arg(self.path("data"));
        for setting in [
            setting("archive_mode")?,
            setting("archive_command")?,
            setting("archive_timeout")?,
            setting("wal_level")?,
            format!("port={}", self.port),
            format!("unix_socket_directories={}", self.path("socket").display()),
            "listen_addresses=127.0.0.1".to_owned(),
        ] {
            command.arg("-c").arg(setting);
        }
        let log = fs::File::create(self.path("postgres.log"))?;
        let server = command
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        tokio::time::timeout(WAIT, async {
            while self.connect().await.is_err() {
                tokio::time::sleep(LOOK_PAUSE).await;
            }
        })
        .await
        .with_context(|| fs::read_to_string(self.path("postgres.log")).unwrap_or_default())?;
        Ok(server)
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    async fn connect(&self) -> Result<Client> {
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Ends PostgreSQL in good order.
    async fn stop(&self, mut server: Child) -> Result<()> {
        let mut command = self.as_postgres(&self.programs.join("pg_ctl"));
        succeed(
            command
                .args(["stop", "--mode=fast", "--pgdata"])
                .arg(self.path("data")),
        )
        .await?;
        server.wait().await?;
        Ok(())
    }
}

/// Before a command that root runs as the user of PostgreSQL; it ends with us.
const AS_POSTGRES: [&str; 5] = [
    "setpriv",
    "--reuid=postgres",
    "--regid=postgres",
    "--init-groups",
    "--pdeathsig=TERM",
];

/// The database's clock as text, once it shows a later second than the end of the newest backup.
async fn moment_after_backup(machine: &Machine) -> Result<String> {
    let client = machine.connect().await?;
    let next = "SELECT CAST(date_trunc('second', clock_timestamp()) AS TEXT)";
    let begun: String = client.query_one(next, &[]).await?.get(0);
    loop {
        let now: String = client.query_one(next, &[]).await?.get(0);
        if now != begun {
            let moment = client
                .query_one("SELECT CAST(clock_timestamp() AS TEXT)", &[])
                .await?;
            return Ok(moment.get(0));
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// Waits until everything written so far is in the archive.
async fn archive_everything(machine: &Machine) -> Result<()> {
    machine.pgbackrest(&["check"]).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_restored_to_a_moment() -> Result<()> {
    let machine = Machine::new()?;
    machine.make_database().await?;
    let postgres = machine.start().await?;
    machine.pgbackrest(&["stanza-create"]).await?;
    machine.pgbackrest(&["check"]).await?;
    let server = Server::start(&binary(), &machine.url()).await?;
    let address = server.address();
    let mut people = chat::writers(address, 0, 4).await?;
    let (mut later, mut early) = (people.split_off(2), people);
    early[0].send("before-backup", "before the backup").await?;
    let mut backup = command(&binary());
    backup
        .args([
            "backup",
            "--stanza",
            "haechi",
            "--kind",
            "full",
            "--store",
            &machine.url(),
        ])
        .env("PGBACKREST_CONFIG", machine.path("pgbackrest.conf"))
        .env("PATH", machine.path_variable());
    let told = succeed(&mut backup).await?;
    ensure!(told.contains("stanza haechi"), "{told}");
    let noted = machine
        .connect()
        .await?
        .query_one("SELECT kind FROM store_backup", &[])
        .await?;
    ensure!(
        noted.get::<_, String>(0) == "pgbackrest",
        "the backup was not noted"
    );

    early[1].send("after-backup", "after the backup").await?;
    let moment = moment_after_backup(&machine).await?;
    later[0].send("too-late", "after the moment").await?;
    archive_everything(&machine).await?;
    server.stop().await?;
    machine.stop(postgres).await?;

    let mut restore = machine.as_postgres(Path::new("/bin/sh"));
    restore
        .arg(machine.path("bin/restore-to-moment"))
        .arg(&moment)
        .env("PGDATA", machine.path("data"))
        .env("PROGRAMS", &machine.programs);
    let told = succeed(&mut restore).await?;
    ensure!(told.contains(&moment), "{told}");
    let postgres = machine.start().await?;
    let server = Server::start_on(&binary(), &machine.url(), &address.to_string()).await?;
    ensure!(
        chat::verify(address, &early).await? == 2,
        "what came before the moment is not there"
    );
    ensure!(
        chat::verify(address, &later).await.is_err(),
        "what came after the moment is there"
    );
    // It goes on from there: written, archived and backed up again.
    early[0].person.client.reconnect().await?;
    early[0].send("after-restore", "after the restore").await?;
    archive_everything(&machine).await?;
    succeed(&mut backup).await?;
    server.stop().await?;
    machine.stop(postgres).await
}
