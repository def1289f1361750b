//! Cached methods of a whole gateway: what a definition and its stages say of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use portcullis::cache::Purge;
use portcullis::core::{Body, CacheStatus, ManualClock, RequestContext};
use portcullis::definition::Stage;
use portcullis::{ApiSpec, Gateway, GatewayBuilder, GatewayConfig, Parity, Served};
use portcullis_testkit::request as testkit;
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};

/// A method whose answers are numbered by the function behind it.
fn numbered(keys: &Value) -> Value {
    json!({
        "responses": {},
        "parameters": [
            { "name": "type", "in": "query", "schema": { "type": "string" } },
            { "name": "id", "in": "path", "required": true, "schema": { "type": "string" } },
        ],
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:count/invocations",
            "cacheKeyParameters": keys,
            "requestParameters": { "integration.request.header.x-tenant": "method.request.header.x-tenant" }
        }
    })
}

fn document() -> Value {
    json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "paths": {
            "/pets": {
                "get": numbered(&json!(["method.request.querystring.type"])),
                "post": numbered(&json!([])),
            },
            "/pets/{id}": { "get": numbered(&json!(["method.request.path.id"])) },
            "/tenants": { "get": numbered(&json!(["integration.request.header.x-tenant"])) },
            "/any": { "x-amazon-apigateway-any-method": numbered(&json!([])) },
        }
    })
}

fn stage(name: &str, cluster: bool, settings: &Value) -> Stage {
    let stage = json!({
        "stageName": name,
        "cacheClusterEnabled": cluster,
        "methodSettings": settings,
    });
    serde_json::from_value(stage).expect("a stage")
}

struct Setup {
    gateway: Gateway,
    clock: ManualClock,
    calls: Arc<AtomicUsize>,
}

fn setup(api: ApiSpec, change: impl FnOnce(GatewayBuilder) -> GatewayBuilder) -> Setup {
    let clock = ManualClock::default();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let count = service_fn(move |request: Request<Body>| {
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        let status = match request.uri().query() {
            Some("fail") => 500,
            _ => 200,
        };
        std::future::ready(Ok::<_, std::convert::Infallible>(
            Response::builder()
                .status(status)
                .header("set-cookie", "session=1")
                .header("content-type", "text/plain")
                .body(Body::from(format!("answer {number}")))
                .expect("a response"),
        ))
    });
    let builder = Gateway::builder()
        .clock(clock.clone())
        .service("count", count)
        .api(api);
    Setup {
        gateway: change(builder).build().expect("the gateway is good"),
        clock,
        calls,
    }
}

fn api(settings: &Value) -> ApiSpec {
    let api = ApiSpec::rest(document().to_string()).id("pets");
    api.stage(stage("prod", true, settings))
}

fn all() -> Value {
    json!({ "*/*": { "cachingEnabled": true, "cacheTtlInSeconds": 60 } })
}

impl Setup {
    fn of(settings: &Value) -> Self {
        setup(api(settings), |builder| builder)
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.gateway
            .clone()
            .oneshot(request)
            .await
            .expect("infallible")
    }

    async fn text(&self, request: Request<Body>) -> String {
        testkit::text(self.send(request).await).await
    }

    async fn get(&self, target: &str) -> String {
        self.text(get(target)).await
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

fn get(target: &str) -> Request<Body> {
    Request::get(target).body(Body::empty()).expect("a target")
}

#[tokio::test]
async fn a_cached_method_answers_for_its_time_and_its_key() {
    let setup = Setup::of(&all());
    assert_eq!(setup.get("/prod/pets?type=dog&x=1").await, "answer 1");
    assert_eq!(setup.get("/prod/pets?type=dog&x=2").await, "answer 1");
    assert_eq!(setup.get("/prod/pets?type=cat").await, "answer 2");
    assert_eq!(setup.get("/prod/pets/1").await, "answer 3");
    assert_eq!(setup.get("/prod/pets/2").await, "answer 4");
    setup.clock.advance(Duration::from_secs(60));
    assert_eq!(setup.get("/prod/pets?type=dog").await, "answer 5");
}

#[tokio::test]
async fn a_hit_has_ids_of_its_own_and_no_time_of_an_integration() {
    let setup = Setup::of(&all());
    let mut ids = Vec::new();
    for expected in [CacheStatus::Miss, CacheStatus::Hit] {
        let mut request = get("/prod/pets");
        let context = RequestContext::of(&mut request).clone();
        let answer = setup.send(request).await;
        assert_eq!(context.cache_status(), Some(expected));
        let hit = expected == CacheStatus::Hit;
        assert_eq!(answer.headers().contains_key("set-cookie"), !hit);
        assert_eq!(context.get("integrationLatency").is_none(), hit);
        ids.push(answer.headers()["x-amzn-requestid"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn integration_parameters_are_keys_by_what_they_come_from() {
    let setup = Setup::of(&all());
    let tenant = |name: &str| {
        let request = Request::get("/prod/tenants").header("x-tenant", name);
        request.body(Body::empty()).expect("a request")
    };
    let one = setup.text(tenant("one")).await;
    assert_ne!(setup.text(tenant("two")).await, one);
    assert_eq!(setup.text(tenant("one")).await, one);
}

#[tokio::test]
async fn both_switches_are_needed_and_other_verbs_by_name() {
    // No flag of a method; no cache of the stage.
    let unset = setup(api(&json!({})), |builder| builder);
    assert_ne!(unset.get("/prod/pets").await, unset.get("/prod/pets").await);
    let spec = ApiSpec::rest(document().to_string()).id("pets");
    let off = setup(spec.stage(stage("prod", false, &all())), |builder| builder);
    assert_ne!(off.get("/prod/pets").await, off.get("/prod/pets").await);

    let post = |path: &str| Request::post(path).body(Body::empty()).expect("a request");
    let get_only = Setup::of(&all());
    assert_ne!(
        get_only.text(post("/prod/pets")).await,
        get_only.text(post("/prod/pets")).await
    );
    assert_ne!(
        get_only.text(post("/prod/any")).await,
        get_only.text(post("/prod/any")).await
    );
    assert_eq!(
        get_only.get("/prod/any").await,
        get_only.get("/prod/any").await
    );
    let named = Setup::of(&json!({
        "*/*": { "cachingEnabled": true },
        "pets/POST": { "cachingEnabled": true },
        "~1pets/GET": { "cachingEnabled": false },
        "pets/{id}/GET": { "cacheTtlInSeconds": 0 },
    }));
    assert_eq!(
        named.text(post("/prod/pets")).await,
        named.text(post("/prod/pets")).await
    );
    assert_ne!(named.get("/prod/pets").await, named.get("/prod/pets").await);
    assert_ne!(
        named.get("/prod/pets/1").await,
        named.get("/prod/pets/1").await
    );
}

#[tokio::test]
async fn a_request_with_a_body_is_not_served_with_what_another_body_brought() {
    let setup = Setup::of(&json!({ "pets/POST": { "cachingEnabled": true } }));
    let post = |body: &'static str| Request::post("/prod/pets").body(Body::from(body)).unwrap();
    assert_ne!(setup.text(post("a")).await, setup.text(post("b")).await);
}

#[tokio::test]
async fn errors_are_stored_under_strict_parity_only() {
    let closed = Setup::of(&all());
    assert_ne!(
        closed.get("/prod/pets?fail").await,
        closed.get("/prod/pets?fail").await
    );
    let strict = setup(api(&all()).parity(Parity::Strict), |builder| builder);
    assert_eq!(
        strict.get("/prod/pets?fail").await,
        strict.get("/prod/pets?fail").await
    );
}

#[tokio::test]
async fn callers_without_permission_are_told_as_the_stage_says() {
    let reload = || {
        let request = Request::get("/prod/pets").header("cache-control", "max-age=0");
        request.body(Body::empty()).expect("a request")
    };
    let with = |name: &str, value: Value| {
        let mut settings = all();
        settings["*/*"][name] = value;
        Setup::of(&settings)
    };
    let strategy = "unauthorizedCacheControlHeaderStrategy";
    let warned = Setup::of(&all());
    warned.get("/prod/pets").await;
    let answer = warned.send(reload()).await;
    assert_eq!(
        answer.headers()["warning"],
        "199 Cache-control headers were ignored because the caller was unauthorized."
    );
    assert_eq!(testkit::text(answer).await, "answer 1");

    let silent = with(strategy, json!("SUCCEED_WITHOUT_RESPONSE_HEADER"));
    assert!(
        !silent
            .send(reload())
            .await
            .headers()
            .contains_key("warning")
    );

    let refusing = with(strategy, json!("FAIL_WITH_403"));
    let answer = refusing.send(reload()).await;
    assert_eq!(answer.status(), 403);
    assert_eq!(
        answer.headers()["x-amzn-errortype"],
        "AccessDeniedException"
    );
    assert_eq!(refusing.calls(), 0);

    let open = with("requireAuthorizationForCacheControl", json!(false));
    assert_eq!(open.text(reload()).await, "answer 1");
    assert_eq!(open.text(reload()).await, "answer 2");
    assert_eq!(open.get("/prod/pets").await, "answer 2");
}

#[tokio::test]
async fn a_stage_is_flushed_alone() {
    let spec = api(&all()).stage(stage("test", true, &all()));
    let setup = setup(spec, |builder| builder);
    for stage in ["prod", "test"] {
        setup.get(&format!("/{stage}/pets")).await;
        setup.get(&format!("/{stage}/pets/1")).await;
    }
    assert_eq!(
        setup
            .gateway
            .flush_stage_cache("pets", "prod")
            .await
            .unwrap(),
        2
    );
    assert_eq!(setup.get("/test/pets").await, "answer 3");
    assert_eq!(setup.get("/prod/pets").await, "answer 5");
    let cache = setup.gateway.response_cache();
    assert_eq!(cache.purge(Purge::prefix("/test/pets/")).await.unwrap(), 1);
    for (api, stage) in [("pets", "none"), ("none", "prod")] {
        assert!(setup.gateway.flush_stage_cache(api, stage).await.is_err());
    }
}

#[tokio::test]
async fn a_deployment_of_the_same_document_keeps_what_is_cached_and_another_does_not() {
    let setup = Setup::of(&all());
    assert_eq!(setup.get("/prod/pets").await, "answer 1");
    setup
        .gateway
        .deploy("pets", document().to_string())
        .expect("it is good");
    assert_eq!(setup.get("/prod/pets").await, "answer 1");
    let mut other = document();
    other["paths"]["/more"] = json!({ "get": numbered(&json!([])) });
    setup
        .gateway
        .deploy("pets", other.to_string())
        .expect("it is good");
    assert_eq!(setup.get("/prod/pets").await, "answer 2");
    setup
        .gateway
        .deploy("pets", document().to_string())
        .expect("it is good");
    assert_eq!(setup.get("/prod/pets").await, "answer 1");
}

#[tokio::test]
async fn a_namespace_is_shared_by_the_methods_that_name_it() {
    let mut document = document();
    for path in ["/pets/{id}", "/any"] {
        let methods = document["paths"][path].as_object_mut().expect("methods");
        for method in methods.values_mut() {
            method["x-amazon-apigateway-integration"]["cacheNamespace"] = json!("shared");
            method["x-amazon-apigateway-integration"]["cacheKeyParameters"] = json!([]);
        }
    }
    let api = ApiSpec::rest(document.to_string()).id("pets");
    let setup = setup(api.stage(stage("prod", true, &all())), |builder| builder);
    assert_eq!(
        setup.get("/prod/pets/1").await,
        setup.get("/prod/any").await
    );
    assert_ne!(setup.get("/prod/pets").await, setup.get("/prod/any").await);
}

#[tokio::test]
async fn the_report_says_what_of_a_stage_is_enforced() {
    let settings = json!({
        "*/*": { "cachingEnabled": true, "cacheTtlInSeconds": 60 },
    });
    let with = setup(api(&settings), |builder| builder);
    let fate = |setup: &Setup, pointer: &str| {
        let coverage = setup.gateway.coverage();
        let field = coverage.iter().find(|field| field.pointer == pointer);
        field.map(|field| field.served)
    };
    for pointer in [
        "stage prod:/cacheClusterEnabled",
        "stage prod:/methodSettings/*~1*/cachingEnabled",
        "stage prod:/methodSettings/*~1*/cacheTtlInSeconds",
        "/paths/~1pets/get/x-amazon-apigateway-integration/cacheKeyParameters",
    ] {
        assert_eq!(fate(&with, pointer), Some(Served::Enforced), "{pointer}");
    }
    let spec = ApiSpec::rest(document().to_string()).id("pets");
    let without = setup(spec.stage(stage("prod", false, &settings)), |builder| {
        builder
    });
    for pointer in [
        "stage prod:/methodSettings/*~1*/cachingEnabled",
        "/paths/~1pets/get/x-amazon-apigateway-integration/cacheKeyParameters",
    ] {
        assert_eq!(
            fate(&without, pointer),
            Some(Served::DocumentationOnly),
            "{pointer}"
        );
    }
}

#[test]
fn a_time_over_an_hour_is_a_fault_of_the_stage() {
    let settings = json!({ "*/*": { "cachingEnabled": true, "cacheTtlInSeconds": 3601 } });
    let error = Gateway::builder().api(api(&settings)).build().unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("cacheTtlInSeconds") && text.contains("0 to 3600"),
        "{text}"
    );
}

#[tokio::test]
async fn whom_a_policy_allows_to_has_responses_replaced() {
    let mut document = document();
    document["x-amazon-apigateway-policy"] = json!({
        "Version": "2012-10-17",
        "Statement": [
            { "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*" },
            {
                "Effect": "Allow", "Principal": "*", "Action": "execute-api:InvalidateCache",
                "Resource": "arn:aws:execute-api:us-east-1:000000000000:pets/prod/GET/pets"
            },
        ]
    });
    let spec = ApiSpec::rest(document.to_string()).id("pets");
    let setup = setup(spec.stage(stage("prod", true, &all())), |builder| builder);
    for (path, replaced) in [("/prod/pets", true), ("/prod/pets/1", false)] {
        let before = setup.get(path).await;
        let request = Request::get(path).header("cache-control", "max-age=0");
        let after = setup.text(request.body(Body::empty()).unwrap()).await;
        assert_eq!(before != after, replaced, "{path}");
    }
}

#[tokio::test]
async fn the_size_of_the_cache_stands_in_the_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("api.json"), document().to_string()).expect("written");
    let config = json!({
        "cache": { "maxBytes": 1_000_000 },
        "apis": [{ "id": "pets", "definition": "api.json" }],
    });
    let path = folder.path().join("gateway.json");
    std::fs::write(&path, config.to_string()).expect("written");
    let config = GatewayConfig::load(&path).expect("it is good");
    assert_eq!(config.cache.max_bytes, Some(1_000_000));
    config
        .gateway()
        .expect("it is good")
        .build()
        .expect("a gateway");
}

/// A function that answers with the body that it was sent and its number, behind `POST` with the body in its key.
fn by_body(mapped: bool, max_body_bytes: Option<u64>) -> Setup {
    let mut document = document();
    let post = &mut document["paths"]["/pets"]["post"]["x-amazon-apigateway-integration"];
    if mapped {
        post["cacheKeyParameters"] = json!(["integration.request.header.x-body"]);
        post["requestParameters"] =
            json!({ "integration.request.header.x-body": "method.request.body" });
    } else {
        post["cacheKeyParameters"] = json!(["method.request.body"]);
    }
    post["uri"] = json!(
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:echo/invocations"
    );
    let settings = json!({ "pets/POST": { "cachingEnabled": true } });
    let mut api = ApiSpec::rest(document.to_string()).id("pets");
    api = api.stage(stage("prod", true, &settings));
    if let Some(bytes) = max_body_bytes {
        api = api.max_body_bytes(bytes);
    }
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let mut setup = setup(api, |builder| {
        builder.service(
            "echo",
            service_fn(move |request: Request<Body>| {
                let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
                async move {
                    let text = testkit::text(Response::new(request.into_body())).await;
                    let answer = Response::new(Body::from(format!("{number} {text}")));
                    Ok::<_, std::convert::Infallible>(answer)
                }
            }),
        )
    });
    setup.calls = calls;
    setup
}

fn post(body: impl Into<Body>) -> Request<Body> {
    Request::post("/prod/pets")
        .body(body.into())
        .expect("a request")
}

#[tokio::test]
async fn the_body_is_a_part_of_the_key_where_it_is_named_or_mapped() {
    for mapped in [false, true] {
        let setup = by_body(mapped, None);
        assert_eq!(setup.text(post("cats")).await, "1 cats");
        assert_eq!(setup.text(post("dogs")).await, "2 dogs");
        assert_eq!(setup.text(post("cats")).await, "1 cats", "mapped: {mapped}");
        // One that comes without a length is the same.
        let pieces = Body::new(http_body_util::StreamBody::new(futures_util::stream::iter(
            ["ca", "ts"].map(|piece| Ok::<_, std::io::Error>(http_body::Frame::data(piece.into()))),
        )));
        assert_eq!(setup.text(post(pieces)).await, "1 cats");
        assert_eq!(setup.calls(), 2);
    }
}

#[tokio::test]
async fn a_body_over_the_bound_of_the_key_reaches_the_integration_whole() {
    let setup = by_body(false, None);
    let long = "x".repeat(1_048_577);
    for call in 1..=2 {
        assert_eq!(
            setup.text(post(long.clone())).await,
            format!("{call} {long}")
        );
    }
}

#[tokio::test]
async fn every_part_that_makes_no_key_is_told_at_its_place() {
    let mut document = document();
    let get = &mut document["paths"]["/pets"]["get"]["x-amazon-apigateway-integration"];
    get["cacheKeyParameters"] = json!([
        "method.request.querystring.type",
        "method.request.cookie.type",
        "integration.request.header.x-tenant",
        "context.nothing",
    ]);
    let api = ApiSpec::rest(document.to_string()).id("pets");
    let setup = setup(api.stage(stage("prod", true, &all())), |builder| builder);
    let coverage = setup.gateway.coverage();
    let told: Vec<_> = coverage
        .not_served()
        .map(|field| (field.pointer.as_str(), field.note.as_ref()))
        .collect();
    let list = "/paths/~1pets/get/x-amazon-apigateway-integration/cacheKeyParameters";
    let places = [format!("{list}/1"), format!("{list}/3")];
    assert_eq!(told.len(), 2, "{told:?}");
    for ((pointer, note), place) in told.iter().zip(&places) {
        assert_eq!(pointer, place);
        assert!(note.ends_with("the method is not cached"), "{note}");
    }
    assert_ne!(setup.get("/prod/pets").await, setup.get("/prod/pets").await);
}
