//! One of several is enough.

use std::fmt;
use std::sync::Arc;

use http::header::WWW_AUTHENTICATE;
use portcullis_core::{
    BoxAsk, Decision, Guard, GuardLayer, Guarded, Head, Mode, Rejection, RejectionKind, Verdict,
};
use tower_layer::Layer;

use super::{Authenticator, Part};

/// Lets requests through that one of its parts lets through.
///
/// See the [module's front page](super) for an example. It is a [`Guard`] and an [`Authenticator`] as well.
#[derive(Clone)]
#[must_use]
pub struct AnyOf {
    parts: Arc<Vec<Arc<dyn Part>>>,
    anonymous: bool,
    mode: Mode,
}

impl AnyOf {
    /// Begins with one.
    pub fn new(first: impl Authenticator) -> Self {
        Self {
            parts: Arc::new(vec![Arc::new(first)]),
            anonymous: false,
            mode: Mode::Enforce,
        }
    }

    /// Or this one.
    pub fn or(mut self, other: impl Authenticator) -> Self {
        Arc::make_mut(&mut self.parts).push(Arc::new(other));
        self
    }

    /// Or nobody: a request without any credentials passes. One with credentials that are no good does not.
    pub const fn or_anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    /// **Lets every request through** and only writes down what would be refused.
    pub fn dangerous_observe(mut self) -> Self {
        tracing::warn!("a combination of checks is only observed: requests pass that it refuses");
        self.mode = Mode::Observe;
        self
    }

    /// The answer to a request that brings no credentials: what the first says, with the challenges of all.
    fn challenge(&self, head: &Head<'_>) -> Rejection {
        let mut answer: Option<Rejection> = None;
        for part in &*self.parts {
            let Verdict::Refuse(own) = part.check(head) else {
                continue;
            };
            answer = Some(match answer {
                None => own,
                Some(first) => {
                    let challenges = own.headers().into_iter();
                    let challenges =
                        challenges.flat_map(|headers| headers.get_all(WWW_AUTHENTICATE));
                    challenges.fold(first, |first, challenge| {
                        first.with_header(WWW_AUTHENTICATE, challenge.clone())
                    })
                }
            });
        }
        answer.unwrap_or_else(|| {
            let decision = Decision::new("auth", "any-of/no-credentials");
            Rejection::new(RejectionKind::Unauthorized).with_decision(decision)
        })
    }
}

impl Guard for AnyOf {
    type Ask = BoxAsk;

    const NEEDS_CONTEXT: bool = true;

    const NAME: &'static str = "any-of";

    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk> {
        let mut refusal = None;
        let mut asks = Vec::new();
        let mut found = false;
        for part in &*self.parts {
            if !part.has_credentials(head) {
                continue;
            }
            found = true;
            match part.check(head) {
                Verdict::Pass => return Verdict::Pass,
                Verdict::Refuse(own) => refusal = Some(graver(refusal, own)),
                Verdict::Ask(ask) => asks.push(ask),
            }
        }
        if !found && self.anonymous {
            return Verdict::Pass;
        }
        if asks.is_empty() {
            return Verdict::Refuse(refusal.unwrap_or_else(|| self.challenge(head)));
        }
        Verdict::Ask(Box::pin(async move {
            for ask in asks {
                match ask.await {
                    Ok(()) => return Ok(()),
                    Err(own) => refusal = Some(graver(refusal, own)),
                }
            }
            Err(refusal.expect("somebody was asked and refused"))
        }))
    }

    fn mode(&self) -> Mode {
        self.mode
    }
}

impl Authenticator for AnyOf {
    fn has_credentials(&self, head: &Head<'_>) -> bool {
        self.parts.iter().any(|part| part.has_credentials(head))
    }
}

/// Of two refusals the one that says most; of equals the first.
fn graver(first: Option<Rejection>, second: Rejection) -> Rejection {
    let rank = |rejection: &Rejection| match rejection.status() {
        status if status.is_server_error() => 2,
        status if status == 401 => 0,
        _ => 1,
    };
    match first {
        Some(first) if rank(&first) >= rank(&second) => first,
        _ => second,
    }
}

impl<S> Layer<S> for AnyOf {
    type Service = Guarded<S, Self>;

    fn layer(&self, inner: S) -> Guarded<S, Self> {
        GuardLayer::new(self.clone()).layer(inner)
    }
}

impl fmt::Debug for AnyOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyOf")
            .field("parts", &self.parts.len())
            .field("anonymous", &self.anonymous)
            .field("mode", &self.mode)
            .finish()
    }
}
