//! Uploads and downloads.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use haechi_base::{Actor, PersonId, Time, limits::UPLOAD_BYTES_MAX, random};
use haechi_store::{BlobId, Tx};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Chat;
use crate::model::limits::{
    ARRIVAL_WAIT_MAX, FILE_NAME_BYTES_MAX, MEDIA_IN_FLIGHT_BYTES_MAX, MEDIA_UNIT_BYTES, UPLOAD_PERIOD,
    UPLOADS_BYTES_MAX,
};
use crate::model::{ChatError, picture_type};
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
    /// Tells these bytes from all others.
    pub(crate) etag: String,
}

/// How often a download looks for an upload that may come by another node.
const ARRIVAL_POLL: Duration = Duration::from_millis(500);

/// What is under a media id.
enum Place {
    Taken(Box<Media>),
    Awaited,
    Nothing,
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

pub(super) async fn must_have_left(
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

impl Upload {
    /// The upload with a content type and a file name that can be kept.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`] and [`ChatError::InvalidParameter`].
    pub(super) fn checked(mut self) -> Result<Self, ChatError> {
        if self.bytes.len() > UPLOAD_BYTES_MAX {
            return Err(ChatError::TooLarge(format!(
                "an upload has at most {UPLOAD_BYTES_MAX} bytes"
            )));
        }
        // Who does not say what it is may still be understood.
        let found = picture_type(&self.bytes).unwrap_or("application/octet-stream");
        let content_type = self.content_type.get_or_insert_with(|| found.to_owned());
        let is_plain = |text: &str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if content_type.len() > FILE_NAME_BYTES_MAX || !is_plain(content_type) {
            return Err(ChatError::invalid("the content type is malformed"));
        }
        self.file_name = self.file_name.filter(|name| !name.is_empty());
        if self
            .file_name
            .as_ref()
            .is_some_and(|name| name.len() > FILE_NAME_BYTES_MAX || name.contains('\0'))
        {
            return Err(ChatError::invalid(format!(
                "a file name has at most {FILE_NAME_BYTES_MAX} bytes"
            )));
        }
        Ok(self)
    }

    fn size_bytes(&self) -> i64 {
        i64::try_from(self.bytes.len()).unwrap_or(i64::MAX)
    }
}

impl Chat {
    /// Keeps an upload; returns its `mxc://` URI.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`], [`ChatError::InvalidParameter`], [`ChatError::UploadsUsedUp`] and
    /// [`ChatError::Store`].
    pub(crate) async fn upload(&self, actor: &Actor, upload: Upload) -> Result<String, ChatError> {
        let media = self.keep_blob(actor.person, random::token(), upload).await?;
        let uri = self.media_uri(&media.media_id);
        self.write(async move |tx: &mut Tx<'_>| {
            must_have_left(
                tx,
                media.uploader,
                &media.media_id,
                media.size_bytes,
                media.created_at,
            )
            .await?;
            Ok(store::media::put(tx, &media).await?)
        })
        .await?;
        Ok(uri)
    }

    /// Keeps the bytes of an upload, which nobody can find before its row is there as well.
    pub(super) async fn keep_blob(
        &self,
        uploader: PersonId,
        media_id: String,
        upload: Upload,
    ) -> Result<Media, ChatError> {
        let upload = upload.checked()?;
        let (size_bytes, now, id) = (upload.size_bytes(), self.now(), media_id.clone());
        // Asked before as well, so that nothing is kept of what is too much.
        self.read(async move |tx: &mut Tx<'_>| must_have_left(tx, uploader, &id, size_bytes, now).await)
            .await?;
        let blob = self.store().put_blob(upload.bytes).await?;
        Ok(Media {
            media_id,
            uploader,
            blob,
            content_type: upload.content_type.unwrap_or_default(),
            file_name: upload.file_name,
            size_bytes,
            created_at: now,
        })
    }

    /// The URI of an upload.
    pub(super) fn media_uri(&self, media_id: &str) -> String {
        format!("mxc://{}/{media_id}", self.server_name())
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

    /// An upload, by the parts of its `mxc://` URI; one that was announced is waited for.
    ///
    /// # Errors
    /// [`ChatError::NotFound`], [`ChatError::NotYetUploaded`], [`ChatError::MediaBusy`] and [`ChatError::Store`].
    pub(crate) async fn download(
        &self,
        server_name: &str,
        media_id: &str,
        wait: Duration,
    ) -> Result<Download, ChatError> {
        let media = self.find_media(server_name, media_id, wait).await?;
        let bytes = self.read_blob(media.blob, media.size_bytes).await?;
        Ok(Download {
            bytes,
            content_type: media.content_type,
            file_name: media.file_name,
            etag: media.blob.to_string(),
        })
    }

    /// What is known of an upload; one that was announced is waited for.
    pub(super) async fn find_media(
        &self,
        server_name: &str,
        media_id: &str,
        wait: Duration,
    ) -> Result<Media, ChatError> {
        let not_found = || ChatError::not_found("there is no such upload on this server");
        if server_name != self.server_name() || media_id.len() > FILE_NAME_BYTES_MAX {
            return Err(not_found());
        }
        let wait_for_it = async {
            loop {
                // Listened for before looking, so that nothing comes in between unheard.
                let arrived = self.0.desk.arrivals.notified();
                match self.place(media_id).await? {
                    Place::Taken(media) => return Ok(*media),
                    Place::Nothing => return Err(not_found()),
                    Place::Awaited => {}
                }
                // By another node it comes unheard: looked for now and then.
                let _ = tokio::time::timeout(ARRIVAL_POLL, arrived).await;
            }
        };
        match self.place(media_id).await? {
            Place::Taken(media) => Ok(*media),
            Place::Nothing => Err(not_found()),
            Place::Awaited => tokio::time::timeout(wait.min(ARRIVAL_WAIT_MAX), wait_for_it)
                .await
                .unwrap_or(Err(ChatError::NotYetUploaded)),
        }
    }

    async fn place(&self, media_id: &str) -> Result<Place, ChatError> {
        let (media_id, now) = (media_id.to_owned(), self.now());
        self.read(async move |tx: &mut Tx<'_>| {
            if let Some(media) = store::media::find(tx, &media_id).await? {
                return Ok(Place::Taken(Box::new(media)));
            }
            let reserved = store::reservations::find(tx, &media_id).await?;
            let is_awaited = reserved.is_some_and(|reserved| now < reserved.expires_at);
            Ok(if is_awaited {
                Place::Awaited
            } else {
                Place::Nothing
            })
        })
        .await
    }

    /// The bytes of a blob, which take their room on this node until the last of them is sent.
    pub(super) async fn read_blob(&self, blob: BlobId, size_bytes: i64) -> Result<Bytes, ChatError> {
        let room = self.media_room(usize::try_from(size_bytes).unwrap_or(usize::MAX))?;
        let bytes = self.store().get_blob(blob).await?;
        let bytes = bytes.ok_or_else(|| ChatError::not_found("there is no such upload on this server"))?;
        Ok(Bytes::from_owner(Held { bytes, _room: room }))
    }
}
