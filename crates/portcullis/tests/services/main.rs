//! A gateway on a socket in front of AWS services that check signatures and policies.
//!
//! `cargo xtask test` installs them (moto); without them the tests say that they are left out.

mod http_api;
mod moto;
mod rest;
mod verifier;

use std::net::SocketAddr;

use portcullis::serve::{Handle, Server};
use portcullis::{Gateway, GatewayBuilder};
use portcullis_testkit::wire::{self, Answer};
use serde_json::{Value, json};

/// A gateway on a free port.
struct Running {
    address: SocketAddr,
    handle: Handle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

impl Running {
    async fn start(builder: GatewayBuilder) -> Self {
        let gateway: Gateway = builder.build().expect("a good definition");
        let coverage = gateway.coverage();
        let missing: Vec<_> = coverage.not_served().collect();
        assert!(missing.is_empty(), "{missing:#?}");
        let server = Server::builder().listen("127.0.0.1:0").bind().await;
        let server = server.expect("a port");
        let handle = server.handle();
        tokio::spawn(server.run(gateway));
        Self {
            address: handle.local_addrs()[0],
            handle,
        }
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        self.send_with(method, path, "", body).await
    }

    /// Sends with more lines in the head, each of which ends in CRLF.
    async fn send_with(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let host = self.address;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
        );
        wire::send(self.address, request).await
    }
}

/// A definition with these paths.
fn document(paths: &Value) -> String {
    json!({"openapi": "3.0.1", "info": {"title": "pets", "version": "1"}, "paths": paths})
        .to_string()
}

/// An operation with this integration.
fn operation(integration: &Value) -> Value {
    json!({
        "responses": {"200": {}, "404": {}, "502": {}},
        "x-amazon-apigateway-integration": integration
    })
}
