//! Typed ids: a UUIDv7 each (RFC 9562 section 5.7), made by the program and never by the database.

use std::borrow::Cow;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use utoipa::openapi::schema::{Schema, SchemaFormat, Type};
use utoipa::openapi::{ObjectBuilder, RefOr};
use uuid::Uuid;

use crate::Time;

/// What an id names. Implemented by [`define_id!`](crate::define_id) only.
pub trait Noun: Copy + Ord + Hash + fmt::Debug + Send + Sync + 'static {
    /// The noun as it is said in an error: `person`, `account`.
    const NAME: &'static str;
}

/// The id of an `N`. Ids of different nouns do not mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<N: Noun>(Uuid, PhantomData<N>);

impl<N: Noun> Id<N> {
    /// A new id, which sorts after those made before `now`: that keeps index pages warm.
    #[must_use]
    pub fn new(now: Time) -> Self {
        let micros = u64::try_from(now.micros()).unwrap_or(0);
        let nanos = u32::try_from(micros % 1_000_000).unwrap_or(0) * 1_000;
        let moment = uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos);
        Self::from_uuid(Uuid::new_v7(moment))
    }

    /// Wraps a UUID that was read back from the store.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The bare UUID.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

/// A text that is no id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not the id of a {noun}: expected a UUID")]
pub struct IdError {
    /// What was given, cut to 64 characters.
    pub text: String,
    /// What it should have named.
    pub noun: &'static str,
}

impl<N: Noun> fmt::Display for Id<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<N: Noun> FromStr for Id<N> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self::from_uuid).map_err(|_| IdError {
            text: text.chars().take(64).collect(),
            noun: N::NAME,
        })
    }
}

impl<N: Noun> Serialize for Id<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, N: Noun> Deserialize<'de> for Id<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<N: Noun> utoipa::PartialSchema for Id<N> {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::Custom("uuid".into());
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(format))
            .into()
    }
}

impl<N: Noun> utoipa::ToSchema for Id<N> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Id")
    }
}

/// Defines a typed id and its noun: `define_id! { /// A wallet. pub AccountId, AccountNoun, "account" }`.
#[macro_export]
macro_rules! define_id {
    ($(#[$meta:meta])* $visibility:vis $name:ident, $noun:ident, $text:literal) => {
        #[doc = concat!("What an id of a ", $text, " names.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visibility enum $noun {}

        impl $crate::Noun for $noun {
            const NAME: &'static str = $text;
        }

        $(#[$meta])*
        $visibility type $name = $crate::Id<$noun>;
    };
}

define_id! {
    /// A person who signed up.
    pub PersonId, PersonNoun, "person"
}

define_id! {
    /// One sign-in of one person on one device.
    pub SessionId, SessionNoun, "session"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn later_ids_sort_later() {
        let early = PersonId::new(Time::from_micros(1_700_000_000_000_000));
        let late = PersonId::new(Time::from_micros(1_700_000_000_001_000));
        assert!(early < late);
    }

    #[test]
    fn text_form_is_read_back_with_and_without_hyphens() {
        let id = PersonId::new(Time::from_micros(1_700_000_000_000_000));
        assert_eq!(id.to_string().parse::<PersonId>().unwrap(), id);
        assert_eq!(id.uuid().simple().to_string().parse::<PersonId>().unwrap(), id);
        assert_eq!(
            serde_json::from_str::<PersonId>(&serde_json::to_string(&id).unwrap()).unwrap(),
            id
        );
    }

    #[test]
    fn a_foreign_text_is_refused_with_the_noun() {
        let error = "no-uuid".parse::<SessionId>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"no-uuid\" is not the id of a session: expected a UUID"
        );
    }
}
