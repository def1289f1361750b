//! What the tests share: an issuer's name, claims, a service behind a layer.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use portcullis_auth::jwt::{Issuer, IssuerBuilder, JwtLayer, Verifier};
use portcullis_client::{Client, Upstreams};
use portcullis_core::{ManualClock, RequestContext};
use portcullis_testkit::MockIssuer;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

pub(crate) const ISSUER: &str = "https://id.example.com";
/// Where [`ManualClock::default`] stands.
pub(crate) const NOW: u64 = 1_735_689_600;

/// Good claims, changed by those of `other`; null takes one out.
pub(crate) fn claims(other: Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "sub": "me", "aud": "pets", "scope": "pets:read openid",
        "exp": NOW + 100 * 60 * 60, "iat": NOW, "nbf": NOW,
    });
    let all = claims.as_object_mut().expect("an object");
    let Value::Object(other) = other else {
        panic!("claims are an object");
    };
    for (name, value) in other {
        match value {
            Value::Null => drop(all.remove(&name)),
            value => drop(all.insert(name, value)),
        }
    }
    claims
}

/// A client that finds the issuer where it really is.
pub(crate) fn client(issuer: &MockIssuer) -> Client {
    let upstreams = Upstreams::new([(ISSUER, issuer.url())]).expect("origins");
    Client::builder()
        .upstreams(upstreams)
        .build()
        .expect("a client")
}

pub(crate) fn discovered(issuer: &MockIssuer, clock: &ManualClock) -> IssuerBuilder {
    Issuer::discover(ISSUER)
        .expect("an address")
        .client(client(issuer))
        .clock(clock.clone())
}

pub(crate) fn layer(issuer: Issuer, clock: &ManualClock) -> JwtLayer {
    JwtLayer::new(Verifier::from(issuer).clock(clock.clone()))
}

/// The answer to a request with this token, from a service that says who asks.
pub(crate) async fn ask(layer: &JwtLayer, token: &str) -> Response<Full<Bytes>> {
    let request = Request::get("/")
        .header("authorization", format!("Bearer {token}"))
        .body(())
        .expect("a request");
    send(layer, request).await
}

pub(crate) async fn send(layer: &JwtLayer, request: Request<()>) -> Response<Full<Bytes>> {
    let service = service_fn(async |request: Request<()>| {
        let context = request.extensions().get::<RequestContext>();
        let claims = context.and_then(RequestContext::claims);
        let caller = claims.and_then(|claims| claims.get("sub").map(ToString::to_string));
        let body = caller.unwrap_or_else(|| "nobody".to_owned());
        Ok::<_, Infallible>(Response::new(Full::from(body)))
    });
    layer
        .layer(service)
        .oneshot(request)
        .await
        .expect("an answer")
}

pub(crate) async fn status(layer: &JwtLayer, token: &str) -> u16 {
    ask(layer, token).await.status().as_u16()
}

/// Lets other tasks run until `done` says so.
pub(crate) async fn until(what: &str, done: impl Fn() -> bool) {
    for _ in 0..100_000 {
        if done() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("never: {what}");
}
