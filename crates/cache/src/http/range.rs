//! Parts of a stored body (RFC 9110 section 14).

use std::ops::Range;

/// What a `Range` field comes to for a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The field is none that is honoured: the whole body is sent.
    Whole,
    /// These bytes.
    Of(Range<usize>),
    /// There are no such bytes: 416.
    Unsatisfiable,
}

/// Reads a field of one range. Several are not cut out: the whole body is an answer to them too (RFC 9110 section 14.2).
pub(crate) fn part(field: &[u8], length: usize) -> Part {
    let Some((unit, spec)) = split(field, b'=') else {
        return Part::Whole;
    };
    if !unit.eq_ignore_ascii_case(b"bytes") {
        return Part::Whole;
    }
    let Some((first, last)) = split(spec.trim_ascii(), b'-') else {
        return Part::Whole;
    };
    match (first, last) {
        ([], last) => match number(last) {
            None => Part::Whole,
            Some(0) => Part::Unsatisfiable,
            Some(_) if length == 0 => Part::Unsatisfiable,
            Some(suffix) => Part::Of(length.saturating_sub(suffix)..length),
        },
        (first, last) => {
            let Some(first) = number(first) else {
                return Part::Whole;
            };
            let end = match last {
                [] => length,
                last => match number(last) {
                    Some(last) if last >= first => last.saturating_add(1).min(length),
                    _ => return Part::Whole,
                },
            };
            if first >= length {
                Part::Unsatisfiable
            } else {
                Part::Of(first..end)
            }
        }
    }
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = memchr::memchr(at, text)?;
    Some((&text[..place], &text[place + 1..]))
}

/// A number; one that is too large is the largest there is.
fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_usize;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value
            .saturating_mul(10)
            .saturating_add(usize::from(digit - b'0'));
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Part, part};

    #[test]
    fn one_range_is_cut_out() {
        for (field, expected) in [
            ("bytes=0-1", Part::Of(0..2)),
            ("bytes=1-", Part::Of(1..10)),
            ("bytes=-1", Part::Of(9..10)),
            ("bytes=-100", Part::Of(0..10)),
            ("bytes=5-100", Part::Of(5..10)),
            ("Bytes=9-9", Part::Of(9..10)),
            ("bytes=0-99999999999999999999999", Part::Of(0..10)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=2-1", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes", Part::Whole),
            ("lines=0-1", Part::Whole),
        ] {
            assert_eq!(part(field.as_bytes(), 10), expected, "{field}");
        }
        assert_eq!(part(b"bytes=0-", 0), Part::Unsatisfiable);
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_body(field in "(bytes=)?[0-9]{0,3}-?[0-9]{0,3}.?", length in 0_usize..300) {
            if let Part::Of(range) = part(field.as_bytes(), length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }
}
