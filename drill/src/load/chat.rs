//! Clients that send messages, two in a room, and clients that sync those rooms.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use haechi_bench::client::Call;
use http::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;

use super::notes::{ChatNotes, ReceiverNotes, Sent, text};
use super::people::{Person, done, post, text_of};
use super::roamer::{Roamer, Tried};
use super::shared::Shared;

/// The pause after a refusal, so that a site that refuses everything is not asked without end.
pub(super) const REFUSAL_PAUSE: Duration = Duration::from_millis(500);

/// How long a sync waits for news. Short, because a silent site is noticed by it.
const SYNC_WAIT: Duration = Duration::from_secs(4);

/// How much longer than that an answer may take before the next site is asked.
const SYNC_GRACE: Duration = Duration::from_secs(1);

/// How long receivers look for what was acknowledged after the last message was sent.
pub(super) const CATCH_UP_WAIT: Duration = Duration::from_secs(30);

/// The pause of a receiver after all sites failed.
const ROUND_PAUSE: Duration = Duration::from_millis(200);

/// `{"room":{"timeline":{"limit":200}}}`, as it stands in a query.
const FILTER: &str = "%7B%22room%22%3A%7B%22timeline%22%3A%7B%22limit%22%3A200%7D%7D%7D";

/// Somebody with a room to write into.
pub(super) struct Writer {
    pub(super) person: Person,
    pub(super) room_id: String,
    pub(super) client: usize,
}

/// Puts people into rooms of two.
pub(super) async fn pair(people: Vec<Person>) -> Result<Vec<Writer>> {
    let mut writers: Vec<Writer> = Vec::with_capacity(people.len());
    let mut people = people.into_iter();
    while let (Some(mut one), Some(other)) = (people.next(), people.next()) {
        let open = post("/api/chat/direct", &json!({ "user_id": other.user_id }));
        let room = done(&mut one.roamer, &open).await?.json()?;
        let room_id = text_of(&room, "room_id")?;
        for person in [one, other] {
            writers.push(Writer {
                person,
                room_id: room_id.clone(),
                client: writers.len(),
            });
        }
    }
    Ok(writers)
}

#[derive(Deserialize)]
struct SentAnswer {
    event_id: String,
}

/// Sends messages, one after the other, until the load ends.
pub(super) async fn send_all(mut writer: Writer, shared: Arc<Shared>, pause: Duration) -> ChatNotes {
    let mut sent = Vec::new();
    for number in 0_u32.. {
        if shared.is_stopping() {
            break;
        }
        let call = message(&writer.room_id, writer.client, number);
        let first_sent_us = shared.now_us();
        let outcome = writer.person.roamer.write(&call).await;
        let noted = Sent::note(&shared, number, first_sent_us, outcome, |acknowledged| {
            let answer: SentAnswer = serde_json::from_slice(&acknowledged.answer.body).ok()?;
            Some(answer.event_id)
        });
        let is_refused = noted.acknowledged_us.is_none();
        sent.push(noted);
        tokio::time::sleep(if is_refused { REFUSAL_PAUSE } else { pause }).await;
    }
    ChatNotes {
        token: writer.person.token,
        room_id: writer.room_id,
        client: writer.client,
        sent,
    }
}

/// A message under its transaction id: whenever it is sent, it is this one message.
fn message(room_id: &str, client: usize, number: u32) -> Call {
    Call::with_body(
        Method::PUT,
        format!("/_matrix/client/v3/rooms/{room_id}/send/m.room.message/drill-{number}"),
        format!(r#"{{"msgtype":"m.text","body":"{}"}}"#, text(client, number)),
    )
}

/// The acknowledged messages by room, once all are sent.
pub(super) type Expected = Arc<HashMap<String, HashSet<Box<str>>>>;

/// Somebody who syncs a room.
pub(super) struct Receiver {
    roamer: Roamer,
    shared: Arc<Shared>,
    notes: ReceiverNotes,
    known: HashSet<Box<str>>,
    since: Option<String>,
}

#[derive(Deserialize)]
struct SyncAnswer {
    next_batch: String,
    #[serde(default)]
    rooms: Rooms,
}

#[derive(Deserialize, Default)]
struct Rooms {
    #[serde(default)]
    join: HashMap<String, Joined>,
}

#[derive(Deserialize)]
struct Joined {
    #[serde(default)]
    timeline: Timeline,
}

#[derive(Deserialize, Default)]
struct Timeline {
    #[serde(default)]
    events: Vec<Seen>,
    #[serde(default)]
    limited: bool,
    prev_batch: Option<String>,
}

#[derive(Deserialize)]
struct Seen {
    event_id: Box<str>,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    chunk: Vec<Seen>,
    end: Option<String>,
}

impl Receiver {
    pub(super) fn new(roamer: Roamer, shared: Arc<Shared>, room_id: String) -> Self {
        Self {
            roamer,
            shared,
            notes: ReceiverNotes {
                room_id,
                ..ReceiverNotes::default()
            },
            known: HashSet::new(),
            since: None,
        }
    }

    /// Syncs until the load has ended and everything acknowledged in the room was seen, or `catch_up_wait` has
    /// passed since.
    pub(super) async fn receive_all(
        mut self,
        mut expected: watch::Receiver<Option<Expected>>,
        catch_up_wait: Duration,
    ) -> ReceiverNotes {
        while expected.borrow_and_update().is_none() {
            tokio::select! {
                // The same position is asked for again below: nothing is missed by breaking off.
                _ = expected.changed() => {}
                () = self.sync(SYNC_WAIT) => {}
            }
        }
        let wanted = expected.borrow().clone().unwrap_or_default();
        let wanted = wanted.get(&self.notes.room_id);
        let missing = |known: &HashSet<Box<str>>| wanted.map_or(0, |wanted| wanted.difference(known).count());
        let catch_up = async {
            while missing(&self.known) > 0 {
                self.sync(Duration::from_millis(500)).await;
            }
        };
        // What is missing then is counted below.
        let _ = tokio::time::timeout(catch_up_wait, catch_up).await;
        self.notes.missed = missing(&self.known) as u64;
        self.notes
    }

    /// One sync, at one site after the other until one answers.
    async fn sync(&mut self, wait: Duration) {
        self.roamer.go_home();
        let since = self.since.as_ref().map(|since| format!("&since={since}"));
        let path = format!(
            "/_matrix/client/v3/sync?filter={FILTER}&timeout={}{}",
            wait.as_millis(),
            since.unwrap_or_default()
        );
        let Some(answer) = self.get::<SyncAnswer>(path, wait + SYNC_GRACE).await else {
            return;
        };
        for (room_id, joined) in answer.rooms.join {
            if room_id != self.notes.room_id {
                continue;
            }
            let timeline = joined.timeline;
            let from = timeline
                .prev_batch
                .filter(|_| timeline.limited && self.since.is_some());
            if let Some(from) = from
                && self.fill_gap(from).await.is_err()
            {
                // The position stays, so the gap is there again at the next sync.
                return;
            }
            let at_us = self.shared.now_us();
            for event in timeline.events {
                self.note(event, at_us);
            }
        }
        self.since = Some(answer.next_batch);
    }

    /// Reads backwards what a sync left out, up to what is known.
    async fn fill_gap(&mut self, mut from: String) -> Result<()> {
        let mut found = Vec::new();
        loop {
            let path = format!(
                "/_matrix/client/v3/rooms/{}/messages?dir=b&limit=500&from={from}",
                self.notes.room_id
            );
            let page: Page = self.get(path, SYNC_GRACE).await.context("no site answers")?;
            let mut is_joined_up = page.chunk.is_empty();
            for event in page.chunk {
                if self.known.contains(&event.event_id) {
                    is_joined_up = true;
                    break;
                }
                found.push(event);
            }
            match page.end {
                Some(end) if !is_joined_up => from = end,
                _ => break,
            }
        }
        let at_us = self.shared.now_us();
        for event in found.into_iter().rev() {
            self.note(event, at_us);
        }
        Ok(())
    }

    fn note(&mut self, event: Seen, at_us: u64) {
        if event.kind != "m.room.message" {
            self.known.insert(event.event_id);
        } else if self.known.insert(event.event_id.clone()) {
            self.notes.seen.push((event.event_id, at_us));
        } else {
            self.notes.seen_again.push(event.event_id);
        }
    }

    /// Asks one site; on any failure the next one is used from now on.
    async fn get<T: serde::de::DeserializeOwned>(&mut self, path: String, wait: Duration) -> Option<T> {
        let call = Call::get(path);
        for _ in 0..self.shared.sites.len() {
            let site = self.roamer.site();
            if let Tried::Answered(answer) = self.roamer.attempt(site, &call, wait).await {
                if answer.status.is_success()
                    && let Ok(found) = serde_json::from_slice(&answer.body)
                {
                    self.shared.note_answered(site);
                    return Some(found);
                }
                if answer.status == http::StatusCode::UNAUTHORIZED {
                    self.shared.note_signin_failure(|| format!("{}: 401", call.path));
                }
            }
            self.roamer.change_over();
        }
        tokio::time::sleep(ROUND_PAUSE).await;
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::load::SiteAddress;

    fn receiver() -> Receiver {
        let site = SiteAddress {
            name: "pangyo".to_owned(),
            http: ([127, 0, 0, 1], 1).into(),
            weight: 1,
        };
        let shared = Arc::new(Shared::new(&[site]));
        Receiver::new(Roamer::new(Arc::clone(&shared), 0, 0), shared, "!room".to_owned())
    }

    fn seen(id: &str, kind: &str) -> Seen {
        Seen {
            event_id: id.into(),
            kind: kind.to_owned(),
        }
    }

    #[test]
    fn a_message_that_comes_again_is_counted_and_a_state_event_is_no_message() {
        let mut receiver = receiver();
        for id in ["$one", "$two", "$one"] {
            receiver.note(seen(id, "m.room.message"), 7);
        }
        receiver.note(seen("$name", "m.room.name"), 7);
        assert_eq!(receiver.notes.seen.len(), 2);
        assert_eq!(receiver.notes.seen_again, ["$one".into()]);
    }

    #[tokio::test]
    async fn what_was_acknowledged_and_never_seen_is_missed() {
        let mut receiver = receiver();
        receiver.note(seen("$one", "m.room.message"), 7);
        let wanted = HashSet::from(["$one".into(), "$two".into()]);
        let expected: Expected = Arc::new(HashMap::from([("!room".to_owned(), wanted)]));
        let (_sender, told) = watch::channel(Some(expected));
        assert_eq!(receiver.receive_all(told, Duration::ZERO).await.missed, 1);
    }
}
