//! So many requests in each second.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is left of a rule's reservoir in the current second.
#[derive(Debug, Default)]
pub(super) struct Reservoir {
    /// The second in the upper half, how many it has given in the lower one.
    used: AtomicU64,
}

impl Reservoir {
    /// Whether the reservoir of `size` has one left in this second. One that is called with an earlier second, because the clock was set back, begins anew.
    pub(super) fn take(&self, second: u32, size: u32) -> bool {
        let second = u64::from(second) << 32;
        let take = |used: u64| {
            let given = if used & !u64::from(u32::MAX) == second {
                used & u64::from(u32::MAX)
            } else {
                0
            };
            (given < u64::from(size)).then_some(second | (given + 1))
        };
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::Reservoir;

    #[test]
    fn each_second_gives_its_size_and_no_more() {
        let reservoir = Reservoir::default();
        let given = |second| (0..5).filter(|_| reservoir.take(second, 2)).count();
        assert_eq!([given(10), given(11), given(10)], [2, 2, 2]);
        assert!(!reservoir.take(12, 0));
    }

    #[test]
    fn threads_share_it() {
        let reservoir = Reservoir::default();
        let given = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        if reservoir.take(7, 1500) {
                            given.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(given.into_inner(), 1500);
    }
}
