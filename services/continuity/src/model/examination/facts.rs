//! What an examination is made of.

use std::collections::BTreeMap;

use haechi_base::Time;

/// Everything that was found out. What nobody told is `None` or missing, and is never taken for good.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The present moment.
    pub now: Time,
    /// The sites to be examined.
    pub sites: Vec<ExaminedSite>,
    /// How everything is kept.
    pub keeping: Keeping,
    /// Each kind of data with its tables.
    pub kinds: Vec<Kind>,
    /// The nodes that are known.
    pub nodes: Vec<NodeFacts>,
    /// Where the master key comes from, for who examines.
    pub key: MasterKeyPlace,
    /// The newest backup that was noted.
    pub backup: Option<BackupFacts>,
    /// The newest drill that was filed.
    pub drill: Option<DrillFacts>,
    /// Migrations that the store lacks.
    pub missing_migrations: Vec<String>,
    /// Jobs that are due for long, and those that failed before and wait: kind and last error.
    pub late_jobs: Vec<String>,
    /// The certificates of all addresses that show one.
    pub certificates: Vec<CertificateFacts>,
    /// Addresses beyond this machine that anybody on the way can read and change: without a certificate.
    pub unencrypted: Vec<String>,
    /// What the program needs from outside.
    pub dependencies: Vec<Dependency>,
}

/// A site, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExaminedSite {
    /// Its name.
    pub name: String,
    /// Requests a second that it carries at the most, when somebody measured it.
    pub capacity_per_s: Option<u32>,
    /// Whether it gives its work to the others, on purpose.
    pub is_draining: bool,
}

/// How everything is kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Keeping {
    /// In one file on one machine.
    Embedded {
        /// The file.
        path: String,
        /// The disk that it is on.
        disk: Option<Disk>,
        /// What reading blobs showed: read, damaged, missing.
        chunks: Option<[u64; 3]>,
    },
    /// In PostgreSQL, copied to others or not.
    Replicated {
        /// Each PostgreSQL that the store's URL or Patroni names.
        databases: Vec<Database>,
        /// Who elects the primary; `None` when nothing does.
        etcd: Option<EtcdMembers>,
        /// What Patroni was told, when one of its members was asked.
        patroni: Option<PatroniRules>,
    },
}

/// One PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// The site it stands in.
    pub site: String,
    /// `host:port`.
    pub host: String,
    /// What it told, or why it did not.
    pub told: Result<DatabaseFacts, String>,
}

/// What a PostgreSQL told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// Whether it copies another.
    pub is_standby: bool,
    /// Its version.
    pub version: String,
    /// Where its log ends, in bytes: written by a primary, on the disk of a standby.
    pub log_position: Option<i64>,
    /// Its settings that decide what survives.
    pub settings: BTreeMap<String, String>,
    /// Its tables, each with whether its rows reach the copies.
    pub tables: BTreeMap<String, bool>,
    /// Who copies it, as it sees them.
    pub copies: Vec<Copy>,
    /// What reading blobs showed: read, damaged, missing.
    pub chunks: Option<[u64; 3]>,
    /// The disk its files are on, when a node beside it could look.
    pub disk: Option<Disk>,
}

/// A standby as the primary sees it. Its name is its site's. Who may not know its state (PostgreSQL's role `pg_monitor`)
/// finds it empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copy {
    /// Its site.
    pub site: String,
    /// `streaming`, `catchup`, ...
    pub state: String,
    /// `quorum`, `sync`, `potential` or `async`.
    pub sync_state: String,
    /// How far it is behind, in bytes.
    pub lag_bytes: Option<i64>,
    /// How long it took of late until it had written something, in milliseconds.
    pub lag_ms: Option<i64>,
}

/// The members of etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EtcdMembers {
    /// Nobody could tell.
    Silent(String),
    /// Each voting member: its site, whether it answers, whether it leads.
    Voters(Vec<(String, bool, bool)>),
}

/// What Patroni was told to keep to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PatroniRules {
    /// `quorum`, `on`, `off`.
    pub synchronous_mode: String,
    /// Whether it stops writes rather than going on without a copy.
    pub is_strict: bool,
    /// How many standbys are to confirm.
    pub synchronous_node_count: u64,
}

/// A kind of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// As people call it: `messages`.
    pub name: String,
    /// Its tables.
    pub tables: Vec<KindTable>,
}

/// A table of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindTable {
    /// Its name.
    pub name: String,
    /// Its rows, counted up to a bound; `None` when they could not be counted.
    pub rows: Option<u64>,
}

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeFacts {
    /// Its site.
    pub site: String,
    /// Where other nodes reach it.
    pub url: String,
    /// The version of the program.
    pub version: String,
    /// What it told.
    pub told: NodeTold,
}

/// What a node told.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeTold {
    /// It does not answer.
    Nothing(String),
    /// It has another master key.
    AnotherKey,
    /// It answers, and holds the same master key.
    All {
        /// Requests a second it answers at present.
        requests_per_s: u64,
        /// How far its clock is ahead of ours, in microseconds.
        clock_ahead_us: i64,
        /// How wrong this can be, in microseconds.
        clock_error_us: i64,
        /// Whether it trusts its own clock, by those of the others.
        is_clock_trusted: bool,
        /// Its settings that must be alike everywhere.
        settings: BTreeMap<String, String>,
        /// The disk it runs on.
        disk: Option<Disk>,
    },
}

/// A disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// What is left, in bytes.
    pub free_bytes: u64,
    /// All of it, in bytes.
    pub size_bytes: u64,
}

/// Where the master key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MasterKeyPlace {
    /// The operator gave it.
    Given,
    /// It was made beside the embedded file.
    BesideTheFile(String),
}

/// A backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupFacts {
    /// Its name.
    pub name: String,
    /// The folder or repository that holds it.
    pub place: String,
    /// When it was done.
    pub finished_at: Time,
}

/// A drill.
#[derive(Debug, Clone, PartialEq)]
pub struct DrillFacts {
    /// When it was filed.
    pub held_at: Time,
    /// What was done.
    pub fault: String,
    /// Acknowledged writes that were lost.
    pub lost: u64,
    /// Writes that were there twice.
    pub duplicated: u64,
    /// What the others carried, as a share of what all did.
    pub capacity_left: Option<f64>,
}

/// A certificate that an address shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whose: `https://pangyo.example`, `PostgreSQL of gasan`.
    pub of: String,
    /// Until when it is good; or why that is not known.
    pub expires_at: Result<Time, String>,
}

/// Something outside that the program needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// What for: `one-time codes`.
    pub what: String,
    /// Where it is.
    pub place: Place,
}

/// Where something outside is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Nothing outside is needed, for this reason.
    Inside(String),
    /// At this address, and nobody told in which building that is.
    Address(String),
    /// Nothing at all stands there: for trying the program only.
    Development(String),
}
