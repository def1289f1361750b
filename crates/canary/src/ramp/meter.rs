//! What is counted of each version while a ramp runs.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Requests, errors and latencies of one version in one window.
pub(super) struct Meter {
    requests: AtomicU64,
    errors: AtomicU64,
    /// How many took how long, in steps of a sixteenth.
    latencies: Box<[AtomicU32]>,
}

/// What a [`Meter`] holds at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) p99: Duration,
}

/// Buckets for each doubling.
const FINE: u32 = 4;
/// Up to 2³⁶ microseconds, which are nineteen hours.
const HIGHEST: u32 = 35;
const BUCKETS: usize = (((HIGHEST - FINE + 2) << FINE) as usize) + 1;

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            latencies: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    pub(super) fn record(&self, taken: Duration, failed: bool) {
        let micros = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
        self.latencies[bucket(micros)].fetch_add(1, Ordering::Relaxed);
        self.errors.fetch_add(failed.into(), Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Reading {
        let counts = self.latencies.iter();
        let counts: Vec<_> = counts
            .map(|count| u64::from(count.load(Ordering::Relaxed)))
            .collect();
        // Those that are being recorded just now are in one number and not yet in the other.
        let total: u64 = counts.iter().sum();
        let rank = (total * 99).div_ceil(100).max(1);
        let mut seen = 0;
        let slowest = counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        Reading {
            requests: self.requests.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            p99: slowest.map_or(Duration::ZERO, upper_edge),
        }
    }

    pub(super) fn reset(&self) {
        self.requests.store(0, Ordering::Relaxed);
        self.errors.store(0, Ordering::Relaxed);
        for count in &self.latencies {
            count.store(0, Ordering::Relaxed);
        }
    }
}

fn bucket(micros: u64) -> usize {
    let doublings = micros.max(1).ilog2().min(HIGHEST);
    if doublings < FINE {
        return micros as usize;
    }
    if micros >> HIGHEST > 1 {
        return BUCKETS - 1;
    }
    let within = (micros >> (doublings - FINE)) as usize & ((1 << FINE) - 1);
    (((doublings - FINE + 1) as usize) << FINE) + within
}

/// The longest that the requests of a bucket may have taken.
fn upper_edge(bucket: usize) -> Duration {
    let (group, within) = (bucket >> FINE, (bucket & ((1 << FINE) - 1)) as u64);
    Duration::from_micros(match group {
        0 => within,
        _ => ((1 << FINE) + within + 1) << (group - 1),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{BUCKETS, Meter, Reading, bucket, upper_edge};

    proptest! {
        #[test]
        fn a_latency_is_known_to_a_sixteenth(micros in 0..1_u64 << 36) {
            let edge = upper_edge(bucket(micros)).as_micros() as u64;
            prop_assert!(edge >= micros);
            prop_assert!(edge <= micros + micros / 16 + 1, "{micros} is in {edge}");
        }

        #[test]
        fn every_latency_has_a_bucket(micros in any::<u64>()) {
            prop_assert!(bucket(micros) < BUCKETS);
        }
    }

    #[test]
    fn of_a_hundred_the_slowest_but_one_is_p99() {
        let meter = Meter::new();
        for millis in 1..=100 {
            meter.record(Duration::from_millis(millis), millis > 90);
        }
        let reading = meter.read();
        assert_eq!((reading.requests, reading.errors), (100, 10));
        let p99 = reading.p99.as_secs_f64() * 1000.0;
        assert!((99.0..=99.0 * 17.0 / 16.0).contains(&p99), "{p99}");
        meter.reset();
        assert_eq!(meter.read(), Reading::default());
    }
}
