//! Integrations that are valid and not served yet.

use std::sync::Arc;

use http::{Request, Response};
use portcullis_core::{ApiKind, Body, Rejection, RequestContext};

use crate::failure::Failure;
use crate::integration::{IntegrationFuture, integration_service};

/// Answers 500 to everything: what stands here needs something that the compile step reported as
/// [`Unsupported`](crate::Unsupported).
#[derive(Clone, Debug)]
pub struct Unserved {
    api: ApiKind,
    cause: Arc<str>,
}

impl Unserved {
    /// One in an API of this kind.
    #[must_use]
    pub fn new(api: ApiKind) -> Self {
        Self::because(
            api,
            "the integration needs something that is not served yet",
        )
    }

    /// One that says why: to logs, not to clients.
    #[must_use]
    pub fn because(api: ApiKind, cause: impl Into<Arc<str>>) -> Self {
        let cause = cause.into();
        Self { api, cause }
    }

    /// Answers a request.
    pub fn call(&self, _request: Request<Body>, context: &RequestContext) -> IntegrationFuture {
        let cause = Failure::Configuration(self.cause.to_string());
        let rejection = cause.into_rejection(self.api, context);
        IntegrationFuture::ready(Err::<Response<Body>, Rejection>(rejection))
    }
}

integration_service!(Unserved);
