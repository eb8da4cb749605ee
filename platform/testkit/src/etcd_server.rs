//! An etcd cluster of one's own for a test: real members on this machine, ended with it.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long the members may take until they agree on a leader.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Running members of one etcd cluster. Dropping it ends them.
pub struct EtcdServer {
    members: Vec<Child>,
    urls: Vec<String>,
    _folder: TempDir,
}

struct Place {
    name: String,
    client_url: String,
    peer_url: String,
}

impl EtcdServer {
    /// Starts members of these names and waits until they serve.
    ///
    /// # Panics
    /// When etcd is not installed (Debian: etcd-server), or the members do not find together.
    pub fn start(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let places: Vec<Place> = names
            .iter()
            .map(|name| Place {
                name: (*name).to_owned(),
                client_url: free_url(),
                peer_url: free_url(),
            })
            .collect();
        let peers: Vec<String> = places
            .iter()
            .map(|place| format!("{}={}", place.name, place.peer_url))
            .collect();
        let members = places
            .iter()
            .map(|place| start_member(place, &peers.join(","), &folder))
            .collect();
        let server = Self {
            members,
            urls: places.into_iter().map(|place| place.client_url).collect(),
            _folder: folder,
        };
        server.wait();
        server
    }

    /// Where the members answer, in the order of their names as given.
    pub fn urls(&self) -> Vec<String> {
        self.urls.clone()
    }

    /// Each member is asked over its HTTP interface, which is healthy once the member knows of a leader.
    fn wait(&self) {
        let end = Instant::now() + START_TIMEOUT;
        for url in &self.urls {
            while !is_healthy(url) {
                assert!(Instant::now() < end, "etcd at {url} does not serve");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        for member in &mut self.members {
            // One that has ended already is as good.
            drop(member.kill());
            drop(member.wait());
        }
    }
}

fn start_member(place: &Place, peers: &str, folder: &TempDir) -> Child {
    // The kernel ends it when the test's thread dies, however that comes about.
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "etcd", "--name", &place.name])
        .arg("--data-dir")
        .arg(folder.path().join(&place.name))
        .args(["--listen-client-urls", &place.client_url])
        .args(["--advertise-client-urls", &place.client_url])
        .args(["--listen-peer-urls", &place.peer_url])
        .args(["--initial-advertise-peer-urls", &place.peer_url])
        .args(["--initial-cluster", peers])
        .args(["--logger", "zap", "--log-level", "error"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
        .spawn()
        .expect("etcd and setpriv are needed: apt-get install etcd-server util-linux")
}

fn is_healthy(url: &str) -> bool {
    use std::io::{Read as _, Write as _};
    let address = url.trim_start_matches("http://");
    let Ok(mut stream) = std::net::TcpStream::connect(address) else {
        return false;
    };
    let request = format!("GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    let asked = stream.write_all(request.as_bytes());
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.contains(r#""health":"true""#)
}

fn free_url() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
