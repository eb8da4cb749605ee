//! Names of rooms that people can read: `#neighbours:haechi.example`.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::limits::NAME_BYTES_MAX;
use super::{ChatError, Content};

/// The alias of this local part on this server, or why it cannot be one.
///
/// # Errors
/// [`ChatError::InvalidParameter`].
pub(crate) fn alias_of_name(name: &str, server_name: &str) -> Result<String, ChatError> {
    check_alias(&format!("#{name}:{server_name}"), server_name)
}

/// An alias of this server as it is kept.
///
/// # Errors
/// [`ChatError::InvalidParameter`] for malformed ones and those of other servers.
pub(crate) fn check_alias(text: &str, server_name: &str) -> Result<String, ChatError> {
    let parts = text.strip_prefix('#').and_then(|rest| rest.split_once(':'));
    let Some((local, server)) = parts else {
        return Err(ChatError::invalid("an alias is written #name:server"));
    };
    if server != server_name {
        return Err(ChatError::invalid(format!(
            "aliases of this server end with :{server_name}, and a name holds no colon"
        )));
    }
    let is_plain = |letter: char| !letter.is_whitespace() && !letter.is_control();
    if local.is_empty() || !local.chars().all(is_plain) {
        return Err(ChatError::invalid(
            "the name in an alias is one word of letters that can be seen",
        ));
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(ChatError::invalid(format!(
            "an alias has at most {NAME_BYTES_MAX} bytes"
        )));
    }
    Ok(text.to_owned())
}

/// What a `m.room.canonical_alias` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CanonicalAlias {
    /// The alias by which the room is called.
    pub(crate) alias: Option<String>,
    /// Others that are told.
    pub(crate) others: Vec<String>,
}

impl CanonicalAlias {
    /// Reads the content.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] for another shape and for what is no alias at all.
    pub(crate) fn read(content: &Content) -> Result<Self, ChatError> {
        #[derive(Deserialize)]
        struct Words {
            alias: Option<String>,
            #[serde(default)]
            alt_aliases: Option<Vec<String>>,
        }
        let words: Words = serde_json::from_str(content.as_str())
            .map_err(|error| ChatError::invalid(format!("the aliases are refused: {error}")))?;
        let told = Self {
            alias: words.alias.filter(|alias| !alias.is_empty()),
            others: words.alt_aliases.unwrap_or_default(),
        };
        if let Some(odd) = told.all().find(|alias| ruma::RoomAliasId::parse(*alias).is_err()) {
            return Err(ChatError::invalid(format!("{odd:?} is no alias")));
        }
        Ok(told)
    }

    /// All aliases that are told.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        self.alias.iter().chain(&self.others).map(String::as_str)
    }

    /// The same content without one alias; `None` when it does not tell it.
    pub(crate) fn without(content: &Content, alias: &str) -> Option<Content> {
        if !Self::read(content).ok()?.all().any(|told| told == alias) {
            return None;
        }
        let mut content: Map<String, Value> = content.read()?;
        if content.get("alias").and_then(Value::as_str) == Some(alias) {
            content.remove("alias");
        }
        if let Some(Value::Array(others)) = content.get_mut("alt_aliases") {
            others.retain(|other| other.as_str() != Some(alias));
        }
        Some(Content::of(&content))
    }
}
