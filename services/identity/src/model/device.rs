//! The device of a session, as Matrix names it.

use std::fmt;
use std::str::FromStr;

use haechi_base::random;
use haechi_store::{FromValue, StoreError, ToValue, Value};
use serde::{Deserialize, Serialize};

use super::{IdentityError, person};

const DEVICE_ID_BYTES_MAX: usize = 64;

/// The id of a device, unique for its person (Matrix `device_id`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceId(String);

impl DeviceId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeviceId {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_id = (1..=DEVICE_ID_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_id {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdentityError::MalformedDeviceId)
        }
    }
}

/// What a person reads in the list of their devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceName(String);

impl DeviceName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeviceName {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        person::name(text)
            .map(Self)
            .ok_or(IdentityError::MalformedDeviceName)
    }
}

macro_rules! text {
    ($($type:ident),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl ToValue for $type {
            fn to_value(&self) -> Value<'_> {
                self.0.to_value()
            }
        }

        impl FromValue for $type {
            fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
                String::from_value(value).map(Self)
            }
        }
    )*};
}

text!(DeviceId, DeviceName);

/// The device that signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRequest {
    /// Its id. A session that the person has on this device already is ended by the new one.
    pub id: DeviceId,
    /// Its name.
    pub name: DeviceName,
    /// Whether its client refreshes tokens: then access tokens live for an hour, else for 90 days.
    pub refreshes: bool,
}

impl DeviceRequest {
    /// A device as a client describes it; what it leaves out is made up.
    ///
    /// # Errors
    /// [`IdentityError::MalformedDeviceId`] and [`IdentityError::MalformedDeviceName`].
    pub fn new(id: Option<&str>, name: Option<&str>, refreshes: bool) -> Result<Self, IdentityError> {
        let id = match id {
            Some(id) => id.parse()?,
            None => DeviceId(random::name()),
        };
        let name = match name {
            Some(name) => name.parse()?,
            None => DeviceName("Unnamed device".to_owned()),
        };
        Ok(Self { id, name, refreshes })
    }
}
