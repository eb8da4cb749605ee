//! The values that both engines know, and the Rust types that become one.

use std::borrow::Cow;

use haechi_base::{Currency, Id, Noun, Role, Time};

use crate::StoreError;

/// A value of one of the five portable column types: BIGINT, DOUBLE PRECISION, BOOLEAN, TEXT, BYTEA; or NULL.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'v> {
    /// NULL of any type.
    Null,
    /// BOOLEAN. SQLite keeps it as 0 or 1.
    Bool(bool),
    /// BIGINT.
    Integer(i64),
    /// DOUBLE PRECISION.
    Real(f64),
    /// TEXT.
    Text(Cow<'v, str>),
    /// BYTEA.
    Bytes(Cow<'v, [u8]>),
}

impl Value<'_> {
    /// What the value is, as it is said in an error.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Bool(_) => "BOOLEAN",
            Self::Integer(_) => "BIGINT",
            Self::Real(_) => "DOUBLE PRECISION",
            Self::Text(_) => "TEXT",
            Self::Bytes(_) => "BYTEA",
        }
    }

    /// The same value, owning what it pointed to.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Integer(value) => Value::Integer(value),
            Self::Real(value) => Value::Real(value),
            Self::Text(value) => Value::Text(Cow::Owned(value.into_owned())),
            Self::Bytes(value) => Value::Bytes(Cow::Owned(value.into_owned())),
        }
    }
}

/// A Rust type that can be bound to a `$n` parameter.
pub trait ToValue {
    /// The value to bind.
    fn to_value(&self) -> Value<'_>;
}

/// A Rust type that can be read from a column.
pub trait FromValue: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// [`StoreError::Type`] when the column holds something else.
    fn from_value(value: &Value<'static>) -> Result<Self, StoreError>;
}

fn mismatch<T>(expected: &'static str, found: &Value<'_>) -> Result<T, StoreError> {
    Err(StoreError::Type {
        expected: expected.to_owned(),
        found: found.kind().to_owned(),
    })
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value<'_> {
        (**self).to_value()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
        if matches!(value, Value::Null) {
            Ok(None)
        } else {
            T::from_value(value).map(Some)
        }
    }
}

impl ToValue for Value<'_> {
    fn to_value(&self) -> Value<'_> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(value) => Value::Bool(*value),
            Value::Integer(value) => Value::Integer(*value),
            Value::Real(value) => Value::Real(*value),
            Value::Text(value) => Value::Text(Cow::Borrowed(value)),
            Value::Bytes(value) => Value::Bytes(Cow::Borrowed(value)),
        }
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Value<'_> {
        Value::Bool(*self)
    }
}

impl FromValue for bool {
    fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
        match value {
            Value::Bool(value) => Ok(*value),
            Value::Integer(0) => Ok(false),
            Value::Integer(1) => Ok(true),
            other => mismatch("BOOLEAN", other),
        }
    }
}

macro_rules! integer {
    ($($type:ty),*) => {$(
        impl FromValue for $type {
            fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
                match value {
                    Value::Integer(value) => {
                        Self::try_from(*value).or_else(|_| mismatch(stringify!($type), &Value::Integer(*value)))
                    }
                    other => mismatch("BIGINT", other),
                }
            }
        }
    )*};
}

integer!(i64, u64, u32);

impl ToValue for i64 {
    fn to_value(&self) -> Value<'_> {
        Value::Integer(*self)
    }
}

impl ToValue for u32 {
    fn to_value(&self) -> Value<'_> {
        Value::Integer(i64::from(*self))
    }
}

impl ToValue for f64 {
    fn to_value(&self) -> Value<'_> {
        Value::Real(*self)
    }
}

impl FromValue for f64 {
    fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
        match value {
            Value::Real(value) => Ok(*value),
            other => mismatch("DOUBLE PRECISION", other),
        }
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value<'_> {
        Value::Text(Cow::Borrowed(self))
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value<'_> {
        Value::Text(Cow::Borrowed(self))
    }
}

impl FromValue for String {
    fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
        match value {
            Value::Text(value) => Ok(value.clone().into_owned()),
            other => mismatch("TEXT", other),
        }
    }
}

impl ToValue for [u8] {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(Cow::Borrowed(self))
    }
}

impl ToValue for Vec<u8> {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(Cow::Borrowed(self))
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
        match value {
            Value::Bytes(value) => Ok(value.clone().into_owned()),
            other => mismatch("BYTEA", other),
        }
    }
}

impl<const LENGTH: usize> ToValue for [u8; LENGTH] {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(Cow::Borrowed(self))
    }
}

impl<const LENGTH: usize> FromValue for [u8; LENGTH] {
    fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
        match value {
            Value::Bytes(bytes) => bytes
                .as_ref()
                .try_into()
                .or_else(|_| mismatch("BYTEA of another length", value)),
            other => mismatch("BYTEA", other),
        }
    }
}

impl ToValue for Time {
    fn to_value(&self) -> Value<'_> {
        Value::Integer(self.micros())
    }
}

impl FromValue for Time {
    fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
        i64::from_value(value).map(Self::from_micros)
    }
}

/// Ids are BYTEA of 16 bytes: a third of the text form, in every index.
impl<N: Noun> ToValue for Id<N> {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(Cow::Owned(self.uuid().as_bytes().to_vec()))
    }
}

impl<N: Noun> FromValue for Id<N> {
    fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
        let bytes = <[u8; 16]>::from_value(value)?;
        Ok(Self::from_uuid(haechi_base::uuid::Uuid::from_bytes(bytes)))
    }
}

/// Types whose stored form is a word that they can print and parse.
macro_rules! word {
    ($($type:ty => $word:ident),*) => {$(
        impl ToValue for $type {
            fn to_value(&self) -> Value<'_> {
                Value::Text(Cow::Borrowed(self.$word()))
            }
        }

        impl FromValue for $type {
            fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
                match value {
                    Value::Text(text) => text.parse().or_else(|_| mismatch(stringify!($type), value)),
                    other => mismatch("TEXT", other),
                }
            }
        }
    )*};
}

word!(Currency => code, Role => as_str);
