//! Which of several targets a request goes to.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Deserialize;

/// How a target is chosen among those that are well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Balance {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// Of two that are picked at random, the one with fewer requests in flight.
    LeastLoaded,
}

/// Chooses, and remembers whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Balancer {
    balance: Balance,
    turn: AtomicUsize,
}

impl Balancer {
    pub(super) fn new(balance: Balance) -> Self {
        Self {
            balance,
            turn: AtomicUsize::new(0),
        }
    }

    /// One of `count` candidates, of which there is at least one. `load` says what each has to do, and `random` gives a number below its
    /// argument.
    pub(super) fn choose(
        &self,
        count: usize,
        load: impl Fn(usize) -> usize,
        random: impl Fn(usize) -> usize,
    ) -> usize {
        if count < 2 {
            return 0;
        }
        match self.balance {
            Balance::RoundRobin => self.turn.fetch_add(1, Ordering::Relaxed) % count,
            Balance::LeastLoaded => {
                let one = random(count);
                // Any but that one.
                let other = (one + 1 + random(count - 1)) % count;
                if load(other) < load(one) { other } else { one }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Balance, Balancer};

    #[test]
    fn each_has_its_turn() {
        let balancer = Balancer::new(Balance::RoundRobin);
        let turns: Vec<_> = (0..6).map(|_| balancer.choose(3, |_| 0, |_| 0)).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn of_any_two_the_less_loaded_is_chosen() {
        let balancer = Balancer::new(Balance::LeastLoaded);
        let loads = [5, 1, 3];
        for one in 0..3 {
            for step in 0..2 {
                let other = (one + 1 + step) % 3;
                let random = |below| if below == 3 { one } else { step };
                let chosen = balancer.choose(3, |index| loads[index], random);
                let better = if loads[other] < loads[one] {
                    other
                } else {
                    one
                };
                assert_eq!(chosen, better, "{one} or {other}");
            }
        }
    }

    #[test]
    fn an_only_one_is_always_chosen() {
        for balance in [Balance::RoundRobin, Balance::LeastLoaded] {
            assert_eq!(Balancer::new(balance).choose(1, |_| 9, |_| 0), 0);
        }
    }
}
