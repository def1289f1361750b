//! What is known of one target: how its last requests went, and its last checks.

use std::time::Duration;

use tokio::time::Instant;

use super::circuit::{Change, Circuit, Entry};
use super::config::{CircuitBreaker, Ejection, HealthCheck};

/// How a target has been lately. Time is an argument.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Requests that failed, in a row.
    failures: u32,
    ejected_until: Option<Instant>,
    /// Checks that speak against what is believed of the target, in a row.
    contrary: u32,
    /// What is believed after the checks.
    unwell: bool,
    circuit: Circuit,
}

/// Whether a target may get a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fitness {
    Well,
    /// It is ejected, or its checks fail: only if there is no other.
    Unwell,
    /// Its circuit is open.
    Shut,
}

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) success: bool,
    /// Its circuit was half open, and it tried whether the target is back.
    pub(super) trial: bool,
}

impl Health {
    /// Whether anything is known that a request has to ask about.
    pub(super) const fn is_troubled(&self) -> bool {
        self.failures > 0 || self.ejected_until.is_some() || self.unwell || !self.circuit.is_quiet()
    }

    /// Ends an ejection whose time is over. Whether it did.
    pub(super) fn return_in_time(&mut self, ejection: &Ejection, now: Instant) -> bool {
        let over = self.ejected_until.take_if(|until| *until <= now).is_some();
        if over {
            // One more failure, and it is gone again.
            self.failures = ejection.failures.saturating_sub(1);
        }
        over
    }

    pub(super) fn is_ejected(&self, now: Instant) -> bool {
        self.ejected_until.is_some_and(|until| now < until)
    }

    pub(super) fn eject(&mut self, ejection: &Ejection, now: Instant) {
        self.ejected_until = Some(now + Duration::from_millis(ejection.for_millis));
    }

    pub(super) fn fitness(&self, breaker: Option<&CircuitBreaker>, now: Instant) -> Fitness {
        let shut = |breaker: &CircuitBreaker| self.circuit.would_say(breaker, now) == Entry::Shut;
        if breaker.is_some_and(shut) {
            Fitness::Shut
        } else if self.unwell || self.is_ejected(now) {
            Fitness::Unwell
        } else {
            Fitness::Well
        }
    }

    /// A request asks its circuit.
    pub(super) fn enter(&mut self, breaker: Option<&CircuitBreaker>, now: Instant) -> Entry {
        breaker.map_or(Entry::Through, |breaker| self.circuit.enter(breaker, now))
    }

    /// A request went well or not, as far as its circuit is concerned.
    pub(super) fn tell_circuit(
        &mut self,
        breaker: Option<&CircuitBreaker>,
        report: Report,
        now: Instant,
    ) -> Option<Change> {
        let breaker = breaker?;
        if report.trial {
            self.circuit.settle(breaker, Some(report.success), now)
        } else {
            self.circuit.count(breaker, report.success, now)
        }
    }

    /// A trial came to nothing: whoever sent it has left.
    pub(super) fn abandon_trial(&mut self, breaker: Option<&CircuitBreaker>, now: Instant) {
        if let Some(breaker) = breaker {
            self.circuit.settle(breaker, None, now);
        }
    }

    /// A request went well to its end.
    pub(super) const fn forgive(&mut self) {
        if self.ejected_until.is_none() {
            self.failures = 0;
        }
    }

    /// A request failed. Whether that is one too many.
    pub(super) const fn blame(&mut self, ejection: &Ejection) -> bool {
        self.failures = self.failures.saturating_add(1);
        ejection.failures > 0 && self.failures >= ejection.failures && self.ejected_until.is_none()
    }

    /// A check went well or not. Whether the target is well, if that changes.
    pub(super) const fn checked(&mut self, check: &HealthCheck, success: bool) -> Option<bool> {
        if success != self.unwell {
            self.contrary = 0;
            return None;
        }
        self.contrary = self.contrary.saturating_add(1);
        let enough = if self.unwell {
            check.healthy_threshold
        } else {
            check.unhealthy_threshold
        };
        if self.contrary < enough {
            return None;
        }
        self.contrary = 0;
        self.unwell = !success;
        Some(success)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EJECTION: Ejection = Ejection {
        failures: 3,
        for_millis: 1_000,
        max_percent: 50,
    };

    #[test]
    fn failures_in_a_row_are_one_too_many_and_others_are_not() {
        let mut health = Health::default();
        assert!(!health.blame(&EJECTION));
        assert!(!health.blame(&EJECTION));
        health.forgive();
        assert!(!health.is_troubled());
        assert!(!health.blame(&EJECTION));
        assert!(!health.blame(&EJECTION));
        assert!(health.blame(&EJECTION));
    }

    #[test]
    fn a_target_that_is_back_is_on_probation() {
        let now = Instant::now();
        let mut health = Health::default();
        for _ in 0..3 {
            health.blame(&EJECTION);
        }
        health.eject(&EJECTION, now);
        assert_eq!(health.fitness(None, now), Fitness::Unwell);
        let back = now + Duration::from_secs(1);
        assert!(!health.return_in_time(&EJECTION, back - Duration::from_millis(1)));
        assert!(health.return_in_time(&EJECTION, back));
        assert_eq!(health.fitness(None, back), Fitness::Well);
        assert!(health.blame(&EJECTION), "one more is enough");
        health.forgive();
        assert!(!health.blame(&EJECTION), "and a success forgives all");
    }

    #[test]
    fn nothing_is_ejected_where_no_number_is_set() {
        let mut health = Health::default();
        let off = Ejection {
            failures: 0,
            ..EJECTION
        };
        assert!((0..100).all(|_| !health.blame(&off)));
    }

    #[test]
    fn checks_change_the_mind_only_in_a_row() {
        let check = HealthCheck {
            healthy_threshold: 2,
            unhealthy_threshold: 3,
            ..HealthCheck::default()
        };
        let mut health = Health::default();
        let mut checks = |results: &[bool]| {
            let seen = results.iter().map(|ok| health.checked(&check, *ok));
            seen.collect::<Vec<_>>()
        };
        assert_eq!(checks(&[false, false, true]), [None; 3]);
        assert_eq!(checks(&[false, false, false]), [None, None, Some(false)]);
        assert_eq!(checks(&[false, true, false, true]), [None; 4]);
        assert_eq!(checks(&[true]), [Some(true)]);
    }
}
