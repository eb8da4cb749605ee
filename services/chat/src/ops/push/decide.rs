//! Decides who is told of which events: by membership, by what they have read, by their own rules and hours.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use haechi_base::{PersonId, Time};
use haechi_store::Tx;
use serde::Deserialize;

use super::super::Chat;
use super::super::pushers::living;
use super::super::unread::Taste;
use super::Push;
use crate::model::limits::PUSHED_EVENTS_MAX;
use crate::model::{
    ChatError, Content, Event, IGNORED_USER_LIST, Ignored, JudgedEvent, JudgedRoom, KeptPusher, Membership,
    Notice, PUSH_RULES, PushRules, PusherName, QUIET_HOURS, QuietHours, person_of, user_id,
};
use crate::store;
use crate::store::memberships::FoundMember;
use crate::store::pushes::ReadUntil;

/// People who stand for a room without a name.
const HEROES_MAX: u32 = 4;

/// Somebody with pushers who may have to be told of a room.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) person: PersonId,
    pub(super) room_id: String,
    /// Up to where they have read.
    pub(super) read: ReadUntil,
}

/// What was decided.
#[derive(Debug, Default)]
pub(super) struct Decision {
    pub(super) pushes: Vec<Push>,
    /// Pushers whose sign-in is over.
    pub(super) ended: Vec<PusherName>,
    /// People with pushers who are noted for a room and are not in it.
    pub(super) absent: Vec<(PersonId, String)>,
}

/// What one person wants.
struct Wishes {
    user_id: Arc<str>,
    pushers: Vec<KeptPusher>,
    rules: PushRules,
    ignored: Ignored,
    is_quiet: bool,
}

/// A room with what is new in it.
struct Scene {
    room: JudgedRoom,
    /// The names of those whose rules may ask for them.
    names: HashMap<String, String>,
    events: Vec<(Event, JudgedEvent, Arc<Notice>)>,
}

impl Chat {
    /// Decides what to push of these events, which are the newest first in each room.
    pub(super) async fn decide(
        &self,
        tx: &mut Tx<'_>,
        candidates: &[Candidate],
        events: &mut HashMap<String, Vec<Event>>,
        now: Time,
    ) -> Result<Decision, ChatError> {
        let people: BTreeSet<PersonId> = candidates.iter().map(|candidate| candidate.person).collect();
        let people: Vec<PersonId> = people.into_iter().collect();
        let mut decision = Decision::default();
        let wishes = self.wishes(tx, &people, &mut decision, now).await?;
        let mut by_room: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
        for candidate in candidates {
            if wishes.contains_key(&candidate.person) {
                by_room.entry(&candidate.room_id).or_default().push(candidate);
            }
        }
        for (room_id, candidates) in by_room {
            let events = events.remove(room_id).unwrap_or_default();
            if events.is_empty() {
                continue;
            }
            self.decide_room(tx, room_id, &candidates, events, &wishes, &mut decision)
                .await?;
        }
        leave_newest(&mut decision.pushes);
        // The oldest leave first.
        decision.pushes.reverse();
        let told: BTreeSet<PersonId> = decision
            .pushes
            .iter()
            .map(|push| push.pusher.name.person)
            .collect();
        for person in told {
            let Some(wishes) = wishes.get(&person) else {
                continue;
            };
            let taste = Taste {
                rules: Some(&wishes.rules),
                ignored: &wishes.ignored,
            };
            let unread = self.unread_everywhere(tx, person, taste).await?;
            for push in &mut decision.pushes {
                if push.pusher.name.person == person {
                    push.unread = unread;
                }
            }
        }
        Ok(decision)
    }

    /// What those of these people want who have pushers that hold.
    async fn wishes(
        &self,
        tx: &mut Tx<'_>,
        people: &[PersonId],
        decision: &mut Decision,
        now: Time,
    ) -> Result<HashMap<PersonId, Wishes>, ChatError> {
        let pushers = store::pushers::of_people(tx, people).await?;
        let (pushers, ended) = living(tx, pushers, now).await?;
        decision.ended.extend(ended.into_iter().map(|pusher| pusher.name));
        let mut by_person: HashMap<PersonId, Vec<KeptPusher>> = HashMap::new();
        for pusher in pushers {
            by_person.entry(pusher.name.person).or_default().push(pusher);
        }
        let people: Vec<PersonId> = by_person.keys().copied().collect();
        let entries = store::account_data::about_pushes(tx, &people).await?;
        let said = |person: PersonId, kind: &str| {
            entries
                .iter()
                .find(|entry| entry.person == person && entry.kind == kind)
                .map(|entry| entry.content.as_str())
        };
        let wishes = by_person.into_iter().map(|(person, pushers)| {
            let user_id = self.user_id(person);
            let quiet = said(person, QUIET_HOURS).and_then(|text| {
                QuietHours::read(&Content::of_stored(text.to_owned()))
                    .ok()
                    .flatten()
            });
            let wishes = Wishes {
                rules: PushRules::of(&user_id, said(person, PUSH_RULES)),
                ignored: said(person, IGNORED_USER_LIST).map_or_else(Ignored::default, Ignored::of),
                user_id: Arc::from(user_id),
                pushers,
                is_quiet: quiet.is_some_and(|quiet| quiet.hold_at(now)),
            };
            (person, wishes)
        });
        Ok(wishes.collect())
    }

    async fn decide_room(
        &self,
        tx: &mut Tx<'_>,
        room_id: &str,
        candidates: &[&Candidate],
        events: Vec<Event>,
        wishes: &HashMap<PersonId, Wishes>,
        decision: &mut Decision,
    ) -> Result<(), ChatError> {
        let pairs: Vec<(PersonId, &str)> = candidates
            .iter()
            .map(|candidate| (candidate.person, room_id))
            .collect();
        let members: HashMap<PersonId, FoundMember> = store::memberships::find(tx, &pairs)
            .await?
            .into_iter()
            .map(|found| (found.person, found))
            .collect();
        let own_rules = candidates
            .iter()
            .filter_map(|candidate| wishes.get(&candidate.person))
            .filter(|wishes| wishes.rules.differ_in(room_id))
            .map(|wishes| wishes.user_id.to_string());
        let Some(mut scene) = self.scene(tx, room_id, events, own_rules.collect()).await? else {
            return Ok(());
        };
        for candidate in candidates {
            let (Some(wishes), member) = (wishes.get(&candidate.person), members.get(&candidate.person))
            else {
                continue;
            };
            let Some(news) = member.and_then(news_to) else {
                decision.absent.push((candidate.person, room_id.to_owned()));
                continue;
            };
            if !wishes.is_quiet {
                scene.judge(wishes, news, candidate.read, &mut decision.pushes);
            }
        }
        Ok(())
    }

    async fn scene(
        &self,
        tx: &mut Tx<'_>,
        room_id: &str,
        events: Vec<Event>,
        mut named: Vec<String>,
    ) -> Result<Option<Scene>, ChatError> {
        let Some(room) = self.judged_by_nobody(tx, room_id).await? else {
            return Ok(None);
        };
        let heroes = store::memberships::of_room(tx, room_id, Membership::Join, HEROES_MAX).await?;
        let heroes: Vec<String> = heroes.into_iter().map(|person| self.user_id(person)).collect();
        named.extend(events.iter().map(|event| self.user_id(event.sender)));
        named.extend(heroes.iter().cloned());
        named.sort_unstable();
        named.dedup();
        let names = self.names_in(tx, room_id, &named).await?;
        let about = ["m.room.name", "m.room.encryption"];
        let about = about.map(|kind| (room_id.to_owned(), kind.to_owned(), String::new()));
        let about = store::state::current(tx, &about).await?;
        let is_secret = about.iter().any(|event| event.kind == "m.room.encryption");
        let room_name = about
            .iter()
            .find(|event| event.kind == "m.room.name")
            .and_then(name_of_room)
            .or_else(|| names_of_all(&heroes, &names));
        let server_name = self.server_name();
        let events = events.into_iter().map(|event| {
            let notice = notice(&event, server_name, &names, room_name.clone(), is_secret);
            let judged = JudgedEvent::of(&event, server_name);
            (event, judged, Arc::new(notice))
        });
        Ok(Some(Scene {
            room,
            events: events.collect(),
            names,
        }))
    }
}

impl Scene {
    fn judge(
        &mut self,
        wishes: &Wishes,
        (after, until): (i64, i64),
        read: ReadUntil,
        pushes: &mut Vec<Push>,
    ) {
        let name = self.names.get(&*wishes.user_id).map(String::as_str);
        self.room
            .seen_by(&wishes.user_id, name.unwrap_or(&wishes.user_id));
        for (event, judged, notice) in &self.events {
            let is_new = event.position > after && event.position <= until && !read.has(event);
            if !is_new || wishes.ignored.has(event.sender) {
                continue;
            }
            let verdict = wishes.rules.judge(judged, &self.room);
            if !verdict.notifies {
                continue;
            }
            let verdict = Arc::new(verdict);
            // What was said before a pusher was there is not new to it.
            let pushers = wishes.pushers.iter();
            let pushers = pushers.filter(|pusher| event.sent_at >= pusher.created_at);
            pushes.extend(pushers.map(|pusher| Push {
                pusher: pusher.clone(),
                user_id: Arc::clone(&wishes.user_id),
                notice: Arc::clone(notice),
                verdict: Arc::clone(&verdict),
                unread: 0,
            }));
        }
    }
}

/// After which position and up to which one events are shown to a person: not what was before they came. Who is asked in
/// is told of that alone.
fn news_to(found: &FoundMember) -> Option<(i64, i64)> {
    match found.member.membership {
        Membership::Join => Some((found.member.joined_from.unwrap_or(0), i64::MAX)),
        Membership::Invite => Some((found.position - 1, found.position)),
        Membership::Knock | Membership::Leave | Membership::Ban => None,
    }
}

/// Of many events for one pusher the newest are told.
fn leave_newest(pushes: &mut Vec<Push>) {
    let mut counts: HashMap<PusherName, u32> = HashMap::new();
    pushes.retain(|push| {
        let count = counts.entry(push.pusher.name.clone()).or_default();
        *count += 1;
        *count <= PUSHED_EVENTS_MAX
    });
}

fn notice(
    event: &Event,
    server_name: &str,
    names: &HashMap<String, String>,
    room_name: Option<String>,
    is_secret: bool,
) -> Notice {
    let sender = user_id(event.sender, server_name);
    let is_member = event.kind == "m.room.member";
    let is_secret = event.kind == "m.room.encrypted" || (is_secret && event.state_key.is_none());
    Notice {
        event_id: event.event_id.clone(),
        room_id: event.room_id.clone(),
        kind: event.kind.clone(),
        sender_name: names.get(&sender).unwrap_or(&sender).clone(),
        sender,
        room_name,
        target: event
            .state_key
            .clone()
            .filter(|state_key| is_member && person_of(state_key, server_name).is_some()),
        content: (!is_secret).then(|| event.content.clone()),
    }
}

fn name_of_room(event: &Event) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    let named: Named = Content::of_stored(event.content.clone()).read()?;
    Some(named.name).filter(|name| !name.is_empty())
}

/// What a room without a name is called: by who is in it.
fn names_of_all(heroes: &[String], names: &HashMap<String, String>) -> Option<String> {
    let names: Vec<&str> = heroes
        .iter()
        .filter_map(|hero| names.get(hero).map(String::as_str))
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}
