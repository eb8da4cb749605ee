//! Previews of links: what a page says of itself, fetched with care, and kept for an hour.

mod fetch;

use std::num::NonZeroU32;
use std::sync::OnceLock;

use haechi_base::{Actor, PersonId};
use haechi_http::KeyedLimiter;
use haechi_store::{BlobId, Tx};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Chat;
use super::desk::{PreviewReach, Turns};
use super::media::{Upload, must_have_left};
use crate::model::limits::{
    PREVIEW_KEPT, PREVIEW_URL_BYTES_MAX, PREVIEWS_AT_ONCE_MAX, PREVIEWS_MAX, PREVIEWS_PERIOD,
};
use crate::model::{ChatError, PageFacts, look_at_picture, read_page};
use crate::store;

use fetch::{Fetcher, Wanted};

/// What a node needs to look at pages.
pub(super) struct Previews {
    reach: PreviewReach,
    turns: Turns,
    askers: KeyedLimiter<PersonId>,
    /// Made when it is first needed: it reads the machine's certificates.
    fetcher: OnceLock<Option<Fetcher>>,
}

impl Previews {
    pub(super) fn new(reach: PreviewReach) -> Self {
        let at_once = NonZeroU32::new(PREVIEWS_MAX).unwrap_or(NonZeroU32::MIN);
        Self {
            reach,
            turns: Turns::new(PREVIEWS_AT_ONCE_MAX),
            askers: KeyedLimiter::per_period(at_once, PREVIEWS_PERIOD),
            fetcher: OnceLock::new(),
        }
    }

    fn fetcher(&self) -> Result<&Fetcher, ChatError> {
        let reaches_this_machine = self.reach == PreviewReach::ThisMachine;
        let fetcher = self.fetcher.get_or_init(|| {
            let made = Fetcher::new(reaches_this_machine);
            made.map_err(|error| tracing::error!(%error, "no preview of any link can be made"))
                .ok()
        });
        fetcher.as_ref().ok_or(ChatError::NoPreview)
    }
}

impl Chat {
    /// What the page at an address says of itself, as the JSON of the specification.
    ///
    /// # Errors
    /// [`ChatError::NotOffered`], [`ChatError::InvalidParameter`], [`ChatError::TooOften`], and
    /// [`ChatError::NoPreview`] whatever the reason: nobody learns from it what stands in the operator's network.
    pub(crate) async fn preview(&self, actor: &Actor, url: &str) -> Result<String, ChatError> {
        let previews = &self.0.desk.previews;
        if previews.reach == PreviewReach::Nowhere {
            return Err(ChatError::NotOffered);
        }
        previews
            .askers
            .check(&actor.person)
            .map_err(ChatError::TooOften)?;
        if url.len() > PREVIEW_URL_BYTES_MAX {
            return Err(ChatError::invalid(format!(
                "an address has at most {PREVIEW_URL_BYTES_MAX} bytes"
            )));
        }
        let url = fetch::read_url(url)?;
        let hash: [u8; 32] = Sha256::digest(url.as_str().as_bytes()).into();
        if let Some(found) = self.find_preview(hash).await? {
            return Ok(found);
        }
        let _turn = previews.turns.turn().await?;
        // Who had the turn before may have asked for the same.
        if let Some(found) = self.find_preview(hash).await? {
            return Ok(found);
        }
        let fetcher = previews.fetcher()?;
        let page = fetcher.fetch(url, Wanted::Page).await?;
        let (bytes, content_type) = (page.bytes, page.content_type);
        let facts = tokio::task::spawn_blocking(move || read_page(&bytes, &content_type)).await;
        let facts = facts.map_err(|_| ChatError::NoPreview)?;
        let mut told = told(&facts, page.url.as_str());
        if let Some(image) = facts.image.as_deref().and_then(|image| page.url.join(image).ok()) {
            // A page without its picture is a preview still.
            if let Ok(picture) = self.keep_picture(actor, fetcher, image).await {
                told.extend(picture);
            }
        }
        let preview = Value::Object(told).to_string();
        let (kept, now) = (preview.clone(), self.now());
        self.write(async move |tx: &mut Tx<'_>| Ok(store::previews::put(tx, &hash, &kept, now).await?))
            .await?;
        Ok(preview)
    }

    async fn find_preview(&self, hash: [u8; 32]) -> Result<Option<String>, ChatError> {
        let since = self.now() - PREVIEW_KEPT;
        self.read(async move |tx: &mut Tx<'_>| Ok(store::previews::find(tx, &hash, since).await?))
            .await
    }

    /// Fetches a page's picture and keeps it among our media, as the upload of who asked; the same picture once.
    async fn keep_picture(
        &self,
        actor: &Actor,
        fetcher: &Fetcher,
        url: reqwest::Url,
    ) -> Result<Map<String, Value>, ChatError> {
        let bytes = fetcher.fetch(url, Wanted::Picture).await?.bytes;
        let kind = look_at_picture(&bytes)?;
        let media_id = format!("preview-{}", BlobId::of(&bytes));
        let size_bytes = bytes.len();
        let upload = Upload {
            bytes,
            content_type: Some(kind.content_type.to_owned()),
            file_name: None,
        };
        let uri = self.media_uri(&media_id);
        let media = self.keep_blob(actor.person, media_id, upload).await?;
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
        let told = json!({
            "og:image": uri,
            "og:image:type": kind.content_type,
            "og:image:width": kind.width,
            "og:image:height": kind.height,
            "matrix:image:size": size_bytes,
        });
        match told {
            Value::Object(told) => Ok(told),
            _ => Ok(Map::new()),
        }
    }
}

/// What is told of a page, without its picture.
fn told(facts: &PageFacts, url: &str) -> Map<String, Value> {
    let mut told = Map::new();
    let found = [
        ("og:title", &facts.title),
        ("og:description", &facts.description),
        ("og:site_name", &facts.site_name),
        ("og:type", &facts.kind),
    ];
    for (name, value) in found {
        if let Some(value) = value {
            told.insert(name.to_owned(), value.as_str().into());
        }
    }
    if !told.is_empty() {
        told.insert("og:url".to_owned(), url.into());
    }
    told
}
