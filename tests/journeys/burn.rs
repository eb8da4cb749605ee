//! A site dies under people's hands in a real browser: nodes on one PostgreSQL, each of them a site, and then the real
//! thing, four sites with their own etcd and PostgreSQL.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use haechi_bench::server::{Server, command};
use haechi_drill::{Sites, SitesOptions};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::program::{FOUR_SITES, FreshStore, binary, npm_folder, succeed, tool};

/// The script's word to us, before what is to be done.
const DO: &str = "DO ";

/// How long a whole journey may take.
const JOURNEY_WAIT: Duration = Duration::from_secs(400);

/// Name, title, degrees north, degrees east.
const SITES: [(&str, &str, &str, &str); 3] = [
    ("pangyo", "Pangyo", "37.402", "127.101"),
    ("gasan", "Gasan", "37.478", "126.882"),
    ("busan", "Busan", "35.180", "129.076"),
];

/// Whoever can do to a site what the script asks for.
trait Fire {
    async fn burn(&mut self) -> Result<()>;
    async fn restore(&mut self) -> Result<()>;
    async fn freeze(&mut self) -> Result<()>;
    async fn thaw(&mut self) -> Result<()>;
}

/// Three sites, each of them one node; all on one PostgreSQL. One of them burns.
struct Nodes {
    store: String,
    servers: Vec<Server>,
    burning: usize,
}

impl Nodes {
    async fn start(burning: usize) -> Result<Self> {
        let store = FreshStore::postgres().await?.url;
        let mut servers = Vec::with_capacity(SITES.len());
        for (name, title, latitude, longitude) in SITES {
            let server = Server::start_with(&binary(), &store, "127.0.0.1:0", &["--site", name]).await?;
            let url = format!("http://{}", server.address());
            succeed(command(&binary()).args([
                "admin",
                "site",
                "add",
                name,
                "--title",
                title,
                "--url",
                &url,
                "--latitude",
                latitude,
                "--longitude",
                longitude,
                "--store",
                &store,
            ]))
            .await?;
            servers.push(server);
        }
        Ok(Self {
            store,
            servers,
            burning,
        })
    }

    fn url(&self, index: usize) -> String {
        format!("http://{}", self.servers[index].address())
    }

    fn settings(&self) -> Settings {
        let titles: Vec<&str> = SITES.iter().skip(1).map(|(_, title, ..)| *title).collect();
        Settings {
            url: self.url(0),
            titles: titles.join(","),
            store: self.store.clone(),
            master_key: None,
            arrives_within_ms: 12_000,
        }
    }

    async fn signal(&self, name: &str) -> Result<()> {
        let id = self.servers[self.burning]
            .process_id()
            .context("the node has ended")?;
        let told = Command::new("kill")
            .args([name, &id.to_string()])
            .status()
            .await?;
        ensure!(told.success(), "{name} could not be sent");
        Ok(())
    }

    async fn stop(self) -> Result<()> {
        for server in self.servers {
            server.stop().await?;
        }
        Ok(())
    }
}

impl Fire for Nodes {
    async fn burn(&mut self) -> Result<()> {
        self.servers[self.burning].kill().await
    }

    async fn restore(&mut self) -> Result<()> {
        let address = self.servers[self.burning].address().to_string();
        let site = SITES[self.burning].0;
        self.servers[self.burning] =
            Server::start_with(&binary(), &self.store, &address, &["--site", site]).await?;
        Ok(())
    }

    async fn freeze(&mut self) -> Result<()> {
        self.signal("-STOP").await
    }

    async fn thaw(&mut self) -> Result<()> {
        self.signal("-CONT").await
    }
}

/// Four sites as they are run, and the one that people are connected to, where PostgreSQL leads at first.
struct Cluster {
    sites: Sites,
    home: String,
}

impl Fire for Cluster {
    async fn burn(&mut self) -> Result<()> {
        self.sites.burn(&self.home)
    }

    async fn restore(&mut self) -> Result<()> {
        let took = self.sites.restore(&self.home).await?;
        println!("   the site rejoined after {took:?}");
        Ok(())
    }

    async fn freeze(&mut self) -> Result<()> {
        self.sites.freeze(&self.home)
    }

    async fn thaw(&mut self) -> Result<()> {
        self.sites.thaw(&self.home)?;
        self.sites.wait_until_whole().await?;
        Ok(())
    }
}

/// What a script is told.
struct Settings {
    url: String,
    titles: String,
    store: String,
    /// The nodes' key, where it is another than that of this run.
    master_key: Option<String>,
    arrives_within_ms: u32,
}

impl Settings {
    /// A shell command of the operator on this store.
    fn operator(&self, task: &str) -> String {
        let program = binary();
        format!("'{}' admin {task} --store '{}'", program.display(), self.store)
    }

    fn tell(&self, script: &mut Command) {
        script
            .env("HAECHI_URL", &self.url)
            .env("HAECHI_SITE_TITLES", &self.titles)
            .env("HAECHI_ARRIVES_WITHIN_MS", self.arrives_within_ms.to_string())
            .env(
                "HAECHI_TOPUP",
                self.operator("top-up --to \"$HAECHI_PHONE_A\" --amount 100000"),
            )
            .env(
                "HAECHI_GRANT",
                self.operator("grant --phone \"$HAECHI_PHONE\" --role administrator"),
            );
        if let Some(key) = &self.master_key {
            script.env("HAECHI_MASTER_KEY", key);
        }
    }
}

/// Runs a script of `tests/browser` and does what it asks for.
async fn run_with_fire(script: &str, settings: &Settings, fire: &mut impl Fire) -> Result<()> {
    let mut journey = command(&tool("HAECHI_NODE", "node"));
    settings.tell(&mut journey);
    if let Some(pictures) = std::env::var_os("HAECHI_SCREENSHOTS") {
        std::fs::create_dir_all(PathBuf::from(&pictures))?;
    }
    let mut running = journey
        .current_dir(npm_folder("browser")?)
        .arg(script)
        .env("HAECHI_CHROMIUM", tool("HAECHI_CHROMIUM", "chromium"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("node cannot be started")?;
    let mut answers = running.stdin.take().context("the script has no input")?;
    let output = running.stdout.take().context("the script has no output")?;
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await? {
        println!("{line}");
        let Some(deed) = line.strip_prefix(DO) else {
            continue;
        };
        match deed {
            "burn" => fire.burn().await?,
            "restore" => fire.restore().await?,
            "freeze" => fire.freeze().await?,
            "thaw" => fire.thaw().await?,
            _ => bail!("the script asks for {deed:?}"),
        }
        answers.write_all(b"done\n").await?;
    }
    let status = running.wait().await?;
    ensure!(
        status.success(),
        "{script} ended with {status}; it says above why"
    );
    Ok(())
}

async fn in_time(journey: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::time::timeout(JOURNEY_WAIT, journey)
        .await
        .context("the journey takes too long")?
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_burns_under_an_open_chat() -> Result<()> {
    let mut nodes = Nodes::start(0).await?;
    let settings = nodes.settings();
    in_time(run_with_fire("burn.mjs", &settings, &mut nodes)).await?;
    nodes.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_sees_the_sites_and_drains_one() -> Result<()> {
    let mut nodes = Nodes::start(1).await?;
    let settings = nodes.settings();
    in_time(run_with_fire("console.mjs", &settings, &mut nodes)).await?;
    nodes.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_site_of_the_primary_burns_under_an_open_chat() -> Result<()> {
    let _alone = FOUR_SITES.lock().await;
    let sites = Sites::start(&SitesOptions::new(&binary())).await?;
    // The nodes leave a leader alone that they have only just come to know.
    sites.wait_until_votes_count().await?;
    let home = sites.primary().await.context("no PostgreSQL leads")?;
    let addresses = sites.addresses();
    let others = addresses.iter().filter(|site| site.name != home);
    let titles: Vec<&str> = others.map(|site| site.name.as_str()).collect();
    let here = addresses
        .iter()
        .find(|site| site.name == home)
        .context("the primary is at no site")?;
    let settings = Settings {
        url: format!("http://{}", here.http),
        titles: titles.join(","),
        store: sites.store_url(),
        master_key: Some(sites.master_key().to_owned()),
        // Beside the change of the site there is the change of the primary, on a machine that four sites share.
        arrives_within_ms: 30_000,
    };
    let mut cluster = Cluster { sites, home };
    in_time(run_with_fire("burn.mjs", &settings, &mut cluster)).await
}
