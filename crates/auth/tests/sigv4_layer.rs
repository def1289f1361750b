//! The layers of signatures and policies, as a service has them.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use portcullis_auth::access::{
    ApiArn, Authorization, IamPermissions, Operation, ResourcePolicyLayer, VpcEndpoint,
    VpcEndpoints,
};
use portcullis_auth::credentials::{
    Caller, Credential, CredentialLookup, MemoryCredentials, StoreError,
};
use portcullis_auth::iam::{CallerPolicies, IdentityPolicy, Principal, ResourcePolicy};
use portcullis_auth::sigv4::{
    SigV4Layer, SigV4Rules, SigV4StreamLayer, SigV4Verifier, VerifiedBody,
};
use portcullis_core::{
    Body, Clock, Connection, Head, ManualClock, Permissions, Rejection, RequestContext,
};
use portcullis_testkit::SigV4Signer;
use serde_json::{Value, json};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt, service_fn};

const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "FwoGZXIvYXdz//EXAMPLE==";

/// 2024-02-29T23:59:30Z
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_251_170)
}

fn header() -> SigV4Signer {
    SigV4Signer::new(ID, SECRET).at(now())
}

fn query() -> SigV4Signer {
    header().presigned(900)
}

const TOM: &str = "arn:aws:iam::123456789012:user/tom";
const ARN: &str = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod";

fn clock() -> Arc<ManualClock> {
    let seconds = now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    Arc::new(ManualClock::at_unix(seconds))
}

fn verifier() -> SigV4Verifier {
    SigV4Verifier::new(SigV4Rules::new("eu-west-1", "execute-api").unwrap())
}

fn identity(statement: &Value) -> IdentityPolicy {
    let document = json!({"Version": "2012-10-17", "Statement": statement});
    IdentityPolicy::from_value(&document).unwrap()
}

fn resource(statement: &Value) -> ResourcePolicy {
    let document = json!({"Version": "2012-10-17", "Statement": statement});
    ResourcePolicy::from_value(&document).unwrap()
}

fn tom() -> Caller {
    Caller::new(Principal::from_arn(TOM).unwrap()).with_user_id("AIDATOM")
}

fn with_policy(statement: &Value) -> Caller {
    tom().with_policies(CallerPolicies::new().with_identity(identity(statement)))
}

fn layer(caller: Caller) -> SigV4Layer {
    let store = MemoryCredentials::new([Credential::new(ID, SECRET, caller)]);
    SigV4Layer::new(verifier(), store).clock(clock())
}

fn api() -> ApiArn {
    ApiArn::new("eu-west-1", "123456789012", "a1b2c3")
        .unwrap()
        .stage("prod")
}

type Echo = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// Answers with the body that it got, and says who signed.
fn echo() -> Echo {
    Echo::new(service_fn(async |request: Request<Body>| {
        let context = request.extensions().get::<RequestContext>().cloned();
        let identity = context
            .map(|context| context.identity())
            .unwrap_or_default();
        let Ok(body) = request.into_body().collect().await else {
            return Ok(Response::builder().status(599).body(Body::empty()).unwrap());
        };
        let mut response = Response::new(Body::from(body.to_bytes()));
        let told = [
            ("x-arn", identity.user_arn),
            ("x-account", identity.account_id),
            ("x-key", identity.access_key),
            ("x-user", identity.user),
        ];
        for (name, value) in told {
            if let Some(value) = value {
                let value = HeaderValue::from_str(&value).unwrap();
                response.headers_mut().insert(name, value);
            }
        }
        Ok(response)
    }))
}

fn pets() -> Request<Vec<u8>> {
    Request::post("/pets?kind=dog")
        .header("host", "api.example.com")
        .body(b"Rex".to_vec())
        .unwrap()
}

async fn send<L>(layer: &L, request: Request<Vec<u8>>) -> Response<Body>
where
    L: Layer<Echo>,
    L::Service: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let request = request.map(Body::from);
    layer.layer(echo()).oneshot(request).await.unwrap()
}

/// The same through a layer that changes the body.
async fn stream(layer: &SigV4StreamLayer, request: Request<Vec<u8>>) -> Response<Body> {
    let inner = echo().map_request(|request: Request<VerifiedBody<Body>>| request.map(Body::new));
    let request = request.map(Body::from);
    layer.layer(inner).oneshot(request).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[track_caller]
fn rule(response: &Response<Body>) -> String {
    let rejection = response.extensions().get::<Rejection>().expect("a refusal");
    rejection.decision().expect("a reason").rule().to_owned()
}

#[tokio::test]
async fn a_signed_request_passes_with_its_body_and_tells_who_signed() {
    for how in [header(), query()] {
        // A presigned URL covers the body that it was made for.
        let response = send(&layer(tom()), how.sign(pets())).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["x-arn"], TOM);
        assert_eq!(response.headers()["x-account"], "123456789012");
        assert_eq!(response.headers()["x-key"], ID);
        assert_eq!(response.headers()["x-user"], "AIDATOM");
        assert_eq!(text(response).await, "Rex");
    }
}

#[tokio::test]
async fn a_refusal_is_the_services_answer_word_by_word() {
    let response = send(&layer(tom()), pets()).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        "MissingAuthenticationTokenException"
    );
    assert_eq!(
        text(response).await,
        r#"{"message":"Missing Authentication Token"}"#
    );

    let mut request = header().sign(pets());
    *request.body_mut() = b"Tom".to_vec();
    let response = send(&layer(tom()), request).await;
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        "InvalidSignatureException"
    );
    assert_eq!(rule(&response), "sigv4/mismatch");
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_and_one_of_a_bad_head_is_not_read() {
    let small = layer(tom()).body_limit(2);
    let response = send(&small, header().sign(pets())).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);

    let mut request = pets();
    let length = HeaderValue::from_static("100000");
    request.headers_mut().insert("content-length", length);
    let unread = StreamBody::new(futures_util::stream::poll_fn(
        |_| -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
            panic!("the body was read")
        },
    ));
    let (parts, _) = request.into_parts();
    let request = Request::from_parts(parts, Body::new(unread));
    let response = layer(tom()).layer(echo()).oneshot(request).await.unwrap();
    assert_eq!(rule(&response), "sigv4/not-signed");
}

/// A second passes each time it is read.
#[derive(Debug)]
struct Hasty(AtomicU64);

impl Clock for Hasty {
    fn now(&self) -> Instant {
        unreachable!("signatures have dates")
    }

    fn wall(&self) -> SystemTime {
        let seconds = self.0.fetch_add(1, Ordering::Relaxed);
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }
}

#[tokio::test]
async fn a_body_that_was_not_read_because_the_head_was_bad_never_passes() {
    // The signature becomes current between the look at the head and the check, and would be right for no body.
    let at = now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        - 301;
    let layer = layer(tom()).clock(Arc::new(Hasty(AtomicU64::new(at))));
    let bare = Request::post("/pets").header("host", "api.example.com");
    let request = header().sign(bare.body(Vec::new()).unwrap());
    let mut request = request.map(|_| vec![b'x'; 70_000]);
    request
        .headers_mut()
        .insert("content-length", 70_000.into());
    let response = send(&layer, request).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(rule(&response), "sigv4/body-not-read");
}

#[tokio::test]
async fn keys_can_come_from_elsewhere_and_nobody_gets_in_while_it_is_away() {
    let later = |outcome: fn() -> Result<Option<Credential>, StoreError>| {
        let store = move |_id: &str| CredentialLookup::later(async move { outcome() });
        SigV4Layer::new(verifier(), store)
            .clock(clock())
            .authorize(Authorization::for_api(api()))
    };
    let allowed = later(|| {
        let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2024-01-01"}}});
        Ok(Some(Credential::new(ID, SECRET, with_policy(&all))))
    });
    let response = send(&allowed, header().sign(pets())).await;
    assert_eq!(response.headers()["x-arn"], TOM);
    let response = stream(
        &allowed.clone().streaming(),
        header().named_hash().sign(pets()),
    )
    .await;
    assert_eq!(text(response).await, "Rex");

    let denied = later(|| Ok(Some(Credential::new(ID, SECRET, tom()))));
    let response = send(&denied, header().sign(pets())).await;
    assert_eq!(rule(&response), "iam/implicit-deny");

    let unknown = later(|| Ok(None));
    let response = send(&unknown, header().sign(pets())).await;
    assert_eq!(rule(&response), "sigv4/unknown-key");

    let away = later(|| Err(StoreError::new("connection refused")));
    let response = send(&away, header().sign(pets())).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(rule(&response), "sigv4/store-away");
    assert!(!text(response).await.contains("connection refused"));
}

#[tokio::test]
async fn policies_decide_with_the_path_of_the_request_and_what_conditions_ask() {
    let own = json!([
        {"Sid": "Own", "Effect": "Allow", "Action": "execute-api:Invoke",
         "Resource": "arn:aws:execute-api:*:*:a1b2c3/prod/POST/${aws:username}/*"},
        {"Sid": "Night", "Effect": "Deny", "Action": "*", "Resource": "*",
         "Condition": {"StringLike": {"aws:UserAgent": "bot/*"}}},
    ]);
    let layer = layer(with_policy(&own)).authorize(Authorization::for_api(api()));
    let request = |path: &str, agent: &'static str| {
        let mut request = pets();
        *request.uri_mut() = path.parse().unwrap();
        let mut request = header().sign(request);
        request
            .headers_mut()
            .insert("user-agent", HeaderValue::from_static(agent));
        request
    };
    let response = send(&layer, request("/tom/7", "curl/8")).await;
    assert_eq!(response.status(), StatusCode::OK);

    let response = send(&layer, request("/eve/7", "curl/8")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        "AccessDeniedException"
    );
    assert_eq!(
        text(response).await,
        format!(
            "{{\"Message\":\"User: {TOM} is not authorized to perform: execute-api:Invoke on resource: \
             arn:aws:execute-api:eu-west-1:********9012:a1b2c3/prod/POST/eve/7 \
             because no identity-based policy allows the execute-api:Invoke action\"}}"
        )
    );

    let response = send(&layer, request("/tom/7", "bot/1")).await;
    let rejection = response.extensions().get::<Rejection>().unwrap().clone();
    assert!(
        rejection
            .message()
            .unwrap()
            .ends_with("/prod/POST/tom/7 with an explicit deny")
    );
    let decision = rejection.decision().unwrap().to_string();
    assert!(
        decision.starts_with("auth: iam/explicit-deny (why=explicitly denied by statement `Night` of identity-based policy"),
        "{decision}"
    );

    let long = format!("/tom/{}", "x".repeat(1600));
    let response = send(&layer, request(&long, "curl/8")).await;
    assert_eq!(response.status(), StatusCode::URI_TOO_LONG);
}

#[tokio::test]
async fn a_caller_of_another_account_needs_both_sides() {
    let eve = Principal::from_arn("arn:aws:iam::210987654321:user/eve").unwrap();
    let allow =
        json!({"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": format!("{ARN}/*")});
    let eve = Caller::new(eve).with_policies(CallerPolicies::new().with_identity(identity(&allow)));
    let alone = layer(eve.clone()).authorize(Authorization::for_api(api()));
    let response = send(&alone, header().sign(pets())).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);

    let policy = resource(
        &json!({"Effect": "Allow", "Principal": {"AWS": "210987654321"},
        "Action": "execute-api:Invoke", "Resource": "execute-api:/prod/*"}),
    );
    let both = layer(eve).authorize(Authorization::for_api(api()).resource_policy(policy));
    let response = send(&both, header().sign(pets())).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn actions_and_resources_can_be_of_ones_own() {
    let read = json!({"Effect": "Allow", "Action": "orders:Read", "Resource": "arn:aws:orders::123456789012:*"});
    let layer =
        layer(with_policy(&read)).authorize(Authorization::for_operations(|head: &Head<'_>| {
            let action = if head.method().is_safe() {
                "orders:Read"
            } else {
                "orders:Write"
            };
            Operation::new(
                action,
                format!("arn:aws:orders::123456789012:{}", head.uri().path()),
            )
        }));
    let mut get = pets();
    *get.method_mut() = http::Method::GET;
    assert_eq!(
        send(&layer, header().sign(get)).await.status(),
        StatusCode::OK
    );
    let response = send(&layer, header().sign(pets())).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_observing_layer_lets_pass_and_writes_down() {
    let layer = layer(tom()).dangerous_observe();
    let mut request = pets().map(Body::from);
    let context = RequestContext::of(&mut request).clone();
    let response = layer.layer(echo()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(context.observed().len(), 1);
    let response = stream(&layer.streaming(), pets()).await;
    assert_eq!(text(response).await, "Rex");
}

#[tokio::test]
async fn a_streamed_body_passes_if_it_is_the_one_that_was_signed() {
    let layer = layer(tom()).streaming();
    let response = stream(&layer, header().named_hash().sign(pets())).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response).await, "Rex");

    // Another body ends in an error, which this service answers 599.
    let mut request = header().named_hash().sign(pets());
    *request.body_mut() = b"Tom".to_vec();
    assert_eq!(stream(&layer, request).await.status().as_u16(), 599);

    // Without a hash there is nothing to compare, unless there is no body.
    let response = stream(&layer, header().sign(pets())).await;
    assert_eq!(rule(&response), "sigv4/hash-not-named");
    let empty = pets().map(|_| Vec::new());
    assert_eq!(
        stream(&layer, header().sign(empty)).await.status(),
        StatusCode::OK
    );
    let mut padded = header().named_hash().sign(pets().map(|_| Vec::new()));
    padded.body_mut().push(b' ');
    assert_eq!(stream(&layer, padded).await.status().as_u16(), 599);
}

#[tokio::test]
async fn the_last_part_of_a_wrong_body_is_held_back() {
    let parts = ["Re", "x", "!"];
    let body = parts.map(|part| {
        Ok::<_, Infallible>(http_body::Frame::data(Bytes::from_static(part.as_bytes())))
    });
    let (head, _) = header().named_hash().sign(pets()).into_parts();
    let request = Request::from_parts(head, StreamBody::new(futures_util::stream::iter(body)));
    let inner = service_fn(async |mut request: Request<_>| {
        let mut seen = Vec::new();
        let mut error = None;
        while let Some(frame) = BodyExt::frame(request.body_mut()).await {
            match frame {
                Ok(frame) => seen.push(frame.into_data().unwrap()),
                Err(wrong) => error = Some(wrong),
            }
        }
        let error: portcullis_core::BoxError = error.unwrap();
        assert_eq!(error.to_string(), "the body is not the one that was signed");
        assert_eq!(seen, ["Re", "x"]);
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let service = layer(tom()).streaming().layer(inner);
    assert_eq!(
        service.oneshot(request).await.unwrap().status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_the_next_request() {
    let store = MemoryCredentials::new([Credential::new(ID, SECRET, tom())]);
    let layer = SigV4Layer::new(verifier(), store.clone()).clock(clock());
    assert_eq!(
        send(&layer, header().sign(pets())).await.status(),
        StatusCode::OK
    );
    store.remove(ID);
    let response = send(&layer, header().sign(pets())).await;
    assert_eq!(rule(&response), "sigv4/unknown-key");
    let other = Credential::new(ID, SECRET, tom()).temporary(TOKEN, now() + Duration::from_secs(1));
    store.insert(other);
    let response = send(&layer, header().sign(pets())).await;
    assert_eq!(rule(&response), "sigv4/bad-token");
}

fn from(address: &str) -> Request<Body> {
    let mut request = Request::get("/pets").body(Body::empty()).unwrap();
    let connection = Connection::new(format!("{address}:50000").parse().unwrap());
    RequestContext::of(&mut request).set_connection(connection);
    request
}

#[tokio::test]
async fn a_resource_policy_alone_needs_an_explicit_allow() {
    let ask = |statement: Value| {
        let layer = ResourcePolicyLayer::new(resource(&statement), api()).clock(clock());
        async move {
            layer
                .layer(echo())
                .oneshot(from("203.0.113.7"))
                .await
                .unwrap()
        }
    };
    let statement = |effect: &str, principal: Value, resource: &str| json!({"Effect": effect, "Principal": principal, "Action": "execute-api:Invoke", "Resource": resource});
    let allow = statement("Allow", json!("*"), "execute-api:/prod/GET/*");
    assert_eq!(ask(allow.clone()).await.status(), StatusCode::OK);

    let silent = ask(statement("Allow", json!("*"), "execute-api:/prod/POST/*")).await;
    assert_eq!(
        text(silent).await,
        "{\"Message\":\"User: anonymous is not authorized to perform: execute-api:Invoke on resource: \
         arn:aws:execute-api:eu-west-1:********9012:a1b2c3/prod/GET/pets\"}"
    );
    // Naming an account keeps everybody out who did not sign.
    let named = statement("Allow", json!({"AWS": "123456789012"}), "*");
    assert_eq!(ask(named).await.status(), StatusCode::FORBIDDEN);
    let deny = statement("Deny", json!("*"), "*");
    let denied = ask(json!([allow, deny])).await;
    assert!(text(denied).await.ends_with(" with an explicit deny\"}"));
}

#[tokio::test]
async fn before_an_authorizer_only_denials_count() {
    let policy = |effect: &str| {
        resource(
            &json!({"Effect": effect, "Principal": "*", "Action": "execute-api:Invoke",
            "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}),
        )
    };
    let ask = |effect: &str, address: &'static str| {
        let layer = ResourcePolicyLayer::new(policy(effect), api()).denials_only();
        async move {
            layer
                .layer(echo())
                .oneshot(from(address))
                .await
                .unwrap()
                .status()
        }
    };
    assert_eq!(ask("Deny", "203.0.113.7").await, StatusCode::FORBIDDEN);
    assert_eq!(ask("Deny", "198.51.100.7").await, StatusCode::OK);
    assert_eq!(ask("Allow", "198.51.100.7").await, StatusCode::OK);
}

#[tokio::test]
async fn a_private_api_is_for_those_who_come_through_its_endpoint() {
    let policy = resource(&json!([
        {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*",
         "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}},
    ]));
    let endpoint = VpcEndpoint::new("vpce-1", ["10.1.0.0/16".parse().unwrap()]).in_vpc("vpc-1");
    let layer =
        ResourcePolicyLayer::new(policy, api()).vpc_endpoints(VpcEndpoints::new([endpoint]));
    let ask = |address| layer.layer(echo()).oneshot(from(address));
    assert_eq!(ask("10.1.2.3").await.unwrap().status(), StatusCode::OK);
    assert_eq!(
        ask("10.2.2.3").await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
}

#[test]
fn permissions_are_those_of_whoever_signed() {
    let invalidate = json!({"Effect": "Allow", "Action": "execute-api:InvalidateCache",
        "Resource": format!("{ARN}/GET/*")});
    let store = MemoryCredentials::new([Credential::new(ID, SECRET, with_policy(&invalidate))]);
    let permissions = IamPermissions::new(store);
    let mut request = Request::get("/pets").body(()).unwrap();
    let context = RequestContext::of(&mut request);
    let arn = format!("{ARN}/GET/pets");
    assert!(!permissions.allow(context, "execute-api:InvalidateCache", &arn));
    context.update_identity(|identity| identity.access_key = Some(ID.into()));
    assert!(permissions.allow(context, "execute-api:InvalidateCache", &arn));
    assert!(!permissions.allow(context, "execute-api:Invoke", &arn));
    context.update_identity(|identity| identity.access_key = Some("AKIDOTHER".into()));
    assert!(!permissions.allow(context, "execute-api:InvalidateCache", &arn));
}

#[tokio::test]
async fn axum_routes_are_protected() {
    let app = axum::Router::new()
        .route("/pets", axum::routing::post(async |body: String| body))
        .layer(layer(tom()));
    let request = header().sign(pets()).map(axum::body::Body::from);
    let response = app.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let request = pets().map(axum::body::Body::from);
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[test]
fn layers_are_shared_and_sent_and_show_no_secret() {
    fn check<T: Clone + Send + Sync + 'static>(_: &T) {}
    let layer = layer(tom());
    check(&layer);
    check(&layer.clone().streaming());
    assert!(!format!("{layer:?}").contains(SECRET));
}
