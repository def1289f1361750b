//! Integrations that are valid and not served yet.

use http::{Request, Response};
use portcullis_core::{ApiKind, Body, Rejection, RequestContext};

use crate::failure::Failure;
use crate::integration::{IntegrationFuture, integration_service};

/// Answers 500 to everything: what stands here needs something that the compile step reported as
/// [`Unsupported`](crate::Unsupported).
#[derive(Clone, Copy, Debug)]
pub struct Unserved {
    api: ApiKind,
}

impl Unserved {
    /// One in an API of this kind.
    #[must_use]
    pub const fn new(api: ApiKind) -> Self {
        Self { api }
    }

    /// Answers a request.
    pub fn call(&self, _request: Request<Body>, context: &RequestContext) -> IntegrationFuture {
        let cause = "the integration needs something that is not served yet".to_owned();
        let rejection = Failure::Configuration(cause).into_rejection(self.api, context);
        IntegrationFuture::ready(Err::<Response<Body>, Rejection>(rejection))
    }
}

integration_service!(Unserved);
