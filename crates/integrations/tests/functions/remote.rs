//! Functions elsewhere.

use std::sync::Arc;

use http::HeaderValue;
use portcullis_client::{Client, Upstreams};
use portcullis_core::{ApiKind, ManualClock, RequestContext};
use portcullis_integrations::{
    Aws, Backends, Credentials, FunctionProxy, Functions, IntegrationConfig, IntegrationKind,
    ResponseConfig,
};
use portcullis_testkit::{HyperServer, Recorder, request as testkit, signed};
use tower::ServiceExt;

use crate::support::{in_gateway, post};

#[tokio::test]
async fn a_function_elsewhere_is_called_by_the_invoke_api() {
    let backend = Recorder::new(|got| {
        let (status, error, body) = match got.uri.path() {
            "/2015-03-31/functions/ok/invocations" => (200, None, r#"{"statusCode":204}"#),
            "/2015-03-31/functions/bad/invocations" => (200, Some("Unhandled"), "{}"),
            "/2015-03-31/functions/busy/invocations" => (429, None, "{}"),
            _ => (404, None, "{}"),
        };
        let mut response = testkit::answer(status, body);
        if let Some(error) = error {
            let error = HeaderValue::from_static(error);
            response.headers_mut().insert("x-amz-function-error", error);
        }
        response
    });
    let server = HyperServer::start(backend.clone()).await;
    let client = Client::builder().build().expect("valid");
    for (name, rest, http) in [
        ("ok", 204, 204),
        ("bad", 502, 500),
        ("busy", 500, 500),
        ("none", 500, 500),
    ] {
        let functions = Functions::builder()
            .url(name, server.url("/"))
            .client(client.clone())
            .build()
            .expect("a URL");
        for (api, expected) in [(ApiKind::Rest, rest), (ApiKind::Http, http)] {
            let uri = format!("arn:aws:lambda:us-east-1:1:function:{name}:prod");
            let proxy = FunctionProxy::new(functions.clone(), &uri, api).expect("a function");
            let call = in_gateway(post(), api, 5);
            let response = proxy.oneshot(call).await.expect("infallible");
            assert_eq!(response.status(), expected, "{name} {api:?}");
        }
    }
    let got = &backend.requests()[0];
    assert_eq!(got.method, "POST");
    assert_eq!(got.uri.query(), Some("Qualifier=prod"));
    assert_eq!(got.header("x-amz-invocation-type"), Some("RequestResponse"));
    assert!(got.text().starts_with(r#"{"resource":"#));
}

#[test]
fn a_url_that_is_none_is_an_error_that_names_the_function() {
    let client = Client::builder().build().expect("valid");
    let builder = Functions::builder().url("pets", "127.0.0.1:9001");
    let error = builder.client(client).build().expect_err("no scheme");
    assert_eq!(error.field(), "/functions/pets/url");
    let builder = Functions::builder().url("pets", "http://127.0.0.1:9001");
    assert!(builder.build().is_err(), "there is no client");
}

const ARN: &str = "arn:aws:lambda:eu-west-1:222222222222:function:pets";

fn aws(client: Client) -> Aws {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret").with_session_token("token");
    Aws::builder(client, credentials)
        .clock(Arc::new(ManualClock::at_unix(1_440_938_160)))
        .build()
        .expect("valid")
}

#[tokio::test]
async fn a_function_of_aws_is_called_by_its_arn_and_signed() {
    let backend = Recorder::new(|_| testkit::answer(200, r#"{"statusCode":201}"#));
    let server = HyperServer::start(backend.clone()).await;
    let region = "https://lambda.eu-west-1.amazonaws.com";
    let upstreams = Upstreams::new([(region, server.url(""))]).expect("origins");
    let client = Client::builder()
        .upstreams(upstreams)
        .build()
        .expect("valid");
    // Nobody attached it, so it is where its ARN says.
    let functions = Functions::builder()
        .aws(aws(client))
        .build()
        .expect("valid");
    let proxy = FunctionProxy::new(functions, &format!("{ARN}:prod"), ApiKind::Rest);
    let call = in_gateway(post(), ApiKind::Rest, 5);
    let response = proxy
        .expect("an ARN")
        .oneshot(call)
        .await
        .expect("infallible");
    assert_eq!(response.status(), 201);
    let got = backend.only();
    assert_eq!(
        got.uri,
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A222222222222%3Afunction%3Apets/invocations?Qualifier=prod"
    );
    assert_eq!(got.header("host"), Some("lambda.eu-west-1.amazonaws.com"));
    assert_eq!(got.header("x-amz-security-token"), Some("token"));
    assert!(got.header("x-amzn-trace-id").is_some());
    let signed = signed(&got, "secret");
    assert_eq!(signed.access_key_id, "AKIDEXAMPLE");
    assert_eq!((&*signed.service, &*signed.region), ("lambda", "eu-west-1"));
}

#[tokio::test]
async fn a_name_of_ones_own_may_stand_for_a_function_of_aws() {
    let backend = Recorder::new(|_| testkit::answer(200, r#"{"statusCode":201}"#));
    let server = HyperServer::start(backend.clone()).await;
    let client = Client::builder().build().expect("valid");
    let aws = Aws::builder(client, Credentials::new("AKIDEXAMPLE", "secret"))
        .endpoint(server.url(""))
        .build()
        .expect("valid");
    let functions = Functions::builder()
        .lambda("echo", "echo-of-today:7")
        .aws(aws);
    let functions = functions.build().expect("valid");
    let uri = "arn:aws:lambda:us-east-1:111111111111:function:echo";
    let proxy = FunctionProxy::new(functions, uri, ApiKind::Rest).expect("an ARN");
    proxy.oneshot(post()).await.expect("infallible");
    let got = backend.only();
    assert_eq!(
        got.uri,
        "/2015-03-31/functions/echo-of-today/invocations?Qualifier=7"
    );
    assert_eq!(signed(&got, "secret").region, "us-east-1");
}

#[tokio::test]
async fn a_function_is_called_as_whoever_signed_the_request() {
    let backend = Recorder::new(|_| testkit::answer(200, r#"{"statusCode":201}"#));
    let server = HyperServer::start(backend.clone()).await;
    let client = Client::builder().build().expect("valid");
    let own = Aws::builder(
        client.clone(),
        Credentials::new("AKIDEXAMPLE", "the gateway's"),
    )
    .endpoint(server.url(""));
    let knowing = own.clone().callers(|context| {
        let id = context.identity().access_key;
        async move { Ok(id.map(|id| Credentials::new(&*id, "the caller's"))) }
    });
    for kind in [IntegrationKind::Aws, IntegrationKind::AwsProxy] {
        let compile = |aws: Aws| {
            let functions = Functions::builder().aws(aws.clone()).build();
            let mut backends = Backends::new(client.clone(), functions.expect("valid"));
            backends.aws = Some(aws);
            let mut config = IntegrationConfig::new(kind, ApiKind::Rest);
            config.uri = Some(ARN.into());
            config.credentials = Some("arn:aws:iam::*:user/*".into());
            config.responses = vec![ResponseConfig::new("200")];
            config.compile(&backends).expect("valid")
        };
        backend.clear();
        let known = compile(knowing.clone().build().expect("valid"));
        assert!(known.unsupported.is_empty());
        // Nobody signed this one.
        let call = in_gateway(post(), ApiKind::Rest, 5);
        let response = known.integration.clone().oneshot(call).await;
        assert_eq!(response.expect("infallible").status(), 500);
        assert_eq!(backend.count(), 0);
        let mut call = in_gateway(post(), ApiKind::Rest, 5);
        let context = RequestContext::of(&mut call).clone();
        context.update_identity(|identity| identity.access_key = Some("AKIDTOM".into()));
        let response = known.integration.oneshot(call).await;
        assert!(response.expect("infallible").status().is_success());
        let signed = signed(&backend.only(), "the caller's");
        assert_eq!(signed.access_key_id, "AKIDTOM");

        let unknown = compile(own.clone().build().expect("valid"));
        assert_eq!(unknown.unsupported[0].field, "/credentials");
    }
}

#[test]
fn a_function_of_aws_needs_credentials() {
    let error = Functions::builder().lambda("pets", ARN).build();
    let error = error.expect_err("there are none");
    assert_eq!(error.field(), "/functions/pets/lambda");
}
