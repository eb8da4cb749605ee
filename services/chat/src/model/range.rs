//! Which part of a file somebody asks for (RFC 9110 section 14).

use std::ops::Range;

/// What of a file is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it.
    Whole,
    /// These bytes.
    Part(Range<usize>),
    /// Bytes that it does not have.
    Outside,
}

impl Wanted {
    /// Reads the header `Range` for a file of `length` bytes. What is malformed, of another unit than bytes, or names
    /// several parts asks for the whole, as the RFC allows.
    pub(crate) fn read(header: &str, length: usize) -> Self {
        let Some((first, last)) = header
            .trim()
            .strip_prefix("bytes=")
            .and_then(|part| part.split_once('-'))
        else {
            return Self::Whole;
        };
        match (number(first.trim()), number(last.trim())) {
            (Number::None, Number::Some(count)) if count == 0 || length == 0 => Self::Outside,
            (Number::None, Number::Some(count)) => Self::Part(length.saturating_sub(count)..length),
            (Number::Some(first), Number::None) if first < length => Self::Part(first..length),
            (Number::Some(first), Number::Some(last)) if last < first => Self::Whole,
            (Number::Some(first), Number::Some(last)) if first < length => {
                Self::Part(first..last.saturating_add(1).min(length))
            }
            (Number::Some(_), Number::None | Number::Some(_)) => Self::Outside,
            _ => Self::Whole,
        }
    }
}

/// One end of a range.
enum Number {
    None,
    Some(usize),
    Malformed,
}

fn number(text: &str) -> Number {
    if text.is_empty() {
        return Number::None;
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Number::Malformed;
    }
    // More digits than fit are more bytes than any file has.
    Number::Some(text.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_range_names_bytes_of_the_file_or_none() {
        for (header, wanted) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-5", Wanted::Part(2..6)),
            ("bytes=2-", Wanted::Part(2..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-99", Wanted::Part(0..10)),
            ("bytes=5-99999999999999999999999", Wanted::Part(5..10)),
            ("bytes=10-", Wanted::Outside),
            ("bytes=10-12", Wanted::Outside),
            ("bytes=-0", Wanted::Outside),
            ("bytes=5-2", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=a-2", Wanted::Whole),
            ("bytes=0-1,4-5", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(Wanted::read(header, 10), wanted, "{header}");
        }
        assert_eq!(Wanted::read("bytes=0-", 0), Wanted::Outside);
    }

    proptest! {
        #[test]
        fn a_part_always_lies_within_the_file(header in "bytes=[0-9]{0,22}-[0-9]{0,22}", length in 0_usize..5_000) {
            if let Wanted::Part(part) = Wanted::read(&header, length) {
                prop_assert!(part.start < part.end && part.end <= length);
            }
        }
    }
}
