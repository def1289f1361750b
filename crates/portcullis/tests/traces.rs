//! What a gateway records of traces, and what it tells a daemon of X-Ray.

use std::net::UdpSocket;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use portcullis::core::{Body, FunctionReply, Invocation, ManualClock};
use portcullis::definition::Stage;
use portcullis::observe::trace::{SamplingRules, Traces, XrayDaemon};
use portcullis::{ApiSpec, ConfigFormat, Gateway, GatewayBuilder, GatewayConfig, Served};
use serde_json::{Value, json};
use tower::ServiceExt;

/// A daemon that listens.
struct Daemon(UdpSocket);

impl Daemon {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let deadline = Some(Duration::from_secs(10));
        socket.set_read_timeout(deadline).expect("a deadline");
        Self(socket)
    }

    fn address(&self) -> String {
        self.0.local_addr().expect("an address").to_string()
    }

    /// The next segment.
    fn receive(&self) -> Value {
        let mut datagram = vec![0; 65_536];
        let length = self.0.recv(&mut datagram).expect("a datagram");
        let text = std::str::from_utf8(&datagram[..length]).expect("text");
        let (_, segment) = text.split_once('\n').expect("two lines");
        serde_json::from_str(segment).expect("JSON")
    }

    fn has_more(&self) -> bool {
        self.0.set_nonblocking(true).expect("a socket");
        let more = self.0.peek(&mut [0]).is_ok();
        self.0.set_nonblocking(false).expect("a socket");
        more
    }
}

fn document() -> Value {
    let uri = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:000000000000:function:pets/invocations";
    let function = json!({"x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": uri}});
    json!({
        "openapi": "3.0.1", "info": {"title": "Pet store", "version": "1"},
        "paths": {"/pets/{id}": {"get": function}}
    })
}

/// Answers with the trace that it was called with.
async fn tell(invocation: Invocation) -> Result<FunctionReply, portcullis::core::FunctionError> {
    let trace = invocation.trace.map(|trace| trace.to_string());
    let reply = json!({"statusCode": 201, "body": trace.unwrap_or_default()});
    Ok(FunctionReply::success(reply.to_string()))
}

fn builder(traced: bool) -> GatewayBuilder {
    let mut stage = Stage::default();
    stage.stage_name = "prod".to_owned();
    stage.tracing_enabled = traced;
    Gateway::builder()
        .region("eu-west-1")
        .api(
            ApiSpec::rest(document().to_string())
                .id("abc123")
                .stage(stage),
        )
        .function("pets", tell)
        .clock(ManualClock::at_unix(1_700_000_000))
}

fn traces(daemon: &Daemon) -> Traces {
    let xray = XrayDaemon::new(&daemon.address()).expect("an address");
    Traces::builder("gateway").xray(xray).build()
}

async fn get(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> (http::HeaderMap, String) {
    let mut request = Request::get(path).header("host", "api.example.com");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    let response = gateway.clone().oneshot(request).await.expect("a response");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    (parts.headers, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn a_stage_that_is_traced_sends_a_segment_with_the_function_below_it() {
    let daemon = Daemon::start();
    let gateway = builder(true).traces(traces(&daemon)).build().expect("good");
    let (headers, told) = get(&gateway, "/prod/pets/7?token=secret", &[]).await;
    let segment = daemon.receive();

    assert_eq!(segment["name"], "Pet store/prod");
    assert_eq!(segment["origin"], "AWS::ApiGateway::Stage");
    assert_eq!(
        segment["resource_arn"],
        "arn:aws:apigateway:eu-west-1::/restapis/abc123/stages/prod"
    );
    assert_eq!(segment.get("parent_id"), None);
    assert_eq!(
        segment["http"]["request"]["url"],
        "http://api.example.com/prod/pets/7"
    );
    assert_eq!(segment["http"]["response"]["status"], 201);
    assert_eq!(
        segment["annotations"],
        json!({"aws:api_id": "abc123", "aws:api_stage": "prod", "route": "/pets/{id}"})
    );
    let own = &segment["aws"]["api_gateway"];
    assert_eq!(own["rest_api_id"], "abc123");
    assert_eq!(own["account_id"], "000000000000");
    assert_eq!(
        segment["metadata"]["default"]["request_id"],
        headers["x-amzn-requestid"].to_str().expect("text")
    );
    assert_eq!(segment["aws"]["xray"]["sampling_rule_name"], "Default");

    let call = &segment["subsegments"][0];
    assert_eq!(call["name"], "Lambda");
    assert_eq!(call["namespace"], "aws");
    assert_eq!(call["aws"]["function_name"], "pets");
    assert_eq!(call["http"]["response"]["status"], 201);
    // The function stands below the call.
    let (root, id) = (&segment["trace_id"], &call["id"]);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let trace = format!("Root={};Parent={};Sampled=1", text(root), text(id));
    assert_eq!(told, trace);
    // The id begins with the time, by which X-Ray knows how old a trace is.
    assert!(text(root).starts_with("1-6553f100-"), "{root}");
}

#[tokio::test]
async fn other_stages_record_only_what_their_callers_record() {
    let daemon = Daemon::start();
    let gateway = builder(false)
        .traces(traces(&daemon))
        .build()
        .expect("good");
    let (_, told) = get(&gateway, "/prod/pets/7", &[]).await;
    assert!(told.ends_with(";Sampled=0"), "{told}");
    assert!(!daemon.has_more());
    let theirs =
        "Root=1-66b3c0a8-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1;Lineage=a:0";
    let (_, told) = get(&gateway, "/prod/pets/7", &[("x-amzn-trace-id", theirs)]).await;
    let segment = daemon.receive();
    assert_eq!(segment["parent_id"], "0123456789abcdef");
    assert_eq!(segment["trace_id"], "1-66b3c0a8-0123456789abcdef01234567");
    assert!(told.ends_with(";Sampled=1;Lineage=a:0"), "{told}");
}

#[tokio::test]
async fn what_has_no_route_is_told_with_the_reason() {
    let daemon = Daemon::start();
    let gateway = builder(true).traces(traces(&daemon)).build().expect("good");
    get(&gateway, "/prod/none", &[]).await;
    let segment = daemon.receive();
    assert_eq!(segment["error"], true);
    assert_eq!(segment["http"]["response"]["status"], 403);
    let cause = &segment["cause"]["exceptions"][0];
    assert_eq!(cause["type"], "MISSING_AUTHENTICATION_TOKEN");
    assert!(
        cause["message"]
            .as_str()
            .expect("a text")
            .contains("unknown-path"),
        "{cause}"
    );
    assert_eq!(segment.get("subsegments"), None);
}

#[tokio::test]
async fn a_configuration_file_says_which_are_recorded_and_who_is_told() {
    let daemon = Daemon::start();
    let folder = tempfile::tempdir().expect("a folder");
    let rules = json!({
        "version": 2,
        "rules": [{"description": "sevens", "host": "*", "http_method": "GET", "url_path": "/prod/pets/7", "fixed_target": 0, "rate": 1.0}],
        "default": {"fixed_target": 0, "rate": 0.0}
    });
    std::fs::write(folder.path().join("rules.json"), rules.to_string()).expect("a file");
    std::fs::write(folder.path().join("pets.json"), document().to_string()).expect("a file");
    let config = json!({
        "apis": [{"id": "abc123", "kind": "rest", "definition": "pets.json", "stages": [{"stageName": "prod"}]}],
        "functions": {"pets": {"mock": {"statusCode": 200}}},
        "traces": {"samplingRules": "rules.json", "everyStage": true, "xrayDaemon": daemon.address()}
    });
    let mut config = GatewayConfig::parse(&config.to_string(), ConfigFormat::Json).expect("good");
    config.folder = folder.path().to_owned();
    let gateway = config.gateway().expect("good").build().expect("good");
    get(&gateway, "/prod/pets/8", &[]).await;
    get(&gateway, "/prod/pets/7", &[]).await;
    let segment = daemon.receive();
    assert_eq!(segment["aws"]["xray"]["sampling_rule_name"], "sevens");
    assert!(!daemon.has_more());
}

#[test]
fn a_fault_of_the_configuration_names_its_place() {
    let fault = |traces: Value| {
        let config = json!({"apis": [], "traces": traces}).to_string();
        let config = GatewayConfig::parse(&config, ConfigFormat::Json);
        let built = config.and_then(|config| config.gateway().map(drop));
        built.expect_err("a fault").to_string()
    };
    let text = fault(json!({"incoming": "folow"}));
    assert!(text.contains("/traces/incoming: must be one of"), "{text}");
    let text = fault(json!({"samplingRules": "none.json"}));
    assert!(
        text.contains("/traces/samplingRules: cannot read"),
        "{text}"
    );
    let text = fault(json!({"xrayDaemon": "nowhere"}));
    assert!(
        text.contains("/traces/xrayDaemon: X-Ray daemon: `nowhere`"),
        "{text}"
    );
}

#[test]
fn the_report_says_whether_anybody_records_what_a_stage_wants_traced() {
    let served = |builder: GatewayBuilder| {
        let gateway = builder.build().expect("good");
        let coverage = gateway.coverage();
        let mut fields = coverage.iter();
        let field = fields.find(|field| field.pointer == "stage prod:/tracingEnabled");
        field.expect("the field").served
    };
    assert_eq!(served(builder(true)), Served::NotServed);
    let traces = Traces::builder("gateway")
        .sampling(SamplingRules::all())
        .build();
    assert_eq!(served(builder(true).traces(traces)), Served::Enforced);
}
