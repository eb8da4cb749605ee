//! What other services of the house write to people: each from its own account, into its one room with each person.
//!
//! Where the room is there, the message is posted in the caller's transaction. Where it is not, the message is kept in
//! that transaction, and a job makes the room and puts it in a moment later: committed is delivered.

use haechi_base::{Actor, PersonId, Role, SessionId, Time, uuid::Uuid};
use haechi_identity::DisplayName;
use haechi_store::{Tx, job};
use sha2::{Digest, Sha256};

use super::Chat;
use super::profile::of_identity;
use crate::model::limits::{BLOCKED_SERVICES_MAX, NOTICES_WAITING_MAX};
use crate::model::{Card, ChatError, Content, Draft, event_id_of_message, pair_key};
use crate::store;
use crate::store::notices::Notice;

/// The job that makes rooms for messages that wait; its name is the service's and the person's id.
pub(crate) const NOTICES_JOB: &str = "chat.notices";

/// Messages that are put into a room at once.
const AT_ONCE: u32 = 50;

/// Longest name of a service.
const SERVICE_NAME_MAX: usize = 32;

/// A service of the house that writes to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its name among the services, which never changes: `pay`.
    pub name: &'static str,
    /// The name people see when its account is made: `Haechi Pay`.
    pub display_name: &'static str,
}

/// What became of a message of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeOutcome {
    /// It is in the room, as this event.
    Posted(String),
    /// It will be there once the room is.
    Waits,
    /// The person wants none of that service's messages.
    Blocked,
    /// Too many wait already: this one is not kept.
    Dropped,
}

impl Chat {
    /// Writes to a person from the account of a service, inside the caller's transaction. The account and the room are
    /// made at the first message. The same card at the same `now` is the same message.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] for a card that cannot be shown, [`ChatError::NotFound`] for nobody, and
    /// [`ChatError::Store`].
    pub async fn post_notice_from_service(
        &self,
        tx: &mut Tx<'_>,
        service: ServiceAccount,
        person: PersonId,
        card: &Card,
        now: Time,
    ) -> Result<NoticeOutcome, ChatError> {
        card.check()?;
        check_service(service.name)?;
        if store::notices::is_blocked(tx, person, service.name).await? {
            return Ok(NoticeOutcome::Blocked);
        }
        let known = haechi_identity::ops::find_person(tx, person).await;
        if known.map_err(of_identity)?.is_none() {
            return Err(ChatError::not_found("there is no such person on this server"));
        }
        let display_name: DisplayName = service.display_name.parse().map_err(of_identity)?;
        let account = account_id(service.name);
        haechi_identity::ops::ensure_service_account(tx, account, service.name, &display_name, now)
            .await
            .map_err(of_identity)?;
        let content = card.message();
        let waiting = store::notices::count(tx, service.name, person).await?;
        if waiting == 0
            && let Some(room_id) = self.open_room(tx, account, person).await?
        {
            let actor = actor_of(account);
            let posted = self.post_message(tx, &actor, &room_id, &content, now).await;
            return posted.map(NoticeOutcome::Posted);
        }
        if waiting >= NOTICES_WAITING_MAX {
            return Ok(NoticeOutcome::Dropped);
        }
        let content = Content::check(Content::of(&content).as_str())?;
        let notice = Notice {
            notice_id: event_id_of_message(account, &person.to_string(), content.as_str(), now),
            content: content.as_str().to_owned(),
            created_at: now,
        };
        store::notices::put(tx, service.name, person, &notice).await?;
        job::enqueue(tx, NOTICES_JOB, &job_name(service.name, person), "null", now).await?;
        Ok(NoticeOutcome::Waits)
    }

    /// The room of a service and a person, when both are in it.
    async fn open_room(
        &self,
        tx: &mut Tx<'_>,
        account: PersonId,
        person: PersonId,
    ) -> Result<Option<String>, ChatError> {
        let Some(room_id) = store::rooms::find_direct(tx, &pair_key(account, person)).await? else {
            return Ok(None);
        };
        let are_in =
            self.is_joined(tx, &room_id, account).await? && self.is_joined(tx, &room_id, person).await?;
        Ok(are_in.then_some(room_id))
    }

    /// Makes the room of a service and a person, and puts in what waits for it.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn deliver_notices(&self, job_name: &str) -> Result<(), ChatError> {
        let Some((service, person)) = job_name.split_once('/') else {
            return Ok(());
        };
        let Ok(person) = person.parse::<PersonId>() else {
            return Ok(());
        };
        let account = account_id(service);
        loop {
            let service_name = service.to_owned();
            let waiting = self
                .read(async move |tx: &mut Tx<'_>| {
                    Ok(store::notices::waiting(tx, &service_name, person, AT_ONCE).await?)
                })
                .await?;
            if waiting.is_empty() {
                return Ok(());
            }
            match self.deliver(account, service, person, waiting).await {
                Ok(()) => {}
                // The person has sent the service away, or has gone.
                Err(ChatError::Forbidden(_) | ChatError::NotFound(_)) => {
                    return self.forget_notices(service, person).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn deliver(
        &self,
        account: PersonId,
        service: &str,
        person: PersonId,
        waiting: Vec<Notice>,
    ) -> Result<(), ChatError> {
        let service = service.to_owned();
        let is_blocked = self
            .read(async move |tx: &mut Tx<'_>| Ok(store::notices::is_blocked(tx, person, &service).await?))
            .await?;
        if is_blocked {
            return Err(ChatError::forbidden(
                "the person wants no messages of this service",
            ));
        }
        let room_id = self.open_direct(&actor_of(account), person).await?;
        let drafts = waiting.iter().map(|notice| Draft {
            event_id: notice.notice_id.clone(),
            sender: account,
            kind: "m.room.message".to_owned(),
            state_key: None,
            content: Content::of_stored(notice.content.clone()),
            redacts: None,
            sent_as: None,
        });
        self.put_events(account, room_id, drafts.collect()).await?;
        self.write(async move |tx: &mut Tx<'_>| {
            let ids: Vec<&str> = waiting.iter().map(|notice| notice.notice_id.as_str()).collect();
            Ok(store::notices::remove(tx, &ids).await?)
        })
        .await
    }

    async fn forget_notices(&self, service: &str, person: PersonId) -> Result<(), ChatError> {
        let service = service.to_owned();
        self.write(async move |tx: &mut Tx<'_>| Ok(store::notices::remove_all(tx, &service, person).await?))
            .await
    }

    /// Lets the actor have a service's messages no longer, or again.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] for what is no name of a service, [`ChatError::TooLarge`] for too many, and
    /// [`ChatError::Store`].
    pub(crate) async fn set_blocked(
        &self,
        actor: &Actor,
        service: String,
        is_blocked: bool,
    ) -> Result<(), ChatError> {
        check_service(&service)?;
        let (person, now) = (actor.person, self.now());
        self.write(async move |tx: &mut Tx<'_>| {
            if !is_blocked {
                return Ok(store::notices::unblock(tx, person, &service).await?);
            }
            let blocked = store::notices::blocked(tx, person, BLOCKED_SERVICES_MAX).await?;
            if blocked.len() >= BLOCKED_SERVICES_MAX as usize && !blocked.contains(&service) {
                return Err(ChatError::TooLarge(format!(
                    "a list holds at most {BLOCKED_SERVICES_MAX} services"
                )));
            }
            store::notices::block(tx, person, &service, now).await?;
            Ok(store::notices::remove_all(tx, &service, person).await?)
        })
        .await
    }

    /// The services whose messages the actor does not want.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn blocked_services(&self, actor: &Actor) -> Result<Vec<String>, ChatError> {
        let person = actor.person;
        self.read(async move |tx: &mut Tx<'_>| {
            Ok(store::notices::blocked(tx, person, BLOCKED_SERVICES_MAX).await?)
        })
        .await
    }
}

fn check_service(name: &str) -> Result<(), ChatError> {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=SERVICE_NAME_MAX).contains(&name.len()) && name.bytes().all(is_letter) {
        return Ok(());
    }
    Err(ChatError::invalid("a service is named like pay or taxi"))
}

fn job_name(service: &str, person: PersonId) -> String {
    format!("{service}/{person}")
}

/// The id of a service's account: made of its name (UUID version 8), so that all nodes know it without asking.
fn account_id(service: &str) -> PersonId {
    let hash = Sha256::digest(format!("haechi service account {service}").as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&hash[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    PersonId::from_uuid(Uuid::from_bytes(bytes))
}

/// The service as who acts; it has signed in nowhere.
fn actor_of(account: PersonId) -> Actor {
    Actor {
        person: account,
        session: SessionId::from_uuid(Uuid::nil()),
        device: "service".to_owned(),
        role: Role::Service,
    }
}
