//! An HTTP API behind a cache by RFC 9111, by the builder and by a configuration file.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use portcullis::cache::http::HttpCacheRules;
use portcullis::core::{Body, ManualClock};
use portcullis::{ApiSpec, ConfigFormat, Gateway, GatewayBuilder, GatewayConfig};
use portcullis_testkit::request as testkit;
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};

fn document() -> Value {
    let integration = json!({
        "type": "aws_proxy",
        "payloadFormatVersion": "2.0",
        "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:pets/invocations",
    });
    let operation = json!({ "responses": {}, "x-amazon-apigateway-integration": integration });
    json!({
        "openapi": "3.0.1",
        "info": { "title": "pets", "version": "1" },
        "paths": { "/pets": { "x-amazon-apigateway-any-method": operation } },
    })
}

struct Setup {
    gateway: Gateway,
    clock: ManualClock,
    calls: Arc<AtomicUsize>,
}

impl Setup {
    fn new(api: ApiSpec) -> Self {
        Self::of(Gateway::builder().api(api))
    }

    /// A gateway whose function numbers its answers, and fails from the third one on.
    fn of(builder: GatewayBuilder) -> Self {
        let clock = ManualClock::default();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let pets = service_fn(move |_: Request<Body>| {
            let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
            let response = if number > 2 {
                Err("the function is out of order")
            } else {
                Ok(Response::builder()
                    .header("cache-control", "max-age=60")
                    .body(Body::from(format!("answer {number}")))
                    .expect("a response"))
            };
            std::future::ready(response)
        });
        let gateway = builder
            .clock(clock.clone())
            .service("pets", pets)
            .build()
            .expect("the gateway is good");
        Self {
            gateway,
            clock,
            calls,
        }
    }

    async fn send(&self, method: &str) -> (String, String) {
        let request = Request::builder()
            .method(method)
            .uri("/prod/pets")
            .header("host", "pets.example.com")
            .body(Body::empty())
            .expect("a request");
        let response = self
            .gateway
            .clone()
            .oneshot(request)
            .await
            .expect("infallible");
        let status = response.headers().get("cache-status");
        let status = status
            .map_or("", |status| status.to_str().expect("text"))
            .to_owned();
        (status, testkit::text(response).await)
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

fn api() -> ApiSpec {
    ApiSpec::http(document().to_string())
        .id("pets")
        .stage_named("prod")
}

#[tokio::test]
async fn responses_say_how_long_they_are_served_from_the_cache() {
    let setup = Setup::new(api().http_cache(HttpCacheRules::builder()));
    let (status, text) = setup.send("GET").await;
    assert_eq!(
        (status.as_str(), text.as_str()),
        ("Portcullis; fwd=uri-miss; stored", "answer 1")
    );
    setup.clock.advance(Duration::from_secs(59));
    let (status, text) = setup.send("GET").await;
    assert_eq!(
        (status.as_str(), text.as_str()),
        ("Portcullis; hit; ttl=1", "answer 1")
    );
    setup.send("DELETE").await;
    assert_eq!(setup.calls(), 2);
}

#[tokio::test]
async fn what_is_stale_is_served_while_the_integration_fails() {
    let setup = Setup::new(api().http_cache(HttpCacheRules::builder()));
    setup.send("GET").await;
    // What changes something makes the first answer invalid.
    setup.send("POST").await;
    let (_, text) = setup.send("GET").await;
    assert!(text.contains("Internal Server Error"), "{text}");

    let setup = Setup::new(api().http_cache(HttpCacheRules::builder()));
    setup.send("GET").await;
    setup.clock.advance(Duration::from_secs(60));
    setup.send("GET").await;
    setup.clock.advance(Duration::from_secs(60));
    let (status, text) = setup.send("GET").await;
    assert_eq!(
        (status.as_str(), text.as_str()),
        ("Portcullis; fwd=stale", "answer 2")
    );
}

#[tokio::test]
async fn an_answer_in_place_of_the_integration_s_says_what_the_cache_did() {
    let setup = Setup::new(
        api().http_cache(HttpCacheRules::builder().stale_when_disconnected(Duration::ZERO)),
    );
    setup.send("GET").await;
    setup.send("POST").await;
    // From here on it fails.
    for (method, expected) in [
        ("GET", "Portcullis; fwd=miss"),
        ("HEAD", "Portcullis; fwd=miss"),
        ("POST", "Portcullis; fwd=method"),
    ] {
        assert_eq!(setup.send(method).await.0, expected, "{method}");
    }
    let quiet = Setup::new(api().http_cache(HttpCacheRules::builder().without_status()));
    quiet.calls.store(2, Ordering::SeqCst);
    assert_eq!(quiet.send("GET").await.0, "");
}

#[tokio::test]
async fn a_stage_is_flushed() {
    let setup = Setup::new(api().http_cache(HttpCacheRules::builder()));
    setup.send("GET").await;
    let flushed = setup.gateway.flush_stage_cache("pets", "prod").await;
    assert_eq!(flushed.expect("there is such a stage"), 1);
    let (status, _) = setup.send("GET").await;
    assert_eq!(status, "Portcullis; fwd=uri-miss; stored");
}

#[tokio::test]
async fn an_api_without_it_calls_its_integration_each_time() {
    let setup = Setup::new(api());
    assert_eq!(setup.send("GET").await.0, "");
    setup.send("GET").await;
    assert_eq!(setup.calls(), 2);
}

#[tokio::test]
async fn a_file_says_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pets.json");
    std::fs::write(&path, document().to_string()).expect("it can be written");
    let parse = |kind: &str, cache: &str| {
        let text = format!(
            "{{\"apis\": [{{\"id\": \"pets\", \"kind\": \"{kind}\", \"definition\": {:?}, \"stages\": [{{\"stageName\": \"prod\"}}], \"cache\": {cache}}}]}}",
            path.to_str().expect("text"),
        );
        GatewayConfig::parse(&text, ConfigFormat::Json)
    };
    let config = parse(
        "http",
        r#"{"mode": "http", "staleWhenDisconnected": 5, "setCookie": "strip"}"#,
    )
    .expect("it is good");
    let cache = config.apis[0].cache.as_ref().expect("it has a cache");
    assert_eq!(cache.stale_when_disconnected, Some(5));
    let setup = Setup::of(config.gateway().expect("a builder"));
    setup.send("GET").await;
    assert_eq!(setup.send("GET").await.0, "Portcullis; hit; ttl=60");

    let error = parse("http", r#"{"mode": "http", "setCookies": "strip"}"#).unwrap_err();
    assert!(
        error.to_string().contains("did you mean `setCookie`?"),
        "{error}"
    );
    let error = parse("http", r#"{"mode": "gateway"}"#).unwrap_err();
    assert!(error.to_string().contains("/apis/0/cache/mode"), "{error}");
    let error = parse("rest", r#"{"mode": "http"}"#).unwrap_err();
    assert!(error.to_string().contains("cacheClusterEnabled"), "{error}");
}

#[test]
fn all_that_is_wrong_with_a_cache_is_told_at_once_with_its_field() {
    let faults = |cache: &str| {
        let text = format!("apis:\n  - {{ id: pets, kind: http, definition: x, cache: {cache} }}");
        let error = GatewayConfig::parse(&text, ConfigFormat::Yaml).unwrap_err();
        error
            .to_string()
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let told = faults(
        "{ status: maybe, heuristic: 2, surrogate: a b, targetedFields: [CDN-Cache-Control, 'a b', 'c d'], name: '', setCookie: keep, maxBodyBytes: -1 }",
    );
    let mut places: Vec<_> = told
        .iter()
        .filter_map(|line| line.split(": ").next())
        .collect();
    places.sort_unstable();
    let expected = [
        "/apis/0/cache/heuristic",
        "/apis/0/cache/maxBodyBytes",
        "/apis/0/cache/mode",
        "/apis/0/cache/name",
        "/apis/0/cache/setCookie",
        "/apis/0/cache/status",
        "/apis/0/cache/surrogate",
        "/apis/0/cache/targetedFields/1",
        "/apis/0/cache/targetedFields/2",
    ];
    assert_eq!(places, expected, "{told:#?}");
    let heuristic = told.iter().find(|line| line.contains("heuristic"));
    let heuristic = heuristic.expect("it is told");
    assert!(
        heuristic.ends_with("`2` is no part; give a number from 0 to 1"),
        "{heuristic}"
    );
}
