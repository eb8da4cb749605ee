//! Uploads that are announced first and sent later (client-server API, "Asynchronous uploads").

use haechi_base::{Actor, Time, random};
use haechi_store::Tx;

use super::Chat;
use super::media::{Upload, must_have_left};
use crate::model::ChatError;
use crate::model::limits::{PREVIEW_KEPT, RESERVATION_KEPT, RESERVATIONS_MAX, UPLOADS_WAIT};
use crate::store;
use crate::store::media::Media;
use crate::store::reservations::Reservation;

impl Chat {
    /// Announces an upload: gives out its URI, and until when its bytes are waited for.
    ///
    /// # Errors
    /// [`ChatError::TooOften`] when the person has announced too many, and [`ChatError::Store`].
    pub(crate) async fn reserve_media(&self, actor: &Actor) -> Result<(String, Time), ChatError> {
        let (media_id, now) = (random::token(), self.now());
        let uri = self.media_uri(&media_id);
        let reservation = Reservation {
            uploader: actor.person,
            expires_at: now + RESERVATION_KEPT,
        };
        self.write(async move |tx: &mut Tx<'_>| {
            let before = store::reservations::count(tx, reservation.uploader, now, &media_id).await?;
            if before >= RESERVATIONS_MAX {
                return Err(ChatError::TooOften(UPLOADS_WAIT));
            }
            Ok(store::reservations::put(tx, &media_id, reservation, now).await?)
        })
        .await?;
        Ok((uri, reservation.expires_at))
    }

    /// Keeps the bytes of an upload that the actor announced.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] when it was never announced or has expired, [`ChatError::Forbidden`] when another
    /// announced it, [`ChatError::CannotOverwriteMedia`], and as [`Chat::upload`].
    pub(crate) async fn fill_reservation(
        &self,
        actor: &Actor,
        server_name: &str,
        media_id: String,
        upload: Upload,
    ) -> Result<(), ChatError> {
        if server_name != self.server_name() {
            return Err(nothing_announced());
        }
        let (person, now, id) = (actor.person, self.now(), media_id.clone());
        // Asked before as well, so that nothing is kept of what is refused.
        self.read(async move |tx: &mut Tx<'_>| must_be_awaited(tx, person, &id, None, now).await)
            .await?;
        let media = self.keep_blob(person, media_id, upload).await?;
        self.write(async move |tx: &mut Tx<'_>| {
            must_be_awaited(tx, person, &media.media_id, Some(&media), now).await?;
            must_have_left(tx, person, &media.media_id, media.size_bytes, now).await?;
            store::media::put(tx, &media).await?;
            Ok(store::reservations::remove(tx, &media.media_id).await?)
        })
        .await?;
        self.0.desk.arrivals.notify_waiters();
        Ok(())
    }
}

fn nothing_announced() -> ChatError {
    ChatError::not_found("no upload was announced under this URI, or its time is over")
}

/// Refuses bytes that nobody waits for; the very same that were kept a moment ago, in a transaction whose outcome was
/// lost, are kept.
async fn must_be_awaited(
    tx: &mut Tx<'_>,
    person: haechi_base::PersonId,
    media_id: &str,
    again: Option<&Media>,
    now: Time,
) -> Result<(), ChatError> {
    let of_another = || ChatError::forbidden("another person announced this upload");
    if let Some(there) = store::media::find(tx, media_id).await? {
        if there.uploader != person {
            return Err(of_another());
        }
        let is_same =
            again.is_some_and(|again| there.blob == again.blob && there.created_at == again.created_at);
        return if is_same {
            Ok(())
        } else {
            Err(ChatError::CannotOverwriteMedia)
        };
    }
    match store::reservations::find(tx, media_id).await? {
        Some(reserved) if reserved.uploader != person => Err(of_another()),
        Some(reserved) if now < reserved.expires_at => Ok(()),
        _ => Err(nothing_announced()),
    }
}

/// How many rows of a kind are forgotten at once.
const FORGOTTEN_AT_ONCE: u32 = 1_000;

impl Chat {
    /// Forgets announced uploads that never came and previews that are no longer fresh; returns how many.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn forget_expired(&self) -> Result<u64, ChatError> {
        let now = self.now();
        self.write(async move |tx: &mut Tx<'_>| {
            let reservations = store::reservations::forget(tx, now, FORGOTTEN_AT_ONCE).await?;
            let previews = store::previews::forget(tx, now - PREVIEW_KEPT, FORGOTTEN_AT_ONCE).await?;
            Ok(reservations + previews)
        })
        .await
    }
}
