//! What the notes say: stalls, capacity, the worst request. Pure.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::notes::{Read, Record, Sent};
use super::options::Phase;
use super::shared::{Service, micros};

/// How long after the stall the survivors' load is not yet counted: clients that wait for a silent site are still
/// on their way.
const RECOVERY: Duration = Duration::from_secs(2);

/// Shortest span in which a load is measured.
const MEASURED_MIN: Duration = Duration::from_secs(2);

/// How long before its acknowledgement a message is shown early. The two race by milliseconds at any time; a message that
/// did not survive is acknowledged only once somebody else leads.
const SHOWN_EARLY: Duration = Duration::from_millis(500);

/// The longest gaps between acknowledged writes, in milliseconds; null where nobody wrote.
///
/// The times at which writes were acknowledged to any client are put in order. A gap is the time between two that
/// follow one another. Those count that end after the strike, so the first begins with the last write that was
/// acknowledged before it; the end of the load ends the last one, so that a service that never comes back is seen.
/// A sign-in that was refreshed without a write ([`Sent::is_written`]) ends a gap of its service, but none of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stalls {
    /// Of all services together.
    pub overall: Option<u64>,
    /// Messages.
    pub chat: Option<u64>,
    /// Transfers.
    pub pay: Option<u64>,
    /// Refreshed sign-ins.
    pub sign_in: Option<u64>,
    /// Uploads.
    pub media: Option<u64>,
}

impl Stalls {
    /// One figure of each.
    pub(crate) fn each(mut figure: impl FnMut(Option<Service>) -> Option<u64>) -> Self {
        Self {
            overall: figure(None),
            chat: figure(Some(Service::Chat)),
            pay: figure(Some(Service::Pay)),
            sign_in: figure(Some(Service::SignIn)),
            media: figure(Some(Service::Media)),
        }
    }
}

/// A gap between two acknowledged writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gap {
    /// The write before it, in microseconds since the load began.
    pub begins_us: u64,
    /// The write after it.
    pub ends_us: u64,
}

impl Gap {
    /// How long it is, in microseconds.
    #[must_use]
    pub const fn length_us(self) -> u64 {
        self.ends_us.saturating_sub(self.begins_us)
    }
}

/// The longest gap of those that end after `from_us` and begin before `until_us`, at which the last one ends. None
/// without a span.
#[must_use]
pub fn longest_gap(sorted_us: &[u64], from_us: u64, until_us: u64) -> Option<Gap> {
    if until_us <= from_us {
        return None;
    }
    let first_after = sorted_us.partition_point(|at_us| *at_us <= from_us);
    let before = first_after.checked_sub(1).and_then(|last| sorted_us.get(last));
    let mut begins_us = before.copied().unwrap_or(from_us);
    let mut longest = Gap::default();
    let after = sorted_us.get(first_after..).unwrap_or_default();
    let ends = after.iter().copied().take_while(|at_us| *at_us < until_us);
    for ends_us in ends.chain(std::iter::once(until_us)) {
        let gap = Gap { begins_us, ends_us };
        if gap.length_us() > longest.length_us() {
            longest = gap;
        }
        begins_us = ends_us;
    }
    Some(longest)
}

/// The value below which this share of them lies: nearest rank. None of none.
#[must_use]
pub fn percentile(values: &[u64], share: f64) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank in a list of rounds"
    )]
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// The figures of one load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The longest gaps between acknowledged writes from the strike on.
    pub write_stall_ms: Stalls,
    /// The same before the strike, for comparison.
    pub usual_stall_ms: Stalls,
    /// The longest that one write took from when it was first sent to its acknowledgement, from the strike on. A room or
    /// wallet that stands still while others go on is seen here.
    pub write_worst_ms: Stalls,
    /// The same before the strike, for comparison.
    pub usual_worst_ms: Stalls,
    /// Reads that no site answered within a second, from the strike on.
    pub read_failures: u64,
    /// The same before the strike, after the warm-up: a machine that is too slow for the load.
    pub usual_read_failures: u64,
    /// The longest that one read took until any site answered, from the strike on.
    pub read_stall_ms: u64,
    /// Reads in all.
    pub reads: u64,
    /// Sign-ins that did not survive.
    pub signin_failures: u64,
    /// Acknowledged writes a second before the strike.
    pub steady_per_s: Option<f64>,
    /// Acknowledged writes a second after the stall, while the site was still gone.
    pub struck_per_s: Option<f64>,
    /// The second as a share of the first.
    pub capacity_left: Option<f64>,
    /// Messages that a receiver missed.
    pub sync_missed: u64,
    /// Messages that a receiver was shown again after they were acknowledged.
    pub sync_seen_again: u64,
    /// Messages that a receiver was shown before they were acknowledged, and again after. A site shows what it has of the
    /// primary's log; what was on no other when that one died is sent again by its writer, under the same id.
    pub sync_seen_early: u64,
    /// The longest that a message took from its acknowledgement to a receiver, from the strike on.
    pub delivery_worst_ms: Option<u64>,
    /// Answers that said "not now" to a write.
    pub unavailable: u64,
    /// Writes sent again because nobody knew what became of them.
    pub unknown_retried: u64,
    /// How often a client changed over to another site.
    pub change_overs: u64,
    /// Correct writes that were refused for good.
    pub refused: u64,
}

impl Figures {
    /// The figures of what was noted.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let began = |phase| record.began_us(phase);
        let steady_us = began(Phase::Steady)
            .or_else(|| began(Phase::WarmUp))
            .unwrap_or_default();
        let struck_us = began(Phase::Struck).unwrap_or(steady_us);
        let all = acknowledged(record, None);
        let given_back_us = began(Phase::Restored).unwrap_or(record.ended_us);
        // A later gap, while the site comes back, says nothing of what the others carried without it.
        let stall = longest_gap(&all, struck_us, given_back_us);
        let (seen_again, seen_early) = seen_again(record);
        let steady_per_s = began(Phase::Struck).and_then(|until_us| per_s(&all, steady_us, until_us));
        let survivors_us = stall.map(|stall| stall.ends_us.max(struck_us) + micros(RECOVERY));
        let struck_per_s = began(Phase::Struck)
            .and(survivors_us)
            .and_then(|from_us| per_s(&all, from_us, given_back_us));
        Self {
            write_stall_ms: gaps(record, struck_us, record.ended_us),
            usual_stall_ms: gaps(record, steady_us, struck_us),
            write_worst_ms: worst_writes(record, struck_us, u64::MAX),
            usual_worst_ms: worst_writes(record, steady_us, struck_us),
            read_failures: failed_reads(record, struck_us, u64::MAX),
            usual_read_failures: failed_reads(record, steady_us, struck_us),
            read_stall_ms: record
                .all_reads()
                .filter(|read| ends_us(read) >= struck_us)
                .map(|read| ms(read.took_us))
                .max()
                .unwrap_or_default(),
            reads: count(record.all_reads()),
            signin_failures: record.signin_failures.count,
            steady_per_s: steady_per_s.map(tenths),
            struck_per_s: struck_per_s.map(tenths),
            capacity_left: steady_per_s
                .filter(|steady| *steady > 0.0)
                .and_then(|steady| struck_per_s.map(|struck| thousandths(struck / steady))),
            sync_missed: record.receivers.iter().map(|notes| notes.missed).sum(),
            sync_seen_again: seen_again.saturating_sub(seen_early),
            sync_seen_early: seen_early,
            delivery_worst_ms: worst_delivery(record, struck_us),
            unavailable: record.unavailable,
            unknown_retried: record.unknown_retried,
            change_overs: record.change_overs,
            refused: record.refused.count,
        }
    }
}

/// When writes were acknowledged, in order; of one service, or of all.
///
/// Of all together only what was written counts; of a service whatever served its people.
fn acknowledged(record: &Record, service: Option<Service>) -> Vec<u64> {
    let mut times_us: Vec<u64> = writes(record, service)
        .filter(|sent| service.is_some() || sent.is_written)
        .filter_map(|sent| sent.acknowledged_us)
        .collect();
    times_us.sort_unstable();
    times_us
}

fn writes(record: &Record, service: Option<Service>) -> impl Iterator<Item = &Sent> {
    let services = Service::ALL.into_iter();
    services
        .filter(move |one| service.is_none_or(|service| service == *one))
        .flat_map(|service| record.writes(service))
}

fn gaps(record: &Record, from_us: u64, until_us: u64) -> Stalls {
    Stalls::each(|service| {
        writes(record, service).next()?;
        let times_us = acknowledged(record, service);
        longest_gap(&times_us, from_us, until_us).map(|gap| ms(gap.length_us()))
    })
}

/// The longest that one write took until it was acknowledged, refused or given up, of those that ended in a span.
fn worst_writes(record: &Record, from_us: u64, until_us: u64) -> Stalls {
    Stalls::each(|service| {
        writes(record, service)
            .filter(|sent| (from_us..until_us).contains(&sent.ended_us))
            .map(|sent| ms(sent.ended_us.saturating_sub(sent.first_sent_us)))
            .max()
    })
}

/// When each message was acknowledged.
fn acknowledged_messages(record: &Record) -> HashMap<&str, u64> {
    record
        .writes(Service::Chat)
        .filter_map(|sent| Some((&*sent.id, sent.acknowledged_us?)))
        .collect()
}

/// How many messages were shown again, and of how many of them the first sight was before the acknowledgement.
fn seen_again(record: &Record) -> (u64, u64) {
    let acknowledged = acknowledged_messages(record);
    let (mut again, mut early) = (0, 0);
    for notes in &record.receivers {
        let first_seen: HashMap<&str, u64> = notes.seen.iter().map(|(id, at_us)| (&**id, *at_us)).collect();
        for id in &notes.seen_again {
            again += 1;
            let is_early = match (first_seen.get(&**id), acknowledged.get(&**id)) {
                (Some(seen_us), Some(acknowledged_us)) => seen_us + micros(SHOWN_EARLY) < *acknowledged_us,
                // It never was acknowledged.
                _ => true,
            };
            early += u64::from(is_early);
        }
    }
    (again, early)
}

fn worst_delivery(record: &Record, struck_us: u64) -> Option<u64> {
    let acknowledged = acknowledged_messages(record);
    let seen = record.receivers.iter().flat_map(|notes| &notes.seen);
    seen.filter(|(_, at_us)| *at_us >= struck_us)
        .filter_map(|(id, at_us)| Some(ms(at_us.saturating_sub(*acknowledged.get(&**id)?))))
        .max()
}

/// Acknowledged writes a second in a span; none when it is too short to say.
fn per_s(sorted_us: &[u64], from_us: u64, until_us: u64) -> Option<f64> {
    let span_us = until_us.saturating_sub(from_us);
    if span_us < micros(MEASURED_MIN) {
        return None;
    }
    let before = |at_us: u64| sorted_us.partition_point(|time_us| *time_us < at_us);
    #[expect(clippy::cast_precision_loss, reason = "counts and spans of a run of minutes")]
    let (writes, seconds) = (
        (before(until_us) - before(from_us)) as f64,
        span_us as f64 / 1_000_000.0,
    );
    Some(writes / seconds)
}

/// Reads that failed, of those that ended in a span.
fn failed_reads(record: &Record, from_us: u64, until_us: u64) -> u64 {
    let ended = record
        .all_reads()
        .filter(|read| (from_us..until_us).contains(&ends_us(read)));
    count(ended.filter(|read| read.is_failed))
}

const fn ends_us(read: &Read) -> u64 {
    read.asked_us.saturating_add(read.took_us)
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    items.map(|_| 1).sum()
}

/// Whole milliseconds, rounded up: a gap is never told shorter than it was.
const fn ms(us: u64) -> u64 {
    us.div_ceil(1_000)
}

fn tenths(figure: f64) -> f64 {
    (figure * 10.0).round() / 10.0
}

pub(crate) fn thousandths(figure: f64) -> f64 {
    (figure * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::load::notes::{ChatNotes, ReceiverNotes};

    fn length(sorted_us: &[u64], from_us: u64, until_us: u64) -> u64 {
        longest_gap(sorted_us, from_us, until_us).unwrap().length_us()
    }

    #[test]
    fn the_gap_over_the_strike_begins_with_the_last_write_before_it() {
        assert_eq!(length(&[10, 20, 90, 100], 50, 110), 70);
    }

    #[test]
    fn a_gap_before_the_strike_does_not_count() {
        assert_eq!(length(&[0, 500, 510, 530], 505, 531), 20);
    }

    #[test]
    fn writes_that_never_come_back_make_a_gap_up_to_the_end() {
        assert_eq!(length(&[10, 20], 15, 1_000), 980);
        assert_eq!(length(&[10, 20], 30, 1_000), 980);
        assert_eq!(length(&[], 30, 1_000), 970);
    }

    #[test]
    fn what_is_acknowledged_after_the_end_ends_no_gap() {
        assert_eq!(length(&[10, 2_000], 5, 1_000), 990);
        assert_eq!(longest_gap(&[10], 50, 50), None);
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let values: Vec<u64> = (1..=10).collect();
        assert_eq!(percentile(&values, 0.50), Some(5));
        assert_eq!(percentile(&values, 0.95), Some(10));
        assert_eq!(percentile(&[7], 0.50), Some(7));
        assert_eq!(percentile(&[], 0.50), None);
    }

    /// When what is never acknowledged is given up: 4 s after the load ended.
    const GIVEN_UP_US: u64 = 34_000_000;

    fn sent(number: u32, first_sent_us: u64, acknowledged_us: Option<u64>) -> Sent {
        Sent {
            number,
            first_sent_us,
            acknowledged_us,
            id: format!("${number}").into(),
            site: 0,
            is_written: true,
            ended_us: acknowledged_us.unwrap_or(GIVEN_UP_US),
        }
    }

    /// A write every 10 ms for 10 s, nothing for 3 s, then one every 20 ms up to 30 s.
    fn struck() -> Record {
        let before = (1..=1_000).map(|step| step * 10_000);
        let after = (650..1_500).map(|step| step * 20_000);
        let writes = before.chain(after).enumerate();
        let writes =
            writes.map(|(number, at_us)| sent(u32::try_from(number).unwrap(), at_us - 1_000, Some(at_us)));
        Record {
            marks: vec![
                (Phase::WarmUp, 0),
                (Phase::Steady, 5_000_000),
                (Phase::Struck, 10_000_000),
            ],
            ended_us: 30_000_000,
            chat: vec![ChatNotes {
                token: String::new(),
                room_id: String::new(),
                client: 0,
                sent: writes.collect(),
            }],
            ..Record::default()
        }
    }

    #[test]
    fn the_stall_and_what_the_survivors_carry_are_found() {
        let figures = Figures::of(&struck());
        assert_eq!(figures.write_stall_ms.overall, Some(3_000));
        assert_eq!(figures.write_stall_ms.chat, Some(3_000));
        assert_eq!(figures.write_stall_ms.pay, None);
        assert_eq!(figures.usual_stall_ms.overall, Some(10));
        assert_eq!(figures.write_worst_ms.chat, Some(1));
        assert_eq!(figures.usual_worst_ms.chat, Some(1));
        assert_eq!(figures.usual_worst_ms.media, None);
        assert_eq!(figures.steady_per_s, Some(100.0));
        assert_eq!(figures.struck_per_s, Some(50.0));
        assert_eq!(figures.capacity_left, Some(0.5));
    }

    #[test]
    fn what_is_answered_without_a_write_ends_no_stall_of_all() {
        let mut record = struck();
        let mut unwritten = sent(9_999, 11_000_000, Some(11_500_000));
        unwritten.is_written = false;
        record.chat[0].sent.push(unwritten);
        let stalls = Figures::of(&record).write_stall_ms;
        assert_eq!((stalls.overall, stalls.chat), (Some(3_000), Some(1_500)));
    }

    #[test]
    fn a_gap_after_the_site_was_given_back_does_not_hide_what_the_others_carried() {
        let mut record = struck();
        record.marks.push((Phase::Restored, 20_000_000));
        record.chat[0].sent.retain(|sent| {
            sent.acknowledged_us
                .is_some_and(|at_us| !(22_000_000..28_000_000).contains(&at_us))
        });
        let figures = Figures::of(&record);
        assert_eq!(figures.write_stall_ms.overall, Some(6_020));
        assert_eq!(figures.struck_per_s, Some(50.0));
        assert_eq!(figures.capacity_left, Some(0.5));
    }

    #[test]
    fn a_write_that_is_never_acknowledged_is_the_worst_and_ends_when_it_is_given_up() {
        let mut record = struck();
        record.chat[0].sent.push(sent(9_999, 12_000_000, None));
        assert_eq!(Figures::of(&record).write_worst_ms.chat, Some(22_000));
    }

    #[test]
    fn a_message_shown_before_its_acknowledgement_may_come_again_and_no_other() {
        let mut record = struck();
        record.chat[0].sent = vec![
            sent(1, 100, Some(900_000)),
            sent(2, 100, Some(200)),
            sent(3, 100, Some(400)),
        ];
        record.receivers = vec![ReceiverNotes {
            seen: vec![("$1".into(), 300), ("$2".into(), 300), ("$3".into(), 300)],
            seen_again: vec!["$1".into(), "$2".into(), "$3".into()],
            ..ReceiverNotes::default()
        }];
        let figures = Figures::of(&record);
        assert_eq!((figures.sync_seen_again, figures.sync_seen_early), (2, 1));
    }

    #[test]
    fn a_read_that_failed_before_the_strike_is_told_apart() {
        let read = |asked_us, took_us| Read {
            asked_us,
            took_us,
            is_failed: took_us > 1_000_000,
        };
        let mut record = struck();
        record.reads = vec![read(1_000_000, 2_000_000), read(6_000_000, 1_500_000)];
        let figures = Figures::of(&record);
        assert_eq!((figures.read_failures, figures.read_stall_ms), (0, 0));
        assert_eq!(figures.usual_read_failures, 1);
        record.reads.push(read(9_900_000, 1_200_000));
        let figures = Figures::of(&record);
        assert_eq!((figures.read_failures, figures.read_stall_ms), (1, 1_200));
    }
}
