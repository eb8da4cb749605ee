//! Typed ids: a UUIDv7 each (RFC 9562 section 5.7), made by the program and never by the database.

use std::fmt;

use thiserror::Error;
use uuid::Uuid;

use crate::Time;

/// What all typed ids share. Implemented by [`define_id!`](crate::define_id) only.
pub trait Id: Copy + fmt::Display + Sized {
    /// The noun the id stands for, as it is said in an error: `person`, `account`.
    const NOUN: &'static str;

    /// Wraps a UUID that was read back from the store or from a request.
    fn from_uuid(uuid: Uuid) -> Self;

    /// The bare UUID.
    fn uuid(self) -> Uuid;
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

impl IdError {
    #[doc(hidden)]
    pub fn new(text: &str, noun: &'static str) -> Self {
        Self {
            text: text.chars().take(64).collect(),
            noun,
        }
    }
}

/// A UUIDv7 that carries `now`: ids made later sort later, which keeps index pages warm.
#[doc(hidden)]
pub fn new_uuid(now: Time) -> Uuid {
    let micros = u64::try_from(now.micros()).unwrap_or(0);
    let seconds = micros / 1_000_000;
    let nanos = u32::try_from(micros % 1_000_000).unwrap_or(0) * 1_000;
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))
}

/// Defines a typed id: `define_id! { /// A wallet or another account. pub AccountId, "account" }`.
#[macro_export]
macro_rules! define_id {
    ($(#[$meta:meta])* $visibility:vis $name:ident, $noun:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visibility struct $name($crate::uuid::Uuid);

        impl $name {
            /// A new id that sorts after those made before `now`.
            #[must_use]
            pub fn new(now: $crate::Time) -> Self {
                Self($crate::__new_uuid(now))
            }
        }

        impl $crate::Id for $name {
            const NOUN: &'static str = $noun;

            fn from_uuid(uuid: $crate::uuid::Uuid) -> Self {
                Self(uuid)
            }

            fn uuid(self) -> $crate::uuid::Uuid {
                self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::uuid::Uuid::try_parse(text).map(Self).map_err(|_| $crate::IdError::new(text, $noun))
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <::std::borrow::Cow<'de, str> as ::serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(::serde::de::Error::custom)
            }
        }

        impl ::utoipa::PartialSchema for $name {
            fn schema() -> ::utoipa::openapi::RefOr<::utoipa::openapi::schema::Schema> {
                ::utoipa::openapi::ObjectBuilder::new()
                    .schema_type(::utoipa::openapi::schema::Type::String)
                    .format(Some(::utoipa::openapi::SchemaFormat::Custom("uuid".into())))
                    .into()
            }
        }

        impl ::utoipa::ToSchema for $name {}
    };
}

#[doc(hidden)]
pub use new_uuid as __new_uuid;

define_id! {
    /// A person who signed up.
    pub PersonId, "person"
}

define_id! {
    /// One sign-in of one person on one device.
    pub SessionId, "session"
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
