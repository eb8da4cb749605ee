//! Who leads, as a test says it: one server, and one term of leadership after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::{BoxFuture, ready};
use haechi_store::{Leadership, Term};
use tokio::sync::watch;

/// The terms of one server, which confirms every write.
pub struct Terms {
    host: String,
    port: u16,
    revision: AtomicI64,
    term: watch::Sender<Option<Arc<Term>>>,
}

impl Terms {
    /// The server at `host:port` leads, in its first term.
    pub(crate) fn of(server: &str) -> Arc<Self> {
        let (host, port) = server.rsplit_once(':').expect("a host and a port");
        let terms = Self {
            host: host.to_owned(),
            port: port.parse().expect("a port"),
            // As of a cluster that has run for a while.
            revision: AtomicI64::new(100_000),
            term: watch::Sender::new(None),
        };
        terms.next();
        Arc::new(terms)
    }

    /// Ends the present term and begins another.
    pub fn next(&self) {
        let create_revision = self.revision.fetch_add(10, Ordering::SeqCst) + 10;
        self.term.send_replace(Some(Arc::new(Term {
            member: "here".to_owned(),
            host: self.host.clone(),
            port: self.port,
            lease: create_revision,
            create_revision,
        })));
    }
}

impl Leadership for Terms {
    fn term(&self) -> watch::Receiver<Option<Arc<Term>>> {
        self.term.subscribe()
    }

    fn confirm<'a>(&'a self, term: &'a Term, _timeline: i64) -> BoxFuture<'a, Result<(), String>> {
        let is_present = self.term.borrow().as_deref() == Some(term);
        Box::pin(ready(
            is_present
                .then_some(())
                .ok_or_else(|| "the term is over".to_owned()),
        ))
    }

    fn is_primary_silent(&self) -> bool {
        false
    }

    fn note_full_disk(&self, _term: &Arc<Term>) {}
}
