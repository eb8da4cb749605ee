//! One site: its folder, its addresses, and what runs there.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::etcd::{self, Beginning};
use crate::install::{Programs, is_root};
use crate::load::SiteAddress;
use crate::network::Network;
use crate::patroni;
use crate::processes::{Processes, words};

/// The sites and the share of the people each serves, in percent. The first is the largest.
pub(crate) const SITES: [(&str, u32); 4] = [("pangyo", 40), ("gasan", 20), ("sejong", 20), ("busan", 20)];

/// Where the sites lie, in degrees north and east.
const COORDINATES: [(f64, f64); SITES.len()] = [
    (37.402, 127.101),
    (37.478, 126.882),
    (36.504, 127.265),
    (35.180, 129.076),
];

/// The name of the PostgreSQL cluster in Patroni (its scope).
pub(crate) const CLUSTER: &str = "haechi";

const ETCD_PORT: u16 = 2379;
pub(crate) const ETCD_PEER_PORT: u16 = 2380;
const POSTGRES_PORT: u16 = 5432;
const PATRONI_PORT: u16 = 8008;
const HAECHI_PORT: u16 = 8480;

/// Every port a site listens on.
pub(crate) const PORTS: [u16; 5] = [
    ETCD_PORT,
    ETCD_PEER_PORT,
    POSTGRES_PORT,
    PATRONI_PORT,
    HAECHI_PORT,
];

/// The name Patroni's process is kept under.
const PATRONI: &str = "patroni";

/// Where a site is, and by what programs it runs. Cheap to copy: questions are asked with it while the site's
/// processes are struck.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) weight: u32,
    pub(crate) folder: PathBuf,
    pub(crate) etcd: SocketAddr,
    pub(crate) postgres: SocketAddr,
    pub(crate) patroni: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) programs: Programs,
}

impl Place {
    /// The place of the site with this index.
    pub(crate) fn new(index: usize, work: &Path, network: &Network, programs: &Programs) -> Self {
        let (name, weight) = SITES[index];
        Self {
            name: name.to_owned(),
            weight,
            folder: work.join(name),
            etcd: network.socket(index, ETCD_PORT),
            postgres: network.socket(index, POSTGRES_PORT),
            patroni: network.socket(index, PATRONI_PORT),
            http: network.socket(index, HAECHI_PORT),
            programs: programs.clone(),
        }
    }

    /// A place of this name that nothing runs at.
    #[cfg(test)]
    pub(crate) fn example(name: &str) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        Self {
            name: name.to_owned(),
            weight: 1,
            folder: PathBuf::from("/nowhere").join(name),
            etcd: address,
            postgres: address,
            patroni: address,
            http: address,
            programs: Programs {
                postgres: PathBuf::new(),
                etcd: PathBuf::new(),
                patroni: PathBuf::new(),
                python: PathBuf::new(),
            },
        }
    }

    /// The folder that a full disk is simulated on.
    pub(crate) fn disk(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    /// PostgreSQL's data.
    pub(crate) fn data(&self) -> PathBuf {
        self.disk().join("data")
    }

    pub(crate) fn etcd_url(&self) -> String {
        format!("http://{}", self.etcd)
    }

    pub(crate) fn etcd_peer_url(&self) -> String {
        format!("http://{}:{ETCD_PEER_PORT}", self.etcd.ip())
    }

    /// What load and checks need to know.
    pub(crate) fn address(&self) -> SiteAddress {
        SiteAddress {
            name: self.name.clone(),
            http: self.http,
            weight: self.weight,
        }
    }
}

/// How the nodes are run.
#[derive(Debug, Clone)]
pub(crate) struct NodeOptions {
    /// The program `haechi`.
    pub(crate) program: PathBuf,
    /// In base64, the same at every node.
    pub(crate) master_key: String,
    /// Whether a silent site is left to Patroni's own lease.
    pub(crate) stock: bool,
    /// What nodes log.
    pub(crate) log: String,
}

/// A site with its processes.
pub(crate) struct Site {
    pub(crate) place: Place,
    index: usize,
    pub(crate) processes: Processes,
}

impl Site {
    /// Makes the site's folders; nothing runs yet.
    pub(crate) fn new(index: usize, place: Place, run_group: Option<&Path>) -> Result<Self> {
        let processes = Processes::new(&place.name, &place.folder, run_group)?;
        let site = Self {
            place,
            index,
            processes,
        };
        site.make_folders()?;
        Ok(site)
    }

    /// The folders as they are at the very beginning, those that are there left alone.
    pub(crate) fn make_folders(&self) -> Result<()> {
        for folder in [
            self.place.folder.clone(),
            self.place.folder.join("etcd"),
            self.place.folder.join("run"),
            self.place.disk(),
        ] {
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        std::fs::set_permissions(
            self.place.folder.join("etcd"),
            std::fs::Permissions::from_mode(0o700),
        )?;
        if is_root() {
            for folder in [self.place.disk(), self.place.folder.join("run")] {
                give_to_postgres(&folder)?;
            }
        }
        Ok(())
    }

    /// Removes everything that the site knew, as a fire does.
    pub(crate) fn wipe(&self) -> Result<()> {
        for folder in [self.place.folder.join("etcd"), self.place.data()] {
            match std::fs::remove_dir_all(&folder) {
                Err(error) if !crate::processes::is_missing(&error) => {
                    return Err(error).with_context(|| format!("cannot empty {}", folder.display()));
                }
                _ => {}
            }
        }
        self.make_folders()
    }

    pub(crate) fn start_etcd(
        &mut self,
        network: &Network,
        all: &[Place],
        beginning: Beginning,
    ) -> Result<()> {
        let command = etcd::command(&self.place, all, beginning);
        let command = self.here(network, &command, false);
        self.processes.start("etcd", &command)
    }

    pub(crate) fn start_patroni(&mut self, network: &Network, all: &[Place]) -> Result<()> {
        let etcd: Vec<String> = self
            .own_first(all)
            .iter()
            .map(|place| place.etcd.to_string())
            .collect();
        let configuration = patroni::configuration(&self.place, &etcd, &network.callers());
        let path = self.place.folder.join("patroni.yml");
        std::fs::write(&path, serde_json::to_vec_pretty(&configuration)?)?;
        let starter = self.place.folder.join("haechi_patroni.py");
        std::fs::write(&starter, patroni::STARTER)?;
        let mut command = Command::new(&self.place.programs.python);
        command
            .arg(&starter)
            .arg(&path)
            .env("PYTHONPATH", &self.place.programs.patroni)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        let command = self.here(network, &command, true);
        self.processes.start(PATRONI, &command)
    }

    pub(crate) fn start_node(
        &mut self,
        network: &Network,
        all: &[Place],
        options: &NodeOptions,
    ) -> Result<()> {
        let mut command = self.node_command(all, options);
        command
            .arg("serve")
            .args(["--listen", &self.place.http.to_string(), "--no-rate-limits"]);
        if options.stock {
            command.arg("--no-detector");
        }
        let command = self.here(network, &command, false);
        self.processes.start("haechi", &command)
    }

    /// Brings the tables to what the program expects, by this site's node.
    pub(crate) async fn migrate(
        &self,
        network: &Network,
        all: &[Place],
        options: &NodeOptions,
    ) -> Result<()> {
        let mut command = self.node_command(all, options);
        command.arg("migrate");
        run_quietly(&self.here(network, &command, false)).await
    }

    /// Registers this site with the program: what stands where, and how clients reach it.
    pub(crate) async fn register(
        &self,
        network: &Network,
        all: &[Place],
        options: &NodeOptions,
    ) -> Result<()> {
        let (latitude, longitude) = COORDINATES[self.index];
        let mut command = self.node_command(all, options);
        command
            .args(["admin", "site", "add", self.place.name.as_str()])
            .args(["--url", &format!("http://{}", self.place.http)])
            .args(["--latitude", &latitude.to_string()])
            .args(["--longitude", &longitude.to_string()]);
        run_quietly(&self.here(network, &command, false)).await
    }

    /// Makes the role and the database, by one of PostgreSQL's own programs at this site.
    pub(crate) async fn make_database(&self, network: &Network) -> Result<()> {
        let address = self.place.postgres;
        let place = [
            format!("--host={}", address.ip()),
            format!("--port={}", address.port()),
            "--username=postgres".to_owned(),
        ];
        for words in [
            // `haechi doctor` reads how far standbys are behind, and where their files are.
            &["createuser", "-g", "pg_monitor", "haechi"][..],
            &["createdb", "--owner=haechi", "haechi"][..],
        ] {
            let mut command = Command::new(self.place.programs.postgres.join(words[0]));
            command.args(&place).args(&words[1..]);
            run_quietly(&self.here(network, &command, false)).await?;
        }
        Ok(())
    }

    /// Patroni's process, if it lives.
    pub(crate) fn patroni_process(&mut self) -> Option<rustix::process::Pid> {
        self.processes.process_id(PATRONI)
    }

    /// The site's programs that ended by themselves.
    pub(crate) fn ended(&mut self) -> Vec<String> {
        let ended = self.processes.ended().into_iter();
        ended
            .map(|program| format!("{program} of {}", self.place.name))
            .collect()
    }

    /// `haechi` with everything that a node of this site is told.
    fn node_command(&self, all: &[Place], options: &NodeOptions) -> Command {
        let order = self.own_first(all);
        let joined =
            |of: &dyn Fn(&Place) -> String| order.iter().map(|place| of(place)).collect::<Vec<_>>().join(",");
        let store = joined(&|place| place.postgres.to_string());
        let mut command = Command::new(&options.program);
        // What the caller's environment says of another node is none of this one's business.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HAECHI_") {
                command.env_remove(name);
            }
        }
        command
            .env("HAECHI_MASTER_KEY", &options.master_key)
            .env("HAECHI_LOG", &options.log)
            .env(
                "HAECHI_STORE",
                format!("postgres://haechi@{store}/haechi?sslmode=disable"),
            )
            .env("HAECHI_SITE", &self.place.name)
            .env("HAECHI_ETCD", joined(&Place::etcd_url))
            .env("HAECHI_CLUSTER", CLUSTER)
            .env("HAECHI_NODE_URL", format!("http://{}", self.place.http))
            .env("HAECHI_PUBLIC_URL", format!("http://{}", self.place.http))
            // Sites in networks of their own are not on loopback: each command must be told that codes may be shown.
            .env("HAECHI_CODE_GATEWAY", "development")
            .env("HAECHI_SERVER_NAME", "haechi.drill");
        command
    }

    /// All places, this one first and then around.
    fn own_first<'a>(&self, all: &'a [Place]) -> Vec<&'a Place> {
        all.iter().cycle().skip(self.index).take(all.len()).collect()
    }

    /// The command, run where the site is; as the user postgres if it asks for that and we are root, since
    /// PostgreSQL refuses root.
    fn here(&self, network: &Network, command: &Command, as_postgres: bool) -> Command {
        let mut words: Vec<std::ffi::OsString> =
            network.entering(self.index).into_iter().map(Into::into).collect();
        if as_postgres && is_root() {
            words
                .extend(["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"].map(Into::into));
        }
        words.push(command.get_program().to_owned());
        words.extend(command.get_args().map(ToOwned::to_owned));
        let mut here = Command::new(&words[0]);
        here.args(&words[1..]).current_dir(&self.place.folder);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => here.env(name, value),
                None => here.env_remove(name),
            };
        }
        here
    }
}

/// How long a short program at a site may run.
const PROGRAM_DURATION_MAX: Duration = Duration::from_secs(60);

async fn run_quietly(command: &Command) -> Result<()> {
    let name = words(command);
    let mut running = tokio::process::Command::new(command.get_program());
    running.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => running.env(name, value),
            None => running.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        running.current_dir(folder);
    }
    running.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PROGRAM_DURATION_MAX, running.output())
        .await
        .with_context(|| format!("{name} did not end within {PROGRAM_DURATION_MAX:?}"))?
        .with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        bail!(
            "{} failed ({}): {}{}",
            command.get_program().display(),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// Makes a folder the user postgres's own.
pub(crate) fn give_to_postgres(folder: &Path) -> Result<()> {
    let accounts = std::fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let user: u32 = accounts
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == "postgres").then(|| fields.nth(1)?.parse().ok())?
        })
        .context("there is no user postgres, which the Debian package postgresql makes")?;
    std::os::unix::fs::chown(folder, Some(user), None)
        .with_context(|| format!("cannot give {} to the user postgres", folder.display()))
}
