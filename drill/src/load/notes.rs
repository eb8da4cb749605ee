//! What the clients note: everything they sent, and what they were promised.

use super::options::Phase;
use super::roamer::{Acknowledged, Outcome};
use super::shared::{Service, Shared, Troubles};

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The client's own number of it. The text, memo or bytes that were sent tell it.
    pub number: u32,
    /// When it was first sent, in microseconds since the load began.
    pub first_sent_us: u64,
    /// When it was acknowledged; none when it never was.
    pub acknowledged_us: Option<u64>,
    /// The id it was acknowledged with: of the event, the transfer, the upload. Empty when it was not.
    pub id: Box<str>,
    /// The site that acknowledged it, by its place among the addresses.
    pub site: usize,
    /// Whether the acknowledgement was of a write. A sign-in that is refreshed while no primary can be reached is given
    /// another access token under the same refresh token: nothing is written then.
    pub is_written: bool,
    /// When it was acknowledged, refused for good or given up, in microseconds since the load began. What was under way
    /// when the load ended is still tried for a while, so this may be later than [`Record::ended_us`].
    pub ended_us: u64,
}

impl Sent {
    /// Whether it is an acknowledged write.
    #[must_use]
    pub const fn is_acknowledged_write(&self) -> bool {
        self.acknowledged_us.is_some() && self.is_written
    }

    /// Notes how a write ended. `id` finds the id in the answer.
    pub(crate) fn note(
        shared: &Shared,
        number: u32,
        first_sent_us: u64,
        outcome: Outcome,
        id: impl FnOnce(&Acknowledged) -> Option<String>,
    ) -> Self {
        let unacknowledged = Self {
            number,
            first_sent_us,
            acknowledged_us: None,
            id: Box::default(),
            site: 0,
            is_written: true,
            ended_us: shared.now_us(),
        };
        match outcome {
            Outcome::Acknowledged(acknowledged) => {
                let Some(id) = id(&acknowledged) else {
                    shared.note_refused(|| "an acknowledgement names no id".to_owned());
                    return unacknowledged;
                };
                shared.note_acknowledged(acknowledged.at_us);
                Self {
                    acknowledged_us: Some(acknowledged.at_us),
                    id: id.into(),
                    site: acknowledged.site,
                    ended_us: acknowledged.at_us,
                    ..unacknowledged
                }
            }
            Outcome::Refused(answer) => {
                let words = || {
                    let said = String::from_utf8_lossy(&answer.body);
                    let said: String = said.chars().take(300).collect();
                    format!("{}: {said}", answer.status)
                };
                if answer.status == http::StatusCode::UNAUTHORIZED {
                    shared.note_signin_failure(words);
                } else {
                    shared.note_refused(words);
                }
                unacknowledged
            }
            Outcome::GaveUp => unacknowledged,
        }
    }
}

/// One read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// When it was first asked, in microseconds since the load began.
    pub asked_us: u64,
    /// How long until the first good answer of any site, or until it was given up.
    pub took_us: u64,
    /// No site answered in time.
    pub is_failed: bool,
}

/// Somebody who writes into a room.
#[derive(Debug, Clone)]
pub struct ChatNotes {
    /// Their access token.
    pub token: String,
    /// Where they write.
    pub room_id: String,
    /// Tells this client's messages from others: each body is `drill {client} {number}`.
    pub client: usize,
    /// What they sent.
    pub sent: Vec<Sent>,
}

/// The text of a message or memo, by which it is found again.
#[must_use]
pub fn text(client: usize, number: u32) -> String {
    format!("drill {client} {number}")
}

/// Somebody who reads a room by syncing.
#[derive(Debug, Clone, Default)]
pub struct ReceiverNotes {
    /// The room.
    pub room_id: String,
    /// Each message seen in the timeline with its time, in the order of arrival.
    pub seen: Vec<(Box<str>, u64)>,
    /// Acknowledged messages that were not seen in time.
    pub missed: u64,
    /// Messages seen again, each time.
    pub seen_again: Vec<Box<str>>,
}

/// Somebody who pays.
#[derive(Debug, Clone)]
pub struct PayNotes {
    /// Their access token.
    pub token: String,
    /// Their user id.
    pub user_id: String,
    /// Whom they pay.
    pub to: String,
    /// Tells this client's transfers from others: each memo is `drill {client} {number}`.
    pub client: usize,
    /// What they sent; the amount is [`amount`] of its number.
    pub sent: Vec<Sent>,
}

/// How much a transfer moves, in won.
#[must_use]
pub fn amount(number: u32) -> i64 {
    i64::from(number % 9) + 1
}

/// Somebody who refreshes their sign-in.
#[derive(Debug, Clone)]
pub struct RefreshNotes {
    /// The newest refresh token they were given.
    pub refresh_token: String,
    /// The newest access token.
    pub token: String,
    /// Their refreshes; the id is the session's.
    pub sent: Vec<Sent>,
    /// Whether the session was ended under way, which is a failure.
    pub has_failed: bool,
}

/// Somebody who uploads.
#[derive(Debug, Clone)]
pub struct MediaNotes {
    /// Their access token.
    pub token: String,
    /// What they uploaded; the id is the `mxc://` address.
    pub sent: Vec<Sent>,
    /// SHA-256 of the bytes, by the upload's number.
    pub hashes: Vec<[u8; 32]>,
    /// Their downloads.
    pub reads: Vec<Read>,
}

/// Everything the clients noted.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// The sites' names, by which [`Sent::site`] is told.
    pub sites: Vec<String>,
    /// When each phase began, in microseconds since the load began.
    pub marks: Vec<(Phase, u64)>,
    /// When the load was told to end.
    pub ended_us: u64,
    /// The administrator's access token.
    pub administrator: String,
    /// Who wrote.
    pub chat: Vec<ChatNotes>,
    /// Who received.
    pub receivers: Vec<ReceiverNotes>,
    /// Who paid.
    pub pay: Vec<PayNotes>,
    /// Who refreshed.
    pub refresh: Vec<RefreshNotes>,
    /// Who uploaded.
    pub media: Vec<MediaNotes>,
    /// The readers' reads.
    pub reads: Vec<Read>,
    /// Answers that said "not now" (5xx, 408, 425, 429) to a write.
    pub unavailable: u64,
    /// Writes sent again after no answer came to them.
    pub unknown_retried: u64,
    /// How often a client changed over to another site.
    pub change_overs: u64,
    /// Writes that were refused for good, which a correct write never is.
    pub refused: Troubles,
    /// Sign-ins that did not survive: a refresh or an access token was refused.
    pub signin_failures: Troubles,
}

impl Record {
    /// The writes of a service.
    pub fn writes(&self, service: Service) -> Box<dyn Iterator<Item = &Sent> + '_> {
        match service {
            Service::Chat => Box::new(self.chat.iter().flat_map(|notes| &notes.sent)),
            Service::Pay => Box::new(self.pay.iter().flat_map(|notes| &notes.sent)),
            Service::SignIn => Box::new(self.refresh.iter().flat_map(|notes| &notes.sent)),
            Service::Media => Box::new(self.media.iter().flat_map(|notes| &notes.sent)),
        }
    }

    /// All reads: the readers', and the downloads.
    pub fn all_reads(&self) -> impl Iterator<Item = &Read> {
        self.reads
            .iter()
            .chain(self.media.iter().flat_map(|notes| &notes.reads))
    }

    /// When a phase began, in microseconds; none when it was never marked.
    #[must_use]
    pub fn began_us(&self, phase: Phase) -> Option<u64> {
        self.marks
            .iter()
            .find(|(marked, _)| *marked == phase)
            .map(|(_, at_us)| *at_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_was_given_up_ends_when_that_happened() {
        let shared = Shared::new(&[]);
        shared.stop();
        let before_us = shared.now_us();
        let sent = Sent::note(&shared, 0, 0, Outcome::GaveUp, |_| None);
        assert!((before_us..=shared.now_us()).contains(&sent.ended_us));
        assert!(sent.ended_us >= shared.stopped_at_us());
        assert_eq!(sent.acknowledged_us, None);
    }
}
