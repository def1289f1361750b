//! Integrations whose work is one asynchronous function from a request to its answer.

use std::future::Future;
use std::sync::Arc;

use http::{Request, Response};
use portcullis_core::{ApiKind, Body, RequestContext};

use crate::failure::Failure;
use crate::integration::IntegrationFuture;

/// What such an integration holds, whatever it calls.
pub(crate) trait Answering: Send + Sync + 'static {
    /// The kind of API in whose words a failure is told.
    fn api(&self) -> ApiKind;

    fn answer(
        &self,
        request: Request<Body>,
        context: &RequestContext,
    ) -> impl Future<Output = Result<Response<Body>, Failure>> + Send;
}

/// Calls it. A failure becomes the refusal that clients of such an API get.
pub(crate) fn call<A: Answering>(
    shared: &Arc<A>,
    request: Request<Body>,
    context: &RequestContext,
) -> IntegrationFuture {
    let shared = Arc::clone(shared);
    let context = context.clone();
    IntegrationFuture::boxed(async move {
        let answered = shared.answer(request, &context).await;
        answered.map_err(|failure| failure.into_rejection(shared.api(), &context))
    })
}
