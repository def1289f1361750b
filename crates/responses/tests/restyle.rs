//! What refusals look like under a table.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use portcullis_core::{
    ApiKind, Body, MatchedRoute, Rejection, RejectionKind, RequestContext, Route,
};
use portcullis_responses::{GatewayResponses, ResponseConfig};

fn table(responses: impl IntoIterator<Item = ResponseConfig>) -> GatewayResponses {
    let builder = GatewayResponses::builder();
    let builder = responses
        .into_iter()
        .fold(builder, |builder, response| builder.response(response));
    builder.build().expect("the table is fine")
}

fn answer(
    table: &GatewayResponses,
    request: &Request<()>,
    rejection: &Rejection,
) -> Response<Body> {
    let mut request = request.clone();
    let context = RequestContext::of(&mut request).clone();
    context.set_route(MatchedRoute::new(
        Route::new("/pets/{id}"),
        request.uri(),
        "/prod".len(),
    ));
    let captured = table.capture(request.method(), request.headers());
    table.restyle(rejection, &context, &captured)
}

fn plain(table: &GatewayResponses, rejection: impl Into<Rejection>) -> Response<Body> {
    let request = Request::get("/prod/pets/7?q=a%20b&q=c+d")
        .header("x-note", "hi")
        .body(());
    answer(table, &request.expect("it is a request"), &rejection.into())
}

fn text(response: &Response<Body>) -> &str {
    let bytes = response.body().as_bytes().expect("it is in memory");
    std::str::from_utf8(bytes).expect("it is text")
}

#[test]
fn the_own_entry_does_not_take_from_the_default_entry() {
    let table = table([
        ResponseConfig::new("THROTTLED").header("X-Own", "'1'"),
        ResponseConfig::new("DEFAULT_4XX")
            .status(444)
            .header("X-Default", "'1'")
            .template("application/json", "{}"),
    ]);
    let throttled = plain(&table, RejectionKind::Throttled);
    assert_eq!(throttled.status(), 429);
    assert_eq!(text(&throttled), r#"{"message":"Too Many Requests"}"#);
    assert_eq!(throttled.headers()["x-own"], "1");
    assert!(!throttled.headers().contains_key("x-default"));

    let unauthorized = plain(&table, RejectionKind::Unauthorized);
    assert_eq!(unauthorized.status(), 444);
    assert_eq!(text(&unauthorized), "{}");
    assert_eq!(unauthorized.headers()[header::CONTENT_LENGTH], "2");
    assert_eq!(unauthorized.headers()["x-default"], "1");
    assert_eq!(
        unauthorized.headers()["x-amzn-errortype"],
        "UnauthorizedException"
    );
}

#[test]
fn the_recorded_default_of_5xx_reaches_all_but_what_is_stored() {
    let table = table([
        ResponseConfig::new("DEFAULT_5XX").status(599),
        ResponseConfig::new("AUTHORIZER_FAILURE"),
    ]);
    for (kind, status) in [
        (RejectionKind::ApiConfigurationError, 599),
        (RejectionKind::AuthorizerConfigurationError, 599),
        (RejectionKind::IntegrationFailure, 599),
        (RejectionKind::IntegrationTimeout, 599),
        (RejectionKind::AuthorizerFailure, 500),
        (RejectionKind::Throttled, 429),
    ] {
        assert_eq!(plain(&table, kind).status(), status, "{kind:?}");
    }
}

#[test]
fn the_nominal_status_decides_the_class_and_the_real_one_stays() {
    let table = table([ResponseConfig::new("DEFAULT_5XX").header("X-Default", "'5'")]);
    let failure =
        Rejection::new(RejectionKind::IntegrationFailure).with_status(StatusCode::BAD_GATEWAY);
    let response = plain(&table, failure);
    assert_eq!(response.status(), 502);
    assert_eq!(response.headers()["x-default"], "5");
}

#[test]
fn a_null_message_is_the_bare_word() {
    let json = r#"{"m":$context.error.messageString,"t":"$context.error.responseType"}"#;
    let table = table([ResponseConfig::new("DEFAULT_5XX").template("application/json", json)]);
    let response = plain(&table, RejectionKind::AuthorizerConfigurationError);
    assert_eq!(
        text(&response),
        r#"{"m":null,"t":"AUTHORIZER_CONFIGURATION_ERROR"}"#
    );
}

#[test]
fn only_a_template_of_its_own_loses_the_capital_letter() {
    const DEFAULT: &str = r#"{"message":$context.error.messageString}"#;
    let message = "User is not authorized to access this resource";
    for (template, expected) in [
        (DEFAULT, format!(r#"{{"Message":"{message}"}}"#)),
        ("$context.error.message!", format!("{message}!")),
    ] {
        let table =
            table([ResponseConfig::new("ACCESS_DENIED").template("application/json", template)]);
        assert_eq!(text(&plain(&table, RejectionKind::AccessDenied)), expected);
    }
}

#[test]
fn headers_and_bodies_take_values_of_the_request() {
    let table = table([ResponseConfig::new("DEFAULT_4XX")
        .header("X-Path", "method.request.path.id")
        .header("X-Query", "method.request.querystring.q")
        .header("X-Header", "method.request.header.X-Note")
        .header("X-Input", "method.input.params.id")
        .header("X-Context", "context.resourcePath")
        .header("X-Missing", "method.request.header.no")
        .header("X-Unset", "stageVariables.no")
        .header("Content-Type", "'text/odd'")
        .template(
            "text/plain",
            "method.request.path.id/$method.request.header.x-note/$context.httpMethod",
        )]);
    let response = plain(&table, RejectionKind::InvalidApiKey);
    let headers = response.headers();
    assert_eq!(headers["x-path"], "7");
    assert_eq!(headers["x-query"], "c d");
    assert_eq!(headers["x-header"], "hi");
    assert_eq!(headers["x-input"], "7");
    assert_eq!(headers["x-context"], "/pets/{id}");
    assert!(!headers.contains_key("x-missing"));
    assert!(!headers.contains_key("x-unset"));
    assert_eq!(headers[header::CONTENT_TYPE], "text/odd");
    assert_eq!(text(&response), "7/hi/GET");
}

#[test]
fn a_client_cannot_split_the_response() {
    let table = table([
        ResponseConfig::new("DEFAULT_4XX").header("X-Query", "method.request.querystring.q")
    ]);
    let request = Request::get("/prod/pets/7?q=a%0d%0aSet-Cookie:%20b%00%7f")
        .body(())
        .expect("it is a request");
    let response = answer(&table, &request, &RejectionKind::Throttled.into());
    assert_eq!(response.headers()["x-query"], "aSet-Cookie: b");
    assert!(!response.headers().contains_key("set-cookie"));
}

#[test]
fn what_the_refusing_layer_added_stays() {
    let table = table([ResponseConfig::new("THROTTLED")
        .status(503)
        .template("text/plain", "later")]);
    let rejection =
        Rejection::new(RejectionKind::Throttled).with_header(header::RETRY_AFTER, 7.into());
    let response = plain(&table, rejection);
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()[header::RETRY_AFTER], "7");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain");
    let kept = response
        .extensions()
        .get::<Rejection>()
        .expect("the refusal is kept");
    assert_eq!(kept.status(), 429);
}

#[test]
fn json_goes_before_other_templates_and_else_the_first_one_counts() {
    let json = ResponseConfig::new("THROTTLED")
        .template("text/a", "a")
        .template("application/json", "j");
    assert_eq!(text(&plain(&table([json]), RejectionKind::Throttled)), "j");
    let first = ResponseConfig::new("THROTTLED")
        .template("text/a", "a")
        .template("text/b", "b");
    assert_eq!(text(&plain(&table([first]), RejectionKind::Throttled)), "a");
}

#[test]
fn a_body_that_is_too_large_keeps_its_answer_unless_told_otherwise() {
    let entry = || ResponseConfig::new("DEFAULT_4XX").status(400);
    let closed = table([entry()]);
    assert!(!closed.customises(RejectionKind::RequestTooLarge));
    assert_eq!(plain(&closed, RejectionKind::RequestTooLarge).status(), 413);
    let open = GatewayResponses::builder()
        .response(entry())
        .restyle_too_large(true)
        .build();
    let open = open.expect("the table is fine");
    assert_eq!(plain(&open, RejectionKind::RequestTooLarge).status(), 400);
}

#[test]
fn what_is_outside_the_types_and_what_http_apis_refuse_stays() {
    let table = table([ResponseConfig::new("DEFAULT_4XX").status(400)]);
    assert_eq!(plain(&table, RejectionKind::UnknownStage).status(), 403);
    assert_eq!(plain(&table, RejectionKind::UriTooLong).status(), 414);
    let http = Rejection::new(RejectionKind::Throttled).for_api(ApiKind::Http);
    assert_eq!(plain(&table, http).status(), 429);
}

#[test]
fn a_refused_head_request_gets_no_body() {
    for table in [
        GatewayResponses::default(),
        table([ResponseConfig::new("THROTTLED").template("text/plain", "x")]),
    ] {
        let request = Request::builder()
            .method(Method::HEAD)
            .uri("/prod/pets/7")
            .body(());
        let response = answer(
            &table,
            &request.expect("it is a request"),
            &RejectionKind::Throttled.into(),
        );
        assert_eq!(text(&response), "");
        assert_eq!(response.headers()[header::CONTENT_LENGTH], "0");
    }
}

#[test]
fn a_status_without_a_body_gets_none() {
    let table = table([ResponseConfig::new("THROTTLED").status(204)]);
    let response = plain(&table, RejectionKind::Throttled);
    assert_eq!(text(&response), "");
    assert!(!response.headers().contains_key(header::CONTENT_LENGTH));
}

#[test]
fn any_body_made_from_bytes_will_do() {
    let request = Request::new(());
    let context = RequestContext::of(&mut request.clone()).clone();
    let table = GatewayResponses::default();
    let captured = table.capture(request.method(), request.headers());
    let rejection = Rejection::new(RejectionKind::Throttled);
    let _response: Response<Full<Bytes>> = table.restyle(&rejection, &context, &captured);
}
