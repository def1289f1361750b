//! A whole gateway from an API definition.

mod api;
mod builder;
mod compile;
mod config;
mod coverage;
mod error;
mod finish;
mod limits;
mod mutual_tls;
mod plan;
mod service;
mod upstreams;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::core::Live;
use crate::throttle::UsagePlans;
use plan::Plan;

pub use api::{ApiSpec, Parity, UnknownRoute};
pub use builder::GatewayBuilder;
pub use config::{
    AccountConfig, ApiConfig, ConfigError, ConfigFault, ConfigFormat, CredentialsConfig,
    FunctionConfig, FunctionPlace, GatewayConfig, IssuerConfig, TlsFiles, UpstreamConfig,
};
pub use coverage::{Coverage, CoveredField, Served};
pub use error::{GatewayError, GatewayFault};
pub use service::GatewayFuture;
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
    // What deploying changes. Requests never look at it.
    control: Arc<Mutex<Control>>,
}

/// What the plan was made from.
struct Control {
    source: GatewayBuilder,
    coverage: Arc<Coverage>,
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

    /// What became of each field of the definitions that are served now.
    #[must_use]
    pub fn coverage(&self) -> Arc<Coverage> {
        Arc::clone(&self.control().coverage)
    }

    /// The routes that are served now.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteSummary> {
        self.plan.load().routes()
    }

    /// Serves `document` for the API with this id, from the next request on. Requests in flight end on what they
    /// began with; none is dropped, none sees a mixture. Stages that name a deployment of their own keep it.
    ///
    /// # Errors
    ///
    /// Every fault of the document, or that there is no such API. Nothing changes then.
    pub fn deploy(
        &self,
        api_id: &str,
        document: impl Into<String>,
    ) -> Result<Arc<Coverage>, GatewayError> {
        let mut control = self.control();
        let mut source = control.source.with_document(api_id, document.into())?;
        let compiled = compile::compile(&mut source)?;
        *control = Control {
            source,
            coverage: Arc::new(compiled.coverage),
        };
        self.plan.replace(compiled.plan);
        Ok(Arc::clone(&control.coverage))
    }

    /// Serves what `source` says instead of everything that is served now, from the next request on:
    /// a configuration that was read again.
    ///
    /// # Errors
    ///
    /// Those of [`GatewayBuilder::build`]. Nothing changes then.
    pub fn reload(&self, mut source: GatewayBuilder) -> Result<Arc<Coverage>, GatewayError> {
        let mut control = self.control();
        source.take_client_from(&control.source);
        source.take_answers_from(&control.source);
        source.take_replays_from(&control.source);
        source.limits.take_state_from(&control.source.limits);
        let compiled = compile::compile(&mut source)?;
        source.limits.replace_plans(compiled.usage_plans);
        *control = Control {
            source,
            coverage: Arc::new(compiled.coverage),
        };
        self.plan.replace(compiled.plan);
        Ok(Arc::clone(&control.coverage))
    }

    /// Forgets what the custom authorizers of an API said about requests to one of its stages, as the service's `FlushStageAuthorizersCache` does:
    /// the next request of each caller asks them again.
    ///
    /// # Errors
    ///
    /// If there is no such API, or it has no such stage.
    pub fn flush_authorizers_cache(&self, api_id: &str, stage: &str) -> Result<(), GatewayError> {
        let control = self.control();
        let api = control.source.apis.iter().find(|api| api.id == api_id);
        let Some(api) = api else {
            return Err(GatewayFault::new(api_id, "", "there is no API with this id").into());
        };
        if !api.stages.iter().any(|own| own.stage_name == stage) {
            let message = format!("the API has no stage `{stage}`");
            return Err(GatewayFault::new(api_id, "stages", message).into());
        }
        control.source.authorizer_caches.flush(api_id, stage);
        Ok(())
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
        let control = self.control();
        let plans = control.source.limits.plans();
        // A gateway is never without, once it is built.
        plans.cloned().unwrap_or_else(|| UsagePlans::new([]))
    }

    fn control(&self) -> std::sync::MutexGuard<'_, Control> {
        // Nothing that holds the lock leaves it half changed.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("routes", &self.routes().len())
            .finish_non_exhaustive()
    }
}
