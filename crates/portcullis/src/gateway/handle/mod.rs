//! What an operator does with a gateway while it serves.

mod canaries;
mod deployments;
mod error;
mod stages;

use std::fmt;
use std::sync::Arc;

use super::control::Standing;
use super::{Coverage, Gateway, RouteSummary};
use crate::core::BoxError;
use crate::throttle::{Usage, UsagePlans};

pub use canaries::{CanarySummary, MirrorSummary};
pub use error::{HandleError, HandleErrorKind};

/// A handle on a gateway, for its operators: [`Gateway::handle`] gives one. Clones are handles on the same gateway.
///
/// A change holds for the next request and disturbs none in flight; it is made whole or not at all, and changes wait for each other. What
/// compiles a definition takes a moment, for which the call does not return: on a runtime, call it on a thread that may block.
///
/// ```
/// use portcullis::{ApiSpec, Gateway, NewDeployment};
///
/// # let document = |version: u32| format!(r#"{{"openapi": "3.0.1", "info": {{"title": "pets", "version": "{version}"}}, "paths": {{}}}}"#);
/// let gateway = Gateway::builder()
///     .api(ApiSpec::rest(document(1)).id("shop").stage_named("test").stage_named("prod"))
///     .build()?;
/// let handle = gateway.handle();
///
/// // The new definition is tried on one stage, then promoted, then taken back.
/// let green = handle.deploy("shop", NewDeployment::new(document(2)).description("green").stage("test"))?;
/// handle.promote("shop", "prod", &green.id)?;
/// assert_eq!(handle.stage("shop", "prod")?.deployment_id, green.id);
/// let blue = handle.roll_back("shop", "prod")?;
/// assert_eq!(handle.deployments("shop")?.len(), 2);
///
/// // The same definition is the same deployment.
/// assert_eq!(handle.create_deployment("shop", document(1))?.id, blue.id);
/// # Ok::<(), portcullis::HandleError>(())
/// ```
#[derive(Clone)]
pub struct GatewayHandle {
    gateway: Gateway,
}

impl GatewayHandle {
    pub(super) const fn new(gateway: Gateway) -> Self {
        Self { gateway }
    }

    /// The ids of the APIs.
    #[must_use]
    pub fn apis(&self) -> Vec<String> {
        let standing = self.standing();
        let apis = standing.source.apis.iter();
        apis.map(|api| api.id.clone()).collect()
    }

    /// The routes that are served now.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteSummary> {
        self.gateway.routes()
    }

    /// What became of each field of the definitions that are served now.
    #[must_use]
    pub fn coverage(&self) -> Arc<Coverage> {
        self.gateway.coverage()
    }

    /// The usage plans with what their keys have used: to read it, and to grant more for a period.
    #[must_use]
    pub fn usage_plans(&self) -> UsagePlans {
        self.gateway.usage_plans()
    }

    /// What a key has used of a plan's quota: see [`Gateway::usage`].
    ///
    /// # Errors
    ///
    /// If the limits are shared, and their store does not answer.
    pub async fn usage(&self, plan: &str, key: &str) -> Result<Option<Usage>, BoxError> {
        self.gateway.usage(plan, key).await
    }

    /// Sets how many requests a key has left until the current period ends: see [`Gateway::set_remaining`].
    ///
    /// # Errors
    ///
    /// If the limits are shared, and their store does not answer.
    pub async fn set_remaining(
        &self,
        plan: &str,
        key: &str,
        remaining: u64,
    ) -> Result<Option<Usage>, BoxError> {
        self.gateway.set_remaining(plan, key, remaining).await
    }

    fn standing(&self) -> Arc<Standing> {
        self.gateway.control.standing()
    }
}

impl fmt::Debug for GatewayHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GatewayHandle").field(&self.gateway).finish()
    }
}
