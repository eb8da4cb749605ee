//! One broken rule at one place: where, which rule, what is wrong, and how to mend it.

use std::fmt;

/// A broken rule, told so that the reader can go there and knows what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, from the root of the workspace.
    pub path: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The rule's short name.
    pub rule: &'static str,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

impl Finding {
    /// A finding of `rule` at `path`:`line`.
    pub(super) fn new(
        rule: &'static str,
        path: &str,
        line: usize,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            line,
            rule,
            what: what.into(),
            mend: mend.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            line,
            rule,
            what,
            mend,
        } = self;
        write!(formatter, "{path}:{line}: [{rule}] {what}. {mend}.")
    }
}
