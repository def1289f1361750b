//! Functions of a gateway by its public API: which one a stage calls, and what becomes of its reply.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use portcullis::core::{Body, FunctionError, FunctionReply, Invocation};
use portcullis::definition::Stage;
use portcullis::integrations::FunctionAlias;
use portcullis::{ApiSpec, Gateway, GatewayBuilder};
use portcullis_testkit::request as testkit;
use serde_json::{Value, json};
use tower::ServiceExt;

/// A route that calls the function `pets` by the qualifier that the stage says.
fn document(integration: &Value) -> String {
    let uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111111111111:function:pets:${stageVariables.alias}/invocations";
    let mut integration = integration.clone();
    integration["uri"] = json!(uri);
    integration["httpMethod"] = json!("POST");
    json!({
        "openapi": "3.0.1",
        "info": {"title": "pets", "version": "1"},
        "paths": {"/pets": {"post": {
            "responses": {"200": {}, "404": {}},
            "x-amazon-apigateway-integration": integration
        }}}
    })
    .to_string()
}

/// A stage whose alias has the stage's name.
fn stage(name: &str) -> Stage {
    let mut stage = Stage::default();
    stage.stage_name = name.to_owned();
    stage.variables.insert("alias".to_owned(), name.to_owned());
    stage
}

fn gateway(api: ApiSpec, functions: impl FnOnce(GatewayBuilder) -> GatewayBuilder) -> Gateway {
    let api = ["prod", "test", "1", "none"]
        .iter()
        .fold(api.id("pets"), |api, name| api.stage(stage(name)));
    let builder = functions(Gateway::builder().api(api));
    builder.build().expect("a good definition")
}

async fn post(gateway: &Gateway, path: &str, body: &'static str) -> Response<Body> {
    let request = Request::post(path).body(Body::from(body));
    let answered = gateway.clone().oneshot(request.expect("a request")).await;
    answered.expect("a gateway never fails")
}

fn named(name: &'static str) -> Value {
    json!({"statusCode": 200, "body": name})
}

#[tokio::test]
async fn a_stage_picks_a_version_or_an_alias_by_its_variable() {
    let proxy = json!({"type": "aws_proxy"});
    for api in [
        ApiSpec::rest(document(&proxy)),
        ApiSpec::http(document(
            &json!({"type": "aws_proxy", "payloadFormatVersion": "2.0"}),
        )),
    ] {
        let gateway = gateway(api, |builder| {
            builder
                .function_mock("pets:1", named("one"))
                .function_mock("pets:2", named("two"))
                .function_alias("pets:prod", FunctionAlias::new("1"))
                .function_alias("pets:test", FunctionAlias::new("2"))
        });
        for (stage, expected) in [("prod", "one"), ("test", "two"), ("1", "one")] {
            let response = post(&gateway, &format!("/{stage}/pets"), "").await;
            assert_eq!(response.status(), 200, "{stage}");
            assert_eq!(testkit::text(response).await, expected, "{stage}");
        }
        // There is no such alias.
        assert_eq!(post(&gateway, "/none/pets", "").await.status(), 500);
    }
}

#[tokio::test]
async fn an_alias_with_weights_shares_the_calls_of_a_stage() {
    let api = ApiSpec::rest(document(&json!({"type": "aws_proxy"})));
    let gateway = gateway(api, |builder| {
        let half = FunctionAlias::new("1").additional_version_weight("2", 0.5);
        builder
            .function_mock("pets:1", named("one"))
            .function_mock("pets:2", named("two"))
            .function_alias("pets:prod", half)
    });
    let mut second = 0;
    for _ in 0..400 {
        let response = post(&gateway, "/prod/pets", "").await;
        second += usize::from(testkit::text(response).await == "two");
    }
    // Six standard deviations: once in five hundred million runs it is another.
    assert!((140..=260).contains(&second), "{second} of 400");
}

#[tokio::test]
async fn a_handler_that_fails_selects_the_response() {
    let integration = json!({
        "type": "aws",
        "responses": {
            "default": {"statusCode": "200"},
            "no such.*": {
                "statusCode": "404",
                "responseTemplates": {
                    "application/json": "{\"message\": $input.json('$.errorMessage')}"
                }
            }
        }
    });
    let gateway = gateway(ApiSpec::rest(document(&integration)), |builder| {
        builder.handler("pets", async |event: Value| match event["pet"].as_str() {
            Some("Rex") => Ok(json!({"found": "Rex"})),
            _ => Err("no such pet"),
        })
    });
    let found = post(&gateway, "/prod/pets", r#"{"pet": "Rex"}"#).await;
    assert_eq!(found.status(), 200);
    assert_eq!(testkit::json(found).await, json!({"found": "Rex"}));
    let missing = post(&gateway, "/prod/pets", r#"{"pet": "Tom"}"#).await;
    assert_eq!(missing.status(), 404);
    assert_eq!(
        testkit::json(missing).await,
        json!({"message": "no such pet"})
    );
}

#[tokio::test]
async fn a_function_is_told_how_it_was_called() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    async fn told(call: Invocation) -> Result<FunctionReply, FunctionError> {
        CALLS.fetch_add(1, Ordering::Relaxed);
        let body = format!("{}:{}", call.name, call.qualifier.unwrap_or_default());
        let reply = json!({"statusCode": 200, "body": body});
        Ok(FunctionReply::success(reply.to_string()))
    }
    let api = ApiSpec::rest(document(&json!({"type": "aws_proxy"})));
    let gateway = gateway(api, |builder| builder.function("pets", told));
    let response = post(&gateway, "/prod/pets", "").await;
    assert_eq!(testkit::text(response).await, "pets:prod");
    assert_eq!(CALLS.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_streamed_reply_has_its_head_before_its_body() {
    let integration = json!({"type": "aws_proxy", "responseTransferMode": "STREAM"});
    let api = ApiSpec::rest(document(&integration));
    let gateway = gateway(api, |builder| {
        builder.function("pets", |_: Invocation| async {
            let head = br#"{"statusCode": 202, "headers": {"x-pet": "Rex"}}"#;
            let reply = [&head[..], &[0; 8], b"a body that is no JSON"].concat();
            Ok(FunctionReply::success(reply))
        })
    });
    let response = post(&gateway, "/prod/pets", "").await;
    assert_eq!(response.status(), 202);
    assert_eq!(response.headers()["x-pet"], "Rex");
    assert_eq!(testkit::text(response).await, "a body that is no JSON");
}
