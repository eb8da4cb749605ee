//! What staff does to rooms: closing one for good, and taking away what was said.

use haechi_base::{Actor, PersonId};
use haechi_store::Tx;
use serde_json::Map;

use super::Chat;
use super::reports::authorise_staff;
use super::stream::Wish;
use crate::model::limits::REPORT_TEXT_BYTES_MAX;
use crate::model::{ChatError, Content, Draft, Membership, membership, new_event_id};
use crate::store;

/// People who are put out of a closed room at once.
const PUT_OUT_MAX: u32 = 200;

impl Chat {
    /// Closes a room for good: nobody speaks in it or comes into it any more, it has no alias and no place in the
    /// directory, and everybody leaves. Done again it goes on where it was cut off. Returns how many left. For
    /// administrators.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`], [`ChatError::NotFound`] and [`ChatError::Store`].
    pub(crate) async fn close_room(
        &self,
        actor: &Actor,
        room_id: String,
        reason: Option<String>,
    ) -> Result<u64, ChatError> {
        authorise_staff(actor)?;
        let reason = checked(reason)?.unwrap_or_else(|| "This room was closed.".to_owned());
        let (room, now) = (room_id.clone(), self.now());
        let is_room = self
            .write(async move |tx: &mut Tx<'_>| {
                store::aliases::remove_of_room(tx, &room).await?;
                store::listing::unlist(tx, &room).await?;
                Ok(store::rooms::shut(tx, &room, now).await?)
            })
            .await?;
        if !is_room {
            return Err(ChatError::not_found("there is no such room"));
        }
        let mut count = 0;
        loop {
            let people = self.people_of(room_id.clone()).await?;
            let mut gone = 0;
            for outcome in self.put_out(&room_id, people, &reason).await {
                match outcome {
                    Ok(_) => gone += 1,
                    // They went by themselves in between.
                    Err(ChatError::Forbidden(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            if gone == 0 {
                return Ok(count);
            }
            count += gone;
        }
    }

    /// Some of those who stand to a room in a way that they can leave.
    async fn people_of(&self, room_id: String) -> Result<Vec<PersonId>, ChatError> {
        self.read(async move |tx: &mut Tx<'_>| {
            let mut people = Vec::new();
            for standing in [Membership::Join, Membership::Invite, Membership::Knock] {
                people.extend(store::memberships::of_room(tx, &room_id, standing, PUT_OUT_MAX).await?);
            }
            Ok(people)
        })
        .await
    }

    /// Lets people leave in their own name, which the rules allow in every room.
    async fn put_out(
        &self,
        room_id: &str,
        people: Vec<PersonId>,
        reason: &str,
    ) -> Vec<Result<String, ChatError>> {
        let mut told = Map::new();
        told.insert("reason".to_owned(), reason.into());
        let content = Content::of(&membership("leave", &told, false));
        let leaves = people.into_iter().map(|person| {
            let state_key = self.user_id(person);
            let draft = Draft::state(
                new_event_id(),
                person,
                "m.room.member",
                &state_key,
                content.clone(),
            );
            self.put_events(person, room_id.to_owned(), vec![draft])
        });
        futures_util::future::join_all(leaves).await
    }

    /// Takes away what an event says, in a room the actor need not be in; returns the id of the event that says so. For
    /// administrators.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`], [`ChatError::NotFound`] and [`ChatError::Store`].
    pub(crate) async fn remove_event(
        &self,
        actor: &Actor,
        room_id: String,
        event_id: String,
        reason: Option<String>,
    ) -> Result<String, ChatError> {
        authorise_staff(actor)?;
        let mut content = Map::new();
        content.insert("redacts".to_owned(), event_id.clone().into());
        if let Some(reason) = checked(reason)? {
            content.insert("reason".to_owned(), reason.into());
        }
        let draft = Draft {
            event_id: new_event_id(),
            sender: actor.person,
            kind: "m.room.redaction".to_owned(),
            state_key: None,
            content: Content::check(Content::of(&content).as_str())?,
            redacts: Some(event_id),
            sent_as: None,
        };
        let answer = self.submit(actor.person, room_id, Wish::Staff(vec![draft])).await;
        match answer {
            Ok(event_id) => Ok(event_id.unwrap_or_default()),
            Err(ChatError::Forbidden(_)) => Err(ChatError::not_found("there is no such room")),
            Err(error) => Err(error),
        }
    }
}

fn checked(reason: Option<String>) -> Result<Option<String>, ChatError> {
    if reason
        .as_ref()
        .is_some_and(|reason| reason.len() > REPORT_TEXT_BYTES_MAX)
    {
        return Err(ChatError::TooLarge(format!(
            "a reason has at most {REPORT_TEXT_BYTES_MAX} bytes"
        )));
    }
    Ok(reason.filter(|reason| !reason.is_empty()))
}
