//! Rooms whose members all sync: how many messages reach them, and how soon.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::chat::Writer;
use crate::client::Client;
use crate::crowd::{self, Account};
use crate::load::{self, AsyncStep, Measured, count};
use crate::report::{Deliveries, tenths, thousandths};
use crate::{BenchOptions, RoomsLoad};

/// How long the last messages may take to arrive once nobody writes any more.
const LAST_WAIT: Duration = Duration::from_secs(20);

/// What everybody of a load looks at.
struct Scene {
    /// Since when the times in messages count.
    begun: Instant,
    measuring: AtomicBool,
    syncs: AtomicU64,
    /// One for all: a histogram of each receiver's own takes its time to grow just when the measuring begins.
    latencies_us: Mutex<Histogram<u64>>,
}

impl Scene {
    fn note(&self, latency_us: u128) -> Result<()> {
        let mut latencies_us = self.latencies_us.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(latencies_us.record(u64::try_from(latency_us)?)?)
    }
}

/// What a room was acknowledged: how many messages, and the sum of their ids' hashes.
type Expected = HashMap<String, (u64, u64)>;

/// Has the members of all rooms sync while `options.clients` of them write. Each member was told every acknowledged
/// message once, or this fails.
pub(crate) async fn measure(
    address: SocketAddr,
    people: &[Account],
    options: &BenchOptions,
    wanted: RoomsLoad,
) -> Result<(Measured, Vec<Writer>, Deliveries)> {
    let rooms = crowd::make_rooms(address, people, wanted.members).await?;
    let writers = writers(address, people, &rooms, options.clients, wanted.members).await?;
    let scene = Arc::new(Scene {
        begun: Instant::now(),
        measuring: AtomicBool::new(false),
        syncs: AtomicU64::new(0),
        latencies_us: Mutex::new(Histogram::new(3)?),
    });
    let (tell, told) = watch::channel(None::<Arc<Expected>>);
    let mut receivers = JoinSet::new();
    for (number, account) in people.iter().enumerate() {
        let room_id = rooms
            .get(number / wanted.members)
            .context("somebody is in no room")?;
        let receiver = Receiver::start(account, address, room_id, &scene, told.clone()).await?;
        receivers.spawn(receiver.run());
    }
    let watching = Arc::clone(&scene);
    let (warm_up, duration) = (options.warm_up, options.duration);
    let watch = tokio::spawn(async move {
        tokio::time::sleep(warm_up).await;
        watching.measuring.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        tokio::time::sleep(duration).await;
        watching.measuring.store(false, Ordering::Relaxed);
        begun.elapsed().as_secs_f64()
    });
    let step = SendTimed {
        begun: scene.begun,
        paced_from: Instant::now(),
        interval: wanted.rate_per_s.map(|rate| {
            Duration::from_secs_f64(count(u64::try_from(writers.len()).unwrap_or(1)) / f64::from(rate))
        }),
    };
    let loaded = load::run(writers, options, step);
    tokio::pin!(loaded);
    let (load, writers) = tokio::select! {
        loaded = &mut loaded => loaded?,
        ended = receivers.join_next() => {
            ended.context("nobody syncs")???;
            bail!("somebody stopped syncing")
        }
    };
    let seconds = watch.await?;
    tell.send(Some(Arc::new(expected(&writers))))?;
    while let Some(ended) = receivers.join_next().await {
        ended??;
    }
    let latencies_us = scene.latencies_us.lock().unwrap_or_else(PoisonError::into_inner);
    let deliveries = Deliveries {
        rooms: wanted.rooms,
        members: wanted.members,
        rate_per_s: wanted.rate_per_s,
        deliveries_per_s: tenths(count(latencies_us.len()) / seconds),
        delivery_p50_ms: thousandths(count(latencies_us.value_at_quantile(0.50)) / 1_000.0),
        delivery_p99_ms: thousandths(count(latencies_us.value_at_quantile(0.99)) / 1_000.0),
        syncs_per_s: tenths(count(scene.syncs.load(Ordering::Relaxed)) / seconds),
    };
    Ok((load, writers, deliveries))
}

/// Those who write, spread over the rooms.
async fn writers(
    address: SocketAddr,
    people: &[Account],
    rooms: &[String],
    clients: usize,
    members: usize,
) -> Result<Vec<Writer>> {
    let mut writers = Vec::new();
    for number in 0..clients.min(people.len()) {
        let (room, place) = (number % rooms.len(), number / rooms.len());
        let account = people.get(room * members + place % members);
        writers.push(Writer {
            person: account.context("a room without people")?.person(address).await?,
            room_id: rooms.get(room).context("a writer without a room")?.clone(),
            acknowledged: Vec::new(),
        });
    }
    Ok(writers)
}

fn expected(writers: &[Writer]) -> Expected {
    let mut expected = Expected::new();
    for writer in writers {
        let (messages, sum) = expected.entry(writer.room_id.clone()).or_default();
        for event_id in &writer.acknowledged {
            *messages += 1;
            *sum = sum.wrapping_add(hash(event_id));
        }
    }
    expected
}

fn hash(event_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    event_id.hash(&mut hasher);
    hasher.finish()
}

#[derive(Clone)]
struct SendTimed {
    /// Since when the times in messages count.
    begun: Instant,
    paced_from: Instant,
    /// Between two messages of one writer, when there is a pace.
    interval: Option<Duration>,
}

impl AsyncStep<Writer> for SendTimed {
    async fn begin(&self, writer: &Writer, number: u64) -> Instant {
        let Some(interval) = self.interval else {
            return Instant::now();
        };
        // Each writer at a place of their own within the interval.
        let share = count(hash(&writer.person.user_id) % 1_000) / 1_000.0;
        let due = self.paced_from + interval.mul_f64(count(number) + share);
        tokio::time::sleep_until(due.into()).await;
        // One that comes late counts from when it should have gone out.
        due
    }

    async fn run(&self, writer: &mut Writer, number: u64) -> Result<()> {
        let begun = self.begin(writer, number).await;
        let at_us = begun.saturating_duration_since(self.begun).as_micros();
        let text = format!("{at_us} was when somebody said message {number}");
        writer.send(&format!("bench-{number}"), &text).await
    }
}

/// A member who syncs, one long poll after the other.
struct Receiver {
    client: Client,
    room_id: String,
    since: String,
    scene: Arc<Scene>,
    expected: watch::Receiver<Option<Arc<Expected>>>,
    messages: u64,
    sum: u64,
}

#[derive(Deserialize)]
struct Sync<'a> {
    #[serde(borrow)]
    next_batch: Cow<'a, str>,
    #[serde(borrow)]
    rooms: Rooms<'a>,
}

#[derive(Deserialize)]
struct Rooms<'a> {
    #[serde(borrow, default)]
    join: HashMap<Cow<'a, str>, Room<'a>>,
}

#[derive(Deserialize)]
struct Room<'a> {
    #[serde(borrow)]
    timeline: Timeline<'a>,
}

#[derive(Deserialize)]
struct Timeline<'a> {
    #[serde(borrow)]
    events: Vec<Event<'a>>,
    limited: bool,
    #[serde(borrow)]
    prev_batch: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow)]
    content: Content<'a>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    body: Option<Cow<'a, str>>,
}

impl Receiver {
    async fn start(
        account: &Account,
        address: SocketAddr,
        room_id: &str,
        scene: &Arc<Scene>,
        expected: watch::Receiver<Option<Arc<Expected>>>,
    ) -> Result<Self> {
        let mut client = account.connect(address).await?;
        let first = crowd::get(&mut client, "/_matrix/client/v3/sync").await?;
        let since = first["next_batch"].as_str().context("a sync without a token")?;
        Ok(Self {
            client,
            room_id: room_id.to_owned(),
            since: since.to_owned(),
            scene: Arc::clone(scene),
            expected,
            messages: 0,
            sum: 0,
        })
    }

    async fn run(mut self) -> Result<()> {
        let is_over = self.expected.clone();
        let last_ones = async move {
            let mut is_over = is_over;
            // An error means that the load ended early: its own error tells why.
            drop(is_over.wait_for(Option::is_some).await);
            tokio::time::sleep(LAST_WAIT).await;
        };
        tokio::pin!(last_ones);
        while !self.has_all() {
            let path = format!("/_matrix/client/v3/sync?timeout=30000&since={}", self.since);
            let mut expected = self.expected.clone();
            let told = (self.messages, self.sum);
            let answer = tokio::select! {
                answer = self.client.get(&path) => answer?,
                all = expected.wait_for(|expected| has_all(expected.as_deref(), &self.room_id, told)) => {
                    all?;
                    break;
                }
                () = &mut last_ones => bail!("somebody was told {} messages, and then no more", self.messages),
            };
            ensure!(
                answer.status.is_success(),
                "a sync was answered {}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
            self.take(&answer.body).await?;
        }
        Ok(())
    }

    fn has_all(&self) -> bool {
        let told = (self.messages, self.sum);
        has_all(self.expected.borrow().as_deref(), &self.room_id, told)
    }

    /// Takes an answer up: counts its messages and notes how long each was under way.
    async fn take(&mut self, body: &[u8]) -> Result<()> {
        let is_measured = self.scene.measuring.load(Ordering::Relaxed);
        if is_measured {
            self.scene.syncs.fetch_add(1, Ordering::Relaxed);
        }
        let now_us = self.scene.begun.elapsed().as_micros();
        let sync: Sync<'_> = serde_json::from_slice(body)?;
        let mut missed = None;
        for room in sync.rooms.join.values() {
            for event in &room.timeline.events {
                let Some(sent_us) = event.content.body.as_deref().and_then(sent_at) else {
                    continue;
                };
                self.messages += 1;
                self.sum = self.sum.wrapping_add(hash(&event.event_id));
                if is_measured {
                    self.scene.note(now_us.saturating_sub(sent_us))?;
                }
            }
            if room.timeline.limited {
                let known: HashSet<String> = room
                    .timeline
                    .events
                    .iter()
                    .map(|e| e.event_id.to_string())
                    .collect();
                missed = Some((room.timeline.prev_batch.to_string(), known));
            }
        }
        let before = std::mem::replace(&mut self.since, sync.next_batch.into_owned());
        if let Some((from, known)) = missed {
            self.page_back(&before, from, &known, is_measured).await?;
        }
        Ok(())
    }

    /// Reads what a sync left out, as a client does that was told so little.
    async fn page_back(
        &mut self,
        since: &str,
        mut from: String,
        known: &HashSet<String>,
        is_measured: bool,
    ) -> Result<()> {
        loop {
            let path = format!(
                "/_matrix/client/v3/rooms/{}/messages?dir=b&limit=500&from={from}&to={since}",
                self.room_id
            );
            let page = crowd::get(&mut self.client, &path).await?;
            let now_us = self.scene.begun.elapsed().as_micros();
            for event in page["chunk"].as_array().context("a page without a chunk")? {
                let sent_us = event["content"]["body"].as_str().and_then(sent_at);
                let (Some(sent_us), Some(event_id)) = (sent_us, event["event_id"].as_str()) else {
                    continue;
                };
                if known.contains(event_id) {
                    continue;
                }
                self.messages += 1;
                self.sum = self.sum.wrapping_add(hash(event_id));
                if is_measured {
                    self.scene.note(now_us.saturating_sub(sent_us))?;
                }
            }
            match page["end"].as_str() {
                Some(end) => from = end.to_owned(),
                None => return Ok(()),
            }
        }
    }
}

/// Whether that is all that was said in a room, once it is known how much that is.
fn has_all(expected: Option<&Expected>, room_id: &str, told: (u64, u64)) -> bool {
    expected.is_some_and(|expected| expected.get(room_id).copied().unwrap_or_default() == told)
}

/// When a message was sent, by its own words.
fn sent_at(text: &str) -> Option<u128> {
    let (at_us, _) = text.split_once(" was when ")?;
    at_us.parse().ok()
}
