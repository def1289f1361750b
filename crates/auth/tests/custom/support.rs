//! What the tests share: an authorizer that counts, and a service that says what it sees.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use portcullis_auth::access::{ApiArn, AuthorizerAccess};
use portcullis_auth::custom::{
    AuthorizerError, AuthorizerReply, AuthorizerRequest, CustomAuthorizerLayer,
};
use portcullis_auth::iam::IdentityPolicy;
use portcullis_core::{ApiStage, Body, ManualClock, RequestContext};
use tower::{Layer, ServiceExt, service_fn};

pub(crate) const ARN: &str = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3";

/// How often an authorizer was asked.
#[derive(Clone, Default)]
pub(crate) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(crate) fn add(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    #[track_caller]
    pub(crate) fn check(&self, expected: usize) {
        assert_eq!(self.0.load(Ordering::SeqCst), expected, "questions");
    }
}

pub(crate) fn access() -> AuthorizerAccess {
    let api = ApiArn::new("eu-west-1", "123456789012", "a1b2c3").expect("good parts");
    AuthorizerAccess::new(api.stage("prod"))
}

/// A layer whose authorizer allows `good`, denies `bad`, covers with `narrow` only the method that it is asked about, and knows nobody else.
pub(crate) fn layer(count: &Count, clock: &ManualClock) -> CustomAuthorizerLayer {
    let count = count.clone();
    let authorizer = move |request: AuthorizerRequest| {
        count.add();
        async move {
            // Others have a chance to ask at the same time.
            tokio::task::yield_now().await;
            match request.identity[0].as_str() {
                "bad" => Ok(AuthorizerReply::deny("eve").with_context("why", "bad")),
                "narrow" => Ok(AuthorizerReply::policy("tom", only(&request.method_arn))),
                "broken" => Err(AuthorizerError::Failed("no database".to_owned())),
                word if word.starts_with("good") => {
                    Ok(AuthorizerReply::allow("ann").with_context("tier", "gold"))
                }
                _ => Err(AuthorizerError::Unauthorized),
            }
        }
    };
    CustomAuthorizerLayer::new(authorizer)
        .identity_sources(["$request.header.Authorization"])
        .expect("a source")
        .access(access())
        .clock(Arc::new(clock.clone()))
        .cache_for(Duration::from_secs(300))
}

pub(crate) fn only(arn: &str) -> IdentityPolicy {
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": arn,
    } });
    IdentityPolicy::from_value(&policy).expect("a policy")
}

pub(crate) fn request(path: &str, token: &str) -> Request<()> {
    let mut request = Request::get(path);
    if !token.is_empty() {
        request = request.header("authorization", token);
    }
    request.body(()).expect("a request")
}

pub(crate) fn in_stage(mut request: Request<()>, stage: &str) -> Request<()> {
    let mut facts = ApiStage::default();
    facts.stage = stage.to_owned();
    RequestContext::of(&mut request).set_stage(facts);
    request
}

/// The answer of a service that says what the authorizer said.
pub(crate) async fn send(layer: &CustomAuthorizerLayer, request: Request<()>) -> Response<Body> {
    let service = service_fn(async |request: Request<()>| {
        let context = request.extensions().get::<RequestContext>();
        let context = context.expect("the layer puts it there");
        let principal = context.get("authorizer.principalId").unwrap_or_default();
        let body = format!("{principal} {:?}", context.authorizer());
        Ok::<_, Infallible>(Response::new(Body::from(body)))
    });
    let response = layer.layer(service).oneshot(request).await;
    response.expect("it never fails")
}

pub(crate) async fn status(layer: &CustomAuthorizerLayer, path: &str, token: &str) -> u16 {
    send(layer, request(path, token)).await.status().as_u16()
}
