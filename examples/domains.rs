//! Several domains on one port: exact names before wildcards, base paths of one and of several segments, and a tenant who is ahead of the others.
//!
//! `cargo run --example domains` prints what to try. `LISTEN` is another address.

use std::error::Error;
use std::process::ExitCode;

use portcullis::serve::Server;
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
    let api = |id: &str| {
        ApiSpec::rest(document().to_string())
            .id(id)
            .stage_named("live")
            .stage_named("next")
    };
    let to = |path: &str, api: &str, stage: &str| json!({ "apiMappingKey": path, "apiId": api, "stage": stage });
    let domains = [
        // Each mapping is one segment: `/shopping` is not `shop`.
        json!({ "domainName": "www.example.com", "apiMappings": [to("shop", "shop", "live"), to("blog", "blog", "live")] }),
        // One of several segments makes prefixes of all of them.
        json!({ "domainName": "api.example.com", "apiMappings": [to("shop/next", "shop", "next"), to("shop", "shop", "live")] }),
        // Every tenant has a name of its own, and one of them has the next version.
        json!({
            "domainName": "*.tenants.example.com",
            "routingMode": "ROUTING_RULE_THEN_API_MAPPING",
            "routingRules": [{
                "priority": 1,
                "conditions": [{ "matchHeaders": { "anyOf": [{ "header": "Host", "valueGlob": "acme.*" }] } }],
                "actions": [{ "invokeApi": { "apiId": "shop", "stage": "next" } }],
            }],
            "apiMappings": [to("", "shop", "live")],
        }),
    ];
    let mut builder = Gateway::builder().api(api("shop")).api(api("blog"));
    for domain in domains {
        builder = builder.domain(serde_json::from_value(domain)?);
    }
    let gateway = builder.build()?;

    let server = Server::builder()
        .listen(listen("127.0.0.1:3004"))
        .bind()
        .await?;
    let address = server.handle().local_addrs()[0];
    println!("listening on http://{address}");
    for (host, path) in [
        ("www.example.com", "/shop/hats"),
        ("www.example.com", "/blog/hats"),
        ("www.example.com", "/shopping/hats"),
        ("api.example.com", "/shop/hats"),
        ("api.example.com", "/shop/next/hats"),
        ("acme.tenants.example.com", "/hats"),
        ("other.tenants.example.com", "/hats"),
    ] {
        println!("  curl -i http://{address}{path} -H 'host: {host}'");
    }
    server.run(gateway).await;
    Ok(())
}

fn document() -> Value {
    let template = "{\"api\": \"$context.apiId\", \"stage\": \"$context.stage\", \"resource\": \"$context.resourcePath\"}";
    json!({
        "openapi": "3.0.1",
        "info": { "title": "where am I", "version": "1" },
        "paths": { "/hats": { "get": {
            "responses": { "200": { "description": "where the request has come" } },
            "x-amazon-apigateway-integration": {
                "type": "mock",
                "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
                "responses": { "default": { "statusCode": "200", "responseTemplates": { "application/json": template } } }
            }
        } } }
    })
}
