//! etcd: which of its members to ask, and for how long.
//!
//! The library's own balancing would go on sending a part of the questions to a member that is frozen. Here one
//! member is asked at a time, this site's first, and the next as soon as it does not answer.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Client, ConnectOptions, Error};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::time::{Instant, timeout};

/// How long one member may take to answer before the next is asked.
const ANSWER_WAIT: Duration = Duration::from_millis(500);

/// How long another member than this site's is asked first, after this site's did not answer.
const AWAY: Duration = Duration::from_secs(5);

/// Why etcd has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EtcdError {
    /// No member was named, or one of the URLs is none.
    #[error("etcd: {0}")]
    Settings(String),
    /// No member answered in time, or there is no majority of them.
    #[error("etcd does not answer: {0}")]
    Unreachable(String),
    /// etcd said no.
    #[error("etcd refused: {0}")]
    Refused(String),
}

/// The members of etcd, as a node asks them. Cheap to clone.
#[derive(Clone)]
pub struct Etcd(Arc<Inner>);

struct Inner {
    members: Vec<(String, Client)>,
    first: Mutex<(usize, Instant)>,
}

impl Etcd {
    /// Prepares to ask the members at these URLs, this site's first. Connects to nobody yet.
    ///
    /// # Errors
    /// [`EtcdError::Settings`].
    pub async fn new(urls: &[String]) -> Result<Self, EtcdError> {
        if urls.is_empty() {
            return Err(EtcdError::Settings("name at least one member's URL".to_owned()));
        }
        let mut members = Vec::new();
        for url in urls {
            // A silent peer is noticed by pings, so that its connection is not waited for for minutes.
            let options = ConnectOptions::new()
                .with_connect_timeout(ANSWER_WAIT)
                .with_keep_alive(ANSWER_WAIT, ANSWER_WAIT * 2)
                .with_keep_alive_while_idle(true);
            let client = Client::connect([url.as_str()], Some(options)).await;
            let client = client.map_err(|error| EtcdError::Settings(format!("{url}: {error}")))?;
            members.push((url.clone(), client));
        }
        Ok(Self(Arc::new(Inner {
            members,
            first: Mutex::new((0, Instant::now())),
        })))
    }

    /// Asks the members one after the other until one answers. What is asked must be harmless when it is done twice.
    ///
    /// # Errors
    /// [`EtcdError::Unreachable`] when none answered, [`EtcdError::Refused`] when one said no.
    pub async fn ask<T, A>(&self, question: impl Fn(Client) -> A) -> Result<T, EtcdError>
    where
        A: Future<Output = Result<T, Error>>,
    {
        let count = self.0.members.len();
        let first = self.first();
        let mut failure = EtcdError::Unreachable("no member".to_owned());
        for index in (0..count).map(|step| (first + step) % count) {
            match self.ask_member(index, &question).await {
                Ok(answer) => {
                    if index != first {
                        *self.0.first.lock() = (index, Instant::now());
                    }
                    return Ok(answer);
                }
                Err(refused @ EtcdError::Refused(_)) => return Err(refused),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Asks this site's member alone.
    ///
    /// # Errors
    /// As [`Etcd::ask`].
    pub async fn ask_own<T, A>(&self, question: impl Fn(Client) -> A) -> Result<T, EtcdError>
    where
        A: Future<Output = Result<T, Error>>,
    {
        self.ask_member(0, &question).await
    }

    /// Asks the member that answers first, for something that lasts: a watch.
    pub(crate) fn nearest(&self) -> Client {
        self.0.members[self.first()].1.clone()
    }

    async fn ask_member<T, A>(&self, index: usize, question: &impl Fn(Client) -> A) -> Result<T, EtcdError>
    where
        A: Future<Output = Result<T, Error>>,
    {
        let (url, client) = &self.0.members[index];
        match timeout(ANSWER_WAIT, question(client.clone())).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if is_refusal(&error) => Err(EtcdError::Refused(error.to_string())),
            Ok(Err(error)) => Err(EtcdError::Unreachable(format!("{url}: {error}"))),
            Err(_) => Err(EtcdError::Unreachable(format!("{url}: no answer in time"))),
        }
    }

    fn first(&self) -> usize {
        let mut first = self.0.first.lock();
        if first.0 != 0 && first.1.elapsed() > AWAY {
            *first = (0, Instant::now());
        }
        first.0
    }
}

/// Whether etcd answered, and the answer is no. Everything else may be better at the next member.
fn is_refusal(error: &Error) -> bool {
    match error {
        // tonic's codes by number: NotFound, AlreadyExists, FailedPrecondition, InvalidArgument, PermissionDenied.
        Error::GRpcStatus(status) => matches!(status.code() as i32, 3 | 5 | 6 | 7 | 9),
        Error::InvalidArgs(_) => true,
        _ => false,
    }
}
