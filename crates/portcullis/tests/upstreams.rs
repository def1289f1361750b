//! Pools of targets and VPC links in a gateway.

use std::net::TcpListener;

use http::{Request, Response};
use portcullis::client::{CircuitBreaker, Client, Retries, UpstreamPool, UpstreamPoolConfig};
use portcullis::core::{ApiKind, Body};
use portcullis::{ApiSpec, ConfigFormat, Gateway, GatewayBuilder, GatewayConfig};
use portcullis_testkit::{HyperServer, Recorded, Recorder, request as testkit};
use serde_json::{Value, json};
use tower::ServiceExt;

const PETS: &str = "http://pets.example.com";

fn api(kind: ApiKind, extra: &Value) -> ApiSpec {
    let mut integration = json!({
        "type": "http_proxy", "httpMethod": "ANY", "uri": format!("{PETS}/v1"),
        "payloadFormatVersion": "1.0",
    });
    for (name, value) in extra.as_object().into_iter().flatten() {
        integration[name] = value.clone();
    }
    let document = json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "paths": { "/pets": { "x-amazon-apigateway-any-method": {
            "responses": {}, "x-amazon-apigateway-integration": integration,
        } } },
    });
    let api = match kind {
        ApiKind::Rest => ApiSpec::rest(document.to_string()),
        ApiKind::Http => ApiSpec::http(document.to_string()),
    };
    api.id("a")
}

fn builder(kind: ApiKind) -> GatewayBuilder {
    Gateway::builder().api(api(kind, &json!({})).stage_named("prod"))
}

async fn send(gateway: &Gateway, method: &str) -> Response<Body> {
    let request = Request::builder().method(method).uri("/prod/pets");
    let request = request.body(Body::empty()).expect("a request");
    gateway.clone().oneshot(request).await.expect("infallible")
}

type Answer = fn(&Recorded) -> Response<http_body_util::Full<bytes::Bytes>>;

async fn backend() -> (Recorder<Answer>, HyperServer) {
    let recorder = Recorder::new((|_| testkit::answer(200, "pets")) as Answer);
    let server = HyperServer::start(recorder.clone()).await;
    (recorder, server)
}

/// An origin where nobody listens.
fn away() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

/// A pool of one target that is away and one that is well; the first is ejected when it fails once, and for long.
fn half_dead(server: &HyperServer) -> UpstreamPool {
    let mut config = UpstreamPoolConfig::default();
    config.targets = vec![away(), server.url("")];
    config.ejection.failures = 1;
    config.ejection.for_millis = 3_600_000;
    config.into_builder().build().expect("a good pool")
}

#[tokio::test]
async fn clients_do_not_notice_a_target_that_is_away() {
    let (recorder, server) = backend().await;
    let gateway = builder(ApiKind::Rest).upstream(PETS, half_dead(&server));
    let gateway = gateway.build().expect("a good definition");
    for _ in 0..10 {
        assert_eq!(send(&gateway, "GET").await.status(), 200);
    }
    let got = &recorder.requests()[0];
    assert_eq!(got.uri, "/v1");
    assert_eq!(got.header("host"), Some("pets.example.com"));
}

#[tokio::test]
async fn an_open_circuit_is_answered_at_once_as_the_kind_of_api_has_it() {
    for (kind, status, message) in [
        (
            ApiKind::Rest,
            504,
            "Network error communicating with endpoint",
        ),
        (ApiKind::Http, 503, "Service Unavailable"),
    ] {
        let mut breaker = CircuitBreaker::default();
        breaker.minimum_requests = 1;
        breaker.open_for_millis = 3_600_000;
        let mut once = Retries::default();
        once.attempts = 0;
        let pool = UpstreamPool::builder().target(away()).retries(once);
        let pool = pool.circuit_breaker(breaker).build().expect("a good pool");
        let gateway = builder(kind).upstream(PETS, pool).build();
        let gateway = gateway.expect("a good definition");
        send(&gateway, "GET").await;
        let response = send(&gateway, "GET").await;
        assert_eq!(response.status(), status, "{kind:?}");
        assert_eq!(testkit::json(response).await, json!({ "message": message }));
    }
}

#[tokio::test]
async fn what_is_known_of_targets_survives_a_deployment_and_a_reload() {
    let (_, server) = backend().await;
    let dead = away();
    let config = format!(
        "apis: []\nupstreams:\n  {PETS}:\n    targets: [\"{dead}\", \"{}\"]\n    ejection: {{ failures: 1, forMillis: 3600000 }}\n",
        server.url("")
    );
    let read = || {
        let config = GatewayConfig::parse(&config, ConfigFormat::Yaml).expect("a good file");
        let builder = config.gateway().expect("good pools");
        builder.api(api(ApiKind::Rest, &json!({})).stage_named("prod"))
    };
    let gateway = read().build().expect("a good definition");
    while send(&gateway, "POST").await.status() == 200 {}
    let posts = async || {
        for _ in 0..6 {
            assert_eq!(send(&gateway, "POST").await.status(), 200);
        }
    };
    posts().await;
    let document = json!({ "openapi": "3.0.1", "info": { "title": "t", "version": "2" }, "paths": {
        "/pets": { "x-amazon-apigateway-any-method": { "responses": {}, "x-amazon-apigateway-integration": {
            "type": "http_proxy", "httpMethod": "ANY", "uri": format!("{PETS}/v2"),
        } } },
    } });
    let deployed = gateway.deploy("a", document.to_string());
    deployed.expect("a good definition");
    posts().await;
    gateway.reload(read()).expect("the same");
    posts().await;
    // Another upstream comes, and the pool is still the same.
    let more = read().upstream("http://other.example.com", "http://127.0.0.1:1");
    gateway.reload(more).expect("one more");
    posts().await;
}

#[tokio::test]
async fn a_client_of_ones_own_has_the_gateways_upstreams_besides() {
    let (recorder, server) = backend().await;
    let client = Client::builder().build().expect("the defaults");
    let gateway = builder(ApiKind::Rest).client(client.clone());
    let gateway = gateway.upstream(PETS, server.url("")).build();
    assert_eq!(send(&gateway.expect("good"), "GET").await.status(), 200);
    assert_eq!(recorder.count(), 1);
    let fixed = client.through(server.url("").parse().expect("an origin"));
    let built = builder(ApiKind::Rest).client(fixed).upstream(PETS, away());
    let error = built.build().expect_err("both cannot be");
    assert!(
        error.to_string().starts_with("client: sends every"),
        "{error}"
    );
}

#[tokio::test]
async fn a_vpc_link_leads_where_the_configuration_says() {
    let (recorder, server) = backend().await;
    let linked = json!({ "connectionType": "VPC_LINK", "connectionId": "${stageVariables.link}" });
    let config = |links: &str| {
        let text = format!(
            "apis: []\nvpcLinks: {links}\nupstreams: {{ {PETS}: \"{}\" }}",
            server.url("")
        );
        let config = GatewayConfig::parse(&text, ConfigFormat::Yaml).expect("a good file");
        let mut stage = portcullis::definition::Stage::default();
        stage.stage_name = "prod".to_owned();
        stage
            .variables
            .insert("link".to_owned(), "abc123".to_owned());
        let api = api(ApiKind::Rest, &linked).stage(stage);
        config.gateway().expect("good pools").api(api).strict(true)
    };
    for links in [
        format!("{{ abc123: \"{}\" }}", server.url("")),
        format!("{{ abc123: {{ targets: [\"{}\"] }} }}", server.url("")),
        // It has an upstream of its own.
        format!("{{ abc123: \"{PETS}\" }}"),
    ] {
        recorder.clear();
        let gateway = config(&links).build().expect("everything is served");
        assert_eq!(send(&gateway, "GET").await.status(), 200, "{links}");
        assert_eq!(recorder.only().header("host"), Some("pets.example.com"));
    }
    let gateway = config("{ other: \"http://127.0.0.1:1\" }").build();
    let response = send(&gateway.expect("the id is known when it is asked"), "GET").await;
    assert_eq!(response.status(), 500);
}

#[tokio::test]
async fn a_vpc_link_that_leads_nowhere_is_reported() {
    let linked = json!({ "connectionType": "VPC_LINK", "connectionId": "abc123" });
    let gateway = || Gateway::builder().api(api(ApiKind::Rest, &linked).stage_named("prod"));
    let built = gateway().build().expect("a good definition");
    let coverage = built.coverage();
    let field = coverage.not_served().next().expect("one");
    assert!(field.pointer.ends_with("/connectionId"), "{field}");
    assert!(field.note.contains("`vpcLinks`"), "{field}");
    assert_eq!(send(&built, "GET").await.status(), 500);
    assert!(gateway().strict(true).build().is_err());
    let twice = gateway().vpc_link("abc123", PETS).vpc_link("abc123", PETS);
    let error = twice.build().expect_err("which?");
    assert_eq!(error.to_string(), "vpcLinks/abc123: is there twice");
}

#[test]
fn faults_of_pools_stand_at_their_places() {
    let faults = |yaml: &str| {
        let config = GatewayConfig::parse(yaml, ConfigFormat::Yaml);
        let error = match config {
            Ok(config) => config.gateway().map(drop).expect_err("a fault"),
            Err(error) => error,
        };
        error.to_string()
    };
    for (pool, expected) in [
        (
            "{}",
            "/targets: is empty; a pool needs at least one origin, such as `http://10.0.0.1:9000`",
        ),
        (
            "{targets: [\"http://a/x\"]}",
            "/targets/0: `http://a/x` is not an origin such as `https://api.example.com`",
        ),
        (
            "{targets: [\"http://a\"], target: []}",
            "/target: no such field; did you mean `targets`?",
        ),
        (
            "{targets: [\"http://a\"], balance: random}",
            "/balance: must be one of `roundRobin`, `leastLoaded`, not \"random\"",
        ),
        (
            "{targets: [\"http://a\"], health: {path: x}}",
            "/health/path: must be a path such as `/healthz`, not \"x\"",
        ),
        (
            "{targets: [\"http://a\"], retries: {attempts: 99999999999}}",
            "/retries/attempts: 99999999999 is too large",
        ),
        (
            "{targets: [\"http://a\"], circuitBreaker: {trials: 0}}",
            "/circuitBreaker/trials: must be more than 0, not `0`",
        ),
        (
            "{targets: [\"http://a\"], failureStatuses: [ok]}",
            "/failureStatuses/0: \"ok\" must be a status from 400 to 599",
        ),
        (
            "7",
            ": must be an origin, like `http://127.0.0.1:9000`, or an object with `targets`",
        ),
    ] {
        assert_eq!(
            faults(&format!("apis: []\nupstreams: {{ http://p: {pool} }}")),
            format!("/upstreams/http:~1~1p{expected}")
        );
        assert_eq!(
            faults(&format!("apis: []\nvpcLinks: {{ abc: {pool} }}")),
            format!("/vpcLinks/abc{expected}")
        );
    }
}
