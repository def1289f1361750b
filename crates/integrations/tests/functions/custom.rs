//! Functions behind integrations that map.

use std::time::Duration;

use http::Request;
use portcullis_client::Client;
use portcullis_core::{ApiKind, Body, FunctionReply, Invocation};
use portcullis_integrations::{
    Backends, Functions, IntegrationConfig, IntegrationKind, ResponseConfig,
};
use portcullis_testkit::request as testkit;
use tower::ServiceExt;

fn action(change: impl FnOnce(&mut IntegrationConfig)) -> IntegrationConfig {
    let mut config = IntegrationConfig::new(IntegrationKind::Aws, ApiKind::Rest);
    config.uri = Some("arn:aws:lambda:us-east-1:1:function:echo".into());
    config.responses = vec![ResponseConfig::new("200")];
    change(&mut config);
    config
}

fn backends(functions: Functions) -> Backends {
    Backends::new(Client::builder().build().expect("valid"), functions)
}

#[tokio::test]
async fn a_custom_integration_gives_the_body_and_gets_one() {
    let functions = Functions::builder()
        .function("echo", |call: Invocation| async {
            Ok(FunctionReply::success(call.payload))
        })
        .build()
        .expect("no URL");
    let compiled = action(|_| {}).compile(&backends(functions)).expect("valid");
    for (body, status, expected) in [
        ("", 200, "{}"),
        ("\"HelloWorld\"", 200, "\"HelloWorld\""),
        ("{\"a\":1}", 200, "{\"a\":1}"),
        (
            "not JSON",
            400,
            "{\"message\":\"Could not parse request body into json.\"}",
        ),
    ] {
        let call = Request::post("/").body(Body::from(body)).expect("valid");
        let response = compiled.integration.clone().oneshot(call).await;
        let response = response.expect("infallible");
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(testkit::text(response).await, expected);
    }
}

#[tokio::test]
async fn an_error_message_selects_the_response() {
    let functions = Functions::builder()
        .function("echo", |call: Invocation| async move {
            Ok(match &*call.payload {
                b"200" => FunctionReply::success("\"Pass\""),
                b"400" => {
                    FunctionReply::failure(r#"{"errorMessage":"Error: four hundred, it is"}"#)
                }
                _ => FunctionReply::failure(r#"{"errorMessage":"Error: else"}"#),
            })
        })
        .build()
        .expect("no URL");
    let config = action(|config| {
        for (pattern, status) in [(".*four hundred.*", "405"), (".+", "502"), ("200", "504")] {
            let mut response = ResponseConfig::new(status);
            response.pattern = Some(pattern.into());
            config.responses.push(response);
        }
    });
    let compiled = config.compile(&backends(functions)).expect("valid");
    for (body, expected) in [("200", 200), ("400", 405), ("500", 502)] {
        let call = Request::post("/").body(Body::from(body)).expect("valid");
        let response = compiled.integration.clone().oneshot(call).await;
        assert_eq!(response.expect("infallible").status(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_asynchronous_call_is_not_waited_for() {
    let (done, mut finished) = tokio::sync::mpsc::unbounded_channel();
    let functions = Functions::builder()
        .function("echo", move |call: Invocation| {
            let done = done.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(60)).await;
                let _ = done.send(call.asynchronous);
                Ok(FunctionReply::success("\"late\""))
            }
        })
        .build()
        .expect("no URL");
    let config = action(|config| {
        let name = "integration.request.header.X-Amz-Invocation-Type";
        config.request_parameters = vec![(name.into(), "'Event'".into())];
    });
    let compiled = config.compile(&backends(functions)).expect("valid");
    let call = Request::post("/").body(Body::empty()).expect("valid");
    let response = compiled
        .integration
        .oneshot(call)
        .await
        .expect("infallible");
    assert_eq!(response.status(), 200);
    assert_eq!(testkit::text(response).await, "");
    assert!(finished.try_recv().is_err());
    assert_eq!(finished.recv().await, Some(true), "but it runs to its end");
}
