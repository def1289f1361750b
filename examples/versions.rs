//! Versions of one API side by side: by path, by header, by media type and by host, and the first of them on its way out.
//!
//! `cargo run --example versions` prints what to try. `LISTEN` is another address. The recipes stand in `docs/guide/domains.md`, as lines of a configuration file; here the
//! same objects are JSON.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use portcullis::definition::DomainName;
use portcullis::serve::Server;
use portcullis::stages::Deprecation;
use portcullis::{ApiSpec, Gateway};
use portcullis_examples::{listen, logs, shown};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    // Says why a request got to no stage or no route.
    logs("info");
    let sunset = SystemTime::UNIX_EPOCH + Duration::from_secs(1_798_675_200); // 2026-12-31
    let deprecation = Deprecation::builder()
        .since(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)) // 2026-01-01
        .sunset(sunset)
        .successor("https://api.example.com/v2");
    let shop = ApiSpec::rest(document().to_string())
        .id("shop")
        .stage_named("v1")
        .stage_named("v2")
        .deprecation("v1", deprecation.build()?);

    let gateway = Gateway::builder()
        .api(shop)
        // By path; who asks by header or by media type gets the second version below any path.
        .domain(domain(json!({
            "domainName": "api.example.com",
            "routingMode": "ROUTING_RULE_THEN_API_MAPPING",
            "routingRules": [rule(10, "x-version", "v2*"), rule(20, "accept", "*vnd.shop.v2*")],
            "apiMappings": [
                { "apiMappingKey": "v1", "apiId": "shop", "stage": "v1" },
                { "apiMappingKey": "v2", "apiId": "shop", "stage": "v2" },
                { "apiId": "shop", "stage": "v1" },
            ],
        }))?)
        // By host.
        .domain(domain(json!({
            "domainName": "v2.example.com", "apiMappings": [{ "apiId": "shop", "stage": "v2" }]
        }))?)
        .build()?;

    let server = Server::builder()
        .listen(listen("127.0.0.1:3003"))
        .bind()
        .await?;
    let address = server.handle().local_addrs()[0];
    println!("listening on http://{address}");
    for (host, path, more) in [
        ("api.example.com", "/v1/hats", ""),
        ("api.example.com", "/v2/hats", ""),
        ("api.example.com", "/hats", " -H 'x-version: v2'"),
        (
            "api.example.com",
            "/hats",
            " -H 'accept: application/vnd.shop.v2+json'",
        ),
        ("v2.example.com", "/hats", ""),
    ] {
        println!("  curl -i http://{address}{path} -H 'host: {host}'{more}");
    }
    server.run(gateway).await;
    Ok(())
}

fn domain(described: Value) -> Result<DomainName, serde_json::Error> {
    serde_json::from_value(described)
}

/// A rule that leads to the second version.
fn rule(priority: u32, header: &str, value: &str) -> Value {
    json!({
        "priority": priority,
        "conditions": [{ "matchHeaders": { "anyOf": [{ "header": header, "valueGlob": value }] } }],
        "actions": [{ "invokeApi": { "apiId": "shop", "stage": "v2" } }],
    })
}

fn document() -> Value {
    json!({
        "openapi": "3.0.1",
        "info": { "title": "shop", "version": "1" },
        "paths": { "/hats": { "get": {
            "responses": { "200": { "description": "the hats" } },
            "x-amazon-apigateway-integration": {
                "type": "mock",
                "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
                "responses": { "default": {
                    "statusCode": "200",
                    "responseTemplates": { "application/json": "{\"hats\": 3, \"version\": \"$context.stage\"}" }
                } }
            }
        } } }
    })
}
