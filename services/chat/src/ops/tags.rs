//! Tags that people put on their rooms: an entry of account data (`m.tag`), changed by one tag at a time.

use haechi_base::PersonId;
use haechi_store::Tx;
use serde_json::{Map, Value, json};

use super::account_data::keep;
use super::{AccountData, Chat};
use crate::model::limits::{ACCOUNT_DATA_BYTES_MAX, NAME_BYTES_MAX, TAGS_MAX};
use crate::model::{ChatError, Content};
use crate::store;

const KIND: &str = "m.tag";

impl Chat {
    /// The tags on a room, with what was said of each.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn tags(
        &self,
        person: PersonId,
        room_id: String,
    ) -> Result<Map<String, Value>, ChatError> {
        self.read(async move |tx: &mut Tx<'_>| find_tags(tx, person, &room_id).await)
            .await
    }

    /// Puts a tag on a room, or takes it off.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] for a malformed name, [`ChatError::TooLarge`] for too many tags, and
    /// [`ChatError::Store`].
    pub(crate) async fn set_tag(
        &self,
        person: PersonId,
        room_id: String,
        tag: String,
        info: Option<Value>,
    ) -> Result<(), ChatError> {
        if tag.is_empty() || tag.len() > NAME_BYTES_MAX || tag.contains('\0') {
            return Err(ChatError::invalid(format!(
                "the name of a tag has 1 to {NAME_BYTES_MAX} bytes"
            )));
        }
        let hub = self.0.hub.clone();
        self.write(async move |tx: &mut Tx<'_>| {
            let mut tags = find_tags(tx, person, &room_id).await?;
            match &info {
                Some(info) => drop(tags.insert(tag.clone(), info.clone())),
                None if tags.remove(&tag).is_none() => return Ok(()),
                None => {}
            }
            let content = Content::of(&json!({ "tags": tags }));
            if tags.len() > TAGS_MAX || content.as_str().len() > ACCOUNT_DATA_BYTES_MAX {
                return Err(ChatError::TooLarge(format!("a room has at most {TAGS_MAX} tags")));
            }
            let entry = AccountData {
                person,
                room_id: room_id.clone(),
                kind: KIND.to_owned(),
                content,
            };
            keep(tx, entry, &hub).await
        })
        .await
    }
}

async fn find_tags(
    tx: &mut Tx<'_>,
    person: PersonId,
    room_id: &str,
) -> Result<Map<String, Value>, ChatError> {
    let found = store::account_data::find(tx, person, room_id, KIND).await?;
    let content = found.and_then(|entry| serde_json::from_str::<Map<String, Value>>(&entry.content).ok());
    let tags = content.and_then(|mut content| content.remove("tags"));
    Ok(match tags {
        Some(Value::Object(tags)) => tags,
        _ => Map::new(),
    })
}
