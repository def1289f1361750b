//! Functions that fail, do not answer or are not there.

use portcullis_core::{
    ApiKind, Body, Function, FunctionError, FunctionErrorKind, FunctionReply, Invocation,
};
use portcullis_integrations::{FunctionProxy, Functions};
use tower::ServiceExt;

use crate::support::post;

#[tokio::test]
async fn a_function_that_fails_is_502_or_500() {
    let base64 = r#"{"statusCode":200,"body":"%","isBase64Encoded":true}"#;
    let cases: [(Result<FunctionReply, FunctionErrorKind>, u16, u16); 9] = [
        (
            Ok(FunctionReply::failure(r#"{"errorMessage":"x"}"#)),
            502,
            500,
        ),
        (Ok(FunctionReply::success("not JSON")), 502, 500),
        (
            Ok(FunctionReply::success(r#"{"statusCode":"x"}"#)),
            502,
            500,
        ),
        // A REST API has no binary media types here, and leaves the text as it is.
        (Ok(FunctionReply::success(base64)), 200, 500),
        (Err(FunctionErrorKind::NotFound), 500, 500),
        (Err(FunctionErrorKind::AccessDenied), 500, 500),
        (Err(FunctionErrorKind::Throttled), 500, 500),
        (Err(FunctionErrorKind::Timeout), 504, 503),
        (Err(FunctionErrorKind::Unreachable), 502, 500),
    ];
    for (outcome, rest, http) in cases {
        let shown = format!("{outcome:?}");
        let functions = Functions::builder().function("echo", move |_: Invocation| {
            let outcome = outcome.clone().map_err(FunctionError::new);
            async { outcome }
        });
        let functions = functions.build().expect("no URL");
        for (api, expected) in [(ApiKind::Rest, rest), (ApiKind::Http, http)] {
            let proxy = FunctionProxy::new(functions.clone(), "echo", api).expect("a function");
            let response = proxy.oneshot(post()).await.expect("infallible");
            assert_eq!(response.status(), expected, "{shown} {api:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_that_never_returns_is_timed_out() {
    let functions = Functions::builder()
        .function("echo", |_: Invocation| std::future::pending())
        .build()
        .expect("no URL");
    let proxy = FunctionProxy::new(functions, "echo", ApiKind::Rest).expect("a function");
    let started = tokio::time::Instant::now();
    let response = proxy.oneshot(post()).await.expect("infallible");
    assert_eq!(response.status(), 504);
    assert_eq!(
        started.elapsed().as_millis() / 100,
        290,
        "29 s is the default"
    );
}

#[tokio::test]
async fn a_panic_is_the_functions_failure_and_not_the_connections() {
    let event = |_: Invocation| async { panic!("out of cheese") };
    let service = tower::service_fn(|_: http::Request<Body>| async {
        if true {
            panic!("out of cheese");
        }
        Ok::<_, std::convert::Infallible>(http::Response::new(Body::empty()))
    });
    let functions = Functions::builder()
        .function("event", event)
        .function("at-once", |_: Invocation| -> std::future::Ready<_> {
            panic!("out of cheese")
        })
        .service("service", service)
        .build()
        .expect("valid");
    for name in ["event", "at-once", "service"] {
        let proxy = FunctionProxy::new(functions.clone(), name, ApiKind::Rest);
        let response = proxy
            .expect("a name")
            .oneshot(post())
            .await
            .expect("infallible");
        assert_eq!(response.status(), 502, "{name}");
    }
}

#[tokio::test]
async fn asynchronous_calls_have_a_bound() {
    let functions = Functions::builder()
        .function("slow", |_: Invocation| std::future::pending())
        .build()
        .expect("valid");
    let call = || {
        let mut call = Invocation::new("slow", "{}");
        call.asynchronous = true;
        functions.invoke(call)
    };
    for _ in 0..1_000 {
        assert_eq!(call().await.expect("accepted").status, 202);
    }
    let error = call().await.expect_err("one too many");
    assert_eq!(error.kind(), FunctionErrorKind::Throttled);
}
