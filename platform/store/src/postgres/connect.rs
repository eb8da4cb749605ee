//! Connections: to which host, how soon a dead one is noticed, and what the server warns of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::{Connect, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use futures_util::future::BoxFuture;
use futures_util::stream::{StreamExt, poll_fn};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::PostgresUrl;

use crate::{StoreError, StoreLimits};

/// How long to wait for one host to answer before the next is tried.
const CONNECT_WAIT: Duration = Duration::from_secs(2);

/// How long sent bytes may go unacknowledged, and how often an idle peer is asked for a sign of life: in a data
/// centre that burns, packets vanish and nobody closes a connection.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// How long the server lets a transaction wait for its next statement. Transactions await nothing but the store, so
/// that one which waits longer has no node any more.
const IDLE_IN_TRANSACTION_MAX: Duration = Duration::from_secs(2);

/// What PostgreSQL warns of when a commit did not wait for its standbys. It then reports success all the same.
const UNREPLICATED: &str = "canceling wait for synchronous replication";
const UNREPLICATED_ROUTINE: &str = "SyncRepWaitForLSN";

/// How PostgreSQL knows the connections of a node's pools.
pub(crate) const APPLICATION: &str = "haechi";

/// Counts commits of any connection that were reported as done without their standbys.
#[derive(Clone, Default)]
pub(crate) struct Warnings(Arc<AtomicU64>);

impl Warnings {
    /// How many there were.
    pub(crate) fn seen(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// `routine` is the place in PostgreSQL that speaks, which is the same in every language.
    pub(super) fn note(&self, routine: Option<&str>, message: &str) {
        if routine == Some(UNREPLICATED_ROUTINE) || message.starts_with(UNREPLICATED) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// The hosts of a URL, each by itself, tried in this order.
struct Hosts {
    others: Vec<Config>,
    last: Config,
}

impl Hosts {
    fn of(url: &PostgresUrl, prepare: impl Fn(&Config) -> Config) -> Self {
        let mut hosts: Vec<Config> = url.each().iter().map(|(_, at)| prepare(at)).collect();
        // Without a host the driver says so itself.
        let last = hosts.pop().unwrap_or_else(|| prepare(url));
        Self { others: hosts, last }
    }
}

/// A pool of connections to hosts that can do what `target` says. Connects to nobody yet.
pub(super) fn pool(
    url: &PostgresUrl,
    target: TargetSessionAttrs,
    limits: &StoreLimits,
    warnings: &Warnings,
) -> Result<Pool, StoreError> {
    let hosts = Hosts::of(url, |at| suited(prepared(at, target, APPLICATION)));
    let manager_config = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let connect = PoolConnect {
        hosts,
        tls: url.tls().cloned(),
        warnings: warnings.clone(),
    };
    let manager = Manager::from_connect(Config::clone(url), connect, manager_config);
    Pool::builder(manager)
        .max_size(limits.connections_max)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(limits.unavailable_wait))
        .create_timeout(Some(limits.unavailable_wait))
        .build()
        .map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// One connection to the primary, outside any pool, for a command that does one long thing.
///
/// # Errors
/// No primary can be reached.
pub(crate) async fn connect_alone(url: &PostgresUrl, application: &str) -> Result<(Client, Warnings), Error> {
    let warnings = Warnings::default();
    let hosts = Hosts::of(url, |at| prepared(at, TargetSessionAttrs::ReadWrite, application));
    // The task ends with the connection, which ends with the client.
    let (client, _task) = connect(&hosts, url.tls().cloned(), warnings.clone()).await?;
    Ok((client, warnings))
}

/// One connection to any host of the URL, whatever it is.
///
/// # Errors
/// None can be reached.
pub(crate) async fn connect_any(url: &PostgresUrl, application: &str) -> Result<Client, Error> {
    let hosts = Hosts::of(url, |at| prepared(at, TargetSessionAttrs::Any, application));
    let (client, _task) = connect(&hosts, url.tls().cloned(), Warnings::default()).await?;
    Ok(client)
}

/// The server's settings for transactions of the pools.
///
/// It ends one that is left open: a node that was frozen or cut off in the middle of one would keep its rows locked.
/// And it finds rows by index even in a table of five: a serializable transaction that reads a table from end to end
/// conflicts with whoever writes anywhere in it (PostgreSQL's documentation, 13.2.3). What has no index is still read
/// from end to end; its cost is then so high that it would be compiled, which takes longer than it saves. Warnings must
/// reach us: one of them says that a commit did not wait for its standbys.
fn suited(mut config: Config) -> Config {
    let given = config.get_options().unwrap_or_default();
    let options = format!(
        "-c enable_seqscan=off -c jit=off {given} -c client_min_messages=warning -c \
         idle_in_transaction_session_timeout={}",
        IDLE_IN_TRANSACTION_MAX.as_millis()
    );
    config.options(&options);
    config
}

/// The settings of the URL, and those by which a dead host is noticed soon.
fn prepared(config: &Config, target: TargetSessionAttrs, application: &str) -> Config {
    let mut config = config.clone();
    config.target_session_attrs(target).application_name(application);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_WAIT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE_MAX);
    }
    config
        .keepalives(true)
        .keepalives_idle(SILENCE_MAX)
        .keepalives_interval(SILENCE_MAX / 2)
        .keepalives_retries(2);
    config
}

/// Connects to the first host that answers in time and can do what is asked of it. The driver bounds the opening of a
/// socket only, and a server that hangs still opens one. The last host has as long as the caller.
async fn connect(
    hosts: &Hosts,
    tls: Option<MakeRustlsConnect>,
    warnings: Warnings,
) -> Result<(Client, JoinHandle<()>), Error> {
    for host in &hosts.others {
        let wait = host.get_connect_timeout().copied().unwrap_or(CONNECT_WAIT);
        let connecting = connect_to(host, tls.clone(), warnings.clone());
        if let Ok(Ok(connected)) = timeout(wait, connecting).await {
            return Ok(connected);
        }
    }
    connect_to(&hosts.last, tls, warnings).await
}

/// Connects, and reads what the server says besides its answers.
async fn connect_to(
    host: &Config,
    tls: Option<MakeRustlsConnect>,
    warnings: Warnings,
) -> Result<(Client, JoinHandle<()>), Error> {
    Ok(match tls {
        Some(tls) => {
            let (client, connection) = host.connect(tls).await?;
            (client, follow(connection, warnings))
        }
        None => {
            let (client, connection) = host.connect(NoTls).await?;
            (client, follow(connection, warnings))
        }
    })
}

fn follow<S, T>(mut connection: Connection<S, T>, warnings: Warnings) -> JoinHandle<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        let mut messages = poll_fn(move |context| connection.poll_message(context));
        while let Some(message) = messages.next().await {
            match message {
                // Read before the answer to the commit that it warns of.
                Ok(AsyncMessage::Notice(notice)) => warnings.note(notice.routine(), notice.message()),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "a database connection ended");
                    return;
                }
            }
        }
    })
}

/// How the pools connect.
struct PoolConnect {
    hosts: Hosts,
    tls: Option<MakeRustlsConnect>,
    warnings: Warnings,
}

impl Connect for PoolConnect {
    fn connect(&self, _: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        Box::pin(connect(&self.hosts, self.tls.clone(), self.warnings.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_warning_counts() {
        let warnings = Warnings::default();
        warnings.note(
            Some("DropErrorMsgNonExistent"),
            "table \"x\" does not exist, skipping",
        );
        assert_eq!(warnings.seen(), 0);
        warnings.note(
            None,
            "canceling wait for synchronous replication due to user request",
        );
        warnings.note(Some("SyncRepWaitForLSN"), "동기식 복제를 기다리지 않습니다");
        assert_eq!(warnings.seen(), 2);
    }
}
