//! What end-to-end encryption keeps: devices, their keys, messages between them, and backups.

pub(crate) mod backups;
pub(crate) mod changes;
pub(crate) mod cross_signing;
pub(crate) mod devices;
pub(crate) mod inbox;
pub(crate) mod one_time;
