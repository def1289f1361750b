//! Functions behind integrations that map.

use std::time::Duration;

use http::{HeaderValue, Request};
use portcullis_client::Client;
use portcullis_core::{ApiKind, Body, FunctionError, FunctionErrorKind, FunctionReply, Invocation};
use portcullis_integrations::{
    Backends, Functions, IntegrationConfig, IntegrationKind, ResponseConfig,
};
use portcullis_testkit::{HyperServer, Recorded, Recorder, request as testkit};
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

/// What a client gets of a function that fails with this error, where these patterns lead to these statuses.
async fn failed(error: &'static str, patterns: &[(&str, &str)]) -> (u16, String) {
    let functions = Functions::builder().function("echo", move |_: Invocation| async move {
        Ok(FunctionReply::failure(error))
    });
    let functions = functions.build().expect("no URL");
    let config = action(|config| {
        config.responses = patterns
            .iter()
            .map(|(pattern, status)| {
                let mut response = ResponseConfig::new(*status);
                response.pattern = Some((*pattern).into());
                response
            })
            .collect();
    });
    let compiled = config.compile(&backends(functions)).expect("valid");
    let call = Request::post("/").body(Body::empty()).expect("valid");
    let response = compiled.integration.oneshot(call).await;
    let response = response.expect("infallible");
    let status = response.status().as_u16();
    (status, testkit::text(response).await)
}

#[tokio::test]
async fn an_error_that_nothing_is_said_of_is_the_default_response() {
    let error = r#"{"errorMessage":"no such pet","errorType":"NotFound"}"#;
    assert_eq!(failed(error, &[("", "200")]).await, (200, error.to_owned()));
    let (status, text) = failed(error, &[("other", "404")]).await;
    assert_eq!(status, 500, "there is no default");
    assert_eq!(text, r#"{"message":"Internal server error"}"#);
}

#[tokio::test]
async fn a_pattern_must_fit_the_whole_message() {
    let lines = r#"{"errorMessage":"no such pet\nat line 7"}"#;
    for (pattern, expected) in [
        ("no such", 200),
        ("no such pet", 200),
        ("no such.*", 200),
        ("(?s)no such.*", 404),
        ("no such pet(.|\n)*", 404),
        ("(?i)(?s)NO SUCH.*", 404),
    ] {
        let (status, _) = failed(lines, &[("", "200"), (pattern, "404")]).await;
        assert_eq!(status, expected, "{pattern}");
    }
    // What is no message of an error is taken as it is.
    for odd in ["no such pet", r#"{"errorMessage": 7}"#] {
        let (status, _) = failed(odd, &[("", "200"), ("(?s).+", "404")]).await;
        assert_eq!(status, 404, "{odd}");
    }
}

#[tokio::test]
async fn an_error_may_have_json_in_its_message() {
    let functions = Functions::builder().function("echo", |_: Invocation| async {
        let error = r#"{"errorMessage":"{\"code\": \"NOT_FOUND\", \"pet\": 7}"}"#;
        Ok(FunctionReply::failure(error))
    });
    let config = action(|config| {
        let mut response = ResponseConfig::new("404");
        response.pattern = Some(".*NOT_FOUND.*".into());
        response.templates = vec![(
            "application/json".into(),
            "#set($error = $util.parseJson($input.path('$.errorMessage'))){\"pet\": $error.pet}"
                .into(),
        )];
        config.responses.push(response);
    });
    let compiled = config.compile(&backends(functions.build().expect("no URL")));
    let call = Request::post("/").body(Body::empty()).expect("valid");
    let response = compiled.expect("valid").integration.oneshot(call).await;
    let response = response.expect("infallible");
    assert_eq!(response.status(), 404);
    assert_eq!(testkit::text(response).await, "{\"pet\": 7}");
}

#[tokio::test]
async fn a_function_elsewhere_says_in_a_header_that_it_failed() {
    let backend = Recorder::new(|got: &Recorded| {
        let mut response = testkit::answer(200, r#"{"errorMessage":"no such pet"}"#);
        let kind = match got.uri.path() {
            "/2015-03-31/functions/handled/invocations" => "Handled",
            "/2015-03-31/functions/unhandled/invocations" => "Unhandled",
            _ => return response,
        };
        let kind = HeaderValue::from_static(kind);
        response.headers_mut().insert("x-amz-function-error", kind);
        response
    });
    let server = HyperServer::start(backend.clone()).await;
    for (name, expected) in [("handled", 404), ("unhandled", 404), ("fine", 200)] {
        let functions = Functions::builder().url(name, server.url("/"));
        let functions = functions.client(Client::builder().build().expect("valid"));
        let functions = functions.build().expect("a URL");
        let config = action(|config| {
            config.uri = Some(name.into());
            let mut response = ResponseConfig::new("404");
            response.pattern = Some("no such.*".into());
            response.parameters = vec![(
                "method.response.header.x-kind".into(),
                "integration.response.header.X-Amz-Function-Error".into(),
            )];
            config.responses.push(response);
        });
        let compiled = config.compile(&backends(functions)).expect("valid");
        let call = Request::post("/").body(Body::from("{}")).expect("valid");
        let response = compiled.integration.oneshot(call).await;
        let response = response.expect("infallible");
        assert_eq!(response.status(), expected, "{name}");
        if expected == 404 {
            let kind = response.headers()["x-kind"].to_str().expect("text");
            assert_eq!(kind.to_ascii_lowercase(), name);
        }
    }
}

#[tokio::test]
async fn a_function_that_cannot_be_called_selects_nothing() {
    for (kind, expected) in [
        (FunctionErrorKind::NotFound, 500),
        (FunctionErrorKind::AccessDenied, 500),
        (FunctionErrorKind::Throttled, 500),
        (FunctionErrorKind::Unreachable, 502),
        (FunctionErrorKind::Timeout, 504),
    ] {
        let functions = Functions::builder().function("echo", move |_: Invocation| async move {
            Err(FunctionError::new(kind))
        });
        let config = action(|config| {
            let mut response = ResponseConfig::new("404");
            response.pattern = Some("(?s).*".into());
            config.responses.push(response);
        });
        let compiled = config.compile(&backends(functions.build().expect("no URL")));
        let call = Request::post("/").body(Body::empty()).expect("valid");
        let response = compiled.expect("valid").integration.oneshot(call).await;
        assert_eq!(response.expect("infallible").status(), expected, "{kind:?}");
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
