//! What a drill reports: one JSON object, or a table.

use serde::{Deserialize, Serialize};

/// One round of a drill, by the names of `haechi drill --json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Round {
    /// Counted from 1.
    pub round: u32,
    /// What was done: `burn`, `freeze`, `hang`, `cut`, `disk-full`, `drain`, `burn-all`.
    pub fault: String,
    /// To which site; `all` for all.
    pub site: String,
}
