//! An API to look at, and logs that can be read.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use portcullis::core::Body;
use portcullis::definition::Stage;
use portcullis::observe::LogSink;
use portcullis::{ApiSpec, Gateway, GatewayBuilder};
use serde_json::{Value, json};
use tower::ServiceExt;

/// What was written, to be read by a test.
#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    /// The lines, once the sink has written them.
    pub(crate) fn lines(&self, sink: &LogSink) -> Vec<String> {
        assert!(sink.flush(Duration::from_secs(60)), "the sink is stuck");
        let text = self.0.lock().unwrap().clone();
        let text = String::from_utf8(text).expect("logs are UTF-8");
        text.lines().map(str::to_owned).collect()
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

/// A sink and what it has written.
pub(crate) fn sink() -> (LogSink, Written) {
    let written = Written::default();
    (LogSink::writer(written.clone()), written)
}

fn mock() -> Value {
    json!({
        "type": "mock",
        "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
        "responses": { "default": { "statusCode": "200", "responseTemplates": { "application/json": "[\"cat\"]" } } }
    })
}

/// `GET /pets`, `GET /pets/{id}` and `GET /keyed`, which nobody may call, as a REST API with these stages.
pub(crate) fn rest(stages: Value) -> ApiSpec {
    let method =
        || json!({ "responses": { "200": {} }, "x-amazon-apigateway-integration": mock() });
    let mut keyed = method();
    keyed["security"] = json!([{ "api_key": [] }]);
    let document = json!({
        "openapi": "3.0.1",
        "info": { "title": "Pet store", "version": "1" },
        "paths": {
            "/pets": { "get": method() },
            "/pets/{id}": { "get": method() },
            "/keyed": { "get": keyed }
        },
        "components": { "securitySchemes": {
            "api_key": { "type": "apiKey", "name": "x-api-key", "in": "header" }
        } }
    });
    with_stages(ApiSpec::rest(document.to_string()).id("pets"), stages)
}

/// `GET /pets` as an HTTP API with these stages.
pub(crate) fn http(stages: Value) -> ApiSpec {
    let document = json!({
        "openapi": "3.0.1",
        "info": { "title": "Pet store", "version": "1" },
        "paths": { "/pets": { "get": { "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "payloadFormatVersion": "2.0",
            "uri": "arn:aws:lambda:us-east-1:000000000000:function:pets"
        } } } }
    });
    with_stages(ApiSpec::http(document.to_string()).id("web"), stages)
}

fn with_stages(mut spec: ApiSpec, stages: Value) -> ApiSpec {
    let stages: Vec<Stage> = serde_json::from_value(stages).expect("they are stages");
    for stage in stages {
        spec = spec.stage(stage);
    }
    spec
}

pub(crate) fn builder() -> GatewayBuilder {
    Gateway::builder().function_mock("pets", json!({ "statusCode": 200, "body": "cat" }))
}

pub(crate) async fn get(gateway: &Gateway, path: &str) -> Response<Body> {
    let request = Request::get(path)
        .header("host", "localhost")
        .header("user-agent", "tests \"1\"")
        .body(Body::empty())
        .unwrap();
    gateway.clone().oneshot(request).await.unwrap()
}
