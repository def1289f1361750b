//! Mocks with templates.

use http::{HeaderValue, Request, Response};
use portcullis_client::Client;
use portcullis_core::{ApiKind, ApiStage, Body, MatchedRoute, RequestContext, Route};
use portcullis_integrations::{
    Backends, ContentHandling, Functions, IntegrationConfig, IntegrationKind, Passthrough,
    ResponseConfig,
};
use portcullis_testkit::request as testkit;
use tower::ServiceExt;

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    pairs.iter().map(owned).collect()
}

fn mock(request_template: &str, response_template: &str) -> IntegrationConfig {
    let mut config = IntegrationConfig::new(IntegrationKind::Mock, ApiKind::Rest);
    config.request_templates = pairs(&[("application/json", request_template)]);
    config.responses = vec![ResponseConfig::new("200")];
    config.responses[0].templates = pairs(&[("application/json", response_template)]);
    config
}

async fn call(config: &IntegrationConfig, mut request: Request<Body>) -> Response<Body> {
    let uri = request.uri().clone();
    let context = RequestContext::of(&mut request);
    let mut stage = ApiStage::default();
    stage.stage = "test".into();
    context.set_stage(stage);
    context.set_route(MatchedRoute::new(Route::new("/pets/{id}"), &uri, 0));
    let client = Client::builder().build().expect("the defaults are valid");
    let compiled = config.compile(&Backends::new(client, Functions::default()));
    let compiled = compiled.expect("a valid configuration");
    compiled
        .integration
        .oneshot(request)
        .await
        .expect("infallible")
}

fn post(body: &'static str) -> Request<Body> {
    let request = Request::post("/pets/7?status=404");
    request.body(Body::from(body)).expect("a request")
}

async fn check(config: &IntegrationConfig, body: &'static str, expected: (u16, &str)) {
    let response = call(config, post(body)).await;
    let status = response.status().as_u16();
    let text = testkit::text(response).await;
    assert_eq!((status, text.as_str()), expected);
}

const INTERNAL: (u16, &str) = (500, r#"{"message":"Internal server error"}"#);

#[tokio::test]
async fn the_request_template_decides_the_status() {
    let template = "{\"statusCode\": $input.path('$.status')}";
    let mut config = mock(template, "ok");
    let mut missing = ResponseConfig::new("404");
    missing.pattern = Some("404".into());
    missing.templates = pairs(&[("application/json", "no pet $input.params('id')")]);
    config.responses.push(missing);
    check(&config, r#"{"status": 200}"#, (200, "ok")).await;
    check(&config, r#"{"status": 404}"#, (404, "no pet 7")).await;
    check(&config, r#"{"status": "x"}"#, INTERNAL).await;
    check(&config, "{}", INTERNAL).await;
    let broken = call(&config, post("{\"status\": ")).await;
    assert_eq!(broken.status(), 400);
}

#[tokio::test]
async fn what_is_almost_json_will_do() {
    for template in [
        "{statusCode: 200}",
        "#set($code = 200){ 'statusCode': $code, }",
        "\n{\"statusCode\": $context.responseOverride.none 200}\n",
    ] {
        check(&mock(template, "ok"), "", (200, "ok")).await;
    }
    for template in [
        "",
        "200",
        "$input.body",
        "{\"statusCode\": \"$code\"}",
        "{statusCode: 200.5}",
    ] {
        let config = mock(template, "ok");
        if template.is_empty() {
            // An empty template is none: the client's own body says the status.
            check(&config, "{statusCode: 200}", (200, "ok")).await;
        }
        check(&config, "{}", INTERNAL).await;
    }
}

#[tokio::test]
async fn overrides_of_the_request_template_survive() {
    let request = r##"{"statusCode": 200}
#set($context.responseOverride.status = 444)
#set($context.responseOverride.header.foo = "bar")
#set($context.requestOverride.path.body = $input.body)"##;
    let config = mock(request, "$context.requestOverride.path.body");
    let response = call(&config, post("{\"a\": 1}")).await;
    assert_eq!(response.status(), 444);
    assert_eq!(response.headers()["foo"], "bar");
    assert_eq!(testkit::text(response).await, "{\"a\": 1}");
}

#[tokio::test]
async fn there_is_no_body_before_the_response_template() {
    let config = mock(
        "{\"statusCode\": 200}",
        "$input.body $input.json('$') $context.stage",
    );
    check(&config, "{\"a\": 1}", (200, "{} {} test")).await;
}

#[tokio::test]
async fn a_body_without_a_template_passes_or_is_refused() {
    let mut config = mock("{\"statusCode\": 200}", "ok");
    for (passthrough, status) in [
        (Passthrough::WhenNoMatch, 200),
        (Passthrough::WhenNoTemplates, 415),
        (Passthrough::Never, 415),
    ] {
        config.passthrough = passthrough;
        let mut request = post("{\"statusCode\": 200}");
        let xml = HeaderValue::from_static("text/xml");
        request.headers_mut().insert("content-type", xml);
        assert_eq!(call(&config, request).await.status(), status);
    }
}

#[tokio::test]
async fn an_image_in_a_template_is_sent_as_bytes() {
    let mut config = mock("{\"statusCode\": 200}", "iVBORw0KGgo=");
    config.responses[0].content_handling = Some(ContentHandling::ToBinary);
    config.responses[0].parameters =
        pairs(&[("method.response.header.Content-Type", "'image/png'")]);
    let response = call(&config, post("")).await;
    assert_eq!(response.headers()["content-type"], "image/png");
    assert_eq!(testkit::bytes(response).await, &b"\x89PNG\r\n\x1a\n"[..]);
}

#[tokio::test]
async fn a_broken_template_is_500_only_where_it_is_needed() {
    let mut config = mock("{\"statusCode\": 200}", "#if($a");
    let mut other = ResponseConfig::new("201");
    other.pattern = Some("201".into());
    config.responses.push(other);
    check(&config, "", INTERNAL).await;
    config.request_templates = pairs(&[("application/json", "{\"statusCode\": 201}")]);
    check(&config, "", (201, "")).await;
}
