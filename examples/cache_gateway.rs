//! A gateway that caches a method, and lets clients with a permission have responses replaced.
//!
//! `cargo run --example cache_gateway`, then
//!
//! ```text
//! curl -si 'localhost:8080/prod/pets?type=dog'                                # from the function
//! curl -si 'localhost:8080/prod/pets?type=dog'                                # from the cache: the same number
//! curl -si -H 'cache-control: max-age=0' 'localhost:8080/prod/pets?type=dog'  # the policy allows it: a new number
//! curl -si -H 'cache-control: max-age=0' localhost:8080/prod/owners           # it does not: a warning
//! ```

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis::definition::Stage;
use portcullis::serve::Server;
use portcullis::{ApiSpec, Gateway};
use portcullis_examples::{listen, listening, shown};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let stage: Stage = serde_json::from_value(json!({
        "stageName": "prod",
        "cacheClusterEnabled": true,
        "methodSettings": { "*/*": { "cachingEnabled": true, "cacheTtlInSeconds": 60 } },
    }))?;
    let calls = AtomicUsize::new(0);
    let gateway = Gateway::builder()
        .api(
            ApiSpec::rest(definition().to_string())
                .id("pets")
                .stage(stage),
        )
        .handler("count", move |event: Value| {
            let number = calls.fetch_add(1, Ordering::Relaxed) + 1;
            let body = format!("call {number} for {}\n", event["path"]);
            async move { Ok::<_, &str>(json!({ "statusCode": 200, "body": body })) }
        })
        .build()?;

    let server = Server::builder()
        .listen(listen("127.0.0.1:8080"))
        .bind()
        .await?;
    for address in server.handle().local_addrs() {
        listening(address, include_str!("cache_gateway.rs"));
    }
    server.run(gateway).await;
    Ok(())
}

fn definition() -> Value {
    let method = json!({
        "parameters": [{ "name": "type", "in": "query", "schema": { "type": "string" } }],
        "responses": {},
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:count/invocations",
            "cacheKeyParameters": ["method.request.querystring.type"],
        }
    });
    let allow = |action: &str, resource: &str| json!({ "Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource });
    json!({
        "openapi": "3.0.1",
        "info": { "title": "pets", "version": "1" },
        "x-amazon-apigateway-policy": {
            "Version": "2012-10-17",
            "Statement": [
                allow("execute-api:Invoke", "*"),
                allow("execute-api:InvalidateCache", "execute-api:/prod/GET/pets"),
            ]
        },
        "paths": { "/pets": { "get": method }, "/owners": { "get": method } }
    })
}
