//! Opaque tokens, and the endpoint that knows them.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use http::{Request, Response};
use portcullis_auth::introspection::{Introspection, IntrospectionLayer};
use portcullis_auth::jwt::{Conduct, TokenFault};
use portcullis_core::{Body, ManualClock, RequestContext};
use portcullis_testkit::{HyperServer, MockIssuer, Recorded, Recorder, request as testkit};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

/// Where [`ManualClock::default`] stands.
const NOW: u64 = 1_735_689_600;

/// An endpoint that answers what it is told to.
struct Endpoint {
    got: Arc<Mutex<Vec<Recorded>>>,
    server: HyperServer,
    answer: Arc<Mutex<(u16, String)>>,
}

impl Endpoint {
    async fn start(answer: &Value) -> Self {
        let answer = Arc::new(Mutex::new((200, answer.to_string())));
        let own = Arc::clone(&answer);
        let got = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&got);
        let recorder = Recorder::new(move |request: &Recorded| {
            seen.lock().expect("nobody panics").push(request.clone());
            let (status, body) = own.lock().expect("nobody panics").clone();
            testkit::answer(status, body)
        });
        Self {
            server: HyperServer::start(recorder).await,
            got,
            answer,
        }
    }

    fn count(&self) -> usize {
        self.got.lock().expect("nobody panics").len()
    }

    fn answers(&self, status: u16, body: impl Into<String>) {
        *self.answer.lock().expect("nobody panics") = (status, body.into());
    }

    fn introspection(&self, clock: &ManualClock) -> Introspection {
        Introspection::at(&self.server.url("/introspect"))
            .expect("an address")
            .client_credentials("pets api", "s3cr:t")
            .clock(clock.clone())
    }
}

fn active(other: &Value) -> Value {
    let mut answer = json!({
        "active": true, "sub": "me", "scope": "pets:read openid", "client_id": "app", "username": "ann",
        "iss": "https://id.example.com", "aud": ["pets", "cats"], "exp": NOW + 600, "token_type": "Bearer",
    });
    for (name, value) in other.as_object().expect("an object") {
        answer[name] = value.clone();
    }
    answer
}

async fn send(layer: &IntrospectionLayer, token: &str) -> Response<Body> {
    let service = service_fn(async |request: Request<()>| {
        let context = request
            .extensions()
            .get::<RequestContext>()
            .expect("a context");
        let name = context
            .get("authorizer.claims.username")
            .unwrap_or_default();
        Ok::<_, Infallible>(Response::new(Body::from(name.to_string())))
    });
    let mut request = Request::get("/");
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(()).expect("a request");
    layer
        .layer(service)
        .oneshot(request)
        .await
        .expect("it never fails")
}

#[tokio::test]
async fn the_endpoint_is_asked_as_the_standard_says_and_what_it_says_is_claims() {
    let endpoint = Endpoint::start(&active(&json!({}))).await;
    let layer = IntrospectionLayer::new(endpoint.introspection(&ManualClock::default()));
    let response = send(&layer, "a+b/c=").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.body().as_bytes(), Some(&b"\"ann\""[..]));
    assert_eq!(endpoint.count(), 1);
    let got = endpoint.got.lock().expect("nobody panics")[0].clone();
    assert_eq!(got.method, "POST");
    assert_eq!(
        got.text(),
        "token=a%2Bb%2Fc%3D&token_type_hint=access_token"
    );
    // `pets%20api:s3cr%3At`
    assert_eq!(
        got.headers["authorization"],
        "Basic cGV0cyUyMGFwaTpzM2NyJTNBdA=="
    );
    assert_eq!(
        got.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
}

#[tokio::test]
async fn scopes_audience_issuer_and_times_count() {
    let endpoint = Endpoint::start(&active(&json!({}))).await;
    let clock = ManualClock::default();
    let make = || endpoint.introspection(&clock).keep_for(Duration::ZERO);
    let layer = IntrospectionLayer::new(make().audience("pets").issuer("https://id.example.com"));
    let status = async |layer: &IntrospectionLayer| send(layer, "t").await.status().as_u16();
    assert_eq!(status(&layer).await, 200);
    assert_eq!(
        status(&layer.clone().require_scopes(["pets:read"])).await,
        200
    );
    assert_eq!(
        status(&layer.clone().require_scopes(["pets:write"])).await,
        403
    );
    let check = |claims: &portcullis_core::Claims| claims.get("sub") == Some(&json!("you"));
    assert_eq!(status(&layer.clone().require(check)).await, 403);
    assert_eq!(
        status(&IntrospectionLayer::new(make().audience("dogs"))).await,
        401
    );
    assert_eq!(
        status(&IntrospectionLayer::new(make().issuer("https://x"))).await,
        401
    );
    assert_eq!(
        send(&layer, "").await.headers()["www-authenticate"],
        "Bearer"
    );
    for wrong in [
        json!({ "exp": NOW }),
        json!({ "nbf": NOW + 1 }),
        json!({ "active": false }),
    ] {
        endpoint.answers(200, active(&wrong).to_string());
        assert_eq!(status(&layer).await, 401, "{wrong}");
    }
}

#[tokio::test]
async fn an_answer_is_kept_for_a_minute_and_no_longer_than_the_token_lives() {
    let endpoint = Endpoint::start(&active(&json!({ "exp": NOW + 90 }))).await;
    let clock = ManualClock::default();
    let introspection = endpoint.introspection(&clock);
    let asked = |expected| assert_eq!(endpoint.count(), expected);
    for _ in 0..3 {
        assert!(introspection.verify("t").await.is_ok());
    }
    asked(1);
    clock.advance(Duration::from_secs(60));
    assert!(introspection.verify("t").await.is_ok());
    asked(2);
    clock.advance(Duration::from_secs(30));
    assert_eq!(
        introspection.verify("t").await.unwrap_err(),
        TokenFault::Expired
    );
    asked(3);

    endpoint.answers(200, r#"{"active":false}"#);
    for _ in 0..3 {
        assert_eq!(
            introspection.verify("u").await.unwrap_err(),
            TokenFault::Inactive
        );
    }
    asked(4);
    clock.advance(Duration::from_secs(10));
    endpoint.answers(200, r#"{"active":true}"#);
    assert!(introspection.verify("u").await.is_ok());
    asked(5);
}

#[tokio::test]
async fn requests_at_once_ask_once() {
    let endpoint = Endpoint::start(&active(&json!({}))).await;
    let layer = IntrospectionLayer::new(endpoint.introspection(&ManualClock::default()));
    let answers = join_all((0..50).map(|_| send(&layer, "t"))).await;
    assert!(answers.iter().all(|answer| answer.status() == 200));
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test]
async fn an_endpoint_that_is_away_lets_nobody_in_and_is_left_alone_for_a_while() {
    let endpoint = Endpoint::start(&json!({})).await;
    let clock = ManualClock::default();
    let layer = IntrospectionLayer::new(endpoint.introspection(&clock));
    for (status, body) in [
        (500, String::new()),
        (401, r#"{"active":true}"#.to_owned()),
        (302, String::new()),
        (200, r#"{"active":"true"}"#.to_owned()),
        (200, r#"{"active":true,"exp":"soon"}"#.to_owned()),
    ] {
        endpoint.answers(status, body);
        let response = send(&layer, "t").await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
    }
    assert_eq!(endpoint.count(), 5);
    endpoint.answers(200, r#"{"active":true}"#);
    assert_eq!(send(&layer, "t").await.status(), 503);
    assert_eq!(endpoint.count(), 5);
    clock.advance(Duration::from_secs(1));
    assert_eq!(send(&layer, "t").await.status(), 200);
    let rest = layer.conduct(Conduct::RestApi);
    endpoint.answers(500, "");
    assert_eq!(send(&rest, "u").await.status(), 500);
}

#[tokio::test]
async fn answers_that_are_none_are_cut_off() {
    let endpoint = Endpoint::start(&json!({})).await;
    let layer = IntrospectionLayer::new(endpoint.introspection(&ManualClock::default()));
    for body in [
        "x".repeat(1024 * 1024),
        "[".repeat(50_000),
        r#"{"active":true,"active":true}"#.to_owned(),
        String::new(),
    ] {
        endpoint.answers(200, body);
        assert_eq!(send(&layer, "t").await.status(), 503);
    }
    let long = "t".repeat(17 * 1024);
    assert_eq!(send(&layer, &long).await.status(), 401);
    assert_eq!(endpoint.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_is_waited_for_two_seconds() {
    let server = MockIssuer::start("https://id.example.com", &[]).await;
    server.behave(portcullis_testkit::Conduct::Hang);
    let introspection = Introspection::at(&server.url()).expect("an address");
    let before = tokio::time::Instant::now();
    let fault = introspection.verify("t").await.unwrap_err();
    assert_eq!(fault, TokenFault::IntrospectionUnavailable);
    assert!(before.elapsed() < Duration::from_secs(3));
}

#[test]
fn tokens_do_not_travel_in_the_clear_and_secrets_are_in_no_output() {
    let error = Introspection::at("http://id.example.com/introspect").unwrap_err();
    assert!(error.to_string().contains("not encrypted"), "{error}");
    let introspection = Introspection::at("https://id.example.com/introspect")
        .expect("an address")
        .client_credentials("me", "s3cret");
    let text = format!(
        "{introspection:?} {:?}",
        IntrospectionLayer::new(introspection.clone())
    );
    assert!(
        !text.contains("s3cret") && !text.contains("Basic"),
        "{text}"
    );
    assert!(introspection.bearer_token("a\nb").is_err());
}
