//! The recorded cases: tokens made by independent libraries.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use portcullis_auth::ConfigError;
use portcullis_auth::jwt::{Algorithm, Conduct, Issuer, JwtLayer, KeySet, Verifier};
use portcullis_core::ManualClock;
use portcullis_testkit::cases::{self, ExpectedFailures};
use serde::Deserialize;
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};

#[derive(Deserialize)]
struct Case {
    id: String,
    must: bool,
    jwks: String,
    authorizer: Authorizer,
    now: u64,
    headers: Vec<(String, String)>,
    expect: Expect,
}

#[derive(Deserialize)]
struct Authorizer {
    r#type: String,
    issuer: String,
    audience: Vec<String>,
    scopes: Vec<String>,
    algorithms: Vec<String>,
    clock_skew_s: u64,
}

#[derive(Deserialize)]
struct Expect {
    status: u16,
}

#[test]
fn recorded_tokens_are_judged_as_recorded() {
    let Some(dir) = cases::dir() else { return };
    let sets: BTreeMap<String, Value> = cases::load_json(dir.join("jwt/jwks.json"));
    let all: Vec<Case> = cases::load_jsonl(dir.join("jwt/cases.jsonl"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let judge = |case: &Case| {
        let status = match layer(case, &sets[&case.jwks].to_string()) {
            Ok(layer) => runtime.block_on(answer(layer, case)),
            // What cannot be configured lets nobody in.
            Err(_) => 401,
        };
        match status == case.expect.status {
            true => Ok(()),
            false if !case.must => {
                println!("{}: {status} instead of {}", case.id, case.expect.status);
                Err("differs where the standard leaves it open".to_owned())
            }
            false => Err(format!("{status} instead of {}", case.expect.status)),
        }
    };
    cases::run(
        "jwt",
        all,
        &ExpectedFailures::none(),
        |case| &case.id,
        judge,
    );
}

fn layer(case: &Case, jwks: &str) -> Result<JwtLayer, ConfigError> {
    let authorizer = &case.authorizer;
    let algorithms: Result<Vec<Algorithm>, _> = authorizer
        .algorithms
        .iter()
        .map(|name| name.parse())
        .collect();
    let issuer = Issuer::given(&authorizer.issuer, KeySet::from_jwks(jwks)?)?
        .algorithms(algorithms?)
        .audiences(&authorizer.audience);
    let verifier = Verifier::from(issuer)
        .clock(ManualClock::at_unix(case.now))
        .leeway(Duration::from_secs(authorizer.clock_skew_s));
    let layer = JwtLayer::new(verifier).require_scopes(&authorizer.scopes);
    Ok(match &*authorizer.r#type {
        "cognito" => layer.conduct(Conduct::UserPool),
        _ => layer,
    })
}

async fn answer(layer: JwtLayer, case: &Case) -> u16 {
    let hello = service_fn(async |_request: Request<()>| {
        Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("hello")))
    });
    let mut request = Request::get("/");
    for (name, value) in &case.headers {
        request = request.header(name, value);
    }
    let request = request.body(()).expect("a request");
    // The verdict of a token that comes again is the same.
    let service = layer.layer(hello);
    let first = service
        .clone()
        .oneshot(request.clone())
        .await
        .expect("an answer")
        .status();
    let again = service.oneshot(request).await.expect("an answer").status();
    assert_eq!(first, again);
    first.as_u16()
}
