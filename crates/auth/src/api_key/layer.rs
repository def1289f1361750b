//! The layer, which is a guard as well.

use std::fmt;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use portcullis_core::{
    BoxAsk, CallerKey, Guard, GuardLayer, Guarded, Head, Live, Mode, Rejection, RequestContext,
    Verdict,
};
use tower_layer::Layer;

use super::hash::KeyHash;
use super::key::ApiKey;
use super::plans::UsagePlans;
use super::refusal::{KeyFault, away};
use super::store::{KeyLookup, KeyStore};

/// The header in which the service looks for keys.
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The longest value that is looked at. The service's own have 128 characters at most.
const MAX_VALUE: usize = 1024;

/// Lets requests through that come with a key of a [`KeyStore`], and puts it into their [`RequestContext`].
///
/// See the [module's front page](super) for an example. Clones share the store.
#[derive(Clone)]
#[must_use]
pub struct ApiKeyLayer {
    shared: Arc<Shared>,
}

#[derive(Clone)]
struct Shared {
    store: Arc<dyn KeyStore>,
    source: Source,
    plans: Option<Live<UsagePlans>>,
    pass_when_away: bool,
    mode: Mode,
}

/// Where the value of the key comes from.
#[derive(Clone, Debug)]
enum Source {
    Header(HeaderName),
    Authorizer,
}

impl ApiKeyLayer {
    /// A layer for the keys of `store`, in the header `x-api-key`.
    pub fn new(store: impl KeyStore) -> Self {
        Self {
            shared: Arc::new(Shared {
                store: Arc::new(store),
                source: Source::Header(X_API_KEY),
                plans: None,
                pass_when_away: false,
                mode: Mode::Enforce,
            }),
        }
    }

    /// Takes the key from this header.
    pub fn key_in_header(self, name: HeaderName) -> Self {
        self.with(|shared| shared.source = Source::Header(name))
    }

    /// Takes the key that a custom authorizer named for the caller ([`RequestContext::usage_key`]). Headers do not count then.
    pub fn key_from_authorizer(self) -> Self {
        self.with(|shared| shared.source = Source::Authorizer)
    }

    /// Asks for a usage plan that has both the key and the stage that serves the request, as the service does. The stage is that of the
    /// request's context; without one, no key opens anything. Plans can be replaced while requests run.
    pub fn usage_plans(self, plans: impl Into<Live<UsagePlans>>) -> Self {
        let plans = plans.into();
        self.with(|shared| shared.plans = Some(plans))
    }

    /// **Lets every request through** while the store does not answer, as the service does. By default such requests are refused.
    pub fn dangerous_pass_when_away(self) -> Self {
        self.with(|shared| shared.pass_when_away = true)
    }

    /// **Lets every request through** and only writes down what would be refused.
    pub fn dangerous_observe(self) -> Self {
        tracing::warn!("API keys are only observed: requests pass without a good one");
        self.with(|shared| shared.mode = Mode::Observe)
    }

    pub(crate) fn finds_key(&self, head: &Head<'_>) -> bool {
        !matches!(self.shared.source.value(head), Err(KeyFault::Missing))
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.shared));
        self
    }
}

impl Source {
    /// What the caller sent, or the authorizer named.
    fn value(&self, head: &Head<'_>) -> Result<HeaderValue, KeyFault<'static>> {
        let value = match self {
            Self::Header(name) => {
                let mut values = head.headers().get_all(name).iter();
                let first = values.next().ok_or(KeyFault::Missing)?;
                // Of two, whoever is in front may have looked at the other.
                if values.next().is_some() {
                    return Err(KeyFault::Ambiguous);
                }
                first.clone()
            }
            Self::Authorizer => {
                let named = head.context().and_then(RequestContext::usage_key);
                let named = named.ok_or(KeyFault::Missing)?;
                HeaderValue::from_str(&named).map_err(|_| KeyFault::Malformed)?
            }
        };
        if value.is_empty() {
            return Err(KeyFault::Missing);
        }
        if value.len() > MAX_VALUE || value.to_str().is_err() {
            return Err(KeyFault::Malformed);
        }
        Ok(value)
    }
}

impl Shared {
    /// Decides about what the store found, and writes the key down that opens.
    fn settle(
        &self,
        found: Option<&ApiKey>,
        value: HeaderValue,
        context: Option<&RequestContext>,
    ) -> Result<(), Rejection> {
        let key = found.ok_or_else(|| KeyFault::Unknown.refusal())?;
        if !key.is_enabled() {
            return Err(KeyFault::Disabled(key.id()).refusal());
        }
        let mut caller = CallerKey::new(key.id().clone()).with_value(value);
        if let Some(plans) = &self.plans {
            let plans = plans.load();
            let stage = context.and_then(RequestContext::stage);
            let plan = stage.and_then(|stage| plans.of(key, &stage.api_id, &stage.stage));
            let plan = plan.ok_or_else(|| KeyFault::NoPlan(key.id()).refusal())?;
            caller = caller.with_usage_plan(Arc::clone(plan));
        }
        if let Some(context) = context {
            context.set_api_key(caller);
        }
        Ok(())
    }
}

impl Guard for ApiKeyLayer {
    type Ask = BoxAsk;

    const NEEDS_CONTEXT: bool = true;

    const NAME: &'static str = "api-key";

    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk> {
        let value = match self.shared.source.value(head) {
            Ok(value) => value,
            Err(fault) => return Verdict::Refuse(fault.refusal()),
        };
        let hash = KeyHash::of_bytes(value.as_bytes());
        match self.shared.store.find(&hash) {
            KeyLookup::Ready(found) => {
                match self.shared.settle(found.as_ref(), value, head.context()) {
                    Ok(()) => Verdict::Pass,
                    Err(rejection) => Verdict::Refuse(rejection),
                }
            }
            KeyLookup::Later(answer) => {
                let (shared, context) = (Arc::clone(&self.shared), head.context().cloned());
                Verdict::Ask(Box::pin(async move {
                    match answer.await {
                        Ok(found) => shared.settle(found.as_ref(), value, context.as_ref()),
                        Err(error) if shared.pass_when_away => {
                            tracing::warn!(%error, "an API key was not checked: the request passes");
                            Ok(())
                        }
                        Err(error) => Err(away(&error)),
                    }
                }))
            }
        }
    }

    fn mode(&self) -> Mode {
        self.shared.mode
    }
}

impl<S> Layer<S> for ApiKeyLayer {
    type Service = Guarded<S, Self>;

    fn layer(&self, inner: S) -> Guarded<S, Self> {
        GuardLayer::new(self.clone()).layer(inner)
    }
}

impl fmt::Debug for ApiKeyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeyLayer")
            .field("source", &self.shared.source)
            .field("usage_plans", &self.shared.plans)
            .field("mode", &self.shared.mode)
            .finish_non_exhaustive()
    }
}
