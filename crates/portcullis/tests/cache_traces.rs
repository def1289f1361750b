//! What traces tell of requests that go through a cache.

use std::sync::{Arc, Mutex};

use http::Request;
use http_body_util::BodyExt;
use portcullis::cache::http::HttpCacheRules;
use portcullis::core::{Body, FunctionReply, Invocation, ManualClock};
use portcullis::observe::trace::{SamplingRules, Traces};
use portcullis::{ApiSpec, Gateway};
use serde_json::{Value, json};
use tower::ServiceExt;
use tracing::Subscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// Keeps the names of spans, each with those above it.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let scope = context.span_scope(id).expect("the span is new").from_root();
        let names: Vec<_> = scope.map(|span| span.name()).collect();
        self.0.lock().expect("the recorder").push(names.join(" > "));
    }
}

impl Recorder {
    /// The spans of the cache since the last time.
    fn taken(&self) -> Vec<String> {
        let all = std::mem::take(&mut *self.0.lock().expect("the recorder"));
        let (cache, other): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|path| path.contains("cache"));
        assert!(
            !other.iter().any(|path| path.ends_with("integration")),
            "{other:?}"
        );
        cache
    }
}

fn function() -> Value {
    json!({
        "type": "aws_proxy", "httpMethod": "POST", "payloadFormatVersion": "1.0",
        "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:pets/invocations",
    })
}

fn mock() -> Value {
    let ok = json!({ "statusCode": "200", "responseTemplates": { "application/json": "{}" } });
    json!({
        "type": "mock", "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
        "responses": { "default": ok },
    })
}

fn document(integrations: &[(&str, Value)]) -> String {
    let paths: serde_json::Map<_, _> = integrations
        .iter()
        .map(|(path, integration)| {
            let method = json!({
                "responses": { "200": { "description": "ok" } },
                "x-amazon-apigateway-integration": integration,
            });
            ((*path).to_owned(), json!({ "get": method }))
        })
        .collect();
    json!({ "openapi": "3.0.1", "info": { "title": "t", "version": "1" }, "paths": paths })
        .to_string()
}

fn rest() -> ApiSpec {
    let stage = json!({
        "stageName": "prod", "cacheClusterEnabled": true,
        "methodSettings": { "*/*": { "cachingEnabled": true } },
    });
    let document = document(&[("/pets", function()), ("/mock", mock())]);
    ApiSpec::rest(document)
        .id("pets")
        .stage(serde_json::from_value(stage).expect("a stage"))
}

fn http() -> ApiSpec {
    let document = document(&[("/pets", function())]);
    ApiSpec::http(document)
        .id("pets")
        .stage_named("prod")
        .http_cache(HttpCacheRules::builder())
}

/// Answers with the span that it was called from.
async fn tell(invocation: Invocation) -> Result<FunctionReply, portcullis::core::FunctionError> {
    let trace = invocation.trace.map(|trace| trace.to_string());
    let headers = json!({ "cache-control": "max-age=60" });
    let reply = json!({ "statusCode": 200, "headers": headers, "body": trace.unwrap_or_default() });
    Ok(FunctionReply::success(reply.to_string()))
}

fn gateway(api: ApiSpec) -> Gateway {
    let traces = Traces::builder("gateway")
        .sampling(SamplingRules::all())
        .build();
    Gateway::builder()
        .api(api)
        .function("pets", tell)
        .clock(ManualClock::default())
        .traces(traces)
        .trace_every_stage(true)
        .build()
        .expect("a gateway")
}

/// The trace as the client has it.
const CLIENT: &str = "Root=1-66b3c0a8-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1";

async fn get(gateway: &Gateway, target: &str) -> String {
    let request = Request::get(target)
        .header("host", "pets.example.com")
        .header("x-amzn-trace-id", CLIENT);
    let request = request.body(Body::empty()).expect("a target");
    let response = gateway.clone().oneshot(request).await.expect("infallible");
    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.expect("a body");
    String::from_utf8(body.to_bytes().to_vec()).expect("text")
}

// The only test here: what one thread makes of the places of spans, others see.
#[tokio::test]
async fn a_miss_has_the_integration_below_the_cache_and_a_hit_has_the_cache_alone() {
    let recorder = Recorder::default();
    let subscriber = tracing_subscriber::registry().with(recorder.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    for (api, target) in [
        (rest(), "/prod/pets"),
        (rest(), "/prod/mock"),
        (http(), "/prod/pets"),
    ] {
        let gateway = gateway(api);
        let told = get(&gateway, target).await;
        let miss = recorder.taken();
        assert_eq!(
            miss[..2],
            ["request > cache", "request > cache > integration"],
            "{target}"
        );
        // What is called stands below the call, and that is none of the client's spans.
        if target != "/prod/mock" {
            assert!(told.starts_with(&CLIENT[..CLIENT.len() - 26]), "{told}");
            assert_ne!(told, CLIENT);
        }
        get(&gateway, target).await;
        assert_eq!(recorder.taken(), ["request > cache"], "{target}");
    }
}
