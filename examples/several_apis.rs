//! Several APIs on one port: a REST API and an HTTP API, told apart by host, base path and stage.
//!
//! `cargo run --example several_apis` prints what to try. `LISTEN` is another address.

use std::error::Error;
use std::process::ExitCode;

use portcullis::definition::DomainName;
use portcullis::serve::{Server, shutdown_signal};
use portcullis::{ApiSpec, Gateway};
use portcullis_examples::{listen, logs, shown};
use serde_json::json;

fn mock(body: &str) -> serde_json::Value {
    json!({
        "responses": { "200": { "description": "200 response" } },
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
            "responses": { "default": {
                "statusCode": "200",
                "responseTemplates": { "application/json": body }
            } }
        }
    })
}

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    // Says why a request got to no stage or no route.
    logs("info");
    let pets = json!({
        "openapi": "3.0.1",
        "info": { "title": "pets", "version": "1" },
        "paths": { "/cats": { "get": mock("[\"Tom\"]") } }
    });
    let shop = json!({
        "openapi": "3.0.1",
        "info": { "title": "shop", "version": "1" },
        "paths": { "/orders": { "get": {
            "x-amazon-apigateway-integration": {
                "type": "AWS_PROXY",
                "httpMethod": "POST",
                "payloadFormatVersion": "2.0",
                "uri": "arn:aws:lambda:us-east-1:000000000000:function:orders"
            }
        } } }
    });
    // As `get-domain-name` and `get-base-path-mappings` give it.
    let domain: DomainName = serde_json::from_value(json!({
        "domainName": "api.example.com",
        "basePathMappings": [{ "basePath": "v1", "restApiId": "pets", "stage": "prod" }]
    }))?;
    let gateway = Gateway::builder()
        .api(
            ApiSpec::rest(pets.to_string())
                .id("pets")
                .stage_named("prod")
                .stage_named("test"),
        )
        .api(ApiSpec::http(shop.to_string()).id("shop"))
        .domain(domain)
        .function_mock("orders", json!([{ "id": 1, "pet": "Tom" }]))
        .build()?;
    for route in gateway.routes() {
        println!(
            "{:6} {:7} {:12} {}",
            route.api, route.method, route.path, route.integration
        );
    }

    let server = Server::builder()
        .listen(listen("127.0.0.1:3002"))
        .bind()
        .await?;
    let handle = server.handle();
    for address in handle.local_addrs() {
        println!("listening on http://{address}; by id and stage, by id, by a custom domain:");
        println!("  curl -i http://{address}/pets/prod/cats");
        println!("  curl -i http://{address}/shop/orders");
        println!("  curl -i http://{address}/v1/cats -H 'host: api.example.com'");
    }
    tokio::spawn(async move {
        shutdown_signal().await;
        handle.shutdown();
    });
    server.run(gateway).await;
    Ok(())
}
