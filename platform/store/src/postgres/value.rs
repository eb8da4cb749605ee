//! Portable values to and from PostgreSQL's binary form.

use std::borrow::Cow;
use std::error::Error;

use bytes::BytesMut;
use postgres_types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::value::Value;

type BoxedError = Box<dyn Error + Sync + Send>;

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Bool(value) if *ty == Type::BOOL => value.to_sql(ty, out),
            Self::Integer(value) if *ty == Type::INT8 => value.to_sql(ty, out),
            // An expression such as `LIMIT $1 + 1` makes PostgreSQL infer INTEGER.
            Self::Integer(value) if *ty == Type::INT4 => i32::try_from(*value)?.to_sql(ty, out),
            Self::Real(value) if *ty == Type::FLOAT8 => value.to_sql(ty, out),
            Self::Text(value) if <&str as ToSql>::accepts(ty) => value.as_ref().to_sql(ty, out),
            Self::Bytes(value) if *ty == Type::BYTEA => value.as_ref().to_sql(ty, out),
            other => Err(format!("a {} cannot be bound to a parameter of type {ty}", other.kind()).into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        // Told apart by the value in `to_sql`, with a message that names both.
        true
    }

    to_sql_checked!();
}

impl<'r> FromSql<'r> for Value<'static> {
    fn from_sql(ty: &Type, raw: &'r [u8]) -> Result<Self, BoxedError> {
        Ok(match *ty {
            Type::BOOL => Self::Bool(bool::from_sql(ty, raw)?),
            Type::INT8 => Self::Integer(i64::from_sql(ty, raw)?),
            Type::INT4 => Self::Integer(i64::from(i32::from_sql(ty, raw)?)),
            Type::FLOAT8 => Self::Real(f64::from_sql(ty, raw)?),
            Type::BYTEA => Self::Bytes(Cow::Owned(Vec::from_sql(ty, raw)?)),
            _ if <&str as FromSql<'_>>::accepts(ty) => Self::Text(Cow::Owned(String::from_sql(ty, raw)?)),
            _ => {
                return Err(
                    format!("a column of type {ty} is not portable: cast it in the statement").into(),
                );
            }
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, BoxedError> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
