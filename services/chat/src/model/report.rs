//! What people tell staff of: a message, a room, a person.

use haechi_base::{PersonId, Time, define_id};

define_id! {
    /// One report.
    pub(crate) ReportId, ReportNoun, "report"
}

/// What a report is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reported {
    /// A message.
    Event {
        /// Its room.
        room_id: String,
        /// The message.
        event_id: String,
    },
    /// A room.
    Room(String),
    /// A person.
    Person(PersonId),
}

/// A report as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) report_id: ReportId,
    pub(crate) reporter: PersonId,
    pub(crate) room_id: Option<String>,
    pub(crate) event_id: Option<String>,
    /// Who said it, or who is reported.
    pub(crate) person: Option<PersonId>,
    /// What the message said when it was reported.
    pub(crate) content: Option<String>,
    pub(crate) reason: String,
    pub(crate) created_at: Time,
    pub(crate) resolved: Option<Resolved>,
}

/// What came of a report.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) at: Time,
    pub(crate) by: PersonId,
    pub(crate) resolution: String,
}
