//! Days and minutes as people write them, without the machine's time zones: exports and imports say their offset.

use haechi_base::Time;

const MICROS_A_MINUTE: i64 = 60_000_000;
const MINUTES_A_DAY: i64 = 24 * 60;

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day {
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: i64,
    /// 1 to 31.
    pub(crate) day: i64,
}

/// A minute on a clock at some place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LocalMinute {
    pub(crate) day: Day,
    /// 0 to 23.
    pub(crate) hour: i64,
    /// 0 to 59.
    pub(crate) minute: i64,
}

impl Day {
    /// The day, when there is such a one between the years 1970 and 9999.
    pub(crate) fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            _ => return None,
        };
        let is_there = (1970..=9999).contains(&year) && (1..=days).contains(&day);
        is_there.then_some(Self { year, month, day })
    }

    /// Days since 1970-01-01. Years are counted from March, so that the leap day is the last of its year.
    fn number(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let month = (self.month + 9) % 12;
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        let days_before_month = (month * 153 + 2) / 5;
        year * 365 + leap_days + days_before_month + self.day - 1 - 719_468
    }

    fn of_number(number: i64) -> Self {
        let days = number + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year, month, day }
    }

    /// The day of the week: 0 is Sunday.
    pub(crate) fn weekday(self) -> usize {
        // 1970-01-01 was a Thursday.
        usize::try_from((self.number() + 4).rem_euclid(7)).unwrap_or(0)
    }
}

impl LocalMinute {
    /// The minute in which a moment lies where clocks are `offset_minutes` ahead of UTC.
    pub(crate) fn of(moment: Time, offset_minutes: i64) -> Self {
        let minutes = moment
            .micros()
            .div_euclid(MICROS_A_MINUTE)
            .saturating_add(offset_minutes);
        let of_day = minutes.rem_euclid(MINUTES_A_DAY);
        Self {
            day: Day::of_number(minutes.div_euclid(MINUTES_A_DAY)),
            hour: of_day / 60,
            minute: of_day % 60,
        }
    }

    /// The moment at which it begins where clocks are `offset_minutes` ahead of UTC.
    pub(crate) fn moment(self, offset_minutes: i64) -> Time {
        let minutes = self.day.number() * MINUTES_A_DAY + self.hour * 60 + self.minute - offset_minutes;
        Time::from_micros(minutes.saturating_mul(MICROS_A_MINUTE))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_days_have_their_place() {
        assert_eq!(Day::new(1970, 1, 1).unwrap().number(), 0);
        assert_eq!(Day::new(2000, 3, 1).unwrap().number(), 11_017);
        let day = Day::new(2022, 10, 15).unwrap();
        assert_eq!((day.number(), day.weekday()), (19_280, 6));
        assert!(Day::new(2023, 2, 29).is_none() && Day::new(2024, 2, 29).is_some());
        assert!(Day::new(1900, 1, 1).is_none() && Day::new(2022, 13, 1).is_none());
    }

    #[test]
    fn a_korean_minute_is_nine_hours_ahead() {
        let minute = LocalMinute {
            day: Day::new(2022, 10, 15).unwrap(),
            hour: 15,
            minute: 19,
        };
        assert_eq!(minute.moment(540), Time::from_micros(1_665_814_740_000_000));
        assert_eq!(LocalMinute::of(minute.moment(540), 540), minute);
    }

    proptest! {
        #[test]
        fn a_moment_and_its_minute_belong_together(minutes in 0_i64..4_000_000_000 / 15, offset in -720_i64..=840) {
            let moment = Time::from_micros(minutes * MICROS_A_MINUTE);
            let local = LocalMinute::of(moment, offset);
            prop_assert_eq!(local.moment(offset), moment);
            prop_assert!(minutes + offset < 0 || Day::new(local.day.year, local.day.month, local.day.day).is_some());
        }
    }
}
