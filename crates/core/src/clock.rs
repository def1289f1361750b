//! Where time comes from.

use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// A source of time that a test can fix.
///
/// Policies take the time as an argument; layers read it here, once per request.
/// [`SystemClock`] is the default everywhere. `ManualClock`, behind the feature
/// `test-util`, moves only when told.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// A monotonic reading, for durations.
    fn now(&self) -> Instant;

    /// The wall clock, for what people and protocols read: log lines, tokens, dates.
    fn wall(&self) -> SystemTime;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Instant {
        C::now(self)
    }

    fn wall(&self) -> SystemTime {
        C::wall(self)
    }
}

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl SystemClock {
    /// Returns the clock; the same as `SystemClock::default()`.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads it"
    )]
    fn now(&self) -> Instant {
        Instant::now()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads it"
    )]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

#[cfg(any(test, feature = "test-util"))]
pub use manual::ManualClock;

#[cfg(any(test, feature = "test-util"))]
mod manual {
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::{Duration, Instant, SystemTime};

    use super::{Clock, SystemClock};

    /// A clock that stands still until it is told to move. Clones share one time.
    #[derive(Clone, Debug)]
    pub struct ManualClock {
        start: Instant,
        wall_start: SystemTime,
        passed: Arc<Mutex<Duration>>,
    }

    impl ManualClock {
        /// A clock whose wall time is `seconds` after the Unix epoch.
        #[must_use]
        pub fn at_unix(seconds: u64) -> Self {
            Self {
                start: SystemClock.now(),
                wall_start: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
                passed: Arc::default(),
            }
        }

        /// Lets `duration` pass.
        pub fn advance(&self, duration: Duration) {
            let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
            *passed += duration;
        }

        fn passed(&self) -> Duration {
            *self.passed.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl Default for ManualClock {
        /// A clock that stands at 2025-01-01T00:00:00Z.
        fn default() -> Self {
            Self::at_unix(1_735_689_600)
        }
    }

    impl Clock for ManualClock {
        fn now(&self) -> Instant {
            self.start + self.passed()
        }

        fn wall(&self) -> SystemTime {
            self.wall_start + self.passed()
        }
    }
}
