//! JSON to SOAP and back, by the templates of a definition: `soap/orders.yaml`.
//!
//! `cargo run --example soap`, then:
//!
//! ```text
//! curl -i localhost:8080/orders -H 'content-type: application/json' -d '{"items": ["nuts & bolts", "a < b"]}'
//! curl -i localhost:8080/orders -H 'content-type: application/json' -d '{"items": []}'
//! ```
//!
//! The process has a small SOAP service in it, which prints what it gets. `LISTEN` is another address for the gateway.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use portcullis::Gateway;
use portcullis::serve::Server;
use portcullis_examples::{listen, listening, shown};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let backend = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = backend.local_addr()?;
    let app = Router::new().route("/orders", post(place_order));
    tokio::spawn(async move { axum::serve(backend, app).await });

    let gateway = Gateway::builder()
        .export(include_str!("soap/orders.yaml"))
        .upstream("http://soap.example.com", format!("http://{address}"))
        .build()?;
    let server = Server::builder()
        .listen(listen("127.0.0.1:8080"))
        .bind()
        .await?;
    listening(server.handle().local_addrs()[0], include_str!("soap.rs"));
    server.run(gateway).await;
    Ok(())
}

/// A service as old as SOAP 1.1.
async fn place_order(headers: HeaderMap, envelope: String) -> impl IntoResponse {
    println!("the service gets:\n{envelope}");
    let xml = [("content-type", "text/xml; charset=utf-8")];
    let action = headers.get("soapaction").map(|action| action.as_bytes());
    if action != Some(b"urn:example:orders#PlaceOrder") {
        return (
            StatusCode::INTERNAL_SERVER_ERROR,
            xml,
            fault("Server", "no such action"),
        );
    }
    let items = envelope.matches("<Item>").count();
    if items == 0 {
        return (
            StatusCode::INTERNAL_SERVER_ERROR,
            xml,
            fault("Client", "an order has items"),
        );
    }
    let reply = format!(
        "<PlaceOrderResponse xmlns=\"urn:example:orders\"><OrderId>42</OrderId><Price>{items}.50</Price></PlaceOrderResponse>"
    );
    (StatusCode::OK, xml, in_envelope(&reply))
}

fn fault(code: &str, text: &str) -> String {
    in_envelope(&format!(
        "<soap:Fault><faultcode>soap:{code}</faultcode><faultstring>{text}</faultstring></soap:Fault>"
    ))
}

fn in_envelope(body: &str) -> String {
    format!(
        "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>{body}</soap:Body></soap:Envelope>"
    )
}
