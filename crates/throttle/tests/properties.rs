//! What holds for every sequence of requests, under a clock that the test moves.

use std::time::Duration;

use http::Request;
use portcullis_core::{Guard, Head, ManualClock, Verdict};
use portcullis_throttle::{Buckets, Headers, Key, Limit, Rule, ThrottleLayer};
use proptest::prelude::*;

/// Says of each request whether it passed, and if not, the `Retry-After` that it was told.
struct Caller {
    clock: ManualClock,
    layer: ThrottleLayer,
}

impl Caller {
    fn new(rate: f64, burst: u32) -> Self {
        let clock = ManualClock::default();
        let limit = Limit::per_second(rate, burst).expect("a limit");
        let layer = ThrottleLayer::builder()
            .rule(Rule::new("all", tenant(), limit))
            .buckets(&Buckets::with_clock(100, clock.clone()))
            .headers(Headers::new().retry_after(true))
            .build();
        Self {
            clock,
            layer: layer.expect("a layer"),
        }
    }

    fn call(&self, tenant: &str) -> Result<(), u64> {
        let mut request = Request::new(());
        let value = tenant.parse().expect("a value");
        request.headers_mut().insert("x-tenant", value);
        match self.layer.check(&Head::of(&request)) {
            Verdict::Refuse(rejection) => {
                let headers = rejection.headers().expect("when to come back");
                let text = headers["retry-after"].to_str().expect("text");
                Err(text.parse().expect("seconds"))
            }
            _ => Ok(()),
        }
    }
}

fn tenant() -> Key {
    Key::header(http::HeaderName::from_static("x-tenant"))
}

proptest! {
    /// The reference counts tokens in exact integers: a rate is a whole number of nanoseconds for a token.
    #[test]
    fn requests_pass_exactly_when_there_is_a_token(
        period in 1_u64..5_000_000_000,
        burst in 1_u32..20,
        pauses in prop::collection::vec((0_u64..6_000_000_000, 0_u8..3), 1..200),
    ) {
        // So that the period comes out whole: rate = 1e9 / period is rounded up to it or one above.
        let caller = Caller::new(1e9 / period as f64, burst);
        let period = (1e9 / (1e9 / period as f64)).ceil() as u128;
        let mut now = 0_u128;
        // What was earned, in nanoseconds, of each tenant; at most a burst.
        let mut earned = [period * u128::from(burst); 3];
        let mut since = [0_u128; 3];
        let mut passed: [Vec<u128>; 3] = Default::default();
        for (pause, tenant) in pauses {
            // Most pauses are around the period.
            let pause = pause % (2 * period as u64 + 1);
            caller.clock.advance(Duration::from_nanos(pause));
            now += u128::from(pause);
            let who = usize::from(tenant);
            earned[who] = (earned[who] + now - since[who]).min(period * u128::from(burst));
            since[who] = now;
            let expected = earned[who] >= period;
            prop_assert_eq!(caller.call(&tenant.to_string()).is_ok(), expected);
            if expected {
                earned[who] -= period;
                passed[who].push(now);
            }
        }
        for times in &passed {
            for (first, start) in times.iter().enumerate() {
                for (last, end) in times.iter().enumerate().skip(first) {
                    let most = u128::from(burst) + (end - start) / period;
                    prop_assert!((last - first + 1) as u128 <= most);
                }
            }
        }
    }

    #[test]
    fn whoever_comes_back_when_told_passes(rate in 0.01_f64..50.0, burst in 1_u32..5) {
        let caller = Caller::new(rate, burst);
        let mut refusals = 0;
        while refusals < 5 {
            if let Err(seconds) = caller.call("a") {
                refusals += 1;
                let early = Duration::from_secs(seconds - 1);
                caller.clock.advance(early);
                if seconds > 1 {
                    prop_assert!(caller.call("a").is_err(), "a second too early");
                }
                caller.clock.advance(Duration::from_secs(seconds) - early);
                prop_assert!(caller.call("a").is_ok());
            }
        }
    }
}

/// A clock whose wall time goes back an hour with each reading.
#[derive(Debug)]
struct Backwards(ManualClock, std::sync::atomic::AtomicU64);

impl portcullis_core::Clock for Backwards {
    fn now(&self) -> std::time::Instant {
        self.0.now()
    }

    fn wall(&self) -> std::time::SystemTime {
        let hours = self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.0.wall() - Duration::from_secs(3600 * hours)
    }
}

#[test]
fn a_wall_clock_that_steps_back_changes_nothing() {
    let clock = ManualClock::default();
    let layer = ThrottleLayer::builder()
        .rule(Rule::new(
            "all",
            Key::shared(),
            Limit::per_second(1.0, 1).expect("a limit"),
        ))
        .buckets(&Buckets::with_clock(1, Backwards(clock.clone(), 0.into())))
        .build()
        .expect("a layer");
    let passes = || matches!(layer.check(&Head::of(&Request::new(()))), Verdict::Pass);
    assert!(passes());
    assert!(!passes());
    clock.advance(Duration::from_secs(1));
    assert!(passes());
}
