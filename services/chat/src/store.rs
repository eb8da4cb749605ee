//! All SQL of chat. Nothing else touches its tables.

pub(crate) mod account_data;
pub(crate) mod aliases;
pub(crate) mod delayed;
pub(crate) mod events;
pub(crate) mod filters;
pub(crate) mod findable;
pub(crate) mod friends;
pub(crate) mod imports;
pub(crate) mod keys;
pub(crate) mod listing;
pub(crate) mod media;
pub(crate) mod memberships;
pub(crate) mod notices;
pub(crate) mod previews;
pub(crate) mod profile_fields;
pub(crate) mod pushers;
pub(crate) mod pushes;
pub(crate) mod receipts;
pub(crate) mod relations;
pub(crate) mod reports;
pub(crate) mod reservations;
pub(crate) mod rooms;
pub(crate) mod search;
pub(crate) mod state;
pub(crate) mod streams;
pub(crate) mod thumbnails;
