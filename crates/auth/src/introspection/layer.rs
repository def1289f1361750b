//! The layer, which is a guard as well.

use std::fmt;
use std::sync::Arc;

use http::HeaderName;
use portcullis_core::{BoxAsk, Claims, Guard, GuardLayer, Guarded, Head, Mode, Verdict};
use tower_layer::Layer;

use super::endpoint::Introspection;
use crate::jwt::{Conduct, Place, TokenFault, TokenRules};

/// Lets requests through whose token is active, and puts what is known of it into their [`RequestContext`](portcullis_core::RequestContext) as claims.
///
/// See the [module's front page](super) for an example. Clones share what is kept, so that routes with other scopes are clones of one layer.
#[derive(Clone)]
#[must_use]
pub struct IntrospectionLayer {
    introspection: Introspection,
    rules: Arc<TokenRules>,
}

impl IntrospectionLayer {
    /// A layer for tokens that this endpoint knows.
    pub fn new(introspection: Introspection) -> Self {
        Self {
            introspection,
            rules: Arc::default(),
        }
    }

    /// Asks for one of these scopes; whoever has an active token without any gets 403.
    pub fn require_scopes<T: Into<String>>(self, scopes: impl IntoIterator<Item = T>) -> Self {
        let scopes = scopes.into_iter().map(|scope| scope.into().into());
        let scopes = scopes.collect();
        self.with(|rules| rules.scopes = scopes)
    }

    /// Asks for more: whoever has an active token of which `check` says no gets 403. Several checks must all say yes.
    pub fn require(self, check: impl Fn(&Claims) -> bool + Send + Sync + 'static) -> Self {
        self.with(|rules| rules.checks.push(Arc::new(check)))
    }

    /// Takes the token from this header. By default that is `Authorization`.
    pub fn token_in_header(self, name: HeaderName) -> Self {
        self.with(|rules| rules.place = Place::Header(name))
    }

    /// Takes the token from this parameter of the query instead of a header. Queries end up in logs: prefer a header.
    pub fn token_in_query(self, name: impl Into<String>) -> Self {
        self.with(|rules| rules.place = Place::Query(name.into().into()))
    }

    /// Follows this conduct; by default the standard's.
    pub fn conduct(self, conduct: Conduct) -> Self {
        self.with(|rules| rules.conduct = conduct)
    }

    /// **Lets every request through** and only writes down what would be refused.
    pub fn dangerous_observe(self) -> Self {
        tracing::warn!("tokens are only observed: requests pass without a good one");
        self.with(|rules| rules.mode = Mode::Observe)
    }

    pub(crate) fn finds_token(&self, head: &Head<'_>) -> bool {
        let found = self.rules.place.find(head, self.rules.conduct.is_literal());
        found != Err(TokenFault::Missing)
    }

    fn with(mut self, change: impl FnOnce(&mut TokenRules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }
}

impl Guard for IntrospectionLayer {
    type Ask = BoxAsk;

    const NEEDS_CONTEXT: bool = true;

    const NAME: &'static str = "introspection";

    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk> {
        let context = head.context();
        let rules = &self.rules;
        let token = match rules.place.find(head, rules.conduct.is_literal()) {
            Ok(token) => token,
            Err(fault) => return Verdict::Refuse(rules.refuse(context, &fault)),
        };
        let Some(outcome) = self.introspection.look(&token) else {
            let (layer, context) = (self.clone(), context.cloned());
            let token = token.into_owned();
            return Verdict::Ask(Box::pin(async move {
                let outcome = layer.introspection.ask(token).await;
                layer.rules.conclude(context.as_ref(), outcome)
            }));
        };
        match rules.conclude(context, outcome) {
            Ok(()) => Verdict::Pass,
            Err(rejection) => Verdict::Refuse(rejection),
        }
    }

    fn mode(&self) -> Mode {
        self.rules.mode
    }
}

impl<S> Layer<S> for IntrospectionLayer {
    type Service = Guarded<S, Self>;

    fn layer(&self, inner: S) -> Guarded<S, Self> {
        GuardLayer::new(self.clone()).layer(inner)
    }
}

impl fmt::Debug for IntrospectionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionLayer")
            .field("introspection", &self.introspection)
            .field("scopes", &self.rules.scopes)
            .finish_non_exhaustive()
    }
}
