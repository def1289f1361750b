//! Request validation as a layer, by its public API.
#![cfg(feature = "validation")]

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use portcullis_core::{Body, BoxRequestBodyLayer, Detail, Mode, Rejection, RequestContext};
use portcullis_integrations::{Model, ValidationLayer, Validator, ValidatorConfig};
use portcullis_testkit::{HyperServer, wire};
use proptest::prelude::*;
use serde_json::json;
use tower::{Layer, Service, ServiceExt, service_fn};

fn validator() -> Validator {
    let config = json!({
        "requestParameters": {
            "method.request.querystring.dryRun": true,
            "method.request.header.X-Trace": false
        },
        "requestModels": { "application/json": "Pets" },
        "models": {
            "Pet": {
                "type": "object", "required": ["name"],
                "properties": { "name": { "type": "string", "maxLength": 5 } }
            },
            "Pets": {
                "type": "array", "minItems": 1,
                "items": { "$ref": "https://apigateway.amazonaws.com/restapis/a/models/Pet" }
            }
        },
        "maxBodyBytes": 64
    });
    let config: ValidatorConfig = serde_json::from_value(config).expect("a configuration");
    Validator::try_from(config).expect("a validator")
}

fn echo()
-> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone
{
    service_fn(async |request: Request<Body>| Ok(Response::new(request.into_body())))
}

/// A good request, a bad one of each kind, and what is answered.
const EXCHANGES: [(&str, &str, u16, &str); 6] = [
    (
        "/?dryRun=1",
        r#"[{"name":"Rex"}]"#,
        200,
        r#"[{"name":"Rex"}]"#,
    ),
    (
        "/",
        "not even looked at",
        400,
        r#"{"message":"Missing required request parameters: [dryRun]"}"#,
    ),
    (
        "/?dryRun=1",
        r#"[{"name":7}]"#,
        400,
        r#"{"message":"Invalid request body"}"#,
    ),
    (
        "/?dryRun=1",
        "[",
        400,
        r#"{"message":"Invalid request body"}"#,
    ),
    (
        "/?dryRun=1",
        "",
        400,
        r#"{"message":"Invalid request body"}"#,
    ),
    (
        "/?dryRun=1",
        r#"[{"name":"a"},{"name":"a"},{"name":"a"},{"name":"a"},{"name":"a"},{"name":"a"}]"#,
        413,
        "HTTP content length exceeded 64 bytes.",
    ),
];

#[tokio::test]
async fn an_axum_router_can_be_layered() {
    let router = axum::Router::new()
        .route("/", axum::routing::post(async |body: String| body))
        .layer(ValidationLayer::new(validator()));
    for (uri, body, status, text) in EXCHANGES {
        let request = Request::post(uri)
            .header("content-type", "application/json; charset=utf-8")
            .body(axum::body::Body::from(body))
            .expect("a request");
        let response = router.clone().oneshot(request).await.expect("never fails");
        assert_eq!(response.status(), status, "{body}");
        let body = response.into_body().collect().await.expect("in memory");
        assert_eq!(body.to_bytes(), text);
    }
}

#[tokio::test]
async fn a_hyper_server_can_be_layered() {
    let inner = service_fn(async |request: Request<Body>| {
        let body = request.into_body().collect().await.expect("in memory");
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(body.to_bytes())))
    });
    let layers = (
        BoxRequestBodyLayer::new(),
        ValidationLayer::new(validator()),
    );
    let service = layers.layer(inner);
    let server = HyperServer::start(service_fn(move |request: Request<Incoming>| {
        service.clone().oneshot(request)
    }))
    .await;
    for (uri, body, status, text) in EXCHANGES {
        for framing in [
            format!("content-length: {}\r\n\r\n{body}", body.len()),
            match body.len() {
                0 => "transfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
                length => {
                    format!("transfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n")
                }
            },
        ] {
            let request = format!("POST {uri} HTTP/1.1\r\nhost: localhost\r\n{framing}");
            let answer = wire::send(server.addr(), request).await;
            assert_eq!(answer.status, status, "{body}");
            assert_eq!(answer.text(), text);
        }
    }
}

#[tokio::test]
async fn what_is_wrong_stays_with_the_answer_and_in_the_context() {
    let mut request = Request::post("/?dryRun=1")
        .body(Body::from(r#"[{"name":"Methuselah"}]"#))
        .expect("a request");
    let context = RequestContext::of(&mut request).clone();
    let service = ValidationLayer::new(validator()).layer(echo());
    let response = service.oneshot(request).await.expect("never fails");
    let violation = r#"[string "Methuselah" is too long (length: 10, maximum allowed: 5)]"#;
    let rejection = response.extensions().get::<Rejection>().expect("it stays");
    assert_eq!(rejection.validation_error(), Some(violation));
    assert_eq!(
        context.get("error.validationErrorString"),
        Some(violation.into())
    );
    assert_eq!(
        context.get("error.responseType"),
        Some("BAD_REQUEST_BODY".into())
    );
    assert!(context.noted(Detail::IntegrationError).is_none());
}

#[tokio::test]
async fn an_observer_lets_what_does_not_fit_pass_as_it_is() {
    let pet = Model::new("Pet", json!({ "type": "object" })).expect("a model");
    let observer = Validator::builder()
        .model("$default", pet)
        .mode(Mode::Observe)
        .build()
        .expect("a validator");
    let mut request = Request::post("/")
        .body(Body::from("[1, 2]"))
        .expect("a request");
    let context = RequestContext::of(&mut request).clone();
    let service = ValidationLayer::new(observer).layer(echo());
    let response = service.oneshot(request).await.expect("never fails");
    assert_eq!(response.status(), 200);
    assert_eq!(response.body().as_bytes(), Some(&b"[1, 2]"[..]));
    assert_eq!(context.observed().len(), 1);
}

#[test]
fn configurations_that_cannot_be_name_their_field() {
    for (config, field) in [
        (
            json!({ "requestParameters": { "limit": true } }),
            "/requestParameters/limit",
        ),
        (
            json!({ "requestModels": { "application/json": "Pet" } }),
            "/models/Pet",
        ),
        (
            json!({
                "requestModels": { "text/plain": "Empty", "Text/Plain": "Empty" }
            }),
            "/requestModels/text~1plain",
        ),
    ] {
        let config: ValidatorConfig = serde_json::from_value(config).expect("well formed");
        let error = Validator::try_from(config).expect_err(field);
        assert_eq!(error.field(), field);
    }
    let unknown = json!({ "requestModel": {} });
    assert!(serde_json::from_value::<ValidatorConfig>(unknown).is_err());
}

#[test]
fn layers_and_services_can_be_sent_and_shared() {
    fn check<T: Send + Sync + Clone + std::fmt::Debug + 'static>(_: &T) {}
    let layer = ValidationLayer::new(validator());
    check(&layer);
    check(&layer.layer(tower::util::BoxCloneSyncService::new(echo())));
}

proptest! {
    /// Whatever is sent, it is answered, and what passes is what was sent.
    #[test]
    fn no_body_is_too_strange(body in proptest::collection::vec(any::<u8>(), 0..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let request = Request::post("/?dryRun=1").body(Body::from(body.clone())).expect("a request");
        let service = ValidationLayer::new(validator()).layer(echo());
        let response = runtime.block_on(service.oneshot(request)).expect("never fails");
        match response.status().as_u16() {
            200 => prop_assert_eq!(response.body().as_bytes(), Some(&*body)),
            status => prop_assert!(matches!(status, 400 | 413)),
        }
    }
}
