//! The layer: a handle on an observer.

use std::fmt;
use std::sync::Arc;

use portcullis_core::{Clock, SystemClock};
use tower_layer::Layer;

use crate::observation::Shared;
use crate::observer::Observer;
use crate::service::Observed;

/// Tells an [`Observer`] of every request. See the [crate docs](crate) for an example.
///
/// Clones, and the services made by them, share the observer.
#[must_use = "a layer does nothing until a service is put under it"]
pub struct ObserveLayer<O> {
    shared: Arc<Shared<O>>,
}

impl<O: Observer> ObserveLayer<O> {
    /// A layer that tells `observer`.
    pub fn new(observer: O) -> Self {
        Self::with_clock(observer, SystemClock::new())
    }

    /// The same, with the time from `clock`: a [context](portcullis_core::RequestContext) that an outer layer made has begun by its own.
    pub fn with_clock(observer: O, clock: impl Clock) -> Self {
        Self {
            shared: Arc::new(Shared {
                observer,
                clock: Arc::new(clock),
            }),
        }
    }

    /// The observer, shared with every service made by this layer.
    #[must_use]
    pub fn observer(&self) -> &O {
        &self.shared.observer
    }
}

impl<O> Clone for ObserveLayer<O> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<O: fmt::Debug> fmt::Debug for ObserveLayer<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ObserveLayer")
            .field(&self.shared.observer)
            .finish()
    }
}

impl<S, O> Layer<S> for ObserveLayer<O> {
    type Service = Observed<S, O>;

    fn layer(&self, inner: S) -> Observed<S, O> {
        Observed {
            inner,
            shared: Arc::clone(&self.shared),
        }
    }
}
