//! The HTTP/1.1 server: so many connections and no more, none that says nothing, and an end in good order.
//!
//! axum's own server has no time limit on a client that connects and then sends or reads nothing, and none on how
//! many do.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use haechi_http::Peer;
use haechi_service::CancellationToken;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tower::Service as _;

/// Connections at the same time; the next one waits in the kernel's queue. Each takes some 20 KB.
const CONNECTIONS_MAX: usize = 50_000;

/// File descriptors that are not connections: the store, the log, what a library opens.
const OTHER_FILES: u64 = 256;

/// How long a client may take for the head of a request, and how long a connection may rest between two.
const HEAD_DURATION_MAX: Duration = Duration::from_secs(75);

/// How long a client may read nothing of an answer that waits for it.
const WRITE_DURATION_MAX: Duration = Duration::from_secs(60);

/// Largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How long to wait when a connection cannot be accepted: file descriptors come back as others end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is answered: little while the node waits for its store, and everything from then on, also on connections
/// that are open already.
pub(super) struct Routes {
    waiting: Router,
    prepared: OnceLock<Router>,
    told: CancellationToken,
}

impl Routes {
    /// Routes until the store is prepared. From when `told` is cancelled each answer also ends its connection: a
    /// client that would use it again could meet its very end, and not know whether its request was read.
    pub(super) fn waiting(waiting: Router, told: CancellationToken) -> Arc<Self> {
        let prepared = OnceLock::new();
        Arc::new(Self {
            waiting,
            prepared,
            told,
        })
    }

    /// Answers by `router` from now on; it is called once.
    pub(super) fn prepare(&self, router: Router) {
        self.prepared.get_or_init(|| router);
    }

    fn present(&self) -> Router {
        self.prepared.get().unwrap_or(&self.waiting).clone()
    }
}

/// Serves until `shutdown` is cancelled. Then it accepts nothing more, ends connections that rest, answers the
/// requests under way, and cuts what has not ended after `drain_duration_max`.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Arc<Routes>,
    shutdown: CancellationToken,
    drain_duration_max: Duration,
) {
    let places = Arc::new(Semaphore::new(connections_max()));
    let graceful = GracefulShutdown::new();
    let accepting = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, address)) => {
                    let connection = Connection {
                        stream,
                        address,
                        routes: Arc::clone(&routes),
                        place,
                        write_duration_max: WRITE_DURATION_MAX,
                    };
                    tokio::spawn(connection.serve(graceful.watcher()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    shutdown.run_until_cancelled(accepting).await;
    drop(listener);
    if tokio::time::timeout(drain_duration_max, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end in time and are cut");
    }
}

struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    routes: Arc<Routes>,
    place: OwnedSemaphorePermit,
    write_duration_max: Duration,
}

impl Connection {
    async fn serve(self, watcher: Watcher) {
        // Answers are small: waiting to fill a packet would only delay them.
        if let Err(error) = self.stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let (peer, routes) = (Peer(self.address.ip()), self.routes);
        let answer = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            let (answering, told) = (routes.present().call(request), routes.told.clone());
            async move {
                let mut response = answering.await?;
                if told.is_cancelled() {
                    response
                        .headers_mut()
                        .insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        });
        let mut stream = TimeoutStream::new(self.stream);
        stream.set_write_timeout(Some(self.write_duration_max));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_DURATION_MAX)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(Box::pin(stream)), answer);
        if let Err(error) = watcher.watch(connection).await {
            // A client that went away, or spoke something else: its affair, not ours.
            tracing::debug!(%error, "a connection ended early");
        }
        drop(self.place);
    }
}

/// As many connections as there are file descriptors for, after asking for more of them: many systems begin
/// with 1,024, which a thousand people with an open chat use up.
fn connections_max() -> usize {
    let wanted = CONNECTIONS_MAX as u64 + OTHER_FILES;
    let present = getrlimit(Resource::Nofile);
    let raised = present.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let current = present.current.unwrap_or(u64::MAX);
    let limit = Rlimit {
        current: Some(raised),
        ..present
    };
    let files = if current < raised && setrlimit(Resource::Nofile, limit).is_ok() {
        raised
    } else {
        current
    };
    let connections = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(CONNECTIONS_MAX);
    connections.clamp(1, CONNECTIONS_MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Instant;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
    use tokio::task::JoinHandle;

    use super::*;

    /// A server that tells of each request that reached it and is not answered yet.
    async fn start(shutdown: &CancellationToken) -> (SocketAddr, JoinHandle<()>, UnboundedReceiver<()>) {
        let (reached, requests) = unbounded_channel();
        let also_reached = reached.clone();
        let router = Router::new()
            .route("/quick", get(async || "quick"))
            .route(
                "/slow",
                get(async move || {
                    reached.send(()).unwrap();
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    "slow"
                }),
            )
            .route(
                "/endless",
                get(async move || {
                    also_reached.send(()).unwrap();
                    std::future::pending::<&str>().await
                }),
            );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Routes::waiting(router, CancellationToken::new());
        let serving = serve(listener, routes, shutdown.clone(), Duration::from_secs(2));
        (address, tokio::spawn(serving), requests)
    }

    async fn ask(address: SocketAddr, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    async fn rest_of(mut stream: TcpStream) -> String {
        let mut text = String::new();
        // What is cut off ends with an error on some systems and with nothing on others.
        let _ = stream.read_to_string(&mut text).await;
        text
    }

    #[tokio::test]
    async fn a_request_under_way_is_answered_and_a_resting_connection_ended() {
        let shutdown = CancellationToken::new();
        let (address, serving, mut requests) = start(&shutdown).await;
        let mut resting = ask(address, "/quick").await;
        let mut head = [0_u8; 16];
        resting.read_exact(&mut head).await.unwrap();
        let slow = ask(address, "/slow").await;
        requests.recv().await.unwrap();
        shutdown.cancel();
        let started = Instant::now();
        assert!(rest_of(slow).await.ends_with("slow"));
        rest_of(resting).await;
        serving.await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(2));
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn a_node_that_is_told_to_end_goes_on_answering_and_lets_its_connections_go() {
        let (told, shutdown) = (CancellationToken::new(), CancellationToken::new());
        let routes = Routes::waiting(Router::new().route("/quick", get(async || "quick")), told.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, routes, shutdown.clone(), Duration::from_secs(2)));
        let mut before = ask(address, "/quick").await;
        let mut head = [0_u8; 16];
        before.read_exact(&mut head).await.unwrap();
        told.cancel();
        before
            .write_all(b"GET /quick HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut rest = String::new();
        before.read_to_string(&mut rest).await.unwrap();
        assert!(
            rest.contains("connection: close") && rest.ends_with("quick"),
            "{rest}"
        );
        let after = rest_of(ask(address, "/quick").await).await;
        assert!(
            after.contains("connection: close") && after.ends_with("quick"),
            "{after}"
        );
        shutdown.cancel();
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn what_does_not_end_is_cut() {
        let shutdown = CancellationToken::new();
        let (address, serving, mut requests) = start(&shutdown).await;
        let _endless = ask(address, "/endless").await;
        requests.recv().await.unwrap();
        shutdown.cancel();
        let started = Instant::now();
        serving.await.unwrap();
        assert!(started.elapsed() >= Duration::from_millis(1_900));
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_of_its_answer_is_cut() {
        let large = Router::new().route("/", get(async || vec![0_u8; 64 * 1024 * 1024]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = ask(listener.local_addr().unwrap(), "/").await;
        let (stream, address) = listener.accept().await.unwrap();
        let places = Arc::new(Semaphore::new(1));
        let connection = Connection {
            stream,
            address,
            routes: Routes::waiting(large, CancellationToken::new()),
            place: places.acquire_owned().await.unwrap(),
            write_duration_max: Duration::from_millis(200),
        };
        let serving = connection.serve(GracefulShutdown::new().watcher());
        tokio::time::timeout(Duration::from_secs(10), serving)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_node_that_waits_says_so_and_serves_on_the_same_connection_once_it_is_prepared() {
        let routes = Routes::waiting(crate::serve::health::waiting(), CancellationToken::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving = serve(listener, Arc::clone(&routes), shutdown.clone(), Duration::ZERO);
        let serving = tokio::spawn(serving);
        let mut stream = TcpStream::connect(address).await.unwrap();
        for (path, answer) in [
            ("/health/live", "HTTP/1.1 200"),
            ("/health/ready", "HTTP/1.1 503"),
            ("/api/identity/gateway", "HTTP/1.1 503"),
            ("prepare", ""),
            ("/health/ready", "HTTP/1.1 200"),
        ] {
            if path == "prepare" {
                routes.prepare(Router::new().route("/health/ready", get(async || "ready")));
                continue;
            }
            let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut text = [0_u8; 4_096];
            let length = stream.read(&mut text).await.unwrap();
            let text = String::from_utf8_lossy(&text[..length]).into_owned();
            assert!(text.starts_with(answer), "{path}: {text}");
        }
        shutdown.cancel();
        serving.await.unwrap();
    }
}
