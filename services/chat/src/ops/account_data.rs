//! What people keep for themselves: in one stream of its own, so that a sync finds what is new.

use std::collections::BTreeMap;
use std::sync::Arc;

use haechi_base::PersonId;
use haechi_store::{StoreError, Tx};
use serde::{Deserialize, Serialize};

use super::Chat;
use super::hub::Hub;
use super::people::{self, PersonalWish};
use crate::model::limits::ACCOUNT_DATA_BYTES_MAX;
use crate::model::{ChatError, Content};
use crate::store;
use crate::store::account_data::Entry;

/// An entry to keep.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AccountData {
    pub(crate) person: PersonId,
    /// The room it is about; empty for none.
    pub(crate) room_id: String,
    pub(crate) kind: String,
    pub(crate) content: Content,
}

/// Keeps entries inside the transaction of another verb.
pub(super) async fn keep(tx: &mut Tx<'_>, entry: AccountData, hub: &Arc<Hub>) -> Result<(), ChatError> {
    let answers = people::run(tx, &[PersonalWish::AccountData(entry)], hub).await?;
    answers.into_iter().collect()
}

/// Keeps entries with their positions.
pub(super) async fn put(tx: &mut Tx<'_>, entries: &[(i64, &AccountData)]) -> Result<(), StoreError> {
    let mut rows = BTreeMap::new();
    for (position, entry) in entries {
        let row = Entry {
            person: entry.person,
            room_id: entry.room_id.clone(),
            kind: entry.kind.clone(),
            content: entry.content.as_str().to_owned(),
            position: *position,
        };
        // Of two for one place in a batch the later one stands.
        rows.insert((entry.person, entry.room_id.as_str(), entry.kind.as_str()), row);
    }
    store::account_data::put(tx, &rows.values().collect::<Vec<_>>()).await
}

impl Chat {
    /// Keeps an entry of account data.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`], [`ChatError::InvalidParameter`] and [`ChatError::Store`].
    pub(crate) async fn put_account_data(&self, entry: AccountData) -> Result<(), ChatError> {
        if entry.content.as_str().len() > ACCOUNT_DATA_BYTES_MAX || entry.kind.len() > 255 {
            return Err(ChatError::TooLarge(format!(
                "account data has at most {ACCOUNT_DATA_BYTES_MAX} bytes, and its type 255"
            )));
        }
        if entry.kind.contains('\0') || entry.room_id.contains('\0') {
            return Err(ChatError::invalid("the type holds a NUL character"));
        }
        self.0.people.submit(PersonalWish::AccountData(entry)).await?
    }

    /// An entry of account data; push rules are there from the start.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] and [`ChatError::Store`].
    pub(crate) async fn account_data(
        &self,
        person: PersonId,
        room_id: String,
        kind: String,
    ) -> Result<String, ChatError> {
        let found = self
            .read(async move |tx: &mut Tx<'_>| {
                Ok(store::account_data::find(tx, person, &room_id, &kind).await?)
            })
            .await?;
        found
            .map(|entry| entry.content)
            .filter(|content| !content.is_empty())
            .ok_or_else(|| ChatError::not_found("there is no account data of this type"))
    }
}
