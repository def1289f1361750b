//! Every case of `cases.json`, in which all CORS headers and `Vary` of the answer are listed.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use portcullis_cors::{Conduct, CorsConfig, CorsLayer, CorsRules};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};

#[derive(serde::Deserialize)]
struct Cases {
    rules: HashMap<String, serde_json::Map<String, Value>>,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    rules: String,
    /// The method, and then headers as `name=value`.
    request: String,
    #[serde(default)]
    inner: Vec<String>,
    called: bool,
    answer: Vec<String>,
}

fn rules(mut config: serde_json::Map<String, Value>) -> CorsRules {
    let conduct = match config.remove("conduct") {
        Some(_) => Conduct::HttpApi,
        None => Conduct::Standard,
    };
    let config: CorsConfig = serde_json::from_value(config.into()).expect("the config reads");
    let rules = config.into_builder().conduct(conduct).build();
    rules.expect("the rules are good")
}

#[tokio::test]
async fn every_case_is_answered_as_listed() {
    let cases: Cases = serde_json::from_str(include_str!("cases.json")).expect("the file reads");
    for case in cases.cases {
        let layer = CorsLayer::new(rules(cases.rules[&case.rules].clone()));
        let called = AtomicBool::new(false);
        let service = layer.layer(service_fn(async |_: Request<()>| {
            called.store(true, Ordering::Relaxed);
            let mut response = Response::new(Full::<Bytes>::from("inner"));
            for line in &case.inner {
                let (name, value) = line.split_once(": ").expect("a header line");
                response.headers_mut().append(
                    HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                    HeaderValue::from_str(value).expect("a value"),
                );
            }
            Ok::<_, Infallible>(response)
        }));
        let mut words = case.request.split(' ');
        let mut request = Request::builder().method(words.next().expect("a method"));
        for header in words {
            let (name, value) = header.split_once('=').expect("a header");
            request = request.header(name, value);
        }
        let request = request.body(()).expect("a request");

        let response = service.oneshot(request).await.expect("never fails");

        let name = &case.name;
        assert_eq!(
            called.load(Ordering::Relaxed),
            case.called,
            "{name}: called"
        );
        let status = if case.called { 200 } else { 204 };
        assert_eq!(response.status(), status, "{name}");
        let mut lines: Vec<String> = response
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().expect("is text")))
            .collect();
        let mut expected = case.answer.clone();
        lines.sort_unstable();
        expected.sort_unstable();
        assert_eq!(lines, expected, "{name}");
    }
}
