//! Blue and green: a new definition is tried on one stage, promoted to another, and rolled back, by the admin API of a running gateway.
//!
//! `cargo run --example blue_green` listens twice: for clients, and for operators, who need a token. `LISTEN` and `LISTEN_ADMIN` are other addresses.
//!
//! `cargo run --example blue_green -- shop.state` keeps what operators do in that file, so that a restart serves what was promoted; with `--reset-state` behind it, it begins anew.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use portcullis::serve::{Server, shutdown_signal};
use portcullis::{AdminService, ApiSpec, Gateway};
use portcullis_examples::{listen, logs, shown};
use serde_json::json;

/// A definition of this colour.
fn shop(colour: &str, price: u32) -> String {
    let template = format!(
        "{{\"colour\": \"{colour}\", \"price\": {price}, \"greeting\": \"$stageVariables.greeting\", \"deployment\": \"$context.deploymentId\"}}"
    );
    json!({
        "openapi": "3.0.1",
        "info": { "title": "shop", "version": colour },
        "paths": { "/price": { "get": {
            "responses": { "200": { "description": "200 response" } },
            "x-amazon-apigateway-integration": {
                "type": "mock",
                "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
                "responses": { "default": {
                    "statusCode": "200",
                    "responseTemplates": { "application/json": template }
                } }
            }
        } } }
    })
    .to_string()
}

/// The operators' token. A real one comes from elsewhere, and is compared in constant time: `portcullis::auth` does both.
const TOKEN: &str = "Bearer let-me-deploy";

async fn operators_alone(request: Request, next: Next) -> Response {
    let token = request.headers().get("authorization");
    if token.is_some_and(|token| token == TOKEN) {
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, "operators alone\n").into_response()
}

/// The file for the state, if there is to be one, and whether what is in it is forgotten.
fn arguments() -> Result<(Option<PathBuf>, bool), String> {
    let (mut file, mut reset) = (None, false);
    for argument in std::env::args().skip(1) {
        match &*argument {
            "--reset-state" => reset = true,
            other if other.starts_with('-') || file.is_some() => {
                return Err(format!(
                    "`{other}` is not known here; usage: blue_green [FILE [--reset-state]]"
                ));
            }
            path => file = Some(PathBuf::from(path)),
        }
    }
    match (file, reset) {
        (None, true) => Err("without a file there is no state to reset".to_owned()),
        both => Ok(both),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    logs("info");
    let (file, reset) = arguments()?;
    let mut gateway = Gateway::builder()
        .api(
            ApiSpec::rest(shop("blue", 10))
                .id("shop")
                .stage_named("test")
                .stage_named("prod"),
        )
        .reset_state(reset);
    if let Some(file) = file {
        gateway = gateway.state_file(file);
    }
    let gateway = gateway.build()?;

    let admin = Router::new()
        .nest_service("/admin", AdminService::new(gateway.handle()))
        // The next definition, as a file of yours would be.
        .route("/green.json", get(async || shop("green", 12)))
        .layer(from_fn(operators_alone));
    let operators = std::env::var("LISTEN_ADMIN");
    let operators = operators.unwrap_or_else(|_| "127.0.0.1:9090".to_owned());
    let operators = tokio::net::TcpListener::bind(&operators)
        .await
        .map_err(|error| format!("cannot listen on `{operators}`: {error}"))?;
    let at = operators.local_addr()?;
    tokio::spawn(async move { axum::serve(operators, admin).await });

    let server = Server::builder()
        .listen(listen("127.0.0.1:8080"))
        .bind()
        .await?;
    let handle = server.handle();
    for address in handle.local_addrs() {
        println!("listening on http://{address}");
        println!("operators on http://{at}/admin");
        println!("\ntry:\n  curl http://{address}/prod/price");
        println!("  as='authorization: {TOKEN}'; api=http://{at}/admin/apis/shop");
        println!(
            "  curl -sH \"$as\" http://{at}/green.json | curl -H \"$as\" --data-binary @- \"$api/deployments?stageName=test&description=new+prices\""
        );
        println!("  curl http://{address}/test/price");
        println!(
            "  curl -H \"$as\" -X PUT -d '{{\"fromStage\": \"test\"}}' $api/stages/prod/deployment"
        );
        println!("  curl http://{address}/prod/price");
        println!(
            "  curl -H \"$as\" -X PATCH -d '{{\"greeting\": \"hello\"}}' $api/stages/prod/variables"
        );
        println!("  curl -H \"$as\" -X POST $api/stages/prod/rollback");
        println!("  curl http://{address}/prod/price");
    }
    tokio::spawn(async move {
        shutdown_signal().await;
        handle.shutdown();
    });
    server.run(gateway).await;
    Ok(())
}
