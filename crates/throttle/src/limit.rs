//! A rate with a burst.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::Quota;
use portcullis_core::ConfigError;

/// How many requests may pass: a bucket of `burst` tokens, to which `rate` tokens are added each second.
///
/// In any span of time no more pass than `burst` and what the span adds.
///
/// ```
/// use portcullis_throttle::Limit;
///
/// let limit = Limit::per_second(0.5, 3)?; // three at once, then one every two seconds
/// assert_eq!(limit.rate(), 0.5);
///
/// let error = Limit::per_second(f64::NAN, 3).unwrap_err();
/// assert_eq!(error.to_string(), "rate: `NaN` is not a rate; give a number above 0, at most 10000000 a second");
/// # Ok::<(), portcullis_throttle::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// 0 where something passes: what the period says.
    rate: f64,
    /// Nanoseconds for which one token counts, rounded up: the limit is never exceeded.
    period: u64,
    /// 0: nothing passes.
    burst: u32,
}

/// The highest rate, above which whole nanoseconds are too coarse for a token.
const MAX_RATE: f64 = 10_000_000.0;

/// The longest time in which a bucket fills: about 73 years. Sums of two such fit in 64 bits of nanoseconds.
const MAX_FILL: u64 = 1 << 61;

impl Limit {
    /// `rate` tokens a second (fractions are fine), at most `burst` of them kept.
    ///
    /// # Errors
    ///
    /// If the rate is 0, negative, not finite or above 10,000,000, the burst is 0, or the bucket would take more than 73 years to fill. To
    /// let nothing pass, say [`Limit::nothing`].
    pub fn per_second(rate: f64, burst: u32) -> Result<Self, ConfigError> {
        if !(rate > 0.0 && rate <= MAX_RATE) {
            let fix = "give a number above 0, at most 10000000 a second";
            return Err(ConfigError::new("rate", rate, "is not a rate", fix));
        }
        if burst == 0 {
            let fix = "give at least 1, or say that nothing passes";
            return Err(ConfigError::new("burst", burst, "lets nothing pass", fix));
        }
        // A float that is too large for the integer becomes its largest value, which the next check refuses.
        let period = (1e9 / rate).ceil() as u64;
        if period
            .checked_mul(u64::from(burst))
            .is_none_or(|fill| fill > MAX_FILL)
        {
            let fault = "takes more than 73 years to fill the bucket";
            let fix = "give a higher rate or a smaller burst";
            return Err(ConfigError::new("rate", rate, fault, fix));
        }
        Ok(Self {
            rate,
            period,
            burst,
        })
    }

    /// `count` tokens a minute.
    ///
    /// # Errors
    ///
    /// As for [`per_second`](Self::per_second).
    pub fn per_minute(count: f64, burst: u32) -> Result<Self, ConfigError> {
        Self::per_second(count / 60.0, burst)
    }

    /// `count` tokens an hour.
    ///
    /// # Errors
    ///
    /// As for [`per_second`](Self::per_second).
    pub fn per_hour(count: f64, burst: u32) -> Result<Self, ConfigError> {
        Self::per_second(count / 3600.0, burst)
    }

    /// The limit that lets nothing pass.
    #[must_use]
    pub const fn nothing() -> Self {
        Self {
            rate: 0.0,
            period: 1,
            burst: 0,
        }
    }

    /// Tokens a second; 0 where nothing passes.
    #[must_use]
    pub const fn rate(&self) -> f64 {
        if self.rate == 0.0 && self.burst > 0 {
            return 1e9 / self.period as f64;
        }
        self.rate
    }

    /// Tokens that the bucket holds; 0 where nothing passes.
    #[must_use]
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// How long an empty bucket takes to fill.
    #[must_use]
    pub const fn fills_in(&self) -> Duration {
        Duration::from_nanos(self.period * self.burst as u64)
    }

    /// The limit that counts a token for `period` nanoseconds.
    pub(crate) const fn of_parts(period: u64, burst: u32) -> Self {
        Self {
            rate: 0.0,
            period,
            burst,
        }
    }

    /// Nanoseconds for which one token counts.
    pub(crate) const fn period(&self) -> u64 {
        self.period
    }

    /// This share of the limit, of which one token at least is left.
    #[cfg(feature = "redis")]
    pub(crate) fn share(&self, share: f64) -> Self {
        if self.burst == 0 {
            return *self;
        }
        Self {
            rate: self.rate() * share,
            // A float that is too large for the integer becomes its largest value.
            period: ((self.period as f64 / share).ceil() as u64).min(MAX_FILL),
            burst: ((f64::from(self.burst) * share) as u32).max(1),
        }
    }

    /// The limit as governor has it; `None` lets nothing pass.
    #[inline]
    pub(crate) fn quota(&self) -> Option<Quota> {
        let burst = NonZeroU32::new(self.burst)?;
        Some(Quota::with_period(Duration::from_nanos(self.period))?.allow_burst(burst))
    }
}

#[cfg(test)]
mod tests {
    use super::Limit;

    #[track_caller]
    fn refused(rate: f64, burst: u32, field: &str) {
        let error = Limit::per_second(rate, burst).expect_err("not a limit");
        assert_eq!(error.field(), field, "{error}");
    }

    #[test]
    fn what_is_no_limit_is_refused_with_the_field_that_is_wrong() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e7 + 1.0, 1e-300] {
            refused(rate, 1, "rate");
        }
        refused(1.0, 0, "burst");
        refused(0.001, u32::MAX, "rate");
    }

    #[test]
    fn fractions_and_bursts_below_the_rate_are_fine() {
        let slow = Limit::per_hour(1.0, 2).expect("a limit");
        assert_eq!(slow.fills_in().as_secs(), 7200);
        assert!(Limit::per_second(1000.0, 1).is_ok());
        assert!(Limit::per_second(1e7, u32::MAX).is_ok());
    }
}
