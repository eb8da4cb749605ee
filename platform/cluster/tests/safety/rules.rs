//! The rules that keep acknowledged writes, each to be switched off, and how far the checker looks.

/// What a node asks etcd after COMMIT and before it tells the client (rule 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// Nothing: whoever accepts writes is believed.
    None,
    /// Whether the leader key still names the member that was written to.
    Name,
    /// Whether it does so under the lease and the create revision of the term in which the transaction began.
    Term,
}

/// When the detector leaves a silent leader to the ordinary lease (rule 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quiet {
    /// Never.
    Never,
    /// For 60 s after a revocation.
    AfterRevocation,
    /// While the leader's term is younger than 60 s, however the term before it ended.
    WhileTermIsYoung,
}

/// What taking the leader key demands in the same etcd transaction (rule 6). Patroni as it is demands nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// That the key is free.
    None,
    /// And that nobody held it since the taker looked.
    Epoch,
    /// And that a taker whose PostgreSQL already runs as a primary was the last who held it.
    EpochAndHolder,
}

/// The rules, each with its number in docs/decisions/0006-never-a-lost-write.md.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// 0: a write's key is recorded in the transaction of the write.
    pub(crate) are_keys_recorded: bool,
    /// 1: the answer to a repeated key comes from a transaction that writes.
    pub(crate) do_repeats_write: bool,
    /// 2: the leader is confirmed after COMMIT.
    pub(crate) confirmation: Confirmation,
    /// 3: the lease of exactly the accused session is revoked, instead of deleting the key.
    pub(crate) is_revocation_exact: bool,
    /// 4: the detector is quiet.
    pub(crate) quiet: Quiet,
    /// 5: a commit whose wait for the standbys was cancelled is not acknowledged.
    pub(crate) is_warning_heeded: bool,
    /// 6: the guard on the leader key.
    pub(crate) guard: Guard,
    /// 7: a term acknowledges nothing before it is settled.
    pub(crate) settled: Settled,
    /// 8: who is behind the known timeline is no candidate (Patroni's `check_timeline`).
    pub(crate) are_timelines_compared: bool,
}

impl Rules {
    /// All rules that hold with Patroni as it is.
    pub(crate) fn without_guard() -> Self {
        Self {
            are_keys_recorded: true,
            do_repeats_write: true,
            confirmation: Confirmation::Term,
            is_revocation_exact: true,
            quiet: Quiet::WhileTermIsYoung,
            is_warning_heeded: true,
            guard: Guard::None,
            settled: Settled::InHistoryAndSync,
            are_timelines_compared: true,
        }
    }

    /// All rules, and Patroni with the guard.
    pub(crate) fn with_guard() -> Self {
        Self {
            guard: Guard::EpochAndHolder,
            ..Self::without_guard()
        }
    }
}

/// What makes a term settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Nothing: it may acknowledge at once.
    AtOnce,
    /// Patroni has written its timeline into `/history`.
    InHistory,
    /// And its leader into `/sync`.
    InHistoryAndSync,
}

/// How long a Patroni may act on what it saw before it stalled, hung or froze.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// Less than the shortest time after which a lease runs out or a quiet detector speaks: 20 s.
    ShorterThanALease,
    /// As long as it likes.
    AsLongAsItLikes,
}

/// How far the checker looks. Everything within is tried in every order.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// Data centres.
    pub(crate) sites: u8,
    /// Standbys that must confirm a commit: `synchronous_node_count`.
    pub(crate) confirming_standbys: u8,
    /// Clients, each with one write and its key.
    pub(crate) writes: u8,
    /// Records in one log.
    pub(crate) log_records: usize,
    /// Times that the leader key is taken, the first one included.
    pub(crate) terms: u8,
    /// Sites that burn.
    pub(crate) burns: u8,
    /// Freezes, cuts and hangs together.
    pub(crate) faults: u8,
    /// Crashes of a primary's PostgreSQL alone.
    pub(crate) crashes: u8,
    /// Revocations by the detector, with or without a cause.
    pub(crate) revocations: u8,
    /// Waits for the standbys that are cancelled.
    pub(crate) cancelled_waits: u8,
    /// How long a Patroni sleeps.
    pub(crate) sleep: Sleep,
}
