//! A whole gateway from an API definition.

#[cfg(feature = "admin")]
mod admin;
mod api;
mod builder;
mod caching;
mod canary;
mod compile;
mod config;
mod control;
mod coverage;
mod deployments;
mod edge;
mod entry;
mod error;
mod finish;
mod handle;
mod http_cache;
mod limits;
mod mirror;
mod mutual_tls;
mod observe;
mod plan;
mod service;
mod state;
mod traces;
mod upstreams;

use std::fmt;
use std::sync::Arc;

use crate::cache::ResponseCache;
use crate::core::{BoxError, Live};
use crate::throttle::{Usage, UsagePlans};
use control::Control;
use plan::Plan;

#[cfg(feature = "admin")]
pub use admin::{AdminFuture, AdminService};
pub use api::{ApiSpec, Parity, UnknownRoute};
pub use builder::GatewayBuilder;
pub use canary::CanaryRules;
pub use config::{
    AccessLogConfig, AccountConfig, ApiConfig, CacheConfig, ConfigError, ConfigFault, ConfigFormat,
    CredentialsConfig, EmfConfig, FunctionConfig, FunctionPlace, GatewayConfig,
    IntrospectionConfig, IssuerConfig, LimitsAway, LogConfig, RedisConfig, SharedLimitsConfig,
    TlsFiles, TracesConfig, UpstreamConfig,
};
pub use coverage::{Coverage, CoveredField, Served};
pub use deployments::{
    Change, DeploymentDiff, DeploymentSummary, FieldChange, NewDeployment, RouteChange,
    StageSummary,
};
pub use edge::Edge;
pub use error::{GatewayError, GatewayFault};
pub use handle::{CanarySummary, GatewayHandle, HandleError, HandleErrorKind, MirrorSummary};
pub use service::GatewayFuture;
pub use state::{FileStore, StateError, StateStore, StoredState};
pub use upstreams::Destination;

/// A gateway: a [`tower::Service`](tower_service::Service) that serves one or more APIs from their definitions.
///
/// It takes requests with any body and answers with [`Body`](crate::core::Body); it never fails. Clones are handles on one
/// gateway: what is deployed through one is served by all, from the next request on.
///
/// ```
/// use http::Request;
/// use portcullis::Gateway;
/// use portcullis::core::Body;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let gateway = Gateway::from_export(r#"{
///     "openapi": "3.0.1",
///     "info": { "title": "pets", "version": "1.0" },
///     "paths": { "/pets": { "get": {
///         "responses": { "200": { "description": "200 response" } },
///         "x-amazon-apigateway-integration": {
///             "type": "mock",
///             "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
///             "responses": { "default": {
///                 "statusCode": "200",
///                 "responseTemplates": { "application/json": "[\"cat\", \"dog\"]" }
///             } }
///         }
///     } } }
/// }"#)?;
/// let response = gateway.oneshot(Request::get("/pets").body(Body::empty())?).await?;
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.body().as_bytes(), Some(&br#"["cat", "dog"]"#[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Gateway {
    plan: Live<Plan>,
    // What operators change. Requests never look at it.
    control: Arc<Control>,
}

/// A route of a gateway, for a person to read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteSummary {
    /// The id of the API.
    pub api: String,
    /// The verb, or `ANY`; empty for `$default`.
    pub method: String,
    /// The resource's path, or `$default`.
    pub path: String,
    /// What stands behind it, in words.
    pub integration: String,
}

impl Gateway {
    /// A gateway with one API, from an exported document in JSON or YAML.
    ///
    /// It serves the stage that the export names (in `basePath` or `servers`), and requests need not name it.
    ///
    /// # Errors
    ///
    /// Every fault of the document.
    pub fn from_export(document: impl Into<String>) -> Result<Self, GatewayError> {
        Self::builder().export(document).build()
    }

    /// Begins a gateway with nothing in it.
    pub fn builder() -> GatewayBuilder {
        GatewayBuilder::new()
    }

    /// What an operator does with the gateway while it serves: deploy, roll back, set variables, read.
    #[must_use]
    pub fn handle(&self) -> GatewayHandle {
        GatewayHandle::new(self.clone())
    }

    /// What became of each field of the definitions that are served now.
    #[must_use]
    pub fn coverage(&self) -> Arc<Coverage> {
        self.control.coverage()
    }

    /// The routes that are served now.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteSummary> {
        self.plan.load().routes()
    }

    /// Serves `document` for the API with this id, from the next request on. Requests in flight end on what they
    /// began with; none is dropped, none sees a mixture. Stages that name a deployment of their own keep it.
    ///
    /// Compiling takes a moment, for which this does not return: on a runtime, call it on a thread that may block. The
    /// [handle](Self::handle) has more to say about deployments.
    ///
    /// # Errors
    ///
    /// Every fault of the document, or that there is no such API. Nothing changes then.
    pub fn deploy(
        &self,
        api_id: &str,
        document: impl Into<String>,
    ) -> Result<Arc<Coverage>, GatewayError> {
        self.handle()
            .deploy(api_id, document.into())
            .map_err(GatewayError::from)?;
        Ok(self.coverage())
    }

    /// Serves what `source` says instead of everything that is served now, from the next request on:
    /// a configuration that was read again. What an operator changed of stages (deployments, variables) stays, except where
    /// the source says something else than the one before.
    ///
    /// # Errors
    ///
    /// Those of [`GatewayBuilder::build`]. Nothing changes then.
    pub fn reload(&self, source: GatewayBuilder) -> Result<Arc<Coverage>, GatewayError> {
        self.control.reload(&self.plan, source)
    }

    /// Forgets what the custom authorizers of an API said about requests to one of its stages, as the service's `FlushStageAuthorizersCache` does:
    /// the next request of each caller asks them again.
    ///
    /// # Errors
    ///
    /// If there is no such API, or it has no such stage.
    pub fn flush_authorizers_cache(&self, api_id: &str, stage: &str) -> Result<(), GatewayError> {
        Ok(self.handle().flush_authorizers_cache(api_id, stage)?)
    }

    /// Forgets the cached responses of a stage, as the service's `FlushStageCache` does, and says how many there were. What was asked for before is not
    /// stored after it.
    ///
    /// # Errors
    ///
    /// If there is no such API, or it has no such stage, or the cache's store is away.
    pub async fn flush_stage_cache(&self, api_id: &str, stage: &str) -> Result<u64, GatewayError> {
        Ok(self.handle().flush_stage_cache(api_id, stage).await?)
    }

    /// The cache of responses: to purge single entries of it, and to read what it has done. An entry's target is the request's, with stage or base path.
    #[must_use]
    pub fn response_cache(&self) -> ResponseCache {
        let source = self.control.source();
        let cache = source.caching.built().cloned();
        // A gateway is never without, once it is built.
        cache.unwrap_or_else(|| ResponseCache::in_memory(0))
    }

    /// The usage plans with what their keys have used: to read it, and to grant more for a period. Plans that are changed here are those of the
    /// source again when one is [reloaded](Self::reload).
    ///
    /// ```
    /// use portcullis::Gateway;
    /// use portcullis::definition::UsagePlan;
    ///
    /// let free: UsagePlan = serde_json::from_str(r#"{"id": "free", "quota": {"limit": 100, "period": "DAY"}}"#)?;
    /// let gateway = Gateway::builder().usage_plan(free).build()?;
    /// let plans = gateway.usage_plans();
    /// plans.set_remaining("free", "a1b2c3", 500);
    /// assert_eq!(plans.usage("free", "a1b2c3").expect("it has a quota").remaining, 500);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn usage_plans(&self) -> UsagePlans {
        let source = self.control.source();
        let plans = source.limits.plans();
        // A gateway is never without, once it is built.
        plans.cloned().unwrap_or_else(|| UsagePlans::new([]))
    }

    /// Says in its [metrics](GatewayBuilder::metrics) how the targets of its upstreams are at the moment. Gauges do not change by themselves: whoever shows them calls this before.
    pub fn record_upstreams(&self) {
        let source = self.control.source();
        let Some(metrics) = &source.observe.metrics else {
            return;
        };
        for (name, pool) in source.upstreams.pools().chain(source.vpc_links.pools()) {
            for target in pool.targets() {
                let available = target.is_available;
                metrics.upstream(name, &target.target, available, target.in_flight);
            }
        }
    }

    /// Says in its [metrics](GatewayBuilder::metrics) what the keys of its usage plans have used of their quotas, and how the store of [shared limits](GatewayBuilder::shared_limits) is at the moment.
    /// Call it before the metrics are shown, like [`record_upstreams`](Self::record_upstreams).
    pub fn record_limits(&self) {
        let source = self.control.source();
        let Some(metrics) = &source.observe.metrics else {
            return;
        };
        for own in source
            .limits
            .plans()
            .map(UsagePlans::quota_use)
            .into_iter()
            .flatten()
        {
            metrics.quota(&own.plan, own.used, own.keys, own.exhausted);
        }
        #[cfg(feature = "redis")]
        if let Some(shared) = &source.limits.shared {
            let store = shared.stats();
            metrics.limit_store(!store.away, store.asked, store.leased, store.decided_away);
        }
    }

    /// What a key has used of a plan's quota: on all gateways together, where they [share](GatewayBuilder::shared_limits) their limits. `None` if there is no such plan, or it has
    /// no quota.
    ///
    /// # Errors
    ///
    /// If the store that they share does not answer.
    pub async fn usage(&self, plan: &str, key: &str) -> Result<Option<Usage>, BoxError> {
        let plans = self.usage_plans();
        #[cfg(feature = "redis")]
        if let Some(shared) = self.shared_limits() {
            return Ok(shared.usage(&plans, plan, key).await?);
        }
        Ok(plans.usage(plan, key))
    }

    /// Sets how many requests a key has left until the current period ends, on all gateways together, where they share their limits. Says how it stands then.
    ///
    /// # Errors
    ///
    /// If the store that they share does not answer.
    pub async fn set_remaining(
        &self,
        plan: &str,
        key: &str,
        remaining: u64,
    ) -> Result<Option<Usage>, BoxError> {
        let plans = self.usage_plans();
        #[cfg(feature = "redis")]
        if let Some(shared) = self.shared_limits() {
            return Ok(shared.set_remaining(&plans, plan, key, remaining).await?);
        }
        plans.set_remaining(plan, key, remaining);
        Ok(plans.usage(plan, key))
    }

    /// The buckets that this gateway shares with others, if it does: whether they answer, and how often they were asked.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn shared_limits(&self) -> Option<crate::throttle::SharedBuckets> {
        self.control.source().limits.shared.clone()
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("routes", &self.routes().len())
            .finish_non_exhaustive()
    }
}
