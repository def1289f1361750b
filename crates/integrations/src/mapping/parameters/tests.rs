use std::collections::BTreeMap;

use http::Request;
use portcullis_core::{ApiStage, MatchedRoute, Route, SystemClock};

use super::*;

fn context() -> RequestContext {
    let context = RequestContext::new(&Request::new(()), &SystemClock::new());
    let mut stage = ApiStage::default();
    stage.api_id = "abc".into();
    stage.variables = BTreeMap::from([("env".to_owned(), "beta".to_owned())]);
    context.set_stage(stage);
    let uri = "/pets/a%20b".parse().expect("a URI");
    context.set_route(MatchedRoute::new(Route::new("/pets/{id}"), &uri, 0));
    context
}

fn evaluate(target: &str, source: &str) -> Result<Mapped<'static>, MappingFault> {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-a", "1"),
        ("x-a", "2"),
        ("host", "api.example.com"),
        ("server", "hidden"),
    ] {
        headers.append(name, HeaderValue::from_static(value));
    }
    let entries = [(target.to_owned(), source.to_owned())];
    let mapping = RequestParameters::compile(&entries, false).expect("compiles");
    let message = Message {
        headers: &headers,
        query: Some("q=1&q=b+%26&line=%0d%0aX:1"),
        authority: None,
        is_request: true,
        body: Some(r#"{"id": 7, "tags": ["a", {"b": "c"}], "none": null}"#),
        json: None,
    };
    // What comes of it borrows from both.
    let (mapping, context) = (Box::leak(Box::new(mapping)), Box::leak(Box::new(context())));
    mapping.evaluate(&message, context)
}

#[track_caller]
fn check_header(source: &str, expected: Option<&str>) {
    let mapped = evaluate("integration.request.header.out", source).expect("maps");
    let value = mapped
        .headers
        .first()
        .map(|(_, value)| value.to_str().expect("text"));
    assert_eq!(value, expected);
}

#[test]
fn a_value_comes_from_everywhere() {
    check_header("'literal, as it is'", Some("literal, as it is"));
    check_header("method.request.header.X-A", Some("2"));
    check_header("method.request.multivalueheader.x-a", Some("1,2"));
    check_header("method.request.querystring.q", Some("b &"));
    check_header("method.request.path.id", Some("a b"));
    check_header("stageVariables.env", Some("beta"));
    check_header("context.apiId", Some("abc"));
    check_header("method.request.header.host", Some("api.example.com"));
}

#[test]
fn what_has_no_value_is_left_out() {
    check_header("method.request.header.none", None);
    check_header("method.request.querystring.none", None);
    check_header("method.request.path.none", None);
    check_header("stageVariables.none", None);
    check_header("context.identity.apiKey", None);
    check_header("method.request.header.server", None);
}

#[test]
fn all_values_of_a_query_parameter_are_sent() {
    let mapped = evaluate(
        "integration.request.querystring.out",
        "method.request.multivaluequerystring.q",
    );
    let values: Vec<_> = mapped
        .expect("maps")
        .query
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    assert_eq!(values, [b"1".to_vec(), b"b &".to_vec()]);
}

#[test]
fn a_value_cannot_start_another_header() {
    let mapped = evaluate(
        "integration.request.header.out",
        "method.request.querystring.line",
    );
    assert!(matches!(mapped, Err(MappingFault::BadValue(_))));
}

#[test]
fn a_path_value_stays_encoded() {
    let mapped = evaluate("integration.request.path.out", "method.request.path.id");
    assert_eq!(
        mapped.expect("maps").path,
        [(Cow::Borrowed("out"), Cow::Borrowed("a%20b"))]
    );
}

#[test]
fn some_headers_cannot_be_mapped_and_some_are_not_sent() {
    let mapped = evaluate("integration.request.header.Content-Length", "'0'");
    assert!(matches!(mapped, Err(MappingFault::Forbidden(_))));
    let mapped = evaluate("integration.request.header.TE", "'gzip'").expect("maps");
    assert!(mapped.headers.is_empty());
}

#[test]
fn what_is_no_mapping_is_an_error_that_names_the_field() {
    for (target, source) in [
        ("header.x", "'1'"),
        ("integration.request.cookie.x", "'1'"),
        ("integration.request.header.x", "1"),
        ("integration.request.header.x", "context.nothing"),
        ("integration.request.header.x", "method.request.cookie.x"),
        ("integration.request.header.x", "method.request.body.[?("),
    ] {
        let entries = [(target.to_owned(), source.to_owned())];
        let error = RequestParameters::compile(&entries, false).expect_err(source);
        assert!(error.field().starts_with("/requestParameters/"), "{error}");
    }
}

#[test]
fn a_value_comes_from_the_body() {
    let whole = r#"{"id": 7, "tags": ["a", {"b": "c"}], "none": null}"#;
    check_header("method.request.body", Some(whole));
    check_header("method.request.body.id", Some("7"));
    check_header("method.request.body.tags[1].b", Some("c"));
    check_header("method.request.body.tags[1]", Some(r#"{"b":"c"}"#));
    check_header("method.request.body.none", None);
    check_header("method.request.body.not.there", None);
}

#[test]
fn a_body_that_must_be_json_and_is_none_is_a_fault() {
    let entries = [(
        "integration.request.header.x".to_owned(),
        "method.request.body.id".to_owned(),
    )];
    let mapping = RequestParameters::compile(&entries, false).expect("compiles");
    let (headers, uri, context) = (HeaderMap::new(), Uri::default(), context());
    for (body, fits) in [
        ("not json", false),
        ("{\"id\": 1", false),
        ("", true),
        ("{}", true),
    ] {
        let message = Message::of_request(&headers, &uri).with_body(body);
        let mapped = mapping.evaluate(&message, &context);
        match mapped {
            Ok(_) => assert!(fits, "{body}"),
            Err(fault) => assert!(matches!(fault, MappingFault::NoJson(_)) && !fits, "{body}"),
        }
    }
}
