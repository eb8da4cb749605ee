//! What clients say of their keys (client-server API, "End-to-End Encryption"): checked here, and read no further.

mod backup;
mod cross_signing;
mod device;
mod signed;

pub(crate) use backup::BackedUpKey;
pub(crate) use cross_signing::{CrossSigningKey, CrossSigningKeys, Usage};
pub(crate) use device::{DeviceKeys, UploadedKey, check_device_keys, check_keys};
pub(crate) use signed::{Signature, Signatures, SignedObject, is_signed_by};
