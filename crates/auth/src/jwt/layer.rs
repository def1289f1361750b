//! The layer, which is a guard as well.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use portcullis_core::{BoxAsk, Claims, Guard, GuardLayer, Guarded, Head, Mode, Verdict};
use tower_layer::Layer;

use super::conduct::Conduct;
use super::fault::TokenFault;
use super::place::Place;
use super::rules::TokenRules;
use super::verifier::{Look, Verifier};
use crate::expression::Expression;

/// Lets requests with a good token through, and puts its claims into their [`RequestContext`](portcullis_core::RequestContext).
///
/// See the [module's documentation](super) for an example. Clones share keys and the cache of verified tokens, so that routes
/// with other scopes are clones of one layer. It is a [`Guard`] as well: a link of a chain, or an alternative among several.
#[derive(Clone)]
#[must_use]
pub struct JwtLayer {
    verifier: Verifier,
    rules: Arc<TokenRules>,
}

impl JwtLayer {
    /// A layer for tokens of one issuer, of several, or of those of a [`Verifier`].
    pub fn new(issuers: impl Into<Verifier>) -> Self {
        Self {
            verifier: issuers.into(),
            rules: Arc::default(),
        }
    }

    /// Asks for one of these scopes; whoever has a good token without any gets 403.
    pub fn require_scopes<T: Into<String>>(self, scopes: impl IntoIterator<Item = T>) -> Self {
        let scopes = scopes
            .into_iter()
            .map(|scope| scope.into().into())
            .collect();
        self.with(|rules| rules.scopes = scopes)
    }

    /// Asks for more: whoever has a good token of which `check` says no gets 403. Several checks must all say yes.
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

    /// How far the clocks of issuer and verifier may differ. The default is zero. (It is the verifier's: routes that share
    /// one say it there.)
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.verifier = self.verifier.leeway(leeway);
        self
    }

    /// Asks for an audience that this expression matches as a whole: a Cognito authorizer's `identityValidationExpression`.
    /// A token without an audience does not match.
    ///
    /// # Errors
    ///
    /// If it is no regular expression.
    pub fn identity_validation(self, expression: &str) -> Result<Self, crate::ConfigError> {
        let expression = Expression::parse(expression)?;
        Ok(self.with(|rules| rules.audience = Some(expression)))
    }

    /// **Lets every request through** and only writes down what would be refused, so that the layer can be tried on a
    /// service that runs.
    pub fn dangerous_observe(self) -> Self {
        tracing::warn!("tokens are only observed: requests pass without a good one");
        self.with(|rules| rules.mode = Mode::Observe)
    }

    /// The verifier, to share it with other layers.
    #[must_use]
    pub const fn verifier(&self) -> &Verifier {
        &self.verifier
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

impl Guard for JwtLayer {
    type Ask = BoxAsk;

    const NEEDS_CONTEXT: bool = true;

    const NAME: &'static str = "jwt";

    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk> {
        let context = head.context();
        let token = match self.rules.place.find(head, self.rules.conduct.is_literal()) {
            Ok(token) => token,
            Err(fault) => return Verdict::Refuse(self.rules.refuse(context, &fault)),
        };
        let look = self.verifier.look(&token, self.verifier.now());
        let settled = match look {
            Look::Known(verified) => self.rules.conclude(context, Ok(verified.claims)),
            Look::Refuse(fault) => Err(self.rules.refuse(context, &fault)),
            wait @ (Look::Wait(_) | Look::Renew { .. }) => {
                let layer = self.clone();
                let token = token.into_owned();
                let context = context.cloned();
                return Verdict::Ask(Box::pin(async move {
                    let outcome = layer.verifier.ask(&token, wait).await;
                    let outcome = outcome.map(|verified| verified.claims);
                    layer.rules.conclude(context.as_ref(), outcome)
                }));
            }
        };
        match settled {
            Ok(()) => Verdict::Pass,
            Err(rejection) => Verdict::Refuse(rejection),
        }
    }

    fn mode(&self) -> Mode {
        self.rules.mode
    }
}

impl<S> Layer<S> for JwtLayer {
    type Service = Guarded<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardLayer::new(self.clone()).layer(inner)
    }
}

impl fmt::Debug for JwtLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtLayer")
            .field("verifier", &self.verifier)
            .field("scopes", &self.rules.scopes)
            .field("conduct", &self.rules.conduct)
            .field("mode", &self.rules.mode)
            .finish_non_exhaustive()
    }
}
