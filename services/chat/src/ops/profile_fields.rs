//! What people say of themselves beside name and picture: their time zone, say (client-server API v1.16, "Profiles").

use haechi_base::PersonId;
use haechi_store::Tx;
use serde_json::{Map, Value};

use super::Chat;
use crate::model::limits::{PROFILE_BYTES_MAX, PROFILE_FIELD_NAME_BYTES_MAX};
use crate::model::{ChatError, Content};
use crate::store;

impl Chat {
    /// The fields of a person, without name and picture.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn profile_fields(&self, person: PersonId) -> Result<Map<String, Value>, ChatError> {
        self.read(async move |tx: &mut Tx<'_>| {
            let found = store::profile_fields::of_person(tx, person).await?;
            let fields = found
                .into_iter()
                .map(|(name, value)| (name, serde_json::from_str(&value).unwrap_or_default()));
            Ok(fields.collect())
        })
        .await
    }

    /// Sets a field, or takes it away.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] for a malformed name or time zone, [`ChatError::BadJson`] for a value that no
    /// event could hold, [`ChatError::TooLarge`], and [`ChatError::Store`].
    pub(crate) async fn set_profile_field(
        &self,
        person: PersonId,
        name: String,
        value: Option<Value>,
    ) -> Result<(), ChatError> {
        refuse_name(&name)?;
        if let Some(value) = &value {
            refuse_value(&name, value)?;
        }
        self.write(async move |tx: &mut Tx<'_>| {
            let Some(value) = &value else {
                return Ok(store::profile_fields::remove(tx, person, &name).await?);
            };
            let value = value.to_string();
            let known = store::profile_fields::of_person(tx, person).await?;
            let others = known.iter().filter(|(other, _)| *other != name);
            let bytes: usize = others.map(|(name, value)| name.len() + value.len() + 4).sum();
            if bytes + name.len() + value.len() > PROFILE_BYTES_MAX {
                return Err(ChatError::ProfileTooLarge);
            }
            Ok(store::profile_fields::put(tx, person, &name, &value).await?)
        })
        .await
    }
}

fn refuse_name(name: &str) -> Result<(), ChatError> {
    if name.len() > PROFILE_FIELD_NAME_BYTES_MAX {
        return Err(ChatError::KeyTooLarge);
    }
    // The grammar of the specification: "Common Namespaced Identifier Grammar".
    let is_plain = name
        .bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'));
    if !is_plain || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Err(ChatError::invalid(
            "the name of a field begins with a small letter, and has small letters, digits, '.', '-' and '_'",
        ));
    }
    Ok(())
}

fn refuse_value(name: &str, value: &Value) -> Result<(), ChatError> {
    let text = value.to_string();
    if text.len() > PROFILE_BYTES_MAX {
        return Err(ChatError::ProfileTooLarge);
    }
    Content::check(&format!("{{\"value\":{text}}}")).map(drop)?;
    if name == "m.tz" {
        let zone = value.as_str().unwrap_or_default();
        let is_zone = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+');
        if zone.is_empty() || zone.len() > 64 || !zone.bytes().all(is_zone) {
            return Err(ChatError::invalid(
                "a time zone has a name of the IANA data base: Asia/Seoul",
            ));
        }
    }
    Ok(())
}
