//! Signatures, policies and private endpoints through a whole gateway.

mod config;
mod tables;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{Request, Response, StatusCode};
use portcullis::auth::access::VpcEndpoint;
use portcullis::auth::credentials::{Caller, Credential, MemoryCredentials};
use portcullis::auth::iam::{CallerPolicies, IdentityPolicy, Principal};
use portcullis::auth::sigv4::ReplayGuard;
use portcullis::core::{Body, Connection, ManualClock, Rejection, RequestContext};
use portcullis::definition::EndpointType;
use portcullis::{ApiSpec, Gateway, GatewayBuilder, Parity};
use portcullis_testkit::{SigV4Signer, request as testkit};
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const ID: &str = "AKIDEXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOM: &str = "arn:aws:iam::123456789012:user/tom";

/// 2024-02-29T23:59:30Z
const NOW: u64 = 1_709_251_170;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

/// What a function sees of a request, as the answer.
fn method(changes: &Value) -> Value {
    let mut method = json!({
        "responses": {},
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
            "responses": { "default": {
                "statusCode": "200",
                "responseTemplates": { "application/json": "$context.identity.userArn $context.identity.accountId $context.identity.caller $context.identity.accessKey" }
            } }
        }
    });
    for (name, value) in changes.as_object().expect("an object") {
        method[name] = value.clone();
    }
    method
}

fn signed_method() -> Value {
    method(&json!({"x-amazon-apigateway-auth": {"type": "AWS_IAM"}}))
}

fn document(paths: &Value, policy: Option<Value>) -> String {
    let mut document = json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "paths": paths,
    });
    if let Some(policy) = policy {
        document["x-amazon-apigateway-policy"] = policy;
    }
    document.to_string()
}

fn tom(statement: &Value) -> MemoryCredentials {
    caller(TOM, statement)
}

fn caller(arn: &str, statement: &Value) -> MemoryCredentials {
    let document = json!({"Version": "2012-10-17", "Statement": statement});
    let policy = IdentityPolicy::from_value(&document).expect("a policy");
    let caller = Caller::new(Principal::from_arn(arn).expect("an ARN"))
        .with_user_id("AIDATOM")
        .with_policies(CallerPolicies::new().with_identity(policy));
    MemoryCredentials::new([Credential::new(ID, SECRET, caller)])
}

fn invoke(resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource})
}

fn builder(api: ApiSpec) -> GatewayBuilder {
    Gateway::builder()
        .region("eu-west-1")
        .account_id("123456789012")
        .clock(ManualClock::at_unix(NOW))
        .api(api)
}

fn rest(paths: &Value, policy: Option<Value>) -> ApiSpec {
    ApiSpec::rest(document(paths, policy))
        .id("a1b2c3")
        .stage_named("prod")
}

fn signer() -> SigV4Signer {
    SigV4Signer::new(ID, SECRET).at(now())
}

fn plain(method: &str, target: &str) -> Request<Vec<u8>> {
    Request::builder()
        .method(method)
        .uri(target)
        .header("host", "a1b2c3.execute-api.eu-west-1.amazonaws.com")
        .body(Vec::new())
        .expect("a request")
}

async fn send(gateway: &Gateway, request: Request<Vec<u8>>) -> Response<Body> {
    let request = request.map(Body::from);
    gateway.clone().oneshot(request).await.expect("never fails")
}

fn rule(response: &Response<Body>) -> String {
    let rejection = response.extensions().get::<Rejection>().expect("a refusal");
    rejection.decision().expect("a reason").rule().to_owned()
}

fn build(builder: GatewayBuilder) -> Gateway {
    builder.build().expect("a good definition")
}

#[tokio::test]
async fn a_signed_request_passes_with_its_identity_in_the_context() {
    let api = rest(&json!({"/pets/{id}": {"get": signed_method()}}), None);
    let keys = tom(&invoke(
        "arn:aws:execute-api:eu-west-1:*:a1b2c3/prod/GET/pets/*",
    ));
    let gateway = build(builder(api).access_keys(keys));
    let response = send(
        &gateway,
        signer().sign(plain("GET", "/prod/pets/a%2Fb?x=1")),
    )
    .await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        testkit::text(response).await,
        format!("{TOM} 123456789012 AIDATOM {ID}")
    );
}

#[tokio::test]
async fn refusals_are_those_of_the_service() {
    let api = rest(
        &json!({"/pets": {"get": signed_method(), "delete": signed_method()}}),
        None,
    );
    let keys = tom(&invoke("arn:aws:execute-api:*:*:*/prod/GET/*"));
    let gateway = build(builder(api).access_keys(keys));

    let response = send(&gateway, plain("GET", "/prod/pets")).await;
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        "MissingAuthenticationTokenException"
    );
    assert_eq!(
        testkit::text(response).await,
        r#"{"message":"Missing Authentication Token"}"#
    );

    let response = send(&gateway, signer().sign(plain("DELETE", "/prod/pets"))).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        "AccessDeniedException"
    );
    assert_eq!(
        testkit::text(response).await,
        format!(
            "{{\"Message\":\"User: {TOM} is not authorized to perform: execute-api:Invoke on resource: \
             arn:aws:execute-api:eu-west-1:********9012:a1b2c3/prod/DELETE/pets \
             because no identity-based policy allows the execute-api:Invoke action\"}}"
        )
    );

    let other = SigV4Signer::new(ID, "another secret").at(now());
    let response = send(&gateway, other.sign(plain("GET", "/prod/pets"))).await;
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        "InvalidSignatureException"
    );
    assert!(!testkit::text(response).await.contains("Canonical String"));

    let unknown = SigV4Signer::new("AKIDUNKNOWN", SECRET).at(now());
    let response = send(&gateway, unknown.sign(plain("GET", "/prod/pets"))).await;
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        "UnrecognizedClientException"
    );
    assert_eq!(
        testkit::text(response).await,
        r#"{"message":"The security token included in the request is invalid."}"#
    );
}

#[tokio::test]
async fn a_denial_holds_for_every_spelling_of_a_path() {
    let paths = json!({
        "/admin": {"get": signed_method()},
        "/{proxy+}": {"get": signed_method()},
    });
    let policy = json!([
        invoke("*"),
        {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:execute-api:*:*:*/prod/GET/admin"},
        {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:execute-api:*:*:*/prod/GET/a%2Fb"},
    ]);
    let gateway = build(builder(rest(&paths, None)).access_keys(tom(&policy)));
    for (target, expected) in [
        ("/prod/other", 200),
        ("/prod/admin", 403),
        ("/prod//admin", 403),
        ("//prod/admin", 403),
        ("/prod/admin/", 403),
        ("/prod/admin///", 403),
        ("/prod/%61dmin", 403),
        ("/prod/admin?x=/y", 403),
        ("/prod/a%2fb", 403),
        ("/prod/a%2Fb/", 403),
        ("/prod/Admin", 200),
    ] {
        let response = send(&gateway, signer().sign(plain("GET", target))).await;
        assert_eq!(response.status(), expected, "{target}");
    }
}

#[tokio::test]
async fn a_replay_guard_survives_a_deployment_and_a_reload() {
    let paths = json!({"/pets": {"get": signed_method()}});
    let source = || {
        builder(rest(&paths, None))
            .access_keys(tom(&invoke("*")))
            .replay_guard(ReplayGuard::new(2))
    };
    let gateway = build(source());
    let request = signer().sign(plain("GET", "/prod/pets"));
    assert_eq!(
        send(&gateway, request.clone()).await.status(),
        StatusCode::OK
    );
    assert_eq!(
        rule(&send(&gateway, request.clone()).await),
        "sigv4/replayed"
    );
    gateway
        .deploy("a1b2c3", document(&paths, None))
        .expect("a good definition");
    assert_eq!(
        rule(&send(&gateway, request.clone()).await),
        "sigv4/replayed"
    );
    gateway.reload(source()).expect("a good configuration");
    assert_eq!(rule(&send(&gateway, request).await), "sigv4/replayed");
}

#[tokio::test]
async fn the_canonical_request_is_shown_where_parity_is_strict() {
    let api = rest(&json!({"/pets": {"get": signed_method()}}), None).parity(Parity::Strict);
    let gateway = build(builder(api).access_keys(tom(&invoke("*"))));
    let other = SigV4Signer::new(ID, "another secret").at(now());
    let response = send(&gateway, other.sign(plain("GET", "/prod/pets"))).await;
    let body: Value = serde_json::from_str(&testkit::text(response).await).expect("JSON");
    let message = body["message"].as_str().expect("text");
    assert!(
        message
            .contains("The Canonical String for this request should have been\n'GET\n/prod/pets\n"),
        "{message}"
    );
}

#[tokio::test]
async fn presigned_urls_live_five_minutes_or_as_long_as_they_say() {
    let clock = ManualClock::at_unix(NOW);
    let gateway = |honour| {
        let api = rest(&json!({"/pets": {"get": signed_method()}}), None);
        let builder = builder(api).clock(clock.clone()).honour_expires(honour);
        build(builder.access_keys(tom(&invoke("*"))))
    };
    let (service, honouring) = (gateway(false), gateway(true));
    let url = || signer().presigned(3600).sign(plain("GET", "/prod/pets"));
    clock.advance(Duration::from_secs(300));
    assert_eq!(send(&service, url()).await.status(), StatusCode::OK);
    clock.advance(Duration::from_secs(1));
    assert_eq!(rule(&send(&service, url()).await), "sigv4/expired");
    assert_eq!(send(&honouring, url()).await.status(), StatusCode::OK);
    clock.advance(Duration::from_secs(3300));
    assert_eq!(rule(&send(&honouring, url()).await), "sigv4/expired");
}

#[tokio::test]
async fn a_body_is_part_of_what_is_signed_and_reaches_the_integration() {
    let backend = portcullis_testkit::Recorder::new(|got| {
        testkit::answer(
            200,
            format!("{} {:?}", got.text(), got.header("authorization")),
        )
    });
    let server = portcullis_testkit::HyperServer::start(backend.clone()).await;
    let mut post = signed_method();
    post["x-amazon-apigateway-integration"] = json!({
        "type": "http_proxy", "httpMethod": "POST", "uri": format!("http://{}/", server.addr()),
    });
    let api = rest(&json!({"/pets": {"post": post}}), None);
    let gateway = build(builder(api).access_keys(tom(&invoke("*"))));
    let request = || plain("POST", "/prod/pets").map(|_| b"Rex".to_vec());
    let response = send(&gateway, signer().sign(request())).await;
    // A signature is for the gateway, and goes no further.
    assert_eq!(testkit::text(response).await, "Rex None");

    let mut changed = signer().sign(request());
    *changed.body_mut() = b"Tom".to_vec();
    assert_eq!(rule(&send(&gateway, changed).await), "sigv4/mismatch");
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn http_apis_check_signatures_and_say_forbidden() {
    let mut get = method(&json!({"x-amazon-apigateway-auth": {"type": "AWS_IAM"}}));
    get["x-amazon-apigateway-integration"] = json!({
        "type": "aws_proxy", "payloadFormatVersion": "2.0",
        "uri": "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:show/invocations",
    });
    let api = ApiSpec::http(document(&json!({"/pets": {"get": get}}), None)).id("a1b2c3");
    let show = async |call: portcullis::core::Invocation| {
        let event: Value = serde_json::from_slice(&call.payload).expect("an event");
        let reply =
            json!({"statusCode": 200, "body": event["requestContext"]["authorizer"].to_string()});
        Ok::<_, portcullis::core::FunctionError>(portcullis::core::FunctionReply::success(
            reply.to_string(),
        ))
    };
    let keys = tom(&invoke("arn:aws:execute-api:*:*:a1b2c3/$default/GET/pets"));
    let gateway = build(builder(api).access_keys(keys).function("show", show));

    let response = send(&gateway, signer().sign(plain("GET", "/pets"))).await;
    let authorizer: Value = serde_json::from_str(&testkit::text(response).await).expect("JSON");
    assert_eq!(
        authorizer,
        json!({"iam": {
            "accessKey": ID, "accountId": "123456789012", "callerId": "AIDATOM",
            "cognitoIdentity": null, "principalOrgId": null, "userArn": TOM, "userId": "AIDATOM",
        }})
    );
    for request in [
        plain("GET", "/pets"),
        SigV4Signer::new(ID, "x")
            .at(now())
            .sign(plain("GET", "/pets")),
    ] {
        let response = send(&gateway, request).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(testkit::text(response).await, r#"{"message":"Forbidden"}"#);
    }
}

#[tokio::test]
async fn without_access_keys_a_signed_method_stays_shut_and_the_report_says_so() {
    let api = rest(&json!({"/pets": {"get": signed_method()}}), None);
    let gateway = build(builder(api));
    let response = send(&gateway, signer().sign(plain("GET", "/prod/pets"))).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let report = gateway.coverage();
    let field = report
        .not_served()
        .find(|field| field.pointer == "/paths/~1pets/get/x-amazon-apigateway-auth")
        .expect("it is in the report");
    assert!(field.note.contains("no access keys"), "{}", field.note);
}

#[tokio::test]
async fn a_wrong_policy_is_a_fault_at_its_place() {
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*",
         "Conditions": {}},
        {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
         "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}},
    ]});
    let api = rest(&json!({"/pets": {"get": method(&json!({}))}}), Some(policy));
    let error = builder(api).build().expect_err("the policy is wrong");
    let places: Vec<_> = error
        .faults()
        .iter()
        .map(|fault| fault.place.as_str())
        .collect();
    assert_eq!(
        places,
        [
            "/x-amazon-apigateway-policy/Statement/0/Conditions",
            "/x-amazon-apigateway-policy/Statement/1/Condition/IpAddress/aws:SourceIp/0",
        ]
    );
}

fn from(address: &str, request: Request<Vec<u8>>) -> Request<Vec<u8>> {
    let mut request = request;
    let connection = Connection::new(format!("{address}:50000").parse().expect("an address"));
    let context = RequestContext::new(&request, &ManualClock::at_unix(NOW));
    context.set_connection(connection);
    request.extensions_mut().insert(context);
    request
}

#[tokio::test]
async fn a_private_api_is_reached_through_its_endpoint_and_needs_a_policy() {
    let paths = json!({"/pets": {"get": method(&json!({})), "head": signed_method()}});
    let endpoint =
        || VpcEndpoint::new("vpce-1", ["10.1.0.0/16".parse().expect("a network")]).in_vpc("vpc-1");
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"},
        {"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*",
         "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}},
    ]});
    let private = |policy| rest(&paths, policy).endpoint_type(EndpointType::Private);
    let other = VpcEndpoint::new("vpce-2", ["10.2.0.0/16".parse().expect("a network")]);
    let gateway = build(
        builder(private(Some(policy)))
            .vpc_endpoint(endpoint())
            .vpc_endpoint(other)
            .access_keys(tom(&json!([]))),
    );
    let ask = async |address: &str| send(&gateway, from(address, plain("GET", "/prod/pets"))).await;
    assert_eq!(ask("10.1.2.3").await.status(), StatusCode::OK);
    let response = ask("203.0.113.7").await;
    assert_eq!(rule(&response), "not_private");
    assert_eq!(testkit::text(response).await, r#"{"message":"Forbidden"}"#);
    assert_eq!(rule(&ask("10.2.2.3").await), "iam/explicit-deny");

    let closed = build(builder(private(None)).vpc_endpoint(endpoint()));
    let response = send(&closed, from("10.1.2.3", plain("GET", "/prod/pets"))).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);

    let told = |gateway: &Gateway, what: &str| {
        let report = gateway.coverage();
        report
            .not_served()
            .any(|field| field.pointer == "endpointType" && field.note.contains(what))
    };
    assert!(told(&closed, "no resource policy"));
    assert!(told(&build(builder(private(None))), "no VPC endpoint"));
    assert!(!told(&gateway, ""));
}

#[tokio::test]
async fn source_addresses_are_those_behind_trusted_proxies() {
    let policy = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*",
        "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}});
    let api = rest(&json!({"/pets": {"get": method(&json!({}))}}), Some(policy));
    let proxies = portcullis::core::TrustedProxies::new(["10.0.0.0/8".parse().expect("a network")]);
    let gateway = build(builder(api).trusted_proxies(proxies));
    let ask = async |peer: &str, forwarded: &str| {
        let mut request = plain("GET", "/prod/pets");
        let forwarded = forwarded.parse().expect("a value");
        request.headers_mut().insert("x-forwarded-for", forwarded);
        send(&gateway, from(peer, request)).await.status()
    };
    assert_eq!(ask("10.0.0.1", "203.0.113.7").await, StatusCode::OK);
    assert_eq!(
        ask("198.51.100.1", "203.0.113.7").await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(ask("203.0.113.9", "8.8.8.8").await, StatusCode::OK);
}

#[tokio::test]
async fn skipping_auth_skips_policies_and_signatures() {
    let policy = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}});
    let api = rest(&json!({"/pets": {"get": signed_method()}}), Some(policy));
    let gateway = build(builder(api).dangerously_skip_auth(true));
    assert_eq!(
        send(&gateway, plain("GET", "/prod/pets")).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_key_that_is_taken_away_is_refused_at_the_next_request() {
    let keys = tom(&invoke("*"));
    let api = rest(&json!({"/pets": {"get": signed_method()}}), None);
    let gateway = build(builder(api).access_keys(keys.clone()));
    let request = || signer().sign(plain("GET", "/prod/pets"));
    assert_eq!(send(&gateway, request()).await.status(), StatusCode::OK);
    keys.remove(ID);
    assert_eq!(rule(&send(&gateway, request()).await), "sigv4/unknown-key");
}

const _: fn() = || {
    fn assert_shared<T: Send + Sync>() {}
    assert_shared::<Arc<Gateway>>();
};
