//! Uploads and downloads.

use std::sync::Arc;

use bytes::Bytes;
use haechi_base::{Actor, PersonId, Time, limits::UPLOAD_BYTES_MAX, random};
use haechi_store::Tx;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Chat;
use crate::model::ChatError;
use crate::model::limits::{
    FILE_NAME_BYTES_MAX, MEDIA_IN_FLIGHT_BYTES_MAX, MEDIA_UNIT_BYTES, UPLOAD_PERIOD, UPLOADS_BYTES_MAX,
};
use crate::store;
use crate::store::media::Media;

/// What somebody uploads.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) bytes: Bytes,
    pub(crate) content_type: Option<String>,
    pub(crate) file_name: Option<String>,
}

/// What somebody gets back.
#[derive(Debug, Clone)]
pub(crate) struct Download {
    pub(crate) bytes: Bytes,
    pub(crate) content_type: String,
    pub(crate) file_name: Option<String>,
}

/// Room that somebody's media takes on this node.
pub(crate) struct MediaRoom(#[expect(dead_code, reason = "held until dropped")] OwnedSemaphorePermit);

/// Bytes that keep their room until the last of them is sent.
struct Held {
    bytes: Bytes,
    _room: MediaRoom,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The room of a node.
pub(super) fn node_room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MEDIA_IN_FLIGHT_BYTES_MAX / MEDIA_UNIT_BYTES))
}

async fn must_have_left(
    tx: &mut Tx<'_>,
    uploader: PersonId,
    media_id: &str,
    size_bytes: i64,
    now: Time,
) -> Result<(), ChatError> {
    let before = store::media::uploaded(tx, uploader, now - UPLOAD_PERIOD, media_id).await?;
    if before.saturating_add(size_bytes) > UPLOADS_BYTES_MAX {
        return Err(ChatError::UploadsUsedUp);
    }
    Ok(())
}

impl Chat {
    /// Keeps an upload; returns its `mxc://` URI.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`], [`ChatError::InvalidParameter`], [`ChatError::UploadsUsedUp`] and
    /// [`ChatError::Store`].
    pub(crate) async fn upload(&self, actor: &Actor, upload: Upload) -> Result<String, ChatError> {
        if upload.bytes.len() > UPLOAD_BYTES_MAX {
            return Err(ChatError::TooLarge(format!(
                "an upload has at most {UPLOAD_BYTES_MAX} bytes"
            )));
        }
        let content_type = upload
            .content_type
            .unwrap_or_else(|| "application/octet-stream".to_owned());
        let is_plain = |text: &str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if content_type.len() > FILE_NAME_BYTES_MAX || !is_plain(&content_type) {
            return Err(ChatError::invalid("the content type is malformed"));
        }
        let file_name = upload.file_name.filter(|name| !name.is_empty());
        if file_name
            .as_ref()
            .is_some_and(|name| name.len() > FILE_NAME_BYTES_MAX || name.contains('\0'))
        {
            return Err(ChatError::invalid(format!(
                "a file name has at most {FILE_NAME_BYTES_MAX} bytes"
            )));
        }
        let size_bytes = i64::try_from(upload.bytes.len()).unwrap_or(i64::MAX);
        let (media_id, uploader, now) = (random::token(), actor.person, self.now());
        // Asked before as well, so that nothing is kept of what is too much.
        let id = media_id.clone();
        self.read(async move |tx: &mut Tx<'_>| must_have_left(tx, uploader, &id, size_bytes, now).await)
            .await?;
        let blob = self.store().put_blob(upload.bytes).await?;
        let media = Media {
            media_id,
            uploader,
            blob,
            content_type,
            file_name,
            size_bytes,
            created_at: now,
        };
        let uri = format!("mxc://{}/{}", self.server_name(), media.media_id);
        self.write(async move |tx: &mut Tx<'_>| {
            must_have_left(tx, uploader, &media.media_id, size_bytes, now).await?;
            Ok(store::media::put(tx, &media).await?)
        })
        .await?;
        Ok(uri)
    }

    /// Room for so many bytes of media on this node, until it is dropped.
    ///
    /// # Errors
    /// [`ChatError::MediaBusy`].
    pub(crate) fn media_room(&self, bytes: usize) -> Result<MediaRoom, ChatError> {
        let units = u32::try_from(bytes.div_ceil(MEDIA_UNIT_BYTES).max(1)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.0.media).try_acquire_many_owned(units);
        room.map(MediaRoom).map_err(|_| ChatError::MediaBusy)
    }

    /// An upload, by the parts of its `mxc://` URI.
    ///
    /// # Errors
    /// [`ChatError::NotFound`], [`ChatError::MediaBusy`] and [`ChatError::Store`].
    pub(crate) async fn download(&self, server_name: &str, media_id: &str) -> Result<Download, ChatError> {
        let not_found = || ChatError::not_found("there is no such upload on this server");
        if server_name != self.server_name() || media_id.len() > FILE_NAME_BYTES_MAX {
            return Err(not_found());
        }
        let media_id = media_id.to_owned();
        let media = self
            .read(async move |tx: &mut Tx<'_>| Ok(store::media::find(tx, &media_id).await?))
            .await?
            .ok_or_else(not_found)?;
        let room = self.media_room(usize::try_from(media.size_bytes).unwrap_or(usize::MAX))?;
        let bytes = self.store().get_blob(media.blob).await?.ok_or_else(not_found)?;
        Ok(Download {
            bytes: Bytes::from_owner(Held { bytes, _room: room }),
            content_type: media.content_type,
            file_name: media.file_name,
        })
    }
}
