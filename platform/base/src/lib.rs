//! What every other crate is written in: ids, money, time, limits, the acting person, randomness and secrets.
//!
//! Nothing here does I/O. Wall clock and randomness are read in this crate and nowhere else, so that a test can
//! hand in its own time and so that a transaction that runs twice does the same thing twice.

mod actor;
mod id;
pub mod limits;
mod money;
pub mod random;
mod secrets;
mod time;

pub use actor::{Actor, Role};
pub use id::{Id, IdError, Noun, PersonId, PersonNoun, SessionId, SessionNoun};
pub use money::{Currency, Money, MoneyError};
pub use secrets::{MasterKey, SecretError, Secrets};
pub use time::{Clock, ManualClock, SystemClock, Time};

/// The UUIDs under the typed ids.
pub use uuid;
