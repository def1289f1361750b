//! The layer, which is a guard as well.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::{
    ApiKind, BoxAsk, Clock, Decision, Detail, Guard, GuardLayer, Guarded, Head, Measure, Mode,
    Rejection, RejectionKind, Release, RequestContext, SystemClock, Verdict,
};
use tower_layer::Layer;

use super::authorizer::{Authorizer, AuthorizerRequest};
use super::cache::{AuthorizerCache, Kept, Outcome};
use super::function::FunctionAuthorizer;
use super::identity::IdentitySource;
use super::reply::{AuthorizerError, AuthorizerReply};
use crate::ConfigError;
use crate::access::{ApiArn, AuthorizerAccess, AuthorizerQuestion};
use crate::expression::Expression;
use crate::flights::{Key, key};

/// Lets requests through of which an [`Authorizer`] says that they may.
///
/// See the [module's front page](super) for an example. Clones share what is kept. It is a [`Guard`] as well.
#[derive(Clone)]
#[must_use]
pub struct CustomAuthorizerLayer {
    settings: Arc<Settings>,
}

#[derive(Clone)]
struct Settings {
    authorizer: Arc<dyn Authorizer>,
    sources: Box<[IdentitySource]>,
    expression: Option<Expression>,
    access: AuthorizerAccess,
    cache: AuthorizerCache,
    /// Zero: answers are not kept.
    keep_for: Duration,
    timeout: Duration,
    kind: ApiKind,
    final_when_kept: bool,
    clock: Arc<dyn Clock>,
    mode: Mode,
}

/// The longest time for which the service keeps an answer.
const LONGEST: Duration = Duration::from_secs(3600);

impl CustomAuthorizerLayer {
    /// A layer that asks a check of your own: a closure or an [`Authorizer`].
    ///
    /// Nothing is looked at beforehand and no answer is kept, unless identity sources and [`cache_for`](Self::cache_for) say so.
    pub fn new(authorizer: impl Authorizer) -> Self {
        let api = ApiArn::new("us-east-1", "000000000000", "api").expect("its parts are good");
        Self {
            settings: Arc::new(Settings {
                authorizer: Arc::new(authorizer),
                sources: Box::default(),
                expression: None,
                access: AuthorizerAccess::new(api),
                cache: AuthorizerCache::default(),
                keep_for: Duration::ZERO,
                timeout: Duration::from_secs(10),
                kind: ApiKind::Rest,
                final_when_kept: false,
                clock: Arc::new(SystemClock::new()),
                mode: Mode::Enforce,
            }),
        }
    }

    /// Where the identity of a caller stands: [`IdentitySource`] has the spellings. If one is missing or empty, the answer is 401 and nobody is asked.
    ///
    /// # Errors
    ///
    /// If one of them is no source.
    pub fn identity_sources<T: AsRef<str>>(
        self,
        sources: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let sources = sources.into_iter();
        let sources: Result<_, _> = sources
            .map(|source| IdentitySource::parse(source.as_ref()))
            .collect();
        let sources = sources?;
        Ok(self.with(|settings| settings.sources = sources))
    }

    /// Asks nobody about a token (the first of the identity sources) that this expression does not match as a whole: the answer is 401.
    ///
    /// # Errors
    ///
    /// If it is no regular expression.
    pub fn identity_validation(self, expression: &str) -> Result<Self, ConfigError> {
        let expression = Expression::parse(expression)?;
        Ok(self.with(|settings| settings.expression = Some(expression)))
    }

    /// Keeps answers by identity for this long, an hour at most; zero, the default, keeps none. Without identity sources none is kept either.
    pub fn cache_for(self, duration: Duration) -> Self {
        self.with(|settings| settings.keep_for = duration.min(LONGEST))
    }

    /// Keeps answers here. By default each layer has a cache of its own, of 16 MiB.
    pub fn cache(self, cache: AuthorizerCache) -> Self {
        self.with(|settings| settings.cache = cache)
    }

    /// Refuses what a kept policy does not cover, as the service does, instead of asking the authorizer again.
    pub fn kept_policies_are_final(self, are: bool) -> Self {
        self.with(|settings| settings.final_when_kept = are)
    }

    /// The API that ARNs are of, with its resource policy if it has one.
    pub fn access(self, access: AuthorizerAccess) -> Self {
        self.with(|settings| settings.access = access)
    }

    /// How long the authorizer may take, 10 seconds by default. (Those of functions have their own default.)
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.timeout = timeout)
    }

    /// Words refusals as this kind of API does. By default as a REST API, and for functions as their format says.
    pub fn kind(self, kind: ApiKind) -> Self {
        self.with(|settings| settings.kind = kind)
    }

    /// Takes the time from `clock`.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        self.with(|settings| settings.clock = clock)
    }

    /// **Lets every request through** and only writes down what would be refused.
    pub fn dangerous_observe(self) -> Self {
        tracing::warn!("an authorizer is only observed: requests pass that it refuses");
        self.with(|settings| settings.mode = Mode::Observe)
    }

    /// The answers that are kept, to flush them.
    #[must_use]
    pub fn kept(&self) -> &AuthorizerCache {
        &self.settings.cache
    }

    pub(crate) fn finds_identity(&self, head: &Head<'_>) -> bool {
        let sources = &self.settings.sources;
        sources.is_empty() || sources.iter().any(|source| source.find(head).is_some())
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

impl From<FunctionAuthorizer> for CustomAuthorizerLayer {
    /// With the format's wording and patience, and, for a `TOKEN` event, `Authorization` as identity source.
    fn from(function: FunctionAuthorizer) -> Self {
        let (kind, timeout) = (function.format().api(), function.patience());
        let sources = function.default_sources();
        Self::new(function).with(|settings| {
            settings.kind = kind;
            settings.timeout = timeout;
            settings.sources = sources;
        })
    }
}

impl Settings {
    /// The values of the identity sources; `None` if one is missing.
    fn identity(&self, head: &Head<'_>) -> Option<Vec<String>> {
        let sources = self.sources.iter();
        sources
            .map(|source| Some(source.find(head)?.into_owned()))
            .collect()
    }

    fn refuse(&self, kind: RejectionKind, decision: Decision) -> Rejection {
        Rejection::new(kind)
            .for_api(self.kind)
            .with_decision(decision)
    }

    fn unauthorized(&self, rule: &'static str) -> Rejection {
        self.refuse(RejectionKind::Unauthorized, Decision::new("auth", rule))
    }

    /// The refusal for want of an answer.
    fn broken(&self, context: &RequestContext, error: &AuthorizerError) -> Rejection {
        let decision = Decision::new("auth", error.name());
        let rejection = match error {
            AuthorizerError::Unauthorized => self.refuse(RejectionKind::Unauthorized, decision),
            AuthorizerError::Failed(_)
            | AuthorizerError::Malformed(_)
            | AuthorizerError::TimedOut => {
                tracing::warn!(%error, "an authorizer gave no answer");
                context.note(Detail::AuthorizerError, error.to_string());
                self.refuse(
                    RejectionKind::AuthorizerConfigurationError,
                    decision.with("why", error.to_string()),
                )
            }
        };
        let status = rejection.status().as_u16().into();
        context.measure(Measure::AuthorizerStatus, status);
        rejection
    }

    /// Shows what the authorizer said, and asks its policy.
    fn conclude(
        &self,
        context: &RequestContext,
        question: &AuthorizerQuestion<'_>,
        reply: &AuthorizerReply,
    ) -> Result<(), Rejection> {
        context.set_authorizer(reply.context().clone());
        // It was somebody else who asked.
        if context
            .measured(Measure::AuthorizerIntegrationLatency)
            .is_none()
        {
            context.measure(Measure::AuthorizerIntegrationLatency, 0);
        }
        if let Some(principal) = reply.principal() {
            context.note(Detail::AuthorizerPrincipalId, Arc::clone(principal));
        }
        if let Some(key) = reply.usage_identifier_key() {
            context.set_usage_key(Arc::clone(key));
        }
        let judged = question.decide(reply.policy_document());
        let status = if judged.is_ok() { 200 } else { 403 };
        context.measure(Measure::AuthorizerStatus, status);
        judged.map_err(|rejection| rejection.for_api(self.kind))
    }

    /// Whether a kept answer cannot be the last word on this request: its policy was made for another method, and is silent about this one.
    fn must_ask_again(&self, kept: &Kept, arn: &str, rejection: &Rejection) -> bool {
        let silent = rejection
            .decision()
            .is_some_and(|decision| decision.rule() == IMPLICIT_DENY);
        if !silent || *kept.asked == *arn {
            return false;
        }
        let conduct = if self.final_when_kept {
            "the request is refused"
        } else {
            "the authorizer is asked again"
        };
        tracing::warn!(
            asked = &*kept.asked,
            now = arn,
            "a kept policy does not cover the method at hand; {conduct}: return one for all methods, or keep none"
        );
        !self.final_when_kept
    }
}

/// The rule of a refusal by silence.
const IMPLICIT_DENY: &str = "iam/implicit-deny";

impl CustomAuthorizerLayer {
    /// Asks about a request that memory cannot tell enough about.
    async fn ask(
        self,
        request: AuthorizerRequest,
        question: AuthorizerQuestion<'static>,
        keys: Option<Keys>,
    ) -> Result<(), Rejection> {
        let settings = &*self.settings;
        let context = request.context.clone();
        let Some(keys) = keys else {
            let arn = request.method_arn.clone();
            let answer = self.clone().call(request, arn, 0, None).await;
            let answer = answer.map_err(|error| settings.broken(&context, &error))?;
            return settings.conclude(&context, &question, &answer.reply);
        };
        if !keys.general_is_silent {
            let answer = self.ask_once(keys.general, &keys, &request).await;
            let answer = answer.map_err(|error| settings.broken(&context, &error))?;
            match settings.conclude(&context, &question, &answer.reply) {
                Err(rejection)
                    if settings.must_ask_again(&answer, question.method_arn(), &rejection) => {}
                judged => return judged,
            }
        }
        // What is kept for the identity does not cover the method: so for the method, too.
        let (stage, release) = (stage_of(&context), context.release());
        let identity = request.identity.iter().map(String::as_str);
        let parts = [stage, canary_of(&release)].into_iter().chain(identity);
        let own = key(parts.chain([question.method_arn()]));
        let answer = self.ask_once(own, &keys, &request).await;
        let answer = answer.map_err(|error| settings.broken(&context, &error))?;
        settings.conclude(&context, &question, &answer.reply)
    }

    /// Asks, together with others who want to know the same, and keeps the answer under this key.
    async fn ask_once(&self, key: Key, keys: &Keys, request: &AuthorizerRequest) -> Outcome {
        let flights = self.settings.cache.flights();
        let answer = flights.ask_once(key, || {
            let (layer, request) = (self.clone(), request.clone());
            let arn = request.method_arn.clone();
            layer.call(request, arn, keys.flushes, Some(key))
        });
        let broken = || Err(AuthorizerError::Failed("it broke off".to_owned()));
        answer.await.unwrap_or_else(broken)
    }

    /// Calls the authorizer.
    async fn call(
        self,
        request: AuthorizerRequest,
        arn: String,
        flushes: u64,
        keep_as: Option<Key>,
    ) -> Outcome {
        let settings = &*self.settings;
        let context = request.context.clone();
        let began = settings.clock.now();
        let asked = settings.authorizer.authorize(request);
        let reply = match tokio::time::timeout(settings.timeout, asked).await {
            Ok(reply) => reply,
            Err(_) => Err(AuthorizerError::TimedOut),
        };
        let now = settings.clock.now();
        let took = now.saturating_duration_since(began).as_millis();
        let took = i64::try_from(took).unwrap_or(i64::MAX);
        context.measure(Measure::AuthorizerIntegrationLatency, took);
        context.measure(Measure::AuthorizerLatency, took);
        let kept = Arc::new(Kept::new(reply?, &arn, now + settings.keep_for, flushes));
        if let Some(key) = keep_as {
            settings.cache.keep(key, Arc::clone(&kept));
        }
        Ok(kept)
    }
}

fn stage_of(context: &RequestContext) -> &str {
    context.stage().map_or("", |stage| &*stage.stage)
}

/// The canary that serves a request: what it knows of a caller may be something else than what production knows, since its definition or its variables are.
fn canary_of(release: &Release) -> &str {
    match release {
        Release::Canary(name) => name,
        Release::None | Release::Production => "",
    }
}

/// Under what the answer to a request is kept.
struct Keys {
    /// By its identity alone.
    general: Key,
    /// What is kept for the identity is known not to cover the method.
    general_is_silent: bool,
    flushes: u64,
}

impl Guard for CustomAuthorizerLayer {
    type Ask = BoxAsk;

    const NEEDS_CONTEXT: bool = true;

    const NAME: &'static str = "authorizer";

    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk> {
        let settings = &*self.settings;
        let Some(context) = head.context() else {
            // The shell makes one, for a guard that needs it.
            return Verdict::Refuse(settings.unauthorized("custom/no-context"));
        };
        let question = match settings.access.question(head, settings.clock.wall()) {
            Ok(question) => question,
            Err(rejection) => return Verdict::Refuse(rejection.for_api(settings.kind)),
        };
        let Some(identity) = settings.identity(head) else {
            return Verdict::Refuse(settings.unauthorized("custom/identity-missing"));
        };
        if let (Some(expression), Some(token)) = (&settings.expression, identity.first())
            && !expression.matches(token)
        {
            return Verdict::Refuse(settings.unauthorized("custom/identity-invalid"));
        }
        let mut keys = None;
        if !settings.keep_for.is_zero() && !identity.is_empty() {
            let (stage, release) = (stage_of(context), context.release());
            let parts = || {
                let place = [stage, canary_of(&release)].into_iter();
                place.chain(identity.iter().map(String::as_str))
            };
            let cache = &settings.cache;
            let (now, flushes) = (settings.clock.now(), cache.flushes(stage));
            let arn = question.method_arn();
            let mut wanted = Keys {
                general: key(parts()),
                general_is_silent: false,
                flushes,
            };
            let mut found = cache.find(&wanted.general, now, flushes);
            while let Some(kept) = found.take() {
                match settings.conclude(context, &question, &kept.reply) {
                    Ok(()) => return Verdict::Pass,
                    Err(rejection)
                        if !wanted.general_is_silent
                            && settings.must_ask_again(&kept, arn, &rejection) =>
                    {
                        wanted.general_is_silent = true;
                        let own = key(parts().chain([arn]));
                        found = cache.find(&own, now, flushes);
                    }
                    Err(rejection) => return Verdict::Refuse(rejection),
                }
            }
            keys = Some(wanted);
        }
        let question = question.into_owned();
        let request = AuthorizerRequest {
            identity,
            method_arn: question.method_arn().to_owned(),
            method: head.method().clone(),
            uri: head.uri().clone(),
            headers: head.headers().clone(),
            context: context.clone(),
        };
        Verdict::Ask(Box::pin(self.clone().ask(request, question, keys)))
    }

    fn mode(&self) -> Mode {
        self.settings.mode
    }
}

impl<S> Layer<S> for CustomAuthorizerLayer {
    type Service = Guarded<S, Self>;

    fn layer(&self, inner: S) -> Guarded<S, Self> {
        GuardLayer::new(self.clone()).layer(inner)
    }
}

impl fmt::Debug for CustomAuthorizerLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomAuthorizerLayer")
            .field("sources", &self.settings.sources)
            .field("cache_for", &self.settings.keep_for)
            .field("kept", &self.settings.cache)
            .field("mode", &self.settings.mode)
            .finish_non_exhaustive()
    }
}
