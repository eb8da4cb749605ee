//! The drill: four data centres on this machine, real clients, one site struck, every acknowledged write read back.

pub mod load;
pub mod report;
pub mod verify;
pub mod view;
