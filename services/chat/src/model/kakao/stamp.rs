//! Days and times at the beginning of a line, in the ways that KakaoTalk writes them.

use super::super::calendar::{Day, LocalMinute};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [&str; 21] = [
    "월요일",
    "화요일",
    "수요일",
    "목요일",
    "금요일",
    "토요일",
    "일요일",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "mon",
    "tue",
    "wed",
    "thu",
    "fri",
    "sat",
    "sun",
];

/// Whether a text is the name of a day of the week and nothing else.
pub(super) fn is_weekday(text: &str) -> bool {
    let text = text.trim_matches([',', ' ', '(', ')']).to_lowercase();
    WEEKDAYS.contains(&text.as_str())
}

/// A day and the minute on it, and what follows.
pub(super) fn minute(line: &str) -> Option<(LocalMinute, &str)> {
    let (day, rest) = day(line)?;
    let rest = rest.trim_start_matches([' ', ',', '.']);
    let rest = rest.strip_prefix("at ").unwrap_or(rest).trim_start();
    let ((hour, minute), rest) = clock(rest)?;
    Some((LocalMinute { day, hour, minute }, rest))
}

/// A day, and what follows: `2022년 10월 15일`, `2022. 10. 15.`, `2022-10-15`, `October 15, 2022`, `Oct 15, 2022`, and the
/// last two after a day of the week.
pub(super) fn day(line: &str) -> Option<(Day, &str)> {
    let line = line.trim_start();
    if line.starts_with(|letter: char| letter.is_ascii_digit()) {
        return numbered_day(line);
    }
    let line = match line.split_once(',') {
        Some((weekday, rest)) if is_weekday(weekday) => rest.trim_start(),
        _ => line,
    };
    let (month, rest) = line.split_once(' ')?;
    let month = month.trim_end_matches('.').to_lowercase();
    let is_month = |name: &str| month.len() >= 3 && name.starts_with(&month);
    let month = MONTHS.iter().position(|name| is_month(name))?;
    let (day, rest) = number(rest.trim_start(), 2)?;
    let (year, rest) = number(rest.trim_start_matches([',', ' ']), 4)?;
    let month = i64::try_from(month).ok()?;
    Some((Day::new(year, month + 1, day)?, rest))
}

fn numbered_day(line: &str) -> Option<(Day, &str)> {
    let (year, rest) = number(line, 4)?;
    let (month, rest) = number(part(rest, "년")?, 2)?;
    let (day, rest) = number(part(rest, "월")?, 2)?;
    let rest = rest.strip_prefix(['.', '일']).unwrap_or(rest);
    Some((Day::new(year, month, day)?, rest))
}

/// What follows the mark between two parts of a day.
fn part<'l>(rest: &'l str, korean: &str) -> Option<&'l str> {
    let rest = rest
        .strip_prefix(korean)
        .or_else(|| rest.strip_prefix(['.', '-', '/']))?;
    Some(rest.trim_start())
}

/// Hour (0 to 23) and minute, and what follows: `오후 3:19`, `3:19 PM`, `PM 3:19`, `15:19`, `15:19:22`.
pub(super) fn clock(text: &str) -> Option<((i64, i64), &str)> {
    let text = text.trim_start();
    let (before, rest) = half_of_day(text);
    let (hour, rest) = number(rest.trim_start(), 2)?;
    let (minute, rest) = number(rest.strip_prefix(':')?, 2)?;
    let rest = match rest.strip_prefix(':').and_then(|rest| number(rest, 2)) {
        Some((_, after_seconds)) => after_seconds,
        None => rest,
    };
    let (after, left) = half_of_day(rest.trim_start());
    let (half, rest) = match (before, after) {
        (None, Some(after)) => (Some(after), left),
        (before, _) => (before, rest),
    };
    let hour = match half {
        None if hour < 24 => hour,
        Some(half) if (1..=12).contains(&hour) => hour % 12 + if half == Half::After { 12 } else { 0 },
        // Some phones write the half of the day beside the 24 hours.
        Some(_) if hour < 24 => hour,
        _ => return None,
    };
    (minute < 60).then_some(((hour, minute), rest))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Before,
    After,
}

fn half_of_day(text: &str) -> (Option<Half>, &str) {
    let words = [
        ("오전", Half::Before),
        ("오후", Half::After),
        ("AM", Half::Before),
        ("PM", Half::After),
        ("am", Half::Before),
        ("pm", Half::After),
    ];
    for (word, half) in words {
        if let Some(rest) = text.strip_prefix(word) {
            return (Some(half), rest);
        }
    }
    (None, text)
}

/// A number of 1 to `digits_max` digits, and what follows.
fn number(text: &str, digits_max: usize) -> Option<(i64, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 || length > digits_max {
        return None;
    }
    let (digits, rest) = text.split_at_checked(length)?;
    Some((digits.parse().ok()?, rest))
}
