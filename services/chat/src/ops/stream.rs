//! The way of everything that is said in rooms: each stream gathers its requests into batches, one transaction
//! each, and draws their positions in order. In a cluster one node makes the batches of a stream for all.

use std::sync::Arc;
use std::time::Duration;

use haechi_base::{PersonId, Time};
use haechi_cluster::OwnedBatcher;
use haechi_service::Cluster;
use haechi_store::{BatchLimits, Store, StoreError, Tx};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::batch;
use super::hub::Hub;
use crate::model::{ChatError, Draft, STREAMS, Stream, stream_of};
use crate::store;

/// The topic by which a stream's owner is told of events that wait for their place.
const UNPLACED: &str = "chat.unplaced";

/// How often a stream looks for events whose wake-up got lost: their node died between commit and call.
const UNPLACED_POLL: Duration = Duration::from_millis(500);

/// What is asked of a room.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Request {
    /// The room.
    pub(crate) room_id: String,
    /// Who asks.
    pub(crate) person: PersonId,
    /// When.
    pub(crate) now: Time,
    /// What.
    pub(crate) wish: Wish,
}

/// What a request wants done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Wish {
    /// Put these events in, in this order; all of them or none.
    Events(Vec<Draft>),
    /// Make the room of these events; a room that is there already is left as it is.
    NewRoom(Vec<Draft>),
    /// Make a room with its name and its place in the directory, which may take the place of another.
    Found(Box<Founding>),
    /// Put these events in though the rules of the room say nothing of it: by staff.
    Staff(Vec<Draft>),
    /// Say how far the person has read.
    Receipt {
        /// `m.read` or `m.read.private`.
        kind: String,
        /// The thread, `main`, or nothing for the whole room.
        thread: String,
        /// The last event that was read.
        event_id: String,
    },
    /// Give the events that other services posted their place.
    Place,
}

/// A room that is to be made, all of it or nothing; one that is there already is left as it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Founding {
    /// The events of the new room.
    pub(crate) drafts: Vec<Draft>,
    /// The alias by which it is found.
    pub(crate) alias: Option<String>,
    /// Whether it stands in the directory.
    pub(crate) is_listed: bool,
    /// The room whose place it takes, in the same stream: its aliases move, and these events are put into it.
    pub(crate) replaces: Option<(String, Vec<Draft>)>,
}

/// The id of the last event of a request, when it was about events.
pub(crate) type Answer = Result<Option<String>, ChatError>;

/// The batchers of all rooms.
#[derive(Clone)]
pub(crate) struct Streams {
    batchers: Vec<OwnedBatcher<Request, Answer>>,
    unplaced: Vec<Arc<Notify>>,
    store: Store,
    cluster: Cluster,
}

impl Streams {
    /// Starts the batchers on the present runtime.
    pub(crate) fn start(
        cluster: &Cluster,
        store: &Store,
        hub: &Arc<Hub>,
        server_name: &Arc<str>,
        shutdown: &CancellationToken,
    ) -> Self {
        let start_batcher = |stream| {
            let (store, hub, server_name) = (store.clone(), Arc::clone(hub), Arc::clone(server_name));
            let lease = format!("chat.stream.{stream}");
            OwnedBatcher::start(
                cluster,
                &lease,
                BatchLimits::default(),
                move |requests: Vec<Request>| {
                    let (store, hub) = (store.clone(), Arc::clone(&hub));
                    let server_name = Arc::clone(&server_name);
                    async move { process(&store, stream, requests, hub, server_name).await }
                },
            )
        };
        let streams = Self {
            batchers: (0..STREAMS).map(start_batcher).collect(),
            unplaced: (0..STREAMS).map(|_| Arc::new(Notify::new())).collect(),
            store: store.clone(),
            cluster: cluster.clone(),
        };
        let placers = streams.unplaced.clone();
        cluster.subscribe(UNPLACED, move |stream: Stream| {
            if let Some(placer) = placers.get(usize::from(stream)) {
                placer.notify_one();
            }
        });
        for stream in 0..STREAMS {
            tokio::spawn(streams.clone().place_until_shutdown(stream, shutdown.clone()));
        }
        streams
    }

    /// Has a request done in the next batch of its room's stream.
    ///
    /// # Errors
    /// [`ChatError`]; then nothing of the request was kept.
    pub(crate) async fn submit(&self, request: Request) -> Answer {
        let stream = stream_of(&request.room_id);
        self.submit_to(stream, request).await
    }

    async fn submit_to(&self, stream: Stream, request: Request) -> Answer {
        let Some(batcher) = self.batchers.get(usize::from(stream)) else {
            return Err(StoreError::Panicked.into());
        };
        batcher.submit(request).await?
    }

    /// To be called when an event was committed that waits for its place.
    pub(crate) fn note_unplaced(&self, stream: Stream) {
        if !self.is_here(stream) {
            self.cluster.publish(UNPLACED, &stream);
        } else if let Some(woken) = self.unplaced.get(usize::from(stream)) {
            woken.notify_one();
        }
    }

    /// Whether this node makes the batches of a stream.
    pub(crate) fn is_here(&self, stream: Stream) -> bool {
        self.batchers
            .get(usize::from(stream))
            .is_some_and(OwnedBatcher::is_here)
    }

    async fn place_until_shutdown(self, stream: Stream, shutdown: CancellationToken) {
        let Some(woken) = self.unplaced.get(usize::from(stream)) else {
            return;
        };
        loop {
            let must_look = tokio::select! {
                () = shutdown.cancelled() => return,
                () = woken.notified() => true,
                () = tokio::time::sleep(UNPLACED_POLL) => self.is_here(stream) && self.has_unplaced(stream).await,
            };
            if !must_look {
                continue;
            }
            let request = Request {
                room_id: String::new(),
                person: PersonId::from_uuid(haechi_base::uuid::Uuid::nil()),
                now: self.store.now(),
                wish: Wish::Place,
            };
            if let Err(error) = self.submit_to(stream, request).await {
                tracing::warn!(%error, stream, "posted events wait for their place");
            }
        }
    }

    async fn has_unplaced(&self, stream: Stream) -> bool {
        let found: Result<bool, StoreError> = self
            .store
            .read(async move |tx: &mut Tx<'_>| store::events::has_unplaced(tx, stream).await)
            .await;
        found.unwrap_or_else(|error| {
            tracing::warn!(%error, stream, "cannot look for events that wait for their place");
            false
        })
    }
}

async fn process(
    store: &Store,
    stream: Stream,
    requests: Vec<Request>,
    hub: Arc<Hub>,
    server_name: Arc<str>,
) -> Vec<Answer> {
    let count = requests.len();
    let outcome = store
        .write_unkeyed(async move |tx: &mut Tx<'_>| {
            batch::run(tx, stream, &requests, &server_name, &hub).await
        })
        .await;
    outcome.unwrap_or_else(|error: StoreError| vec![Err(ChatError::Store(error)); count])
}
