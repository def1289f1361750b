//! A function that was written for AWS Lambda with `lambda_http`, behind the export that it is deployed with: `functions/pets.yaml`.
//!
//! `cargo run --example lambda_http`, then:
//!
//! ```text
//! curl -i localhost:8080/pets -H 'content-type: application/json' -d '{"id": "7", "name": "Rex"}'
//! curl -i localhost:8080/pets/7
//! ```
//!
//! In Lambda, `main` would be one line: `lambda_http::run(service_fn(pets)).await`. `LISTEN` is another address.

use lambda_http::request::LambdaRequest;
use lambda_http::{
    Adapter, Context, Error, IntoResponse, LambdaEvent, Request, RequestExt, RequestPayloadExt,
    Response, service_fn,
};
use portcullis::Gateway;
use portcullis::serve::Server;
use portcullis_examples::{listen, listening, shown};
use serde::{Deserialize, Serialize};
use std::process::ExitCode;
use tower::ServiceBuilder;

#[derive(Deserialize, Serialize)]
struct Pet {
    id: String,
    name: String,
}

/// The function, as it is deployed.
async fn pets(request: Request) -> Result<impl IntoResponse, Error> {
    if let Some(id) = request
        .path_parameters_ref()
        .and_then(|path| path.first("id"))
    {
        let pet = Pet {
            id: id.to_owned(),
            name: "Rex".to_owned(),
        };
        return Ok(Response::builder().body(serde_json::to_string(&pet)?)?);
    }
    let response = match request.payload::<Pet>()? {
        Some(pet) => Response::builder()
            .status(201)
            .header("location", format!("/pets/{}", pet.id))
            .body(serde_json::to_string(&pet)?)?,
        None => Response::builder().status(400).body(String::new())?,
    };
    Ok(response)
}

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    // What the runtime of Lambda puts round a handler.
    let function = ServiceBuilder::new()
        .map_request(|event: LambdaRequest| LambdaEvent::new(event, Context::default()))
        .service(Adapter::from(service_fn(pets)));

    let gateway = Gateway::builder()
        .export(include_str!("functions/pets.yaml"))
        .event_service("pets", function)
        .build()?;
    let server = Server::builder()
        .listen(listen("127.0.0.1:8080"))
        .bind()
        .await?;
    listening(
        server.handle().local_addrs()[0],
        include_str!("lambda_http.rs"),
    );
    server.run(gateway).await;
    Ok(())
}
