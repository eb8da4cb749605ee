//! What the events of a batch say of other events: judged in memory, kept with a statement or two for each kind of it,
//! and with none where nothing relates to anything.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use haechi_base::PersonId;
use haechi_store::{StoreError, Tx};

use super::super::stream::Request;
use super::judge::{Bench, Out};
use super::needs::Loaded;
use crate::model::{ChatError, Draft, Event, Relation, THREAD, notifies, searched_text, stream_of};
use crate::store;
use crate::store::relations::{ForgottenKind, Raise, Related, ThreadMember};

/// A relation that was allowed.
pub(super) struct NotedRelation {
    related: Related,
    room_id: String,
    sender: PersonId,
    /// Whether it counts among the messages of a thread.
    is_message: bool,
    /// Whether the target's readers are told, and do not know yet that they are to be.
    marks_target: bool,
}

impl NotedRelation {
    /// Where it was said.
    pub(super) const fn room_id(&self) -> &String {
        &self.room_id
    }
}

/// How far somebody has read a thread.
pub(super) struct ThreadRead {
    person: PersonId,
    root: String,
    position: i64,
    ordinal: i64,
}

/// What was taken back, and what it said of another event.
pub(super) struct TakenBack {
    /// The redaction.
    pub(super) by: String,
    event_id: String,
    room_id: String,
    position: i64,
    relation: Option<Relation>,
    was_searchable: bool,
}

impl TakenBack {
    /// What an event said of another, and where its text is found, when it is taken back.
    pub(super) fn of(by: &str, redacted: &Event) -> Self {
        Self {
            by: by.to_owned(),
            event_id: redacted.event_id.clone(),
            room_id: redacted.room_id.clone(),
            position: redacted.position,
            relation: Relation::of_event(redacted),
            was_searchable: searched_text(redacted).is_some(),
        }
    }
}

/// A relation on its way from the judgement to the notes.
pub(super) struct Judged {
    relation: Relation,
    is_edit: bool,
    reaction: Option<[u8; 32]>,
    marks_target: bool,
}

impl Judged {
    pub(super) fn is_thread(&self) -> bool {
        self.relation.is_thread()
    }
}

impl Bench<'_> {
    /// Allows what a draft says of another event.
    pub(super) fn relation(&self, request: &Request, draft: &Draft) -> Result<Option<Judged>, ChatError> {
        let Some(relation) = Relation::of_draft(draft) else {
            return Ok(None);
        };
        let target = self.loaded.targets.get(&relation.target);
        relation.authorise(&request.room_id, target)?;
        let reaction = relation.reaction(draft.sender, &draft.kind, stream_of(&request.room_id));
        if reaction.is_some_and(|reaction| {
            self.loaded.reactions.contains(&reaction) || self.out.reactions.contains(&reaction)
        }) {
            return Err(ChatError::DuplicateAnnotation);
        }
        Ok(Some(Judged {
            is_edit: target.is_some_and(|target| relation.is_edit_of(draft, target)),
            reaction,
            marks_target: relation.is_bundled() && target.is_some_and(|target| target.related.is_none()),
            relation,
        }))
    }

    /// Notes the relation of an allowed event.
    pub(super) fn note_relation(&mut self, event: &Event, judged: Judged) {
        self.out.reactions.extend(judged.reaction);
        let is_thread = judged.is_thread();
        self.out.relations.push(NotedRelation {
            related: Related {
                event_id: event.event_id.clone(),
                target: judged.relation.target,
                kind: judged.relation.kind,
                event_type: event.kind.clone(),
                position: event.position,
                ordinal: 0,
                is_edit: judged.is_edit,
                reaction: judged.reaction,
            },
            room_id: event.room_id.clone(),
            sender: event.sender,
            is_message: is_thread && notifies(&event.kind, None),
            marks_target: judged.marks_target,
        });
    }

    /// Notes that somebody has read a thread up to an event at this position.
    pub(super) fn read_thread(
        &mut self,
        person: PersonId,
        root: &str,
        event_id: &str,
        position: i64,
    ) -> Result<(), ChatError> {
        let key = (root.to_owned(), event_id.to_owned());
        let Some(ordinal) = self.loaded.thread_ordinals.get(&key).copied() else {
            return Err(ChatError::invalid("the event is not in this thread"));
        };
        self.out.thread_reads.push(ThreadRead {
            person,
            root: root.to_owned(),
            position,
            ordinal,
        });
        Ok(())
    }
}

/// Finds how many messages the threads have up to where they were read: (root, event). Events that are not in the
/// thread they were read in are left out.
pub(super) async fn load_threads(
    tx: &mut Tx<'_>,
    reads: &BTreeSet<(String, String)>,
    loaded: &mut Loaded,
) -> Result<(), StoreError> {
    // What relates to a message of a thread, a reaction say, is in the thread with it.
    let parents: BTreeSet<String> = reads
        .iter()
        .filter_map(|(_, event_id)| Relation::of_event(loaded.targets.get(event_id)?))
        .filter(|relation| !relation.is_thread())
        .map(|relation| relation.target)
        .collect();
    let missing: Vec<&str> = parents
        .iter()
        .map(String::as_str)
        .filter(|parent| !loaded.targets.contains_key(*parent))
        .collect();
    let found = store::events::find(tx, &missing).await?;
    let parents: HashMap<&str, &Event> = found
        .iter()
        .chain(loaded.targets.values())
        .map(|event| (event.event_id.as_str(), event))
        .collect();
    let thread_of = |event: &Event| -> Option<String> {
        let relation = Relation::of_event(event)?;
        if relation.is_thread() {
            return Some(relation.target);
        }
        let parent = parents.get(relation.target.as_str())?;
        let of_parent = Relation::of_event(parent);
        Some(match of_parent {
            Some(of_parent) if of_parent.is_thread() => of_parent.target,
            _ => relation.target,
        })
    };
    let places: Vec<(&(String, String), i64)> = reads
        .iter()
        .filter_map(|read| {
            let event = loaded.targets.get(&read.1)?;
            let is_in = event.event_id == read.0 || thread_of(event).as_ref() == Some(&read.0);
            is_in.then_some((read, event.position))
        })
        .collect();
    let asked: Vec<(&str, i64)> = places
        .iter()
        .map(|(read, position)| (read.0.as_str(), *position))
        .collect();
    let ordinals = store::relations::ordinals_at(tx, &asked).await?;
    loaded.thread_ordinals = places
        .into_iter()
        .zip(ordinals)
        .map(|((read, _), ordinal)| (read.clone(), ordinal))
        .collect();
    Ok(())
}

/// Writes what the batch's events say of others; those of `repeated` were there already.
pub(super) async fn keep(
    tx: &mut Tx<'_>,
    out: &mut Out,
    repeated: &HashSet<String>,
) -> Result<(), StoreError> {
    let mut relations = std::mem::take(&mut out.relations);
    relations.retain(|noted| !repeated.contains(&noted.related.event_id));
    let mut members: BTreeMap<(PersonId, String), ThreadMember> = BTreeMap::new();
    let mut reach = |person, root: &str, position, ordinal, participates| {
        let member = members.entry((person, root.to_owned())).or_default();
        member.participates |= participates;
        if position > member.position {
            (member.position, member.ordinal) = (position, ordinal);
        }
    };
    if !relations.is_empty() {
        number(tx, &mut relations).await?;
        for noted in relations.iter().filter(|noted| noted.related.kind == THREAD) {
            let related = &noted.related;
            reach(
                noted.sender,
                &related.target,
                related.position,
                related.ordinal,
                true,
            );
        }
        keep_relations(tx, relations).await?;
    }
    for read in std::mem::take(&mut out.thread_reads) {
        reach(read.person, &read.root, read.position, read.ordinal, false);
    }
    let members: Vec<(PersonId, &str, ThreadMember)> = members
        .iter()
        .map(|((person, root), member)| (*person, root.as_str(), *member))
        .collect();
    store::relations::put_members(tx, &members).await?;
    let mut taken_back = std::mem::take(&mut out.taken_back);
    taken_back.retain(|taken| !repeated.contains(&taken.by));
    take_back(tx, &taken_back).await
}

/// Raises the threads, and numbers their messages on from those each had before.
async fn number(tx: &mut Tx<'_>, relations: &mut [NotedRelation]) -> Result<(), StoreError> {
    let mut raises: BTreeMap<&str, Raise<'_>> = BTreeMap::new();
    for noted in relations.iter().filter(|noted| noted.related.kind == THREAD) {
        let related = &noted.related;
        let raise = raises.entry(&related.target).or_insert_with(|| Raise {
            root: &related.target,
            room_id: &noted.room_id,
            event_id: &related.event_id,
            position: related.position,
            children: 0,
            messages: 0,
        });
        raise.event_id = &related.event_id;
        raise.position = related.position;
        raise.children += 1;
        raise.messages += i64::from(noted.is_message);
    }
    if raises.is_empty() {
        return Ok(());
    }
    let raises: Vec<Raise<'_>> = raises.into_values().collect();
    let raised = store::relations::raise_threads(tx, &raises).await?;
    let mut before: HashMap<String, i64> = raised.into_iter().collect();
    for raise in &raises {
        if let Some(count) = before.get_mut(raise.root) {
            *count -= raise.messages;
        }
    }
    for noted in relations.iter_mut() {
        if noted.related.kind == THREAD
            && let Some(count) = before.get_mut(&noted.related.target)
        {
            *count += i64::from(noted.is_message);
            noted.related.ordinal = *count;
        }
    }
    Ok(())
}

async fn keep_relations(tx: &mut Tx<'_>, relations: Vec<NotedRelation>) -> Result<(), StoreError> {
    let marked: BTreeSet<String> = relations
        .iter()
        .filter(|noted| noted.marks_target)
        .map(|noted| noted.related.target.clone())
        .collect();
    let rows: Vec<Related> = relations.into_iter().map(|noted| noted.related).collect();
    store::relations::insert(tx, &rows).await?;
    let edits: BTreeMap<&str, &Related> = rows
        .iter()
        .filter(|related| related.is_edit)
        .map(|related| (related.target.as_str(), related))
        .collect();
    let edits: Vec<(&str, &str, i64)> = edits
        .into_iter()
        .map(|(target, edit)| (target, edit.event_id.as_str(), edit.position))
        .collect();
    store::relations::put_edits(tx, &edits).await?;
    let marked: Vec<&str> = marked.iter().map(String::as_str).collect();
    store::relations::mark_targets(tx, &marked).await
}

async fn take_back(tx: &mut Tx<'_>, taken_back: &[TakenBack]) -> Result<(), StoreError> {
    let mut relations = Vec::new();
    for taken in taken_back {
        if let Some(relation) = &taken.relation {
            let kind = if relation.is_thread() {
                ForgottenKind::Thread
            } else if relation.is_edit() {
                ForgottenKind::Edit
            } else {
                ForgottenKind::Other
            };
            relations.push((taken.event_id.as_str(), relation.target.as_str(), kind));
        }
    }
    if !relations.is_empty() {
        store::relations::forget(tx, &relations).await?;
    }
    let stale: BTreeSet<(&str, i64)> = taken_back
        .iter()
        .filter(|taken| taken.was_searchable)
        .map(|taken| (taken.room_id.as_str(), taken.position))
        .collect();
    let stale: Vec<(&str, i64)> = stale.into_iter().collect();
    store::search::put_stale(tx, &stale).await
}
