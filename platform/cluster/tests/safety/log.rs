//! A PostgreSQL log (WAL), as far as it matters here: which record follows which, and on which timeline it was written.

/// What a record does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Effect {
    /// A client's write, with its key.
    Write(u8),
    /// The answer to a repeated key, given by a transaction that writes.
    Repeat(u8),
}

/// A record of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Record {
    /// The timeline of the primary that wrote it.
    pub(crate) timeline: u8,
    /// What it does.
    pub(crate) effect: Effect,
}

/// The records, oldest first. A position is their number: Patroni compares positions, never contents.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Log(pub(crate) Vec<Record>);

impl Log {
    /// The position after the last record.
    pub(crate) fn position(&self) -> usize {
        self.0.len()
    }

    /// How often the write with this key took effect.
    pub(crate) fn effects(&self, key: u8) -> usize {
        self.0
            .iter()
            .filter(|record| record.effect == Effect::Write(key))
            .count()
    }

    /// Whether this log begins with all that the other one has before `position`.
    pub(crate) fn holds(&self, other: &Self, position: usize) -> bool {
        self.position() >= position && self.0[..position] == other.0[..position]
    }

    /// Whether the other log goes on where this one ends.
    pub(crate) fn is_prefix_of(&self, other: &Self) -> bool {
        other.holds(self, self.position())
    }

    /// Cuts off whatever the other log does not have: `pg_rewind`.
    pub(crate) fn rewind_to(&mut self, other: &Self) {
        let common = self
            .0
            .iter()
            .zip(&other.0)
            .take_while(|(ours, theirs)| ours == theirs);
        self.0.truncate(common.count());
    }
}
