//! Quiet hours: the time of day in which nothing is pushed to a person. Counts go on.

use haechi_base::Time;
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{ChatError, Content};

/// The type of account data that they are kept as.
pub(crate) const QUIET_HOURS: &str = "org.haechi.quiet_hours";

/// A person's quiet hours: `{"start": "22:00", "end": "07:00", "time_zone": "Asia/Seoul"}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QuietHours {
    start: civil::Time,
    end: civil::Time,
    time_zone: TimeZone,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    start: String,
    end: String,
    time_zone: String,
}

impl QuietHours {
    /// Reads what a person wants kept; `None` for the empty object, which takes them back.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`].
    pub(crate) fn read(content: &Content) -> Result<Option<Self>, ChatError> {
        if content
            .read::<serde_json::Map<String, serde_json::Value>>()
            .is_some_and(|fields| fields.is_empty())
        {
            return Ok(None);
        }
        let words: Words = content.read().ok_or_else(|| {
            ChatError::invalid("quiet hours are start and end, each as 22:00, and time_zone, as Asia/Seoul")
        })?;
        let time_zone = TimeZone::get(&words.time_zone).map_err(|_| {
            ChatError::invalid("the time zone of quiet hours is a name of the IANA, as Asia/Seoul")
        })?;
        let (start, end) = (time_of_day(&words.start)?, time_of_day(&words.end)?);
        if start == end {
            return Err(ChatError::invalid(
                "quiet hours end at another time than they start",
            ));
        }
        Ok(Some(Self {
            start,
            end,
            time_zone,
        }))
    }

    /// Whether it is quiet at that moment, by the clock on the person's wall.
    pub(crate) fn hold_at(&self, moment: Time) -> bool {
        let Ok(moment) = Timestamp::from_microsecond(moment.micros()) else {
            return false;
        };
        let time = moment.to_zoned(self.time_zone.clone()).time();
        if self.start < self.end {
            self.start <= time && time < self.end
        } else {
            self.start <= time || time < self.end
        }
    }
}

fn time_of_day(text: &str) -> Result<civil::Time, ChatError> {
    let malformed = || ChatError::invalid("a time of quiet hours is written as 22:00");
    let (hour, minute) = text.split_once(':').ok_or_else(malformed)?;
    let number = |text: &str| {
        let plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse::<i8>().ok()).flatten()
    };
    let (hour, minute) = number(hour).zip(number(minute)).ok_or_else(malformed)?;
    civil::Time::new(hour, minute, 0, 0).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Option<QuietHours>, ChatError> {
        QuietHours::read(&Content::of_stored(text.to_owned()))
    }

    fn at(text: &str) -> Time {
        let moment: Timestamp = text.parse().unwrap();
        Time::from_micros(moment.as_microsecond())
    }

    #[test]
    fn a_night_goes_over_midnight_by_the_clock_of_its_time_zone() {
        let night = read(r#"{"start":"22:00","end":"07:00","time_zone":"Asia/Seoul"}"#)
            .unwrap()
            .unwrap();
        for (moment, is_quiet) in [
            ("2026-11-22T12:59:59Z", false),
            ("2026-11-22T13:00:00Z", true),
            ("2026-11-22T21:59:59Z", true),
            ("2026-11-22T22:00:00Z", false),
        ] {
            assert_eq!(night.hold_at(at(moment)), is_quiet, "{moment}");
        }
    }

    #[test]
    fn a_day_follows_the_summer_time_of_its_zone() {
        let day = read(r#"{"start":"09:00","end":"17:00","time_zone":"Europe/Berlin"}"#)
            .unwrap()
            .unwrap();
        assert!(!day.hold_at(at("2026-01-15T07:30:00Z")));
        assert!(day.hold_at(at("2026-07-15T07:30:00Z")));
    }

    #[test]
    fn what_is_no_quiet_hours_is_refused_and_nothing_takes_them_back() {
        for text in [
            r#"{"start":"22:00","end":"07:00"}"#,
            r#"{"start":"22:00","end":"07:00","time_zone":"Mars/Olympus"}"#,
            r#"{"start":"24:00","end":"07:00","time_zone":"UTC"}"#,
            r#"{"start":"+2:00","end":"07:00","time_zone":"UTC"}"#,
            r#"{"start":"22:60","end":"07:00","time_zone":"UTC"}"#,
            r#"{"start":"07:00","end":"07:00","time_zone":"UTC"}"#,
            r#"{"start":"22:00","end":"07:00","time_zone":"UTC","days":1}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("{}").unwrap(), None);
    }
}
