//! A number of requests in a day, a week or a month.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;
use portcullis_core::ConfigError;
use serde::{Deserialize, Serialize};

/// How many requests a key has in a period, which is one of the calendar in UTC.
///
/// ```
/// use portcullis_throttle::{Quota, QuotaPeriod};
///
/// let quota = Quota::new(10_000, QuotaPeriod::Month, 14)?; // from the 15th of each month
/// assert_eq!(quota.limit(), 10_000);
/// let error = Quota::new(10_000, QuotaPeriod::Day, 1).unwrap_err();
/// assert_eq!(error.to_string(), "quota.offset: `1` is no day of the period; a day takes 0, a week 0 to 6, a month 0 to 27");
/// # Ok::<(), portcullis_throttle::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    limit: u64,
    period: QuotaPeriod,
    offset: u32,
}

/// The period of a [`Quota`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(clippy::exhaustive_enums, reason = "the service has these")]
pub enum QuotaPeriod {
    /// A day.
    #[default]
    Day,
    /// Seven days, from Sunday on if the offset is 0.
    Week,
    /// A calendar month, from the first on if the offset is 0.
    Month,
}

impl QuotaPeriod {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Day => "DAY",
            Self::Week => "WEEK",
            Self::Month => "MONTH",
        }
    }
}

/// One period: seconds since the Unix epoch, the end not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

const DAY: i64 = 86_400;

impl Quota {
    /// `limit` requests in each period, which begins `offset` days late. A limit of 0 lets nothing pass.
    ///
    /// # Errors
    ///
    /// If the offset is none that the service takes: 0 for a day, 0 to 6 for a week, 0 to 27 for a month.
    pub fn new(limit: u64, period: QuotaPeriod, offset: u32) -> Result<Self, ConfigError> {
        let most = match period {
            QuotaPeriod::Day => 0,
            QuotaPeriod::Week => 6,
            QuotaPeriod::Month => 27,
        };
        if offset > most {
            let fault = "is no day of the period";
            let fix = "a day takes 0, a week 0 to 6, a month 0 to 27";
            return Err(ConfigError::new("quota.offset", offset, fault, fix));
        }
        Ok(Self {
            limit,
            period,
            offset,
        })
    }

    /// The requests in a period.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// The period.
    #[must_use]
    pub const fn period(&self) -> QuotaPeriod {
        self.period
    }

    /// The days by which the period begins late.
    #[must_use]
    pub const fn offset(&self) -> u32 {
        self.offset
    }

    /// The period that `now` is in.
    pub(crate) fn window(&self, now: i64) -> Window {
        let today = now.div_euclid(DAY);
        let offset = i64::from(self.offset);
        let (first, next) = match self.period {
            QuotaPeriod::Day => (today, today + 1),
            QuotaPeriod::Week => {
                // The first day of the epoch was a Thursday.
                let first = today - (today + 4 - offset).rem_euclid(7);
                (first, first + 7)
            }
            QuotaPeriod::Month => month(now, offset + 1).unwrap_or((today, today + 28)),
        };
        Window {
            start: first * DAY,
            end: next * DAY,
        }
    }
}

/// The days since the epoch on which the month begins that `now` is in, and the one after it, if months begin on the day `first`. `None`: no calendar goes so far.
fn month(now: i64, first: i64) -> Option<(i64, i64)> {
    let date = Offset::UTC
        .to_datetime(Timestamp::from_second(now).ok()?)
        .date();
    let (year, month) = (date.year(), date.month());
    let day = i8::try_from(first).ok()?;
    let (before, after) = if date.day() >= day {
        ((year, month), following(year, month))
    } else {
        let before = if month == 1 {
            (year - 1, 12)
        } else {
            (year, month - 1)
        };
        (before, (year, month))
    };
    Some((days(before, day)?, days(after, day)?))
}

const fn following(year: i16, month: i8) -> (i16, i8) {
    if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    }
}

fn days((year, month): (i16, i8), day: i8) -> Option<i64> {
    let midnight = Date::new(year, month, day)
        .ok()?
        .to_datetime(Time::midnight());
    let midnight = Offset::UTC.to_timestamp(midnight).ok()?;
    Some(midnight.as_second().div_euclid(DAY))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Quota, QuotaPeriod};

    #[track_caller]
    fn check(period: QuotaPeriod, offset: u32, now: &str, start: &str, end: &str) {
        let second = |text: &str| text.parse::<Timestamp>().expect("a time").as_second();
        let quota = Quota::new(1, period, offset).expect("a quota");
        let window = quota.window(second(now));
        let midnight = |day: &str| second(&format!("{day}T00:00:00Z"));
        assert_eq!((window.start, window.end), (midnight(start), midnight(end)));
    }

    #[test]
    fn periods_are_those_of_the_calendar_in_utc() {
        use QuotaPeriod::{Day, Month, Week};
        check(Day, 0, "2026-11-28T00:00:00Z", "2026-11-28", "2026-11-29");
        check(Day, 0, "2026-11-28T23:59:59Z", "2026-11-28", "2026-11-29");
        // A Saturday.
        check(Week, 0, "2026-11-28T12:00:00Z", "2026-11-22", "2026-11-29");
        check(Week, 6, "2026-11-28T12:00:00Z", "2026-11-28", "2026-12-05");
        check(Week, 1, "2026-11-29T12:00:00Z", "2026-11-23", "2026-11-30");
        check(Month, 0, "2026-12-31T12:00:00Z", "2026-12-01", "2027-01-01");
        check(
            Month,
            27,
            "2026-02-27T12:00:00Z",
            "2026-01-28",
            "2026-02-28",
        );
        check(
            Month,
            27,
            "2024-02-29T12:00:00Z",
            "2024-02-28",
            "2024-03-28",
        );
        check(
            Month,
            14,
            "2027-01-03T12:00:00Z",
            "2026-12-15",
            "2027-01-15",
        );
        check(Month, 0, "1969-12-31T23:59:59Z", "1969-12-01", "1970-01-01");
    }

    #[test]
    fn offsets_that_the_service_refuses_are_refused() {
        for (period, offset) in [
            (QuotaPeriod::Day, 1),
            (QuotaPeriod::Week, 7),
            (QuotaPeriod::Month, 28),
        ] {
            let error = Quota::new(1, period, offset).expect_err("no offset");
            assert_eq!(error.field(), "quota.offset");
        }
    }
}
