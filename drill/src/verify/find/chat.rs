//! Messages: each room is read back as a whole, and every acknowledged event is looked up in it.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use serde::Deserialize;

use super::super::reading::Reading;
use super::super::{LOOK_PAUSE, LOOKS_MAX};
use super::Findings;
use crate::load::notes::{ChatNotes, text};
use crate::load::{Record, Service};

/// Messages on one page.
const PAGE_EVENTS: usize = 500;

#[derive(Deserialize)]
struct Page {
    chunk: Vec<Event>,
    end: Option<String>,
}

/// An event of a room's history.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::verify) struct Event {
    pub(in crate::verify) event_id: String,
    #[serde(default)]
    pub(in crate::verify) content: Content,
}

/// What of a content is looked at.
#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::verify) struct Content {
    pub(in crate::verify) body: Option<String>,
}

/// The writers of each room.
pub(in crate::verify) fn rooms(record: &Record) -> Vec<Vec<&ChatNotes>> {
    let mut rooms: BTreeMap<&str, Vec<&ChatNotes>> = BTreeMap::new();
    for notes in &record.chat {
        rooms.entry(&notes.room_id).or_default().push(notes);
    }
    rooms.into_values().collect()
}

/// Reads a room back, again when something is missing.
pub(in crate::verify) async fn check(
    record: &Record,
    writers: &[&ChatNotes],
    mut reading: Reading,
) -> Result<Findings> {
    let mut looks = 0;
    loop {
        let history = read(&mut reading, writers).await?;
        let findings = compare(record, writers, &history);
        looks += 1;
        if findings.is_clean() || looks == LOOKS_MAX {
            return Ok(findings);
        }
        tokio::time::sleep(LOOK_PAUSE).await;
        reading.move_on();
    }
}

async fn read(reading: &mut Reading, writers: &[&ChatNotes]) -> Result<Vec<Event>> {
    let Some(writer) = writers.first() else {
        return Ok(Vec::new());
    };
    let mut history = Vec::new();
    let mut from = String::new();
    loop {
        let path = format!(
            "/_matrix/client/v3/rooms/{}/messages?dir=b&limit={PAGE_EVENTS}{from}",
            writer.room_id
        );
        let page: Page = reading.get(&path, &writer.token).await?;
        history.extend(page.chunk);
        match page.end {
            Some(end) => from = format!("&from={end}"),
            None => return Ok(history),
        }
    }
}

/// Every acknowledged message is there once, under its id and with its text; no text is there twice.
pub(in crate::verify) fn compare(record: &Record, writers: &[&ChatNotes], history: &[Event]) -> Findings {
    let mut ids: HashMap<&str, Option<&str>> = HashMap::new();
    let mut texts: HashMap<&str, u64> = HashMap::new();
    for event in history {
        let body = event.content.body.as_deref();
        ids.entry(&event.event_id).or_insert(body);
        if let Some(body) = body {
            *texts.entry(body).or_default() += 1;
        }
    }
    let mut findings = Findings::default();
    for writer in writers {
        for sent in &writer.sent {
            let wanted = text(writer.client, sent.number);
            let times = texts.get(wanted.as_str()).copied().unwrap_or_default();
            if times > 1 {
                findings.duplicated(Service::Chat, &wanted, times);
            }
            if sent.acknowledged_us.is_none() {
                continue;
            }
            match ids.get(&*sent.id) {
                Some(Some(body)) if *body == wanted => {}
                Some(_) => findings.lost(record, Service::Chat, sent, "its text is another".to_owned()),
                None => findings.lost(record, Service::Chat, sent, "not in its room".to_owned()),
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::notes::Sent;

    fn writer(count: u32) -> ChatNotes {
        let sent = |number| Sent {
            number,
            first_sent_us: 1,
            acknowledged_us: Some(2),
            id: format!("${number}").into(),
            site: 0,
            is_written: true,
            ended_us: 2,
        };
        ChatNotes {
            token: String::new(),
            room_id: "!room".to_owned(),
            client: 3,
            sent: (0..count).map(sent).collect(),
        }
    }

    fn event(id: &str, number: u32) -> Event {
        Event {
            event_id: id.to_owned(),
            content: Content {
                body: Some(text(3, number)),
            },
        }
    }

    fn found(writer: &ChatNotes, history: &[Event]) -> Findings {
        compare(&Record::default(), &[writer], history)
    }

    #[test]
    fn what_is_there_once_is_neither_lost_nor_doubled() {
        let history = [event("$0", 0), event("$1", 1)];
        assert!(found(&writer(2), &history).is_clean());
    }

    #[test]
    fn an_acknowledged_message_that_is_absent_is_lost() {
        let findings = found(&writer(2), &[event("$0", 0)]);
        assert_eq!(findings.lost[&Service::Chat], 1);
        assert_eq!(findings.faults[0].id, "$1");
        assert!(findings.duplicated.is_empty());
    }

    #[test]
    fn a_text_under_two_ids_is_doubled_and_the_write_is_not_lost() {
        let findings = found(&writer(1), &[event("$0", 0), event("$other", 0)]);
        assert_eq!(findings.duplicated[&Service::Chat], 1);
        assert!(findings.lost.is_empty());
    }

    #[test]
    fn an_event_that_says_something_else_is_not_the_one_that_was_sent() {
        assert_eq!(found(&writer(1), &[event("$0", 7)]).lost[&Service::Chat], 1);
    }

    #[test]
    fn what_was_never_acknowledged_may_be_absent_but_not_there_twice() {
        let mut writer = writer(1);
        writer.sent[0].acknowledged_us = None;
        writer.sent[0].id = Box::default();
        assert!(found(&writer, &[]).is_clean());
        assert!(found(&writer, &[event("$0", 0)]).is_clean());
        let twice = found(&writer, &[event("$0", 0), event("$1", 0)]);
        assert_eq!(twice.duplicated[&Service::Chat], 1);
    }
}
