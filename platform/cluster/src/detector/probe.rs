//! Whether a site answers in any way: its Patroni, its PostgreSQL or its etcd. A connection that opens is no answer:
//! a frozen process still has its port.

use std::time::Duration;

use futures_util::future::{FutureExt, select_ok};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::MemberState;

/// How long a site has to answer one look.
const ANSWER_WAIT: Duration = Duration::from_millis(300);

/// The request for an encrypted connection (PostgreSQL protocol 3, `SSLRequest`): its length and its code. A server
/// answers it with one byte before anybody signs in.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Looks at sites.
pub(super) struct Probe {
    http: reqwest::Client,
}

impl Probe {
    pub(super) fn new() -> Self {
        // Every look makes a connection of its own: an old one may hang where a new one is answered.
        let http = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build()
            .unwrap_or_default();
        Self { http }
    }

    /// Whether anything of the site answers in time.
    pub(super) async fn answers(&self, member: &MemberState, etcd_url: Option<String>) -> bool {
        let mut looks = vec![
            self.http_answers(member.api_url.replace("/patroni", "/liveness"))
                .boxed(),
            postgres_answers(&member.host, member.port).boxed(),
        ];
        if let Some(url) = etcd_url {
            looks.push(
                self.http_answers(format!("{}/version", url.trim_end_matches('/')))
                    .boxed(),
            );
        }
        timeout(ANSWER_WAIT, select_ok(looks))
            .await
            .is_ok_and(|first| first.is_ok())
    }

    /// Whatever it says, it says something.
    async fn http_answers(&self, url: String) -> Result<(), ()> {
        self.http.get(url).send().await.map(drop).map_err(drop)
    }
}

async fn postgres_answers(host: &str, port: u16) -> Result<(), ()> {
    let mut stream = TcpStream::connect((host, port)).await.map_err(drop)?;
    stream.write_all(&SSL_REQUEST).await.map_err(drop)?;
    stream.read_u8().await.map(drop).map_err(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::net::TcpListener;

    use super::*;

    fn member(postgres: u16, patroni: u16) -> MemberState {
        MemberState {
            name: "pangyo".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: postgres,
            api_url: format!("http://127.0.0.1:{patroni}/patroni"),
            state: String::new(),
            role: String::new(),
            timeline: None,
        }
    }

    /// A port that takes connections and says nothing, as a frozen process does.
    async fn frozen() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    #[tokio::test]
    async fn a_port_that_says_nothing_is_silent_and_one_byte_of_postgres_is_an_answer() {
        let (_frozen, silent) = frozen().await;
        let probe = Probe::new();
        assert!(!probe.answers(&member(silent, silent), None).await);

        let (listener, port) = frozen().await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 8];
            stream.read_exact(&mut request).await.unwrap();
            assert_eq!(request, SSL_REQUEST);
            stream.write_all(b"N").await.unwrap();
        });
        assert!(probe.answers(&member(port, silent), None).await);
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_hung_patroni_beside_a_living_etcd_is_no_silent_site() {
        let (_frozen, silent) = frozen().await;
        let (listener, port) = frozen().await;
        let etcd = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1_024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream
                .write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
                .await
                .unwrap();
            stream.shutdown().await.unwrap();
        });
        let url = format!("http://127.0.0.1:{port}");
        assert!(Probe::new().answers(&member(silent, silent), Some(url)).await);
        etcd.await.unwrap();
    }
}
