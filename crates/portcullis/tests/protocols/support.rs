//! A gateway that listens.

use std::net::SocketAddr;

use portcullis::serve::{Handle, Server};
use portcullis::{ApiSpec, Gateway, GatewayBuilder};
use serde_json::{Value, json};

/// It shuts down when it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    handle: Handle,
}

impl Running {
    pub(crate) async fn start(builder: GatewayBuilder) -> Self {
        let gateway: Gateway = builder.build().expect("a good definition");
        let server = Server::builder().listen("127.0.0.1:0").bind();
        let server = server.await.expect("a port");
        let handle = server.handle();
        tokio::spawn(server.run(gateway));
        Self {
            address: handle.local_addrs()[0],
            handle,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

fn document(path: &str, operation: &Value) -> String {
    json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "paths": { path: { "x-amazon-apigateway-any-method": operation } },
    })
    .to_string()
}

/// A REST API with one resource and a stage `prod`.
pub(crate) fn rest(path: &str, integration: &Value) -> ApiSpec {
    let operation = json!({
        "responses": { "200": { "description": "" }, "404": { "description": "" } },
        "x-amazon-apigateway-integration": integration,
    });
    ApiSpec::rest(document(path, &operation)).stage_named("prod")
}

/// An HTTP API with one route and a stage `$default`.
pub(crate) fn http(path: &str, integration: &Value) -> ApiSpec {
    let operation = json!({
        "responses": {},
        "isDefaultRoute": path == "/$default",
        "x-amazon-apigateway-integration": integration,
    });
    ApiSpec::http(document(path, &operation))
}

pub(crate) fn proxy(uri: &str) -> Value {
    json!({
        "type": "http_proxy", "httpMethod": "ANY", "uri": uri, "payloadFormatVersion": "1.0",
    })
}
