//! Blue and green: a new definition is tried on one stage, promoted to another, and rolled back, by the admin API of a running gateway.
//!
//! `cargo run --example blue_green` listens twice: for clients, and for operators, who need a token. The state is kept in a file, so that
//! a restart serves what was promoted. `LISTEN` and `LISTEN_ADMIN` are other addresses.

use std::error::Error;
use std::process::ExitCode;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use portcullis::serve::{Server, shutdown_signal};
use portcullis::{AdminService, ApiSpec, Gateway};
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

fn address(variable: &str, default: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| default.to_owned())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir();
    let gateway = Gateway::builder()
        .api(
            ApiSpec::rest(shop("blue", 10))
                .id("shop")
                .stage_named("test")
                .stage_named("prod"),
        )
        .state_file(folder.join("portcullis-blue-green.state"))
        .build()?;

    let admin = Router::new()
        .nest_service("/admin", AdminService::new(gateway.handle()))
        .layer(from_fn(operators_alone));
    let operators =
        tokio::net::TcpListener::bind(address("LISTEN_ADMIN", "127.0.0.1:9090")).await?;
    let at = operators.local_addr()?;
    tokio::spawn(async move { axum::serve(operators, admin).await });

    let server = Server::builder()
        .listen(address("LISTEN", "127.0.0.1:8080"))
        .bind()
        .await?;
    let handle = server.handle();
    for address in handle.local_addrs() {
        println!("listening on http://{address}");
        println!("operators on http://{at}/admin");
        let green = folder.join("portcullis-green.json");
        std::fs::write(&green, shop("green", 12))?;
        let green = green.display();
        println!("\ntry:\n  curl http://{address}/prod/price");
        println!("  as='authorization: {TOKEN}'; api=http://{at}/admin/apis/shop");
        println!(
            "  curl -H \"$as\" --data-binary @{green} \"$api/deployments?stageName=test&description=new+prices\""
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
