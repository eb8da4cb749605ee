//! Uploads and downloads.

use bytes::Bytes;
use haechi_base::{Actor, limits::UPLOAD_BYTES_MAX, random};
use haechi_store::Tx;

use super::Chat;
use crate::model::ChatError;
use crate::model::limits::FILE_NAME_BYTES_MAX;
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

impl Chat {
    /// Keeps an upload; returns its `mxc://` URI.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`], [`ChatError::InvalidParameter`] and [`ChatError::Store`].
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
        let blob = self.store().put_blob(upload.bytes).await?;
        let media = Media {
            media_id: random::token(),
            uploader: actor.person,
            blob,
            content_type,
            file_name,
            size_bytes,
            created_at: self.now(),
        };
        let uri = format!("mxc://{}/{}", self.server_name(), media.media_id);
        self.write(async move |tx: &mut Tx<'_>| Ok(store::media::put(tx, &media).await?))
            .await?;
        Ok(uri)
    }

    /// An upload, by the parts of its `mxc://` URI.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] and [`ChatError::Store`].
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
        let bytes = self.store().get_blob(media.blob).await?.ok_or_else(not_found)?;
        Ok(Download {
            bytes,
            content_type: media.content_type,
            file_name: media.file_name,
        })
    }
}
