//! Settings that can be replaced while requests are in flight.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

/// A value that readers see whole and that an operator can replace at any time.
///
/// A layer loads it once at the start of a request, and that snapshot decides the whole
/// request; a replacement is seen by the next one. Neither side ever waits. Clones share
/// the value. Counters, buckets and caches do not belong in it: a reload must not forget them.
///
/// ```
/// use portcullis_core::Live;
///
/// let limit = Live::new(10);
/// let seen_by_the_layer = limit.clone();
/// limit.replace(20);
/// assert_eq!(**seen_by_the_layer.load(), 20);
/// ```
pub struct Live<T> {
    value: Arc<ArcSwap<T>>,
}

impl<T> Live<T> {
    /// Starts with `value`.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self {
            value: Arc::new(ArcSwap::from_pointee(value)),
        }
    }

    /// The value as it is now. Keep the snapshot for as long as one decision takes, no longer.
    #[must_use]
    pub fn load(&self) -> Snapshot<T> {
        Snapshot(self.value.load())
    }

    /// The value as it is now, to be kept for long (across an await, say).
    #[must_use]
    pub fn load_full(&self) -> Arc<T> {
        self.value.load_full()
    }

    /// Puts `value` in place and returns the one before it.
    pub fn replace(&self, value: impl Into<Arc<T>>) -> Arc<T> {
        self.value.swap(value.into())
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
        }
    }
}

impl<T: Default> Default for Live<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Live<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Live").field(&**self.load()).finish()
    }
}

/// What a [`Live`] held at one moment.
pub struct Snapshot<T>(Guard<Arc<T>>);

impl<T> Deref for Snapshot<T> {
    type Target = Arc<T>;

    fn deref(&self) -> &Arc<T> {
        &self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Snapshot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Live;

    #[test]
    fn a_snapshot_keeps_its_value_when_the_live_one_is_replaced() {
        let live = Live::new("old");
        let snapshot = live.load();
        assert_eq!(*live.replace("new"), "old");
        assert_eq!(**snapshot, "old");
        assert_eq!(**live.load(), "new");
    }
}
