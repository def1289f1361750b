//! One bucket: governor's algorithm over a number of ours.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{NotUntil, RateLimiter};

use crate::limit::Limit;

/// What became of an attempt to take tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// They were there; the bucket has spent what fills again in so many nanoseconds.
    Taken { debt: u64 },
    /// They will be there in so many nanoseconds; `None`: never, for the bucket is not that large.
    Wait { nanos: Option<u64>, debt: u64 },
}

/// The time of one decision. Times in a [`Spent`] count from it, so that a limiter is made without asking when it began.
#[derive(Clone, Copy, Debug)]
struct Present;

impl Clock for Present {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::default()
    }
}

/// A cell that holds when a bucket will be full again.
trait Spent {
    /// Replaces the time by what `change` makes of it, unless that refuses.
    fn change<T, E>(&self, change: impl Fn(u64) -> Result<(T, u64), E>) -> Result<T, E>;
}

impl Spent for Cell<u64> {
    fn change<T, E>(&self, change: impl Fn(u64) -> Result<(T, u64), E>) -> Result<T, E> {
        let (answer, full) = change(self.get())?;
        self.set(full);
        Ok(answer)
    }
}

impl Spent for AtomicU64 {
    fn change<T, E>(&self, change: impl Fn(u64) -> Result<(T, u64), E>) -> Result<T, E> {
        let mut full = self.load(Ordering::Relaxed);
        loop {
            let (answer, next) = change(full)?;
            match self.compare_exchange_weak(full, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(answer),
                Err(other) => full = other,
            }
        }
    }
}

/// A cell as governor sees it at one moment.
struct At<'a, C> {
    cell: &'a C,
    now: u64,
}

impl<C: Spent> StateStore for At<'_, C> {
    type Key = ();

    fn measure_and_replace<T, F, E>(&self, (): &(), f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.cell.change(|full| {
            let (answer, next) = f(Some(full.saturating_sub(self.now).into()))?;
            Ok((answer, self.now.saturating_add(next.as_u64())))
        })
    }
}

/// Takes `cost` tokens at `now`.
#[inline]
fn take<C: Spent>(cell: &C, limit: &Limit, cost: u32, now: u64, debt: impl Fn() -> u64) -> Take {
    let Some(cost) = NonZeroU32::new(cost) else {
        return Take::Taken { debt: debt() };
    };
    let Some(quota) = limit.quota() else {
        return Take::Wait {
            nanos: None,
            debt: debt(),
        };
    };
    let limiter: RateLimiter<(), _, _, NoOpMiddleware<Nanos>> =
        RateLimiter::new(quota, At { cell, now }, Present);
    let outcome = if cost.get() == 1 {
        Ok(limiter.check_key(&()))
    } else {
        limiter.check_key_n(&(), cost)
    };
    let wait = |until: NotUntil<Nanos>| {
        u64::try_from(until.wait_time_from(Nanos::default()).as_nanos()).unwrap_or(u64::MAX)
    };
    match outcome {
        Ok(Ok(())) => Take::Taken { debt: debt() },
        Ok(Err(until)) => Take::Wait {
            nanos: Some(wait(until)),
            debt: debt(),
        },
        Err(_) => Take::Wait {
            nanos: None,
            debt: debt(),
        },
    }
}

/// Takes `cost` tokens from the bucket that is full again at `full`.
#[inline]
pub(crate) fn take_from(full: &mut u64, limit: &Limit, cost: u32, now: u64) -> Take {
    let cell = Cell::new(*full);
    let taken = take(&cell, limit, cost, now, || cell.get().saturating_sub(now));
    *full = cell.get();
    taken
}

/// What was spent of a bucket under one limit, worth the same number of tokens under another.
pub(crate) fn rescale(full: u64, now: u64, from: u64, to: u64) -> u64 {
    let debt = u128::from(full.saturating_sub(now)) * u128::from(to) / u128::from(from.max(1));
    now.saturating_add(u64::try_from(debt).unwrap_or(u64::MAX >> 2))
}

/// A bucket that stands by itself: taking from it waits for nobody.
#[derive(Debug)]
pub(crate) struct Bucket {
    full: AtomicU64,
    /// The nanoseconds that a token counts for in `full`.
    period: AtomicU64,
    /// Held while `full` is told anew in another period.
    rescaling: Mutex<()>,
}

impl Bucket {
    pub(crate) const fn new() -> Self {
        Self {
            full: AtomicU64::new(0),
            period: AtomicU64::new(0),
            rescaling: Mutex::new(()),
        }
    }

    /// Takes `cost` tokens at `now`. What was spent under another limit stays spent.
    #[inline]
    pub(crate) fn take(&self, limit: &Limit, cost: u32, now: u64) -> Take {
        if self.period.load(Ordering::Acquire) != limit.period() && limit.burst() != 0 {
            self.adopt(limit.period(), now);
        }
        let debt = || self.full.load(Ordering::Relaxed).saturating_sub(now);
        take(&self.full, limit, cost, now, debt)
    }

    /// Puts back what a request took that another limit refused.
    pub(crate) fn give_back(&self, limit: &Limit, cost: u32) {
        let back = limit.period().saturating_mul(u64::from(cost));
        let _ = self
            .full
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full| {
                Some(full.saturating_sub(back))
            });
    }

    /// What was spent, in nanoseconds and in the period that they are told in.
    pub(crate) fn spent(&self, now: u64) -> (u64, u64) {
        let full = self.full.load(Ordering::Relaxed);
        (
            full.saturating_sub(now),
            self.period.load(Ordering::Relaxed),
        )
    }

    /// Fills the bucket.
    pub(crate) fn reset(&self) {
        self.full.store(0, Ordering::Relaxed);
    }

    #[cold]
    fn adopt(&self, period: u64, now: u64) {
        let _held = self
            .rescaling
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = self.period.load(Ordering::Relaxed);
        if before == period {
            return;
        }
        if before != 0 {
            let _ = self
                .full
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full| {
                    Some(rescale(full, now, before, period))
                });
        }
        self.period.store(period, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use governor::clock::{Clock, FakeRelativeClock};
    use governor::{Quota, RateLimiter};
    use proptest::prelude::*;

    use super::{Bucket, Take, take_from};
    use crate::limit::Limit;

    proptest! {
        /// The same requests are let in as by a limiter of governor's own clock and store, and the others are told the same time to wait.
        #[test]
        fn it_decides_as_governor_does(
            period in 1_u64..5_000_000_000,
            burst in 1_u32..20,
            steps in prop::collection::vec((0_u64..10_000_000_000, 1_u32..22), 1..100),
        ) {
            let limit = Limit::of_parts(period, burst);
            let most = NonZeroU32::new(burst).expect("more than none");
            let quota = Quota::with_period(Duration::from_nanos(period)).expect("a period");
            let clock = FakeRelativeClock::default();
            let governor = RateLimiter::direct_with_clock(quota.allow_burst(most), clock.clone());
            let (mut full, bucket, mut now) = (0, Bucket::new(), 0);
            for (pause, cost) in steps {
                // Pauses of all lengths, most of them short.
                let pause = pause >> (pause % 32);
                clock.advance(Duration::from_nanos(pause));
                now += pause;
                let take = take_from(&mut full, &limit, cost, now);
                prop_assert_eq!(bucket.take(&limit, cost, now), take);
                let expected = governor.check_n(NonZeroU32::new(cost).expect("more than none"));
                let seen = match take {
                    Take::Taken { .. } => None,
                    Take::Wait { nanos, .. } => Some(nanos),
                };
                let expected = match expected {
                    Ok(Ok(())) => None,
                    Ok(Err(until)) => {
                        let wait = until.wait_time_from(clock.now());
                        Some(Some(u64::try_from(wait.as_nanos()).expect("it is short")))
                    }
                    Err(_) => Some(None),
                };
                prop_assert_eq!(seen, expected);
            }
        }
    }
}
