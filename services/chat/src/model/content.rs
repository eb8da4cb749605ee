//! An event's content: the client's own JSON text, checked and never rewritten.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::ChatError;
use super::limits::{EVENT_BYTES_MAX, EVENT_ENVELOPE_BYTES, INTEGER_MAX, JSON_DEPTH_MAX};

/// The JSON object of an event, as text: valid, bounded in size and depth, without the numbers that canonical
/// JSON forbids (client-server API, "Event format"; canonical JSON, appendix).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Content(String);

impl Content {
    /// Checks a content that came from a client.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`] and [`ChatError::BadJson`].
    pub(crate) fn check(text: &str) -> Result<Self, ChatError> {
        if text.len() + EVENT_ENVELOPE_BYTES > EVENT_BYTES_MAX {
            return Err(ChatError::TooLarge(format!(
                "an event has at most {EVENT_BYTES_MAX} bytes, and the content alone has {}",
                text.len()
            )));
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let checked = Depth(JSON_DEPTH_MAX)
            .object(&mut reader)
            .and_then(|()| reader.end());
        checked.map_err(|error| ChatError::bad_json(format!("the content is refused: {error}")))?;
        Ok(Self(text.to_owned()))
    }

    /// The text of a value made by this program.
    pub(crate) fn of(value: &impl Serialize) -> Self {
        Self(serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned()))
    }

    /// A content that was checked when it was stored.
    pub(crate) const fn of_stored(text: String) -> Self {
        Self(text)
    }

    /// What stands for an entry of account data that was deleted.
    pub(crate) const fn nothing() -> Self {
        Self(String::new())
    }

    /// The JSON text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads what a rule needs of the content; `None` when it has another shape.
    pub(crate) fn read<'c, T: Deserialize<'c>>(&'c self) -> Option<T> {
        serde_json::from_str(&self.0).ok()
    }
}

/// Walks JSON without keeping any of it. The number is how much deeper it may go.
#[derive(Clone, Copy)]
struct Depth(usize);

impl Depth {
    fn object<'de, D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let left = self.0.checked_sub(1);
        left.map(Self)
            .ok_or_else(|| E::custom(format!("it is nested deeper than {JSON_DEPTH_MAX} levels")))
    }
}

impl<'de> serde::de::DeserializeSeed<'de> for Depth {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<(), E> {
        if number < -INTEGER_MAX {
            return Err(E::custom(format!("the number {number} is too small")));
        }
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        if number > INTEGER_MAX.unsigned_abs() {
            return Err(E::custom(format!("the number {number} is too large")));
        }
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        Err(E::custom(format!("the number {number} is not a whole number")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while list.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while map.next_key::<IgnoredAny>()?.is_some() {
            map.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// Whom a message mentions (client-server API, "User and room mentions").
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Mentions {
    /// The people named.
    #[serde(default)]
    pub(crate) user_ids: Vec<String>,
    /// Whether everybody in the room is meant.
    #[serde(default)]
    pub(crate) room: bool,
}

impl Mentions {
    /// Reads `m.mentions`; anything malformed mentions nobody.
    pub(crate) fn of(content: &Content) -> Self {
        #[derive(Deserialize)]
        struct Mentioning {
            #[serde(rename = "m.mentions", default)]
            mentions: Mentions,
        }
        if !content.as_str().contains("m.mentions") {
            return Self::default();
        }
        content
            .read::<Mentioning>()
            .map(|content| content.mentions)
            .unwrap_or_default()
    }
}
