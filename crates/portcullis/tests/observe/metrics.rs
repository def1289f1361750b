//! Metrics of a gateway, over sockets and without.

use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use portcullis::auth::api_key::{ApiKey, MemoryKeys};
use portcullis::client::UpstreamPool;
use portcullis::core::Body;
use portcullis::observe::{Emf, Metrics};
use portcullis::redis::Redis;
use portcullis::throttle::{SharedBuckets, WhenAway};
use portcullis::{Served, serve::Server};
use portcullis_testkit::RedisServer;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tower::ServiceExt;

use crate::support::{builder, get, http, rest, sink};

fn exported() -> (Metrics, PrometheusHandle) {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    (
        Metrics::builder().recorder(Arc::new(recorder)).build(),
        handle,
    )
}

fn stages() -> Value {
    json!([{
        "stageName": "prod",
        "methodSettings": { "*/*": { "metricsEnabled": true }, "/keyed/GET": { "metricsEnabled": false } }
    }])
}

#[tokio::test]
async fn methods_have_metrics_of_their_own_where_the_stage_says_so() {
    let (metrics, handle) = exported();
    let gateway = builder()
        .api(rest(stages()))
        .metrics(metrics)
        .build()
        .unwrap();
    for path in [
        "/prod/pets/7",
        "/prod/pets/8",
        "/prod/keyed",
        "/prod/none",
        "/nowhere",
    ] {
        get(&gateway, path).await;
    }
    let text = handle.render();
    let api = r#"ApiName="Pet store",ApiId="pets",Stage="prod""#;
    for line in [
        format!(r#"apigateway_Count{{{api},Method="GET",Resource="/pets/{{id}}"}} 2"#),
        format!(r#"apigateway_4XXError{{{api},Method="GET",Resource="/pets/{{id}}"}} 0"#),
        // The method without metrics of its own, and the path that no method has, are the stage's.
        format!("apigateway_Count{{{api}}} 2"),
        format!("apigateway_4XXError{{{api}}} 2"),
        r#"http_server_active_requests{http_request_method="GET",url_scheme="http"} 0"#.to_owned(),
    ] {
        assert!(text.contains(&line), "no {line} in\n{text}");
    }
    let refused = r#"portcullis_refusals{api="pets",stage="prod",layer="gateway",type="INVALID_API_KEY",enforced="true"} 1"#;
    assert!(text.contains(refused), "{text}");
    let coverage = gateway.coverage();
    let mut settings = coverage
        .iter()
        .filter(|field| field.pointer.contains("metricsEnabled"));
    assert!(settings.all(|field| field.served == Served::Enforced));
}

#[test]
fn settings_of_metrics_that_nobody_records_are_reported() {
    let gateway = builder().api(rest(stages())).build().unwrap();
    let coverage = gateway.coverage();
    let field = coverage
        .not_served()
        .find(|field| field.pointer == "stage prod:/methodSettings/*~1*/metricsEnabled")
        .expect("the setting is in the report");
    assert!(field.note.contains("`metrics`"), "{}", field.note);
}

#[tokio::test]
async fn a_request_over_a_socket_is_counted_when_it_has_ended() {
    let (metrics, handle) = exported();
    let stages = json!([{
        "stageName": "$default",
        "defaultRouteSettings": { "detailedMetricsEnabled": true }
    }]);
    let gateway = builder()
        .api(http(stages))
        .metrics(metrics)
        .build()
        .unwrap();
    let server = Server::builder()
        .listen("127.0.0.1:0")
        .bind()
        .await
        .unwrap();
    let address = server.handle().local_addrs()[0];
    tokio::spawn(server.run(gateway));
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    for _ in 0..3 {
        let request = http::Request::get("/pets")
            .header("host", "localhost")
            .body(Empty::<bytes::Bytes>::new())
            .unwrap();
        let response = client.send_request(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    let text = handle.render();
    let own = r#"ApiId="web",Stage="$default",Method="GET",Resource="/pets""#;
    for line in [
        format!("apigateway_Count{{{own}}} 3"),
        format!("apigateway_DataProcessed{{{own}}} 9"),
        format!("apigateway_4xx{{{own}}} 0"),
    ] {
        assert!(text.contains(&line), "no {line} in\n{text}");
    }
}

#[tokio::test]
async fn targets_of_upstreams_are_shown_as_they_are() {
    let (metrics, handle) = exported();
    let pool = UpstreamPool::builder()
        .targets(["http://127.0.0.1:1", "http://127.0.0.1:2"])
        .build()
        .unwrap();
    let gateway = builder()
        .api(rest(stages()))
        .upstream("http://pets.example.com", pool)
        .metrics(metrics)
        .build()
        .unwrap();
    gateway.record_upstreams();
    let text = handle.render();
    for target in ["http://127.0.0.1:1", "http://127.0.0.1:2"] {
        let labels = format!(r#"upstream="http://pets.example.com",target="{target}""#);
        for line in [
            format!("portcullis_upstream_available{{{labels}}} 1"),
            format!("portcullis_upstream_in_flight{{{labels}}} 0"),
        ] {
            assert!(text.contains(&line), "no {line} in\n{text}");
        }
    }
}

#[tokio::test]
async fn quotas_and_the_store_of_shared_limits_are_shown_as_they_are() {
    const KEY: &str = "one-0123456789abcdef0123";
    let (metrics, handle) = exported();
    let mut server = RedisServer::start();
    let redis = Redis::builder(server.url()).deadline(Duration::from_secs(20));
    let shared = SharedBuckets::new(redis.build().unwrap(), WhenAway::Open).unwrap();
    let plan = json!({
        "id": "gold",
        "keys": ["one"],
        "apiStages": [{ "apiId": "pets", "stage": "prod" }],
        "quota": { "limit": 3, "period": "MONTH" },
    });
    let gateway = builder()
        .api(rest(stages()))
        .api_keys(MemoryKeys::new([ApiKey::new("one", KEY)]))
        .usage_plan(serde_json::from_value(plan).unwrap())
        .shared_limits(shared.deadline(Duration::from_secs(20)))
        .metrics(metrics)
        .build()
        .unwrap();
    let call = async || {
        let request = Request::get("/prod/keyed").header("x-api-key", KEY);
        let request = request.body(Body::empty()).unwrap();
        gateway.clone().oneshot(request).await.unwrap().status()
    };
    let shown = || {
        gateway.record_limits();
        handle.render()
    };
    assert_eq!(
        (call().await, call().await),
        (StatusCode::OK, StatusCode::OK)
    );
    let text = shown();
    for line in [
        r#"portcullis_quota_used{plan="gold"} 2"#,
        r#"portcullis_quota_keys{plan="gold"} 1"#,
        r#"portcullis_quota_exhausted{plan="gold"} 0"#,
        "portcullis_limit_store_available 1",
        "portcullis_limit_store_asked 2",
        "portcullis_limit_store_leased 0",
        "portcullis_limit_store_decided_away 0",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    server.kill();
    assert_eq!(call().await, StatusCode::OK);
    let text = shown();
    for line in [
        r#"portcullis_quota_used{plan="gold"} 3"#,
        r#"portcullis_quota_exhausted{plan="gold"} 1"#,
        "portcullis_limit_store_available 0",
        "portcullis_limit_store_decided_away 1",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
}

#[tokio::test]
async fn cloudwatch_gets_lines_with_the_services_dimensions() {
    let (sink, written) = sink();
    let emf = Emf::builder().build(sink.clone()).unwrap();
    let gateway = builder()
        .api(rest(stages()))
        .emf(emf.clone())
        .build()
        .unwrap();
    get(&gateway, "/prod/pets").await;
    get(&gateway, "/prod/keyed").await;
    emf.flush();
    let lines = written.lines(&sink);
    let lines = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut dimensions: Vec<_> = lines
        .map(|line| line["_aws"]["CloudWatchMetrics"][0]["Dimensions"].to_string())
        .collect();
    dimensions.sort_unstable();
    assert_eq!(
        dimensions,
        [
            r#"[["ApiName"],["ApiName","Stage"],["ApiName","Stage","Method","Resource"]]"#,
            r#"[["ApiName"],["ApiName","Stage"]]"#
        ]
    );
}
