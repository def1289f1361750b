//! Requests, and writers that can be read.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderValue, Request, StatusCode};
use portcullis_core::{
    ApiKeyId, ApiStage, CallerKey, Claims, ClientCertificate, Connection, Detail, ManualClock,
    MatchedRoute, Measure, Rejection, RejectionKind, Release, RequestContext, Route, Tls, Trace,
};
use portcullis_observe::{AccessFormat, AccessLog, Exchange, LogSink, Outcome};
use serde_json::json;

/// What was written, to be read by a test.
#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).expect("logs are UTF-8")
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits for the writer's thread.
pub(crate) fn flush(sink: &LogSink) {
    assert!(sink.flush(Duration::from_secs(60)), "the sink is stuck");
}

/// The line that `format` makes of a request and the headers of its response.
pub(crate) fn line_of(
    format: AccessFormat,
    request: &Request<()>,
    context: &RequestContext,
    response: &http::HeaderMap,
) -> String {
    let written = Written::default();
    let log = AccessLog::new(format, LogSink::writer(written.clone()));
    let mut captured = log.capture(request.uri(), request.headers());
    captured.respond(response);
    let status = Some(StatusCode::OK);
    let latency = Duration::from_millis(50);
    let exchange = Exchange::new(context, Outcome::Complete, status, 512, latency);
    log.write(&captured, &exchange);
    flush(log.sink());
    let text = written.text();
    text.strip_suffix('\n')
        .expect("a line has an end")
        .to_owned()
}

pub(crate) fn clock() -> ManualClock {
    ManualClock::at_unix(1_700_000_000)
}

/// A request of which nothing is known but itself.
pub(crate) fn bare() -> (Request<()>, RequestContext) {
    let request = Request::get("/prod/pets/7").body(()).unwrap();
    let context = RequestContext::new(&request, &clock());
    (request, context)
}

/// A request of which everything is known.
pub(crate) fn full() -> (Request<()>, RequestContext) {
    let request = Request::get("/prod/pets/7?page=2")
        .header("host", "api.example.com:8443")
        .header("user-agent", "curl/8.5.0")
        .header("x-amzn-requestid", "11111111-2222-4333-8444-555555555555")
        .body(())
        .unwrap();
    let context = RequestContext::new(&request, &clock());
    context.set_connection(connection());
    context.set_stage(stage());
    let mut route = Route::new("/pets/{id}");
    route.resource_id = Some("res1".into());
    route.route_key = Some("GET /pets/{id}".into());
    context.set_route(MatchedRoute::new(route, request.uri(), "/prod".len()));
    let trace = "Root=1-66b3c0a8-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1";
    context.trace_or(|| Trace::parse(trace).unwrap());
    measure(&context);
    note(&context);
    identify(&context);
    context.set_release(Release::Canary("next".into()));
    context.update_overrides(|overrides| {
        let request =
            json!({"header": {"x-id": "5"}, "path": {"id": 8}, "querystring": {"page": "2"}});
        overrides.request = request.as_object().unwrap().clone();
        let response = json!({"header": {"x-id": "6"}, "status": 418});
        overrides.response = response.as_object().unwrap().clone();
    });
    let rejection = Rejection::new(RejectionKind::Throttled)
        .with_validation_error("object has missing required properties");
    context.record_refusal(&rejection);
    (request, context)
}

fn connection() -> Connection {
    let mut certificate = ClientCertificate::default();
    certificate.pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----".into();
    certificate.subject_dn = "CN=client".into();
    certificate.issuer_dn = "CN=issuer".into();
    certificate.serial_number = "17".into();
    certificate.not_before = "May 28 12:30:02 2019 GMT".into();
    certificate.not_after = "Aug  5 09:36:04 2021 GMT".into();
    let mut tls = Tls::default();
    tls.version = Some("TLSv1.3".into());
    tls.cipher_suite = Some("TLS_AES_128_GCM_SHA256".into());
    tls.client_certificate = Some(Arc::new(certificate));
    let mut connection = Connection::new("192.0.2.17:4711".parse().unwrap());
    connection.tls = Some(tls);
    connection
}

fn stage() -> ApiStage {
    let mut stage = ApiStage::default();
    stage.account_id = "123456789012".into();
    stage.api_id = "a1b2c3d4e5".into();
    stage.stage = "prod".into();
    stage.deployment_id = Some("dep123".into());
    stage.endpoint_type = Some("REGIONAL".into());
    stage.variables.insert("color".into(), "green".into());
    stage
}

fn measure(context: &RequestContext) {
    for (measure, number) in [
        (Measure::Status, 429),
        (Measure::ResponseLength, 512),
        (Measure::ResponseLatency, 50),
        (Measure::DataProcessed, 4096),
        (Measure::IntegrationLatency, 21),
        (Measure::IntegrationServiceStatus, 200),
        (Measure::IntegrationStatus, 418),
        (Measure::TimeToAllHeaders, 7),
        (Measure::TimeToFirstContent, 9),
        (Measure::AuthenticateLatency, 3),
        (Measure::AuthenticateStatus, 401),
        (Measure::AuthorizeLatency, 4),
        (Measure::AuthorizeStatus, 403),
        (Measure::AuthorizerLatency, 12),
        (Measure::AuthorizerStatus, 200),
        (Measure::AuthorizerIntegrationLatency, 11),
        (Measure::AuthorizerIntegrationStatus, 202),
        (Measure::WafLatency, 1),
        (Measure::WafStatus, 200),
    ] {
        context.measure(measure, number);
    }
}

fn note(context: &RequestContext) {
    for (detail, text) in [
        (Detail::AuthenticateError, "signature is stale"),
        (Detail::AuthorizeError, "denied by policy"),
        (Detail::AuthorizerError, "no such tenant"),
        (Detail::AuthorizerPrincipalId, "principal-9"),
        (Detail::AuthorizerRequestId, "auth-request-1"),
        (Detail::WafError, "none"),
        (Detail::WafResponseCode, "WAF_ALLOW"),
        (
            Detail::WebAclArn,
            "arn:aws:wafv2:us-east-1:1:regional/webacl/a/b",
        ),
        (Detail::IntegrationError, "endpoint failed"),
        (Detail::EndpointRequestId, "endpoint-1"),
        (Detail::EndpointRequestId2, "endpoint-2"),
        (Detail::ResponseTransferMode, "STREAMED"),
        (Detail::BasePathMatched, "shop"),
        (Detail::RoutingRuleIdMatched, "rule-1"),
    ] {
        context.note(detail, text);
    }
}

fn identify(context: &RequestContext) {
    context.update_identity(|identity| {
        identity.account_id = Some("210987654321".into());
        identity.caller = Some("AIDACALLER".into());
        identity.user = Some("AIDAUSER".into());
        identity.user_arn = Some("arn:aws:iam::210987654321:user/tom".into());
        identity.principal_org_id = Some("o-abc".into());
        for (name, value) in [
            ("cognitoAuthenticationProvider", "cognito-idp"),
            ("cognitoAuthenticationType", "authenticated"),
            ("cognitoIdentityId", "us-east-1:1"),
            ("cognitoIdentityPoolId", "us-east-1:2"),
            ("vpcId", "vpc-1"),
            ("vpceId", "vpce-1"),
        ] {
            identity.other.insert(name, value.into());
        }
    });
    let key = HeaderValue::from_static("0123456789abcdefghij");
    context.set_api_key(CallerKey::new(ApiKeyId::new("key-1")).with_value(key));
    context.set_claims(Claims::from_json(
        r#"{"sub": "user-7", "cognito:groups": ["admins", "staff"]}"#,
    ));
    let values = json!({"tenant_id": "acme", "level": 42});
    context.set_authorizer(values.as_object().unwrap().clone());
}
