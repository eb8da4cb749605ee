//! Thumbnails: made once, on threads of their own, and kept.

use std::time::Duration;

use bytes::Bytes;
use haechi_store::Tx;

use super::Chat;
use super::desk::Turn;
use super::media::Download;
use crate::model::{ChatError, ThumbnailSize, thumbnail_of};
use crate::store;
use crate::store::media::Media;
use crate::store::thumbnails::Thumbnail;

impl Chat {
    /// A thumbnail of an upload; one that was announced is waited for.
    ///
    /// # Errors
    /// As [`Chat::download`], [`ChatError::NoPicture`] for what cannot be read, and [`ChatError::TooLarge`] for what
    /// would take too much memory to read.
    pub(crate) async fn thumbnail(
        &self,
        server_name: &str,
        media_id: &str,
        size: ThumbnailSize,
        wait: Duration,
    ) -> Result<Download, ChatError> {
        let media = self.find_media(server_name, media_id, wait).await?;
        if let Some(found) = self.find_thumbnail(media_id, size).await? {
            return self.sent(found).await;
        }
        let turn = self.0.desk.pictures.turn().await?;
        // Who had the turn before may have made it.
        if let Some(found) = self.find_thumbnail(media_id, size).await? {
            return self.sent(found).await;
        }
        let made = self.make_thumbnail(turn, &media, size).await?;
        self.sent(made).await
    }

    async fn find_thumbnail(
        &self,
        media_id: &str,
        size: ThumbnailSize,
    ) -> Result<Option<Thumbnail>, ChatError> {
        let (media_id, name) = (media_id.to_owned(), size.name());
        self.read(async move |tx: &mut Tx<'_>| Ok(store::thumbnails::find(tx, &media_id, &name).await?))
            .await
    }

    async fn make_thumbnail(
        &self,
        turn: Turn,
        media: &Media,
        size: ThumbnailSize,
    ) -> Result<Thumbnail, ChatError> {
        let bytes = self.read_blob(media.blob, media.size_bytes).await?;
        // The thread keeps the turn: it goes on though the client has gone.
        let made = tokio::task::spawn_blocking(move || (thumbnail_of(&bytes, size), turn)).await;
        // A decoder that panics has met a file that is no picture.
        let (picture, _turn) = made.map_err(|_| ChatError::NoPicture)?;
        let picture = picture?;
        let size_bytes = i64::try_from(picture.bytes.len()).unwrap_or(i64::MAX);
        let blob = self.store().put_blob(Bytes::from(picture.bytes)).await?;
        let thumbnail = Thumbnail {
            blob,
            content_type: picture.content_type.to_owned(),
            size_bytes,
        };
        let (kept, media_id, name, now) =
            (thumbnail.clone(), media.media_id.clone(), size.name(), self.now());
        self.write(async move |tx: &mut Tx<'_>| {
            Ok(store::thumbnails::put(tx, &media_id, &name, &kept, now).await?)
        })
        .await?;
        Ok(thumbnail)
    }

    async fn sent(&self, thumbnail: Thumbnail) -> Result<Download, ChatError> {
        let ending = if thumbnail.content_type == "image/png" {
            "png"
        } else {
            "jpg"
        };
        Ok(Download {
            bytes: self.read_blob(thumbnail.blob, thumbnail.size_bytes).await?,
            content_type: thumbnail.content_type,
            file_name: Some(format!("thumbnail.{ending}")),
            etag: thumbnail.blob.to_string(),
        })
    }
}
