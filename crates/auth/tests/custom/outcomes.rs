//! What callers get for what an authorizer says, or does not say.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_auth::access::{ApiArn, AuthorizerAccess};
use portcullis_auth::custom::{
    AuthorizerReply, AuthorizerRequest, CustomAuthorizerLayer, EventFormat, FunctionAuthorizer,
};
use portcullis_auth::iam::ResourcePolicy;
use portcullis_core::{
    Body, FunctionError, FunctionErrorKind, FunctionReply, Invocation, ManualClock, Rejection,
    RequestContext,
};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{ARN, Count, layer, request, send, status};

const SIMPLE: EventFormat = EventFormat::HttpV2 {
    simple_responses: true,
};

fn text(body: &Body) -> &str {
    std::str::from_utf8(body.as_bytes().expect("it is in memory")).expect("text")
}

#[tokio::test]
async fn what_it_says_is_in_the_context() {
    let (count, clock) = (Count::default(), ManualClock::default());
    let layer = layer(&count, &clock);
    let response = send(&layer, request("/pets", "good")).await;
    assert_eq!(text(response.body()), r#""ann" {"tier": String("gold")}"#);
    let mut refused = request("/pets", "bad");
    let context = RequestContext::of(&mut refused).clone();
    assert_eq!(send(&layer, refused).await.status(), 403);
    assert_eq!(context.get("authorizer.why"), Some("bad".into()));
    assert_eq!(context.get("authorizer.principalId"), Some("eve".into()));
    assert_eq!(context.get("authorizer.status"), Some(403.into()));
}

#[tokio::test]
async fn without_an_identity_nobody_is_asked() {
    let (count, clock) = (Count::default(), ManualClock::default());
    let layer = layer(&count, &clock);
    let response = send(&layer, request("/pets", "")).await;
    assert_eq!(response.status(), 401);
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        "UnauthorizedException"
    );
    assert_eq!(text(response.body()), r#"{"message":"Unauthorized"}"#);
    let expression = layer.identity_validation("good.*").expect("an expression");
    assert_eq!(status(&expression, "/pets", "bad").await, 401);
    assert_eq!(status(&expression, "/pets", "very good").await, 401);
    count.check(0);
    assert_eq!(status(&expression, "/pets", "good").await, 200);
}

#[tokio::test(start_paused = true)]
async fn one_that_takes_too_long_is_a_500() {
    let layer = CustomAuthorizerLayer::new(async |_: AuthorizerRequest| {
        std::future::pending::<()>().await;
        Ok(AuthorizerReply::allow("me"))
    })
    .timeout(Duration::from_secs(2));
    let before = tokio::time::Instant::now();
    let response = send(&layer, request("/pets", "")).await;
    assert_eq!(before.elapsed(), Duration::from_secs(2));
    assert_eq!(response.status(), 500);
    assert_eq!(text(response.body()), r#"{"message":null}"#);
}

#[tokio::test]
async fn one_that_is_only_observed_refuses_nobody() {
    let (count, clock) = (Count::default(), ManualClock::default());
    let layer = layer(&count, &clock).dangerous_observe();
    let mut refused = request("/pets", "bad");
    let context = RequestContext::of(&mut refused).clone();
    assert_eq!(send(&layer, refused).await.status(), 200);
    assert_eq!(context.observed().len(), 1);
}

/// What a request gets if a function answers so.
async fn answered(
    format: EventFormat,
    answer: Result<FunctionReply, FunctionError>,
) -> (u16, String, String) {
    let answer = Mutex::new(Some(answer));
    let function = move |_: Invocation| {
        let answer = answer
            .lock()
            .expect("nobody panics")
            .take()
            .expect("asked once");
        async move { answer }
    };
    let layer = CustomAuthorizerLayer::from(FunctionAuthorizer::new("auth", function, format))
        .identity_sources(["$request.header.Authorization"])
        .expect("a source")
        .access(crate::support::access());
    let response = send(&layer, request("/pets", "token")).await;
    let rule = response.extensions().get::<Rejection>().map(|rejection| {
        let decision = rejection.decision().expect("a reason");
        decision.rule().to_owned()
    });
    let status = response.status().as_u16();
    let body = text(response.body()).to_owned();
    (status, rule.unwrap_or_default(), body)
}

fn policy(effect: &str, resource: &str) -> Value {
    json!({ "principalId": "me", "policyDocument": { "Version": "2012-10-17", "Statement": [
        { "Action": "execute-api:Invoke", "Effect": effect, "Resource": resource }
    ] } })
}

#[tokio::test]
async fn the_outcomes_of_a_rest_api_are_the_services() {
    let success = |answer: Value| Ok(FunctionReply::success(answer.to_string()));
    let failure = |message: &str| {
        let error = json!({ "errorMessage": message, "errorType": "Error" });
        Ok(FunctionReply::failure(error.to_string()))
    };
    let denied = r#"{"Message":"User is not authorized to access this resource"}"#;
    let deny =
        r#"{"Message":"User is not authorized to access this resource with an explicit deny"}"#;
    let broken = r#"{"message":null}"#;
    for (answer, status, body) in [
        (success(policy("Allow", "*")), 200, r#""me" {}"#),
        (
            success(policy("Allow", &format!("{ARN}/prod/GET/pets"))),
            200,
            r#""me" {}"#,
        ),
        (
            success(policy("Allow", &format!("{ARN}/*/GET/p?ts"))),
            200,
            r#""me" {}"#,
        ),
        (
            success(policy("Allow", &format!("{ARN}/prod/POST/pets"))),
            403,
            denied,
        ),
        (success(policy("Deny", "*")), 403, deny),
        (
            failure("Unauthorized"),
            401,
            r#"{"message":"Unauthorized"}"#,
        ),
        (failure("Unauthorized: no"), 500, broken),
        (failure("boom"), 500, broken),
        (success(json!(null)), 500, broken),
        (success(json!({ "statusCode": 401 })), 500, broken),
        (success(json!({ "principalId": "me" })), 500, broken),
        (Ok(FunctionReply::success("not JSON")), 500, broken),
        (
            Err(FunctionError::new(FunctionErrorKind::NotFound)),
            500,
            broken,
        ),
        (
            Err(FunctionError::new(FunctionErrorKind::Timeout)),
            500,
            broken,
        ),
    ] {
        let shown = format!("{answer:?}");
        let (found, rule, text) = answered(EventFormat::Token, answer).await;
        assert_eq!((found, &*text), (status, body), "{shown} {rule}");
    }
}

#[tokio::test]
async fn the_outcomes_of_an_http_api_are_the_services() {
    let success = |answer: Value| Ok(FunctionReply::success(answer.to_string()));
    let unauthorized = || Ok(FunctionReply::failure(r#"{"errorMessage":"Unauthorized"}"#));
    let forbidden = r#"{"message":"Forbidden"}"#;
    let broken = r#"{"message":"Internal Server Error"}"#;
    for (format, answer, status, body) in [
        (
            SIMPLE,
            success(json!({ "isAuthorized": true, "context": { "n": 1 } })),
            200,
            r#"null {"n": Number(1)}"#,
        ),
        (
            SIMPLE,
            success(json!({ "isAuthorized": false })),
            403,
            forbidden,
        ),
        (SIMPLE, success(policy("Allow", "*")), 500, broken),
        (SIMPLE, unauthorized(), 500, broken),
        (
            EventFormat::HttpV1,
            unauthorized(),
            401,
            r#"{"message":"Unauthorized"}"#,
        ),
        (
            EventFormat::HttpV1,
            success(policy("Deny", "*")),
            403,
            forbidden,
        ),
        (
            EventFormat::HttpV1,
            success(json!({ "isAuthorized": true })),
            500,
            broken,
        ),
        (
            EventFormat::HttpV2 {
                simple_responses: false,
            },
            success(policy("Allow", "*")),
            200,
            r#""me" {}"#,
        ),
    ] {
        let shown = format!("{format:?} {answer:?}");
        let (found, rule, text) = answered(format, answer).await;
        assert_eq!((found, &*text), (status, body), "{shown} {rule}");
    }
}

#[tokio::test]
async fn a_resource_policy_that_denies_comes_before_the_question() {
    let (count, clock) = (Count::default(), ManualClock::default());
    let api = ApiArn::new("eu-west-1", "123456789012", "a1b2c3").expect("good parts");
    let deny = ResourcePolicy::parse(
        r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "execute-api:/prod/GET/secret"}}"#,
    )
    .expect("a policy");
    let access = AuthorizerAccess::new(api.stage("prod")).resource_policy(deny);
    let layer = layer(&count, &clock).access(access);
    assert_eq!(status(&layer, "/secret", "good").await, 403);
    assert_eq!(status(&layer, "/secret", "").await, 403);
    count.check(0);
    assert_eq!(status(&layer, "/pets", "good").await, 200);
}

/// Everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .expect("nobody panics")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_token_reaches_a_log() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let secret = "s3cr3t-t0ken";
    let failing = async |call: Invocation| {
        let event = String::from_utf8(call.payload.to_vec()).expect("text");
        let error =
            json!({ "errorMessage": format!("no such user: {event}"), "errorType": "Error" });
        Ok(FunctionReply::failure(error.to_string()))
    };
    let layer =
        CustomAuthorizerLayer::from(FunctionAuthorizer::new("auth", failing, EventFormat::Token));
    let response = send(&layer, request("/pets", secret)).await;
    assert_eq!(response.status(), 500);
    assert!(!format!("{response:?} {layer:?}").contains(secret));
    let narrow = super::support::layer(&Count::default(), &ManualClock::default());
    assert_eq!(status(&narrow, "/a", "narrow").await, 200);
    assert_eq!(status(&narrow, "/b", "narrow").await, 200);
    let text = String::from_utf8(log.0.lock().expect("nobody panics").clone()).expect("text");
    assert!(text.contains("gave no answer"), "{text}");
    assert!(text.contains("does not cover the method"), "{text}");
    assert!(!text.contains(secret), "{text}");
}
