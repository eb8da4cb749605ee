//! What others said of events, told with the events (client-server API, "Server-side aggregation of relationships"):
//! the latest edit, the thread, the references. A few statements for a page of events, and none for a page to which
//! nothing relates.

use std::collections::{BTreeMap, HashMap, HashSet};

use haechi_base::PersonId;
use haechi_store::Tx;
use serde_json::{Value, json};

use super::Chat;
use super::read_room::View;
use crate::model::{ChatError, Event, Relation};
use crate::store;

/// A thread as it is told with the event it begins at.
struct Thread {
    children: i64,
    latest: Event,
    participates: bool,
}

impl Chat {
    /// Looks up what relates to these events, as far as the person may see it, and how they stood to the room then.
    pub(super) async fn bundle(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
        view: &View,
        events: &mut [Event],
    ) -> Result<(), ChatError> {
        view.note_standing(tx, events).await?;
        let mut events: Vec<&mut Event> = events.iter_mut().filter(|event| takes_relations(event)).collect();
        if events.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = events.iter().map(|event| event.event_id.clone()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut threads = self.threads_of(tx, person, view, &ids).await?;
        let mut edited: Vec<&str> = ids.clone();
        let latest: Vec<String> = threads
            .values()
            .map(|thread| &thread.latest)
            .filter(|latest| latest.related.is_some())
            .map(|latest| latest.event_id.clone())
            .collect();
        edited.extend(latest.iter().map(String::as_str));
        let mut edits: HashMap<String, Event> = store::relations::edits(tx, &edited)
            .await?
            .into_iter()
            .filter(|(_, edit)| view.shows(edit))
            .collect();
        let mut references = references_to(tx, view, &ids).await?;
        for event in &mut events {
            let mut told = BTreeMap::new();
            if let Some(edit) = edits
                .remove(&event.event_id)
                .filter(|_| event.redacted_because.is_none())
            {
                told.insert("m.replace", self.told(person, &edit));
            }
            if let Some(mut thread) = threads.remove(&event.event_id) {
                let latest = &mut thread.latest;
                if let Some(edit) = edits
                    .get(&latest.event_id)
                    .filter(|_| latest.redacted_because.is_none())
                {
                    latest.related = Some(json!({ "m.replace": self.told(person, edit) }).to_string());
                }
                let participates = thread.participates || event.sender == person;
                told.insert(
                    "m.thread",
                    json!({
                        "count": thread.children,
                        "current_user_participated": participates,
                        "latest_event": self.told(person, latest),
                    }),
                );
            }
            if let Some(chunk) = references.remove(&event.event_id) {
                told.insert("m.reference", json!({ "chunk": chunk }));
            }
            if !told.is_empty() {
                event.related = Some(json!(told).to_string());
            }
        }
        Ok(())
    }

    /// The threads that begin at these events, by their roots.
    async fn threads_of(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
        view: &View,
        roots: &[&str],
    ) -> Result<HashMap<String, Thread>, ChatError> {
        let found = store::relations::threads(tx, roots).await?;
        if found.is_empty() {
            return Ok(HashMap::new());
        }
        let hidden: Vec<&str> = found
            .iter()
            .filter(|(.., latest)| !view.shows(latest))
            .map(|(root, ..)| root.as_str())
            .collect();
        // Rare: the latest one is by somebody ignored, or was said after the reader had left.
        let shown: Vec<(String, Event)> = store::relations::latest_in_threads(tx, &hidden)
            .await?
            .into_iter()
            .filter(|(_, event)| view.shows(event))
            .collect();
        let roots: Vec<&str> = found.iter().map(|(root, ..)| root.as_str()).collect();
        let members = store::relations::members(tx, person, &roots).await?;
        let hidden: HashSet<String> = hidden.iter().map(|root| (*root).to_owned()).collect();
        let mut threads = HashMap::new();
        for ((root, children, latest), member) in found.into_iter().zip(members) {
            let (children, latest) = if hidden.contains(&root) {
                let mut left = shown.iter().filter(|(of, _)| *of == root);
                let Some((_, latest)) = left.next() else { continue };
                let count = i64::try_from(left.count() + 1).unwrap_or(children);
                (count, latest.clone())
            } else {
                (children, latest)
            };
            let participates = member.participates;
            threads.insert(
                root,
                Thread {
                    children,
                    latest,
                    participates,
                },
            );
        }
        Ok(threads)
    }

    /// An event inside another one: without the transaction id, which is told with the event itself.
    fn told(&self, person: PersonId, event: &Event) -> Value {
        let text = event.for_client(self.reader(person, ""), true);
        serde_json::from_str(text.get()).unwrap_or_default()
    }
}

/// What refers to these events, as far as it may be seen, by what it refers to.
async fn references_to(
    tx: &mut Tx<'_>,
    view: &View,
    targets: &[&str],
) -> Result<HashMap<String, Vec<Value>>, ChatError> {
    let mut references: HashMap<String, Vec<Value>> = HashMap::new();
    for (target, event_id, position) in store::relations::references(tx, targets).await? {
        if position <= view.until {
            let chunk = references.entry(target).or_default();
            chunk.push(json!({ "event_id": event_id }));
        }
    }
    Ok(references)
}

/// Whether anything that relates to the event is told with it: not with state, nor with edits and reactions.
fn takes_relations(event: &Event) -> bool {
    event.related.is_some()
        && event.state_key.is_none()
        && Relation::of_event(event)
            .is_none_or(|relation| !relation.is_edit() && relation.kind != "m.annotation")
}
