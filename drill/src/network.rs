//! The addresses of the sites: on loopback, or each in a network namespace of its own, so that it can be cut off.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::site::{ETCD_PEER_PORT, PORTS, SITES};

/// Set for the drill that runs inside the hub's network namespace.
const HUB_VARIABLE: &str = "HAECHI_DRILL_IN_HUB";

/// Where the drill and its clients are, inside the hub.
const HUB_ADDRESS: &str = "10.127.0.254/24";

/// The bridge of the hub, to which each site's cable leads.
const BRIDGE: &str = "hub";

/// Nets of loopback that are tried, from 127.0.1 on: several drills may run on one machine.
const LOOPBACK_NETS: std::ops::RangeInclusive<u8> = 1..=9;

/// The host of a loopback net whose port says that the net is taken by a drill.
const CLAIM_HOST: u8 = 5;

/// How the sites are connected.
#[derive(Debug)]
pub(crate) enum Network {
    /// Addresses 127.0.`net`.1 to .4. A site cannot be cut off here.
    Loopback {
        net: u8,
        /// Held as long as the drill lives, so that no other takes the same addresses.
        _claim: TcpListener,
    },
    /// Addresses 10.127.0.1 to .4, each in a namespace of its own.
    Namespaces {
        /// The names, in the order of the sites.
        names: Vec<String>,
    },
}

impl Network {
    /// Takes the first net of loopback that is free.
    pub(crate) fn loopback() -> Result<Self> {
        for net in LOOPBACK_NETS {
            let Ok(claim) = TcpListener::bind((Ipv4Addr::new(127, 0, net, CLAIM_HOST), ETCD_PEER_PORT))
            else {
                continue;
            };
            let all_free = (1..=SITES.len()).all(|host| {
                let host = u8::try_from(host).unwrap_or(u8::MAX);
                let address = Ipv4Addr::new(127, 0, net, host);
                PORTS
                    .iter()
                    .all(|port| TcpListener::bind((address, *port)).is_ok())
            });
            if all_free {
                return Ok(Self::Loopback { net, _claim: claim });
            }
        }
        bail!("the addresses 127.0.1.1 to 127.0.9.4 are in use: is something else listening on all of them?")
    }

    /// The names that a run's namespaces will have, known before they are made so that they can be removed.
    pub(crate) fn namespace_names(run: &str) -> Vec<String> {
        SITES.iter().map(|(site, _)| format!("{run}-{site}")).collect()
    }

    /// Makes a namespace for each site and a cable from it to the hub, in which we are.
    pub(crate) fn namespaces(names: Vec<String>) -> Result<Self> {
        if !is_in_hub() {
            bail!("to cut off a site the drill must run in a network namespace of its own");
        }
        ip("link set lo up")?;
        ip(&format!("link add {BRIDGE} type bridge"))?;
        ip(&format!("addr add {HUB_ADDRESS} dev {BRIDGE}"))?;
        ip(&format!("link set {BRIDGE} up"))?;
        let network = Self::Namespaces { names };
        let Self::Namespaces { names } = &network else {
            return Ok(network);
        };
        for (index, name) in names.iter().enumerate() {
            let (site, address) = (SITES[index].0, network.address(index));
            ip(&format!("netns add {name}"))?;
            ip(&format!("link add {site} type veth peer name site netns {name}"))?;
            ip(&format!("link set {site} master {BRIDGE} up"))?;
            ip(&format!("-n {name} addr add {address}/24 dev site"))?;
            ip(&format!("-n {name} link set site up"))?;
            ip(&format!("-n {name} link set lo up"))?;
        }
        Ok(network)
    }

    /// The address of the site with this index, from 0.
    pub(crate) fn address(&self, index: usize) -> IpAddr {
        let host = u8::try_from(index + 1).unwrap_or(u8::MAX);
        IpAddr::V4(match self {
            Self::Loopback { net, .. } => Ipv4Addr::new(127, 0, *net, host),
            Self::Namespaces { .. } => Ipv4Addr::new(10, 127, 0, host),
        })
    }

    /// An address and port of a site.
    pub(crate) fn socket(&self, index: usize, port: u16) -> SocketAddr {
        SocketAddr::new(self.address(index), port)
    }

    /// The addresses from which the sites and the drill call, as a net.
    pub(crate) fn callers(&self) -> String {
        match self {
            Self::Loopback { .. } => "127.0.0.0/8".to_owned(),
            Self::Namespaces { .. } => "10.127.0.0/24".to_owned(),
        }
    }

    /// The words before a command that runs at a site.
    pub(crate) fn entering(&self, index: usize) -> Vec<String> {
        match self {
            Self::Loopback { .. } => Vec::new(),
            Self::Namespaces { names } => ["ip", "netns", "exec", &names[index]].map(str::to_owned).to_vec(),
        }
    }

    /// Cuts a site off from all others and from the clients: nothing passes in either direction, and nothing says so.
    pub(crate) fn cut(&self, index: usize) -> Result<()> {
        self.set_cable(index, "down")
    }

    /// Connects the site again.
    pub(crate) fn heal(&self, index: usize) -> Result<()> {
        self.set_cable(index, "up")
    }

    fn set_cable(&self, index: usize, state: &str) -> Result<()> {
        match self {
            Self::Loopback { .. } => bail!("a site on loopback cannot be cut off"),
            // The hub's end of the cable: at the site's own end everything looks as before.
            Self::Namespaces { .. } => ip(&format!("link set {} {state}", SITES[index].0)),
        }
    }
}

/// Whether this process runs in a hub's namespace.
#[must_use]
pub fn is_in_hub() -> bool {
    std::env::var_os(HUB_VARIABLE).is_some()
}

/// Starts this program again with the same arguments, inside a new network namespace: the hub. Does not return when
/// it succeeds.
///
/// # Errors
/// The machine does not let us make network namespaces.
pub fn enter_hub() -> Result<()> {
    let works = Command::new("unshare")
        .args(["--net", "true"])
        .stdin(Stdio::null())
        .output()
        .context("cannot run unshare (Debian: util-linux)")?;
    if !works.status.success() {
        bail!(
            "this machine does not let us make network namespaces, so no site can be cut off: {} (run as root, in a \
             container with the capability SYS_ADMIN)",
            String::from_utf8_lossy(&works.stderr).trim()
        );
    }
    let error = Command::new("unshare")
        .args(["--net", "--"])
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(HUB_VARIABLE, "yes")
        .exec();
    Err(error).context("cannot run unshare")
}

/// Runs `ip` with these words.
fn ip(words: &str) -> Result<()> {
    let output = Command::new("ip")
        .args(words.split(' '))
        .stdin(Stdio::null())
        .output()
        .context("cannot run ip (Debian: iproute2)")?;
    if !output.status.success() {
        bail!(
            "`ip {words}` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
