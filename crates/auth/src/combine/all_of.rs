//! Each of several must agree.

use std::fmt;
use std::sync::Arc;

use portcullis_core::{BoxAsk, Guard, GuardLayer, Guarded, Head, Mode, Verdict};
use tower_layer::Layer;

use super::{Authenticator, Part};

/// Lets requests through that all of its parts let through.
///
/// Where it stands alone, two layers do the same; it is for a part of an [`AnyOf`](super::AnyOf). See the [module's front page](super) for an example.
#[derive(Clone)]
#[must_use]
pub struct AllOf {
    parts: Arc<Vec<Arc<dyn Part>>>,
    mode: Mode,
}

impl AllOf {
    /// Begins with one.
    pub fn new(first: impl Authenticator) -> Self {
        Self {
            parts: Arc::new(vec![Arc::new(first)]),
            mode: Mode::Enforce,
        }
    }

    /// And this one.
    pub fn and(mut self, other: impl Authenticator) -> Self {
        Arc::make_mut(&mut self.parts).push(Arc::new(other));
        self
    }

    /// **Lets every request through** and only writes down what would be refused.
    pub fn dangerous_observe(mut self) -> Self {
        tracing::warn!("a combination of checks is only observed: requests pass that it refuses");
        self.mode = Mode::Observe;
        self
    }
}

impl Guard for AllOf {
    type Ask = BoxAsk;

    const NEEDS_CONTEXT: bool = true;

    const NAME: &'static str = "all-of";

    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk> {
        let mut asks = Vec::new();
        for part in &*self.parts {
            match part.check(head) {
                Verdict::Pass => {}
                // Whoever would have to be asked need not be.
                Verdict::Refuse(rejection) => return Verdict::Refuse(rejection),
                Verdict::Ask(ask) => asks.push(ask),
            }
        }
        if asks.is_empty() {
            return Verdict::Pass;
        }
        Verdict::Ask(Box::pin(async move {
            for ask in asks {
                ask.await?;
            }
            Ok(())
        }))
    }

    fn mode(&self) -> Mode {
        self.mode
    }
}

impl Authenticator for AllOf {
    /// Whether one of its parts finds some: half of what is needed is no reason to take the caller for nobody.
    fn has_credentials(&self, head: &Head<'_>) -> bool {
        self.parts.iter().any(|part| part.has_credentials(head))
    }
}

impl<S> Layer<S> for AllOf {
    type Service = Guarded<S, Self>;

    fn layer(&self, inner: S) -> Guarded<S, Self> {
        GuardLayer::new(self.clone()).layer(inner)
    }
}

impl fmt::Debug for AllOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllOf")
            .field("parts", &self.parts.len())
            .field("mode", &self.mode)
            .finish()
    }
}
