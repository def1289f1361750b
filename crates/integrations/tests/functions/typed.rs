//! Handlers of typed events, and those of `lambda_http` as they are.

use http::Request;
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayProxyRequest, ApiGatewayProxyResponse, ApiGatewayV2httpRequest,
};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Context, IntoResponse, LambdaEvent, RequestExt};
use portcullis_core::{ApiKind, Body, Claims, Function, Invocation, RequestContext};
use portcullis_integrations::{FunctionProxy, Functions, PayloadFormat};
use portcullis_testkit::request as testkit;
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::support::{ECHO, in_gateway, post};

async fn pets(event: ApiGatewayProxyRequest) -> Result<ApiGatewayProxyResponse, &'static str> {
    if event.path.as_deref() == Some("/pets/none") {
        return Err("no such pet");
    }
    let mut response = ApiGatewayProxyResponse::default();
    response.status_code = 201;
    response.body = Some(
        format!(
            "{} {} {}",
            event.http_method,
            event.path.unwrap_or_default(),
            event.body.unwrap_or_default()
        )
        .into(),
    );
    Ok(response)
}

#[tokio::test]
async fn a_handler_takes_and_gives_the_types_of_aws_lambda_events() {
    let functions = Functions::builder().handler("echo", pets).build();
    let functions = functions.expect("valid");
    let proxy = FunctionProxy::new(functions, ECHO, ApiKind::Rest).expect("a function");
    let request = in_gateway(post(), ApiKind::Rest, 5);
    let path = request.uri().path()[5..].to_owned();
    let response = proxy.clone().oneshot(request).await.expect("infallible");
    assert_eq!(response.status(), 201);
    let text = testkit::text(response).await;
    assert!(text.starts_with(&format!("POST {path} ")), "{text}");

    let none = Request::get("/test/pets/none").body(Body::empty());
    let none = in_gateway(none.expect("valid"), ApiKind::Rest, 5);
    let response = proxy.oneshot(none).await.expect("infallible");
    assert_eq!(response.status(), 502, "the function failed");
}

#[tokio::test]
async fn a_failure_says_what_the_error_says() {
    let functions = Functions::builder()
        .handler("fails", async |_: Value| Err::<(), _>("no such pet"))
        .handler("picky", async |event: Vec<u8>| Ok::<_, String>(event))
        .event_service(
            "layered",
            ServiceBuilder::new().service(service_fn(async |event: Value| {
                Ok::<_, String>(json!({"got": event}))
            })),
        )
        .build()
        .expect("valid");
    let call = async |name: &str| {
        let reply = functions.invoke(Invocation::new(name, r#"{"a":1}"#)).await;
        let reply = reply.expect("it is called");
        let json: Value = serde_json::from_slice(&reply.payload).expect("JSON");
        (reply.function_error.is_some(), json)
    };
    let (failed, reply) = call("fails").await;
    assert!(failed);
    assert_eq!(reply["errorMessage"], "no such pet");
    let (failed, reply) = call("picky").await;
    assert!(failed);
    let message = reply["errorMessage"].as_str().expect("a text");
    assert!(message.starts_with("the event is not what the function takes"));
    assert_eq!(call("layered").await, (false, json!({"got": {"a": 1}})));
}

/// A handler as it is deployed, with not one line for the gateway.
async fn deployed(request: lambda_http::Request) -> Result<impl IntoResponse, lambda_http::Error> {
    let who = request
        .query_string_parameters_ref()
        .and_then(|query| query.first("name"))
        .unwrap_or("nobody")
        .to_owned();
    let stage = request.stage_variables_ref();
    let alias = stage
        .and_then(|stage| stage.first("alias"))
        .unwrap_or_default();
    let response = http::Response::builder()
        .status(202)
        .header("x-alias", alias)
        .header("set-cookie", "a=1")
        .body(format!("{} {who}", request.method()));
    Ok(response?)
}

#[tokio::test]
async fn a_function_of_lambda_http_is_attached_as_it_is() {
    let adapter = Adapter::from(lambda_http::service_fn(deployed));
    let service = ServiceBuilder::new()
        .map_request(|event: LambdaRequest| LambdaEvent::new(event, Context::default()))
        .service(adapter);
    let functions = Functions::builder().event_service("echo", service).build();
    let functions = functions.expect("valid");
    for (api, format) in [
        (ApiKind::Rest, PayloadFormat::V1),
        (ApiKind::Http, PayloadFormat::V1),
        (ApiKind::Http, PayloadFormat::V2),
    ] {
        let proxy = FunctionProxy::new(functions.clone(), ECHO, api).expect("a function");
        let proxy = match format {
            PayloadFormat::V2 => proxy.with_payload_format(format),
            _ => proxy,
        };
        let request = Request::post("/test/pets/7?name=Rex").body(Body::from("{}"));
        let request = in_gateway(request.expect("valid"), api, 5);
        let response = proxy.oneshot(request).await.expect("infallible");
        assert_eq!(response.status(), 202, "{api:?} {format:?}");
        assert_eq!(response.headers()["x-alias"], "prod");
        assert_eq!(response.headers()["set-cookie"], "a=1");
        assert_eq!(testkit::text(response).await, "POST Rex");
    }
}

/// What may be known of a caller.
fn callers() -> [fn(&RequestContext); 4] {
    [
        |_| {},
        |context| {
            let claims = r#"{"sub": "me", "email": "me@example.com"}"#;
            context.set_claims(Claims::with_scopes(claims, vec!["pets".into()]));
        },
        |context| {
            let values = json!({"tenant": "a", "level": 3, "admin": true, "none": null});
            context.set_authorizer(values.as_object().expect("an object").clone());
        },
        |context| {
            context.update_identity(|identity| {
                identity.access_key = Some("AKIDEXAMPLE".into());
                identity.account_id = Some("111111111111".into());
                identity.user_arn = Some("arn:aws:iam::111111111111:user/tom".into());
            });
        },
    ]
}

#[tokio::test]
async fn every_event_can_be_read_by_the_published_types() {
    let functions = Functions::builder()
        .handler("v1", async |event: ApiGatewayProxyRequest| {
            assert!(event.request_context.request_id.is_some());
            Ok::<_, String>(json!({"statusCode": 200, "body": event.http_method.as_str()}))
        })
        .handler("v2", async |event: ApiGatewayV2httpRequest| {
            assert!(event.request_context.request_id.is_some());
            let method = event.request_context.http.method;
            Ok::<_, String>(json!({"statusCode": 200, "body": method.as_str()}))
        })
        .build()
        .expect("valid");
    for caller in callers() {
        for (name, api, format) in [
            ("v1", ApiKind::Rest, PayloadFormat::V1),
            ("v1", ApiKind::Http, PayloadFormat::V1),
            ("v2", ApiKind::Http, PayloadFormat::V2),
        ] {
            let proxy = FunctionProxy::new(functions.clone(), name, api).expect("a function");
            let proxy = match format {
                PayloadFormat::V2 => proxy.with_payload_format(format),
                _ => proxy,
            };
            for request in [
                Request::get("/test/pets/7"),
                Request::put("/test/pets/7?a=1&a=2&b")
                    .header("cookie", "a=1")
                    .header("cookie", "b=2")
                    .header("content-type", "image/png"),
            ] {
                let request = request.body(Body::from(b"\xff\x00".to_vec()));
                let mut request = in_gateway(request.expect("valid"), api, 5);
                let method = request.method().to_string();
                caller(RequestContext::of(&mut request));
                let response = proxy.clone().oneshot(request).await.expect("infallible");
                assert_eq!(response.status(), 200, "{name} {api:?} {method}");
                assert_eq!(testkit::text(response).await, method);
            }
        }
    }
}
