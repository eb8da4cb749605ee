//! Filters that clients leave with us.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use haechi_base::PersonId;
use haechi_store::Tx;
use parking_lot::Mutex;
use ruma::api::client::filter::FilterDefinition;
use sha2::{Digest, Sha256};

use super::Chat;
use crate::model::limits::ACCOUNT_DATA_BYTES_MAX;
use crate::model::{ChatError, Content, SyncFilter};
use crate::store;

/// Filters that are kept in memory; a filter never changes under its id.
const KNOWN_MAX: usize = 4_096;

/// The largest definition that is kept there, in bytes.
const KNOWN_BYTES_MAX: usize = 4_096;

/// The filters that syncs named lately.
#[derive(Default)]
pub(super) struct KnownFilters(Mutex<HashMap<(PersonId, String), SyncFilter>>);

impl Chat {
    /// Keeps a filter; the same one has the same id.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`] and [`ChatError::Store`].
    pub(crate) async fn put_filter(
        &self,
        person: PersonId,
        definition: &FilterDefinition,
    ) -> Result<String, ChatError> {
        let definition = Content::of(definition).as_str().to_owned();
        if definition.len() > ACCOUNT_DATA_BYTES_MAX {
            return Err(ChatError::TooLarge("the filter is too large".to_owned()));
        }
        let hash: [u8; 32] = Sha256::digest(definition.as_bytes()).into();
        let filter_id = URL_SAFE_NO_PAD.encode(hash.first_chunk::<12>().copied().unwrap_or_default());
        let kept = filter_id.clone();
        self.write(async move |tx: &mut Tx<'_>| {
            Ok(store::filters::put(tx, person, &kept, &definition).await?)
        })
        .await?;
        Ok(filter_id)
    }

    /// A filter of this person.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] and [`ChatError::Store`].
    pub(crate) async fn filter(
        &self,
        person: PersonId,
        filter_id: String,
    ) -> Result<FilterDefinition, ChatError> {
        let found = self
            .read(async move |tx: &mut Tx<'_>| Ok(store::filters::find(tx, person, &filter_id).await?))
            .await?;
        let text = found.ok_or_else(|| ChatError::not_found("there is no such filter"))?;
        serde_json::from_str(&text).map_err(|error| ChatError::bad_json(error.to_string()))
    }

    /// The filter of a sync, by its id.
    ///
    /// # Errors
    /// As [`Chat::filter`]; a filter that is not there is a bad parameter here.
    pub(crate) async fn sync_filter(
        &self,
        person: PersonId,
        filter_id: String,
    ) -> Result<SyncFilter, ChatError> {
        let key = (person, filter_id.clone());
        if let Some(known) = self.0.filters.0.lock().get(&key) {
            return Ok(known.clone());
        }
        match self.filter(person, filter_id).await {
            Ok(definition) => {
                let is_small = Content::of(&definition).as_str().len() <= KNOWN_BYTES_MAX;
                let filter = SyncFilter::new(definition);
                if is_small {
                    let mut known = self.0.filters.0.lock();
                    if known.len() >= KNOWN_MAX {
                        known.clear();
                    }
                    known.insert(key, filter.clone());
                }
                Ok(filter)
            }
            Err(ChatError::NotFound(reason)) => Err(ChatError::InvalidParameter(reason)),
            Err(error) => Err(error),
        }
    }
}
