//! Dates of signatures: `20240229T235930Z`.

use std::fmt;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A moment in whole seconds, which reads and writes as signatures have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AmzDate(Timestamp);

impl AmzDate {
    /// Reads the basic format of ISO 8601, in UTC and without fractions; nothing else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
        if bytes[8] != b'T' || bytes[15] != b'Z' {
            return None;
        }
        let number = |digits: &[u8]| {
            digits.iter().try_fold(0_i16, |number, byte| {
                byte.is_ascii_digit()
                    .then(|| number * 10 + i16::from(byte - b'0'))
            })
        };
        let pair = |start: usize| i8::try_from(number(&bytes[start..start + 2])?).ok();
        let moment = DateTime::new(
            number(&bytes[..4])?,
            pair(4)?,
            pair(6)?,
            pair(9)?,
            pair(11)?,
            pair(13)?,
            0,
        )
        .ok()?;
        TimeZone::UTC.to_timestamp(moment).ok().map(Self)
    }

    /// The second that `time` is in.
    pub(super) fn of(time: SystemTime) -> Self {
        let time = Timestamp::try_from(time).unwrap_or(Timestamp::MAX);
        Self(Timestamp::from_second(time.as_second()).unwrap_or(time))
    }

    pub(super) fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration).unwrap_or(Timestamp::MAX))
    }

    pub(super) fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration).unwrap_or(Timestamp::MIN))
    }
}

impl fmt::Display for AmzDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y%m%dT%H%M%SZ"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_reads_and_writes_the_same() {
        let date = AmzDate::parse("20240229T235930Z").unwrap();
        assert_eq!(date.to_string(), "20240229T235930Z");
        assert_eq!(
            date.plus(Duration::from_secs(30)).to_string(),
            "20240301T000000Z"
        );
        assert_eq!(
            AmzDate::of(SystemTime::UNIX_EPOCH + Duration::from_millis(1_900)).to_string(),
            "19700101T000001Z"
        );
    }

    #[test]
    fn nothing_but_the_basic_format_is_a_date() {
        for text in [
            "",
            "20240229",
            "20230229T000000Z",
            "20240229T240000Z",
            "20240229T000000z",
            "20240229 000000Z",
            "2024-02-29T00:00:00Z",
            "+0240229T000000Z",
            "20240229T000000ZZ",
            "Thu, 29 Feb 2024 23:59:30 GMT",
            "2024022éT00000Z",
        ] {
            assert!(AmzDate::parse(text).is_none(), "{text}");
        }
    }
}
