//! Layers alone, in plain hyper: the same service without a framework.
//!
//! `cargo run --example layers_hyper`, then
//!
//! ```text
//! curl -i localhost:3001/ -H 'origin: https://shop.example.com'
//! curl -i -X DELETE localhost:3001/    # refused: it only reads
//! ```

use std::convert::Infallible;
use std::process::ExitCode;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use portcullis::core::{Body, Guard, GuardLayer, Head, Never, Rejection, RejectionKind, Verdict};
use portcullis::cors::{CorsLayer, CorsRules};
use portcullis_examples::{listener, listening, shown};
use tower::{ServiceBuilder, service_fn};

/// Lets only `GET` and `HEAD` through.
struct ReadOnly;

impl Guard for ReadOnly {
    type Ask = Never;

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        if head.method().is_safe() {
            Verdict::Pass
        } else {
            Verdict::Refuse(Rejection::new(RejectionKind::MethodNotAllowed))
        }
    }
}

async fn hello(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    Ok(Response::new(Body::from(format!(
        "hello from {}\n",
        request.uri().path()
    ))))
}

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let rules = CorsRules::builder()
        .allow_origins(["https://shop.example.com"])
        .allow_methods(["GET"])
        .build()?;
    // The layer that is named first stands outermost.
    let service = ServiceBuilder::new()
        .layer(CorsLayer::new(rules))
        .layer(GuardLayer::new(ReadOnly))
        .service(service_fn(hello));

    let listener = listener("127.0.0.1:3001").await?;
    listening(listener.local_addr()?, include_str!("layers_hyper.rs"));
    loop {
        let (stream, _peer) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                eprintln!("connection: {error}");
            }
        });
    }
}
