//! Events that are sent later (MSC4140): kept with a job of the store, which any node does when it is time.

use std::time::Duration;

use haechi_base::{Actor, PersonId, Time, random};
use haechi_service::{JobHandler, JobOutcome};
use haechi_store::Tx;
use haechi_store::job::enqueue;

use super::Chat;
use crate::model::limits::{DELAY_MAX, DELAYED_MAX};
use crate::model::{ChatError, Content, Draft, event_id_of_transaction, new_event_id};
use crate::store;
pub(crate) use crate::store::delayed::Delayed;

/// The job that sends one.
const KIND: &str = "chat.delayed";

/// What is to become of an event that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DelayedAction {
    /// Its time begins again.
    Restart,
    /// It is sent at once.
    Send,
    /// It is not sent.
    Cancel,
}

impl Delayed {
    fn due_at(&self) -> Time {
        self.started_at + Duration::from_millis(u64::try_from(self.delay_ms).unwrap_or(0))
    }
}

impl Chat {
    /// Has a message sent later; the same transaction id keeps it once. Returns the id to change that by.
    ///
    /// # Errors
    /// [`ChatError`]; then nothing was kept.
    pub(crate) async fn delay_message(
        &self,
        actor: &Actor,
        room_id: String,
        kind: String,
        transaction_id: &str,
        content: Content,
        delay_ms: u64,
    ) -> Result<String, ChatError> {
        if kind == "m.room.redaction" {
            return Err(ChatError::invalid("a redaction is not sent later"));
        }
        let event_id = event_id_of_transaction(actor.person, &actor.device, &room_id, &kind, transaction_id);
        let draft = Draft {
            event_id,
            sender: actor.person,
            kind,
            state_key: None,
            content,
            redacts: None,
            sent_as: Some(format!("{} {transaction_id}", actor.device)),
        };
        self.delay(room_id, draft, delay_ms).await
    }

    /// Has a part of a room's state set later.
    ///
    /// # Errors
    /// As [`Chat::delay_message`].
    pub(crate) async fn delay_state(
        &self,
        actor: &Actor,
        room_id: String,
        kind: &str,
        state_key: &str,
        content: Content,
        delay_ms: u64,
    ) -> Result<String, ChatError> {
        let draft = Draft::state(new_event_id(), actor.person, kind, state_key, content);
        self.delay(room_id, draft, delay_ms).await
    }

    async fn delay(&self, room_id: String, draft: Draft, delay_ms: u64) -> Result<String, ChatError> {
        draft.check_names()?;
        if Duration::from_millis(delay_ms) > DELAY_MAX {
            return Err(ChatError::DelayTooLong);
        }
        self.refuse_outsider(room_id.clone(), draft.sender).await?;
        let delayed = Delayed {
            delay_id: random::token(),
            room_id,
            draft,
            delay_ms: i64::try_from(delay_ms).unwrap_or(i64::MAX),
            started_at: self.now(),
        };
        self.write(async move |tx: &mut Tx<'_>| {
            let event_id = &delayed.draft.event_id;
            let delay_id = store::delayed::put(tx, &delayed).await?;
            if store::delayed::count(tx, delayed.draft.sender).await? > DELAYED_MAX {
                return Err(ChatError::TooManyDelayed);
            }
            enqueue(tx, KIND, event_id, "null", delayed.due_at()).await?;
            Ok(delay_id)
        })
        .await
    }

    /// The actor's events that wait.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn delayed(&self, person: PersonId) -> Result<Vec<Delayed>, ChatError> {
        self.read(async move |tx: &mut Tx<'_>| Ok(store::delayed::of_person(tx, person, DELAYED_MAX).await?))
            .await
    }

    /// Changes what becomes of an event that waits. Whoever knows its id may: it is a secret.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] when none of this id waits, what sending it comes to, and [`ChatError::Store`].
    pub(crate) async fn change_delayed(
        &self,
        delay_id: String,
        action: DelayedAction,
    ) -> Result<(), ChatError> {
        let now = self.now();
        let found = self
            .write(async move |tx: &mut Tx<'_>| {
                let found = store::delayed::by_delay(tx, &delay_id)
                    .await?
                    .ok_or_else(|| ChatError::not_found("no event of this id waits to be sent"))?;
                match action {
                    DelayedAction::Restart => store::delayed::restart(tx, &delay_id, now).await?,
                    DelayedAction::Cancel => store::delayed::remove(tx, &found.draft.event_id).await?,
                    DelayedAction::Send => {}
                }
                Ok(found)
            })
            .await?;
        if action == DelayedAction::Send {
            self.send_delayed(found).await?;
        }
        Ok(())
    }

    /// Sends an event that waited. Its id was chosen when it was handed in, so that it is sent once.
    async fn send_delayed(&self, delayed: Delayed) -> Result<(), ChatError> {
        let event_id = delayed.draft.event_id.clone();
        let sent = self
            .put_events(delayed.draft.sender, delayed.room_id, vec![delayed.draft])
            .await;
        if let Err(ChatError::Store(error)) = sent {
            return Err(ChatError::Store(error));
        }
        self.write(async move |tx: &mut Tx<'_>| Ok(store::delayed::remove(tx, &event_id).await?))
            .await?;
        sent.map(drop)
    }

    /// Sends one whose time may have come; says when to look again, if it has not.
    async fn send_when_due(&self, event_id: String) -> Result<JobOutcome, ChatError> {
        let wanted = event_id.clone();
        let found = self
            .read(async move |tx: &mut Tx<'_>| Ok(store::delayed::by_event(tx, &wanted).await?))
            .await?;
        let Some(delayed) = found else {
            return Ok(JobOutcome::Done);
        };
        if delayed.due_at() > self.now() {
            return Ok(JobOutcome::RunAgainAt(delayed.due_at()));
        }
        match self.send_delayed(delayed).await {
            Err(ChatError::Store(error)) => Err(error.into()),
            Err(error) => {
                // They have left, or lost the power to: nobody is there to be told.
                tracing::info!(event_id, %error, "an event that waited was refused");
                Ok(JobOutcome::Done)
            }
            Ok(()) => Ok(JobOutcome::Done),
        }
    }
}

/// The job that sends what waited.
pub(crate) fn job(chat: &Chat) -> JobHandler {
    let chat = chat.clone();
    JobHandler::new(KIND, move |job| {
        let chat = chat.clone();
        async move {
            chat.send_when_due(job.name)
                .await
                .map_err(|error| error.to_string())
        }
    })
}
