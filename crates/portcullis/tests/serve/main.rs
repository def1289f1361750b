//! The listener, over real sockets: what it lets through, what it refuses, how it ends.
#![cfg(feature = "serve")]

#[cfg(feature = "mtls")]
mod clients;
mod encrypted;
mod heads;
mod life;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use portcullis::core::{Body, RequestContext};
use portcullis::serve::{Finished, Handle, Server, ServerBuilder};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// A server over a service that tells what it got.
struct Running {
    address: SocketAddr,
    handle: Handle,
    finished: JoinHandle<Finished>,
    gates: Gates,
}

/// Requests of `/wait` say that they have come, and go on once they may.
#[derive(Clone)]
struct Gates {
    arrived: Arc<Semaphore>,
    released: Arc<Semaphore>,
}

impl Gates {
    fn new() -> Self {
        Self {
            arrived: Arc::new(Semaphore::new(0)),
            released: Arc::new(Semaphore::new(0)),
        }
    }

    async fn arrival(&self) {
        self.arrived.acquire().await.expect("open").forget();
    }

    fn release(&self) {
        self.released.add_permits(1);
    }

    async fn pass(&self) {
        self.arrived.add_permits(1);
        self.released.acquire().await.expect("open").forget();
    }
}

fn builder() -> ServerBuilder {
    Server::builder().listen("127.0.0.1:0")
}

async fn start(builder: ServerBuilder) -> Running {
    let server = builder.bind().await.expect("a free port");
    let handle = server.handle();
    let gates = Gates::new();
    let inner = gates.clone();
    let service = tower::service_fn(move |request: Request<Incoming>| {
        let gates = inner.clone();
        async move { echo(request, gates).await }
    });
    Running {
        address: handle.local_addrs()[0],
        handle,
        finished: tokio::spawn(server.run(service)),
        gates,
    }
}

async fn echo(request: Request<Incoming>, gates: Gates) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    if parts.uri.path() == "/wait" {
        gates.pass().await;
    }
    let context = parts.extensions.get::<RequestContext>();
    let connection = context.and_then(RequestContext::connection);
    let tls = connection.and_then(|connection| connection.tls.clone());
    let mut response = Response::new(Body::empty());
    match body.collect().await {
        Ok(body) => {
            let seen = json!({
                "method": parts.method.as_str(),
                "target": parts.uri.to_string(),
                "version": format!("{:?}", parts.version),
                "host": parts.headers.get("host").and_then(|host| host.to_str().ok()),
                "contentLength": parts.headers.get_all("content-length").iter().count(),
                "body": String::from_utf8_lossy(&body.to_bytes()),
                "client": context.and_then(RequestContext::client),
                "local": connection.and_then(|connection| connection.local),
                "tls": tls.map(|tls| json!({
                    "version": tls.version.as_deref(),
                    "cipher": tls.cipher_suite.as_deref(),
                    "serverName": tls.server_name.as_deref(),
                    "client": tls.client_certificate.map(|client| client.subject_dn.clone()),
                })),
            });
            *response.body_mut() = Body::from(seen.to_string());
        }
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    Ok(response)
}
