use std::net::SocketAddr;

use http::{HeaderMap, HeaderValue, Request};
use serde_json::{Value, json};

use super::{ApiStage, RequestContext};
use crate::cache_status::CacheStatus;
use crate::clock::{ManualClock, SystemClock};
use crate::variable::{Name, Variable};
use crate::{
    ApiKeyId, ApiKind, CallerKey, ClientCertificate, Connection, Detail, MatchedRoute, Measure,
    Rejection, RejectionKind, Release, Route, TRACE_ID, TRACEPARENT, Tls, Trace,
};

/// A context in which every name has a value.
fn full() -> RequestContext {
    let request = Request::get("/prod/pets/7")
        .header("host", "api.example.com:8080")
        .header("user-agent", "curl/8")
        .body(())
        .expect("a request");
    let context = RequestContext::new(&request, &ManualClock::at_unix(1_584_039_838));
    let mut connection = Connection::new(SocketAddr::from(([192, 0, 2, 1], 4711)));
    connection.tls = Some(Tls {
        version: Some("TLSv1.3".into()),
        cipher_suite: Some("TLS_AES_128_GCM_SHA256".into()),
        ..Tls::default()
    });
    context.set_connection(connection);
    context.set_stage(ApiStage {
        kind: ApiKind::Rest,
        account_id: "111111111111".into(),
        api_id: "a1b2c3".into(),
        stage: "prod".into(),
        deployment_id: Some("d1".into()),
        endpoint_type: Some("REGIONAL".into()),
        ..ApiStage::default()
    });
    let mut route = Route::new("/pets/{id}");
    route.resource_id = Some("r1".into());
    route.route_key = Some("GET /pets/{id}".into());
    context.set_route(MatchedRoute::new(route, request.uri(), 5));
    context.trace_or(|| Trace::generate(context.received()));
    context.set_release(Release::Canary("green".into()));
    context.record_refusal(
        &Rejection::new(RejectionKind::BadRequestBody).with_validation_error("[name is missing]"),
    );
    context.update_identity(|identity| {
        for name in Variable::names() {
            if let Some(Name::IdentityOther(name)) = Variable::parse(name).map(|v| v.name) {
                identity.other.insert(name, "x".into());
            }
        }
        identity.access_key = Some("x".into());
        identity.account_id = Some("x".into());
        identity.caller = Some("x".into());
        identity.user = Some("x".into());
        identity.user_arn = Some("x".into());
        identity.principal_org_id = Some("x".into());
    });
    context.set_client_certificate(ClientCertificate {
        pem: "x".into(),
        subject_dn: "x".into(),
        issuer_dn: "x".into(),
        serial_number: "x".into(),
        not_before: "x".into(),
        not_after: "x".into(),
    });
    let key = CallerKey::new(ApiKeyId::new("k1"));
    context.set_api_key(key.with_value(HeaderValue::from_static("x")));
    for name in Variable::names() {
        let variable = Variable::parse(name).expect("a fixed name");
        match variable.name {
            Name::Measure(measure) => context.measure(measure, 7),
            Name::Detail(detail) => context.note(detail, "x"),
            _ => {}
        }
    }
    context
}

#[test]
fn every_fixed_name_is_answered() {
    let context = full();
    for name in Variable::names() {
        assert!(context.get(name).is_some(), "{name}");
    }
}

#[track_caller]
fn check(name: &str, expected: impl Into<Value>) {
    assert_eq!(full().get(name), Some(expected.into()), "{name}");
}

#[test]
fn names_are_answered_with_the_facts_of_the_request() {
    check("domainName", "api.example.com");
    check("domainPrefix", "api");
    check("path", "/prod/pets/7");
    check("resourcePath", "/pets/{id}");
    check("requestTime", "12/Mar/2020:19:03:58 +0000");
    check("requestTimeEpoch", 1_584_039_838_000_i64);
    check("identity.sourceIp", "192.0.2.1");
    check("identity.userAgent", "curl/8");
    check("identity.apiKeyId", "k1");
    check("isCanaryRequest", true);
    check("error.messageString", "\"Invalid request body\"");
    check("error.responseType", "BAD_REQUEST_BODY");
    check("error.validationErrorString", "[name is missing]");
    check("protocol", "HTTP/1.1");
}

#[test]
fn nothing_is_known_of_a_new_request_but_what_it_says() {
    let request = Request::get("/").body(()).expect("a request");
    let context = RequestContext::new(&request, &ManualClock::default());
    for name in [
        "stage",
        "status",
        "isCanaryRequest",
        "error.message",
        "identity.sourceIp",
    ] {
        assert_eq!(context.get(name), None, "{name}");
    }
}

#[test]
fn claims_authorizer_values_and_overrides_answer_to_their_own_names() {
    let context = full();
    context.set_claims(
        json!({"sub": "me"})
            .as_object()
            .cloned()
            .unwrap_or_default(),
    );
    context.set_authorizer(json!({"level": 3}).as_object().cloned().unwrap_or_default());
    context.update_overrides(|overrides| {
        overrides.request = json!({"header": {"X-Id": "1"}})
            .as_object()
            .cloned()
            .unwrap_or_default();
    });
    assert_eq!(context.get("authorizer.claims.sub"), Some("me".into()));
    assert_eq!(context.get("authorizer.level"), Some(3.into()));
    assert_eq!(context.get("requestOverride.header.X-Id"), Some("1".into()));
}

#[test]
fn a_client_may_choose_the_id_only_if_it_is_a_uuid() {
    let chosen = "11111111-2222-3333-4444-555555555555";
    let with = |id: &str| {
        let request = Request::get("/")
            .header("x-amzn-requestid", id)
            .body(())
            .expect("a request");
        RequestContext::new(&request, &ManualClock::default()).request_id()
    };
    assert_eq!(with(chosen).as_str(), chosen);
    assert_ne!(with("42").as_str(), "42");
}

#[test]
fn facts_with_one_writer_are_set_once() {
    let context = full();
    context.set_stage(ApiStage::default());
    assert_eq!(
        context.stage().map(|stage| stage.stage.as_str()),
        Some("prod")
    );
}

#[test]
fn a_later_number_or_text_takes_the_place_of_an_earlier_one() {
    let context = full();
    context.measure(Measure::Status, 404);
    context.note(Detail::IntegrationError, "later");
    assert_eq!(context.measured(Measure::Status), Some(404));
    assert_eq!(
        context.noted(Detail::IntegrationError).as_deref(),
        Some("later")
    );
}

#[test]
fn the_port_is_no_part_of_the_domain_name() {
    for (host, name) in [
        ("a.example", "a.example"),
        ("a.example:1", "a.example"),
        ("[::1]:1", "[::1]"),
        ("[::1]", "[::1]"),
    ] {
        let request = Request::get("/")
            .header("host", host)
            .body(())
            .expect("a request");
        let context = RequestContext::new(&request, &ManualClock::default());
        assert_eq!(context.host(), Some(name));
    }
}

#[test]
fn whom_a_request_calls_stands_below_the_span_that_calls() {
    let context = RequestContext::new(&Request::new(()), &SystemClock);
    let mut headers = HeaderMap::new();
    let theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    headers.insert(TRACEPARENT, HeaderValue::from_static(theirs));
    context.write_trace(&mut headers);
    assert_eq!(headers[TRACEPARENT], theirs, "nobody follows the trace");
    assert!(!context.records_spans());

    let context = RequestContext::new(&Request::new(()), &SystemClock);
    let own = context.trace_or(|| Trace::parse_traceparent(theirs).expect("a trace"));
    assert_eq!(own.parent(), "00f067aa0ba902b7");
    context.set_span(0xa);
    assert!(context.records_spans());
    context.write_trace(&mut headers);
    let below = "00-4bf92f3577b34da6a3ce929d0e0e4736-000000000000000a-01";
    assert_eq!(headers[TRACEPARENT], below);
    let outgoing = context.outgoing_trace().expect("a trace");
    assert_eq!(headers[TRACE_ID], outgoing.to_string());
    context.set_span(0xb);
    let outgoing = context.outgoing_trace().expect("a trace");
    assert_eq!(outgoing.parent_id(), 0xb);
}

#[test]
fn a_later_word_of_a_cache_takes_the_place_of_an_earlier_one() {
    let context = RequestContext::new(&Request::new(()), &ManualClock::default());
    assert_eq!(context.cache_status(), None);
    context.set_cache_status(CacheStatus::Miss);
    context.set_cache_status(CacheStatus::Collapsed);
    assert_eq!(context.cache_status(), Some(CacheStatus::Collapsed));
}

#[test]
fn what_became_of_a_request_is_read_at_once() {
    let request = Request::new(());
    let context = RequestContext::new(&request, &SystemClock::new());
    context.facts(|facts| {
        assert_eq!(*facts.release, Release::None);
        assert!(facts.refusal.is_none() && facts.observed.is_empty());
    });
    context.set_release(Release::Production);
    context.record_refusal(&RejectionKind::Throttled.into());
    let kind = context.facts(|facts| {
        assert_eq!(*facts.release, Release::Production);
        facts.refusal.map(Rejection::kind)
    });
    assert_eq!(kind, Some(RejectionKind::Throttled));
}

#[test]
fn the_principal_is_whom_an_authorizer_named() {
    let mut request = http::Request::new(());
    let context = RequestContext::of(&mut request).clone();
    let principal = |context: &RequestContext| context.principal(|own| own.map(str::to_owned));
    assert_eq!(principal(&context), None);
    context.note(Detail::AuthorizerPrincipalId, "ann");
    assert_eq!(principal(&context).as_deref(), Some("ann"));
    context.update_identity(|identity| identity.caller = Some("signer".into()));
    assert_eq!(principal(&context).as_deref(), Some("signer"));
}
