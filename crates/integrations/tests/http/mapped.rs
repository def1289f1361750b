//! `HTTP`: requests and responses that are made anew.

use http::HeaderValue;
use portcullis_core::ApiKind;
use portcullis_integrations::{
    Backends, Conduct, Functions, IntegrationConfig, IntegrationKind, Passthrough, ResponseConfig,
};
use portcullis_testkit::{HyperServer, Recorder, request as testkit};
use tower::ServiceExt;

use crate::support::{client, compile, config, in_gateway, names, pairs, request};

fn http(uri: &str) -> IntegrationConfig {
    let mut config = config(IntegrationKind::Http, ApiKind::Rest, uri);
    config.method = Some("POST".into());
    config.responses = vec![ResponseConfig::new("200")];
    config
}

#[tokio::test]
async fn the_endpoint_gets_the_services_own_headers() {
    let backend = Recorder::new(|_| testkit::answer(200, "{}"));
    let server = HyperServer::start(backend.clone()).await;
    let integration = compile(&http(&server.url("/post")));
    for (method, content_type) in [("GET", None), ("PUT", Some("text/csv"))] {
        backend.clear();
        let mut call = request(method, "/?dropped=1", "");
        for (name, value) in [("content-type", "text/csv"), ("accept", "*/*"), ("x", "1")] {
            call.headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        let call = in_gateway(call, ApiKind::Rest, "/");
        let response = integration.clone().oneshot(call).await.expect("infallible");
        assert_eq!(
            names(response.headers()),
            ["content-type", "x-amzn-trace-id"]
        );
        let got = backend.only();
        assert_eq!(got.uri, "/post");
        assert_eq!(got.header("accept"), Some("application/json"));
        assert_eq!(got.header("user-agent"), Some("AmazonAPIGateway_abc"));
        assert_eq!(got.header("x-amzn-apigateway-api-id"), Some("abc"));
        assert_eq!(got.header("content-length"), Some("0"));
        assert_eq!(got.header("content-type"), content_type, "{method}");
        assert_eq!(got.header("x"), None);
    }
}

#[tokio::test]
async fn the_endpoints_status_selects_the_response() {
    let backend = Recorder::new(|got| {
        let status = got
            .header("x-status")
            .and_then(|status| status.parse().ok());
        testkit::answer(status.unwrap_or(200), "from the endpoint")
    });
    let server = HyperServer::start(backend).await;
    let mut config = http(&server.url("/"));
    config.request_parameters = pairs(&[(
        "integration.request.header.x-status",
        "method.request.header.x-status",
    )]);
    let mut gone = ResponseConfig::new("404");
    gone.pattern = Some("4\\d{2}".into());
    gone.templates = pairs(&[("application/json", r#"{"gone":true}"#)]);
    gone.parameters = pairs(&[("method.response.header.x-why", "'gone'")]);
    let mut broken = ResponseConfig::new("502");
    broken.pattern = Some("5.*".into());
    config.responses = vec![gone, broken, ResponseConfig::new("200")];
    let integration = compile(&config);
    for (sent, status, body) in [
        ("200", 200, "from the endpoint"),
        ("410", 404, r#"{"gone":true}"#),
        ("503", 502, "from the endpoint"),
        ("302", 200, "from the endpoint"),
    ] {
        let mut call = request("GET", "/", "");
        call.headers_mut()
            .insert("x-status", HeaderValue::from_static(sent));
        let response = integration.clone().oneshot(call).await.expect("infallible");
        assert_eq!(response.status(), status, "{sent}");
        assert_eq!(response.headers().contains_key("x-why"), status == 404);
        assert_eq!(testkit::text(response).await, body);
    }
}

#[tokio::test]
async fn without_a_response_that_fits_the_answer_is_500() {
    let server = HyperServer::start(Recorder::new(|_| testkit::answer(404, ""))).await;
    let mut config = http(&server.url("/"));
    config.responses[0].pattern = Some("2\\d{2}".into());
    let response = compile(&config).oneshot(request("GET", "/", "")).await;
    assert_eq!(response.expect("infallible").status(), 500);
}

#[tokio::test]
async fn a_body_passes_is_replaced_or_is_refused() {
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    let mut config = http(&server.url("/"));
    config.request_templates = pairs(&[("application/json", "replaced")]);
    config.passthrough = Passthrough::WhenNoTemplates;
    let integration = compile(&config);
    let call = request("POST", "/", "{}");
    integration.clone().oneshot(call).await.expect("infallible");
    assert_eq!(backend.only().text(), "replaced");
    let mut call = request("POST", "/", "<a/>");
    let xml = HeaderValue::from_static("text/xml");
    call.headers_mut().insert("content-type", xml);
    let response = integration.oneshot(call).await.expect("infallible");
    assert_eq!(response.status(), 415);
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn what_is_not_served_yet_is_reported_and_answered_500() {
    let backends = Backends::new(client(), Functions::default());
    let check = async |config: &IntegrationConfig, field: &str, conduct: Conduct| {
        let compiled = config.compile(&backends).expect("a valid configuration");
        let found: Vec<_> = compiled
            .unsupported
            .iter()
            .map(|found| (&*found.field, found.conduct))
            .collect();
        assert_eq!(found, [(field, conduct)]);
        let response = compiled.integration.oneshot(request("POST", "/", "{}"));
        assert_eq!(response.await.expect("infallible").status(), 500, "{field}");
    };
    let mut broken = http("http://127.0.0.1:1/");
    broken.request_templates = pairs(&[("application/json", "#if($a")]);
    let field = "/requestTemplates/application~1json";
    check(&broken, field, Conduct::RefuseWhenNeeded).await;

    let mut link = http("http://127.0.0.1:1/");
    link.vpc_link = Some("vpclink".into());
    check(&link, "/connectionId", Conduct::RefuseAll).await;

    let queue = "arn:aws:apigateway:us-east-1:sqs:path/1/queue";
    let queue = config(IntegrationKind::Aws, ApiKind::Rest, queue);
    check(&queue, "/uri", Conduct::RefuseAll).await;
}

#[test]
fn a_configuration_that_cannot_be_names_its_field() {
    let backends = Backends::new(client(), Functions::default());
    let check = |change: fn(&mut IntegrationConfig), field: &str| {
        let mut config = http("http://127.0.0.1:1/");
        change(&mut config);
        let error = config.compile(&backends).expect_err(field);
        assert_eq!(error.field(), field, "{error}");
    };
    check(|config| config.uri = None, "/uri");
    check(|config| config.uri = Some("pets".into()), "/uri");
    check(|config| config.method = Some("GE T".into()), "/httpMethod");
    check(
        |config| config.timeout = Some(std::time::Duration::from_millis(49)),
        "/timeoutInMillis",
    );
    check(
        |config| config.responses[0].status = "600".into(),
        "/responses/default/statusCode",
    );
    check(
        |config| config.responses[0].pattern = Some("(".into()),
        "/responses/(",
    );
}
