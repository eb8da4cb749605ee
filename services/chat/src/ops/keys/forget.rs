//! Forgetting: devices whose session ended, keys that were claimed, requests that nobody repeats any more.
//!
//! Sessions end in identity, which gives a hint; one that runs out gives none. Until its keys are forgotten nobody is
//! told them, because who asks is told of devices with a living session alone. What a hint missed is found by whoever
//! asks for the person's keys, and by a slow look at all devices.

use std::sync::Arc;
use std::time::Duration;

use haechi_base::PersonId;
use haechi_service::{JobHandler, JobOutcome};
use haechi_store::Tx;
use tokio::runtime::Handle;

use super::super::Chat;
use super::KeysWish;
use crate::model::ChatError;
use crate::model::limits::{CLAIMED_KEY_KEPT, DEVICE_LOOKED_AT_EVERY, SENT_TO_DEVICE_KEPT};
use crate::store;

const PAUSE: Duration = Duration::from_secs(10 * 60);

/// Rows that one turn of the job forgets or looks at, of each kind.
const ROWS_AT_ONCE_MAX: u32 = 200;

impl Chat {
    /// Hears from identity whose sessions ended on this node.
    pub(in crate::ops) fn listen_for_ended_sessions(&self) {
        let chat = Arc::downgrade(&self.0);
        // The hint may come on a thread of the store's.
        let runtime = Handle::current();
        self.identity().on_sessions_ended(move |person| {
            if let Some(chat) = chat.upgrade() {
                let _entered = runtime.enter();
                Self(chat).forget_ended_soon(person);
            }
        });
    }

    /// Forgets the devices and pushers of a person that have no session any more, beside whatever goes on.
    pub(super) fn forget_ended_soon(&self, person: PersonId) {
        let chat = self.clone();
        tokio::spawn(async move {
            if let Err(error) = chat.forget_ended(person).await {
                tracing::debug!(%error, "the keys of ended sessions are kept a little longer");
            }
            if let Err(error) = chat.forget_ended_pushers(person).await {
                tracing::debug!(%error, "the pushers of ended sessions are kept a little longer");
            }
        });
    }

    /// Forgets the devices of a person that have no session any more, and tells others.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(in crate::ops) async fn forget_ended(&self, person: PersonId) -> Result<(), ChatError> {
        let now = self.now();
        let has_keys = self
            .read(async move |tx: &mut Tx<'_>| {
                let living = super::living_devices(tx, &[person], now).await?;
                let known = store::keys::devices::ids_of(tx, person).await?;
                let living = living.get(&person);
                let is_living = |id: &String| living.is_some_and(|living| living.contains_key(id));
                Ok(!known.iter().all(is_living))
            })
            .await?;
        if !has_keys {
            return Ok(());
        }
        self.submit_keys(person, KeysWish::ForgetEnded { now }).await
    }

    /// The job that forgets what nobody needs any more.
    pub(crate) fn forget_job(&self) -> JobHandler {
        let chat = self.clone();
        JobHandler::recurring("chat.forget-keys", move |_job| {
            let chat = chat.clone();
            async move {
                let count = chat.forget_old().await.map_err(|error| error.to_string())?;
                let now = chat.now();
                let again_at = if count == 0 { now + PAUSE } else { now };
                Ok(JobOutcome::RunAgainAt(again_at))
            }
        })
    }

    /// One turn of the job; returns how much there was to do.
    pub(crate) async fn forget_old(&self) -> Result<u64, ChatError> {
        let now = self.now();
        let (forgotten, mut people) = self
            .write(async move |tx: &mut Tx<'_>| {
                let claimed_before = now - CLAIMED_KEY_KEPT;
                let claimed =
                    store::keys::one_time::forget_claimed(tx, claimed_before, ROWS_AT_ONCE_MAX).await?;
                let sent_before = now - SENT_TO_DEVICE_KEPT;
                let sent = store::keys::inbox::forget_sent(tx, sent_before, ROWS_AT_ONCE_MAX).await?;
                let seen_before = now - DEVICE_LOOKED_AT_EVERY;
                let unseen = store::keys::devices::long_unseen(tx, seen_before, ROWS_AT_ONCE_MAX).await?;
                Ok((claimed + sent, unseen))
            })
            .await?;
        people.sort_unstable();
        people.dedup();
        let looked_at = people.len();
        for person in people {
            self.look_at_devices(person).await?;
        }
        Ok(forgotten + u64::try_from(looked_at).unwrap_or(u64::MAX))
    }

    /// Notes that a person's devices were looked at, after those without a session were forgotten.
    async fn look_at_devices(&self, person: PersonId) -> Result<(), ChatError> {
        self.forget_ended(person).await?;
        let now = self.now();
        self.write(async move |tx: &mut Tx<'_>| Ok(store::keys::devices::look_at(tx, person, now).await?))
            .await
    }
}
