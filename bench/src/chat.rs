//! Chat: each client sends text messages into a room of two, one after another; or into larger rooms whose members all
//! sync. Beside that, what waiting, a first sync and the growth of rooms cost.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;

use crate::client::Client;
use crate::load::{self, AsyncStep};
use crate::people::{Person, sign_up_many};
use crate::raw::{self, Rows};
use crate::report::{More, Report, thousandths};
use crate::server::Server;
use crate::store::BenchStore;
use crate::{BenchOptions, ChatOptions, crowd, deliver, growth, idle, initial, machine};

/// Messages on one page when they are read back.
const PAGE_MESSAGES: usize = 500;

/// Someone who writes into a room, with what was acknowledged to them.
pub struct Writer {
    /// Who writes.
    pub person: Person,
    /// Where.
    pub room_id: String,
    /// The events the server acknowledged.
    pub acknowledged: Vec<String>,
}

impl Writer {
    /// Sends a message under a transaction id and notes its event.
    ///
    /// # Errors
    /// The server refuses, or goes away.
    pub async fn send(&mut self, transaction_id: &str, text: &str) -> Result<()> {
        let path = format!(
            "/_matrix/client/v3/rooms/{}/send/m.room.message/{transaction_id}",
            self.room_id
        );
        let body = format!(r#"{{"msgtype":"m.text","body":"{text}"}}"#);
        let answer = self
            .person
            .client
            .put(&path, Bytes::from(body))
            .await?
            .success()?;
        let event_id = answer["event_id"]
            .as_str()
            .context("a send was answered without an event id")?;
        self.acknowledged.push(event_id.to_owned());
        Ok(())
    }
}

/// Signs up `count` people (numbers counted from `first`) and puts them into rooms of two.
///
/// # Errors
/// The server refuses.
pub async fn writers(address: SocketAddr, first: usize, count: usize) -> Result<Vec<Writer>> {
    let mut people = sign_up_many(address, first, count.next_multiple_of(2))
        .await?
        .into_iter();
    let mut writers = Vec::with_capacity(count + 1);
    while let (Some(mut one), Some(other)) = (people.next(), people.next()) {
        let room_id = one.open_direct_room(&other.user_id).await?;
        for person in [one, other] {
            writers.push(Writer {
                person,
                room_id: room_id.clone(),
                acknowledged: Vec::new(),
            });
        }
    }
    Ok(writers)
}

/// Reads every room back and returns how many acknowledged messages are there once.
///
/// # Errors
/// An acknowledged message is missing, or is there twice.
pub async fn verify(address: SocketAddr, writers: &[Writer]) -> Result<u64> {
    let mut verified = 0;
    let mut rooms: HashMap<&str, HashMap<String, u32>> = HashMap::new();
    for writer in writers {
        let room_id = writer.room_id.as_str();
        if !rooms.contains_key(room_id) {
            rooms.insert(
                room_id,
                read_room(address, &writer.person.access_token, room_id).await?,
            );
        }
        for event_id in &writer.acknowledged {
            let times = rooms
                .get(room_id)
                .and_then(|found| found.get(event_id))
                .copied()
                .unwrap_or(0);
            ensure!(
                times == 1,
                "the acknowledged message {event_id} is there {times} times"
            );
            verified += 1;
        }
    }
    Ok(verified)
}

/// How often each event is in a room.
async fn read_room(address: SocketAddr, token: &str, room_id: &str) -> Result<HashMap<String, u32>> {
    let mut client = Client::connect(address).await?;
    client.set_token(token)?;
    let mut found = HashMap::new();
    let mut from = String::new();
    loop {
        let path = format!("/_matrix/client/v3/rooms/{room_id}/messages?dir=b&limit={PAGE_MESSAGES}{from}");
        let page = client.get(&path).await?.success()?;
        for event in page["chunk"].as_array().context("a page without a chunk")? {
            let event_id = event["event_id"].as_str().context("an event without an id")?;
            *found.entry(event_id.to_owned()).or_insert(0) += 1;
        }
        match page["end"].as_str() {
            Some(end) => from = format!("&from={end}"),
            None => return Ok(found),
        }
    }
}

/// Sends one message after the other.
#[derive(Clone)]
pub(crate) struct SendMessages;

impl AsyncStep<Writer> for SendMessages {
    async fn run(&self, writer: &mut Writer, number: u64) -> Result<()> {
        let text = format!("message {number} of somebody");
        writer.send(&format!("bench-{number}"), &text).await
    }
}

/// Runs the bench against a server of its own, started from `program`: the load, then what else was asked for.
///
/// # Errors
/// A request failed, or what was acknowledged is not there afterwards.
pub async fn run(program: &Path, options: &BenchOptions, wanted: &ChatOptions) -> Result<Report> {
    let syncing = wanted.rooms.map_or(0, |rooms| rooms.rooms * rooms.members);
    machine::allow_open_files(u64::try_from(syncing.max(wanted.idle) + options.clients + 500)?)?;
    let store = BenchStore::named_or_temporary(options.store.as_deref())?;
    let server = Server::start(program, store.url()).await?;
    let address = server.address();
    let (load, writers, deliveries) = match wanted.rooms {
        Some(rooms) => {
            let people = crowd::sign_up(address, 0, syncing).await?;
            let (load, writers, deliveries) = deliver::measure(address, &people, options, rooms).await?;
            (load, writers, Some(deliveries))
        }
        None => {
            let mut writers = writers(address, 0, options.clients).await?;
            writers.truncate(options.clients);
            let (load, writers) = load::run(writers, options, SendMessages).await?;
            (load, writers, None)
        }
    };
    let mut verified = verify(address, &writers).await?;
    drop(writers);
    let mut more = More {
        deliveries,
        ..More::default()
    };
    // Numbers of their own, so that nobody of one phase is in a room of another.
    if wanted.initial_sync_rooms > 0 {
        let account = crowd::sign_up(address, 1_000_000, 1).await?;
        let account = account.first().context("nobody was signed up")?;
        let rooms = wanted.initial_sync_rooms;
        more.initial_sync_ms = Some(thousandths(initial::measure(address, account, rooms).await?));
        more.initial_sync_rooms = Some(rooms);
    }
    if wanted.growth {
        let people = crowd::sign_up(address, 2_000_000, growth::PEOPLE).await?;
        let (figures, read_back) = growth::measure(address, &people, options).await?;
        (more.growth, verified) = (figures, verified + read_back);
    }
    if wanted.idle > 0 {
        let people = crowd::sign_up(address, 3_000_000, wanted.idle).await?;
        crowd::pair_up(address, &people).await?;
        let process_id = server.process_id().context("the server ended")?;
        let grown = idle::measure(address, process_id, &people).await?;
        more.idle_bytes_per_client = Some(grown.own);
        more.idle_resident_bytes_per_client = Some(grown.resident);
        more.idle_clients = Some(wanted.idle);
    }
    server.stop().await?;
    let raw_per_s = raw::measure(store.url(), Rows::Message, options).await?;
    let report = Report::new("chat", options, store.url(), &load, raw_per_s, verified);
    Ok(report.with(more))
}
