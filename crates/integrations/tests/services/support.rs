//! What the tests of AWS services begin with.

use std::sync::Arc;

use http::{Request, Response};
use portcullis_client::Client;
use portcullis_core::{ApiKind, ApiStage, Body, ManualClock, MatchedRoute, RequestContext, Route};
use portcullis_integrations::{
    Aws, AwsBuilder, Backends, Compiled, CredentialsSource, Functions, IntegrationConfig,
    IntegrationKind, ResponseConfig,
};
use tower::ServiceExt;

/// The moment of the published signatures: 2015-08-30T12:36:00Z.
pub(crate) const NOW: u64 = 1_440_938_160;

/// An integration of type `AWS` with this URI, whose responses are all 200.
pub(crate) fn config(uri: &str) -> IntegrationConfig {
    let mut config = IntegrationConfig::new(IntegrationKind::Aws, ApiKind::Rest);
    config.uri = Some(format!("arn:aws:apigateway:{uri}"));
    config.method = Some("POST".into());
    config.responses = vec![ResponseConfig::new("200")];
    config
}

/// The way to services at `origin`, which know the time.
pub(crate) fn aws(origin: &str, credentials: impl Into<CredentialsSource>) -> AwsBuilder {
    Aws::builder(Client::builder().build().expect("valid"), credentials)
        .endpoint(origin)
        .clock(Arc::new(ManualClock::at_unix(NOW)))
}

pub(crate) fn compile(config: &IntegrationConfig, aws: Aws) -> Compiled {
    let client = Client::builder().build().expect("valid");
    let mut backends = Backends::new(client, Functions::default());
    backends.aws = Some(aws);
    config.compile(&backends).expect("a valid configuration")
}

/// Calls an integration as a gateway does for `/pets/{key}`.
pub(crate) async fn call(compiled: &Compiled, mut request: Request<Body>) -> Response<Body> {
    let uri = request.uri().clone();
    let context = RequestContext::of(&mut request).clone();
    let mut stage = ApiStage::default();
    stage.api_id = "abc".into();
    stage.variables = [("role".to_owned(), "pets".to_owned())].into();
    context.set_stage(stage);
    context.set_route(MatchedRoute::new(Route::new("/pets/{key}"), &uri, 0));
    let answered = compiled.integration.clone().oneshot(request).await;
    answered.expect("infallible")
}

pub(crate) fn request(method: &str, uri: &str, body: &'static str) -> Request<Body> {
    let builder = Request::builder().method(method).uri(uri);
    let builder = builder.header("content-type", "application/json");
    builder.body(Body::from(body)).expect("a valid request")
}
