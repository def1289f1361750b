//! DynamoDB behind a gateway with no function in between: `functions/table.yaml` has the templates.
//!
//! ```text
//! examples/with_dynamodb.sh direct_dynamodb
//! ```
//!
//! starts a DynamoDB of its own (moto, which takes python3) and this example, then:
//!
//! ```text
//! curl -i localhost:8080/pets -H 'content-type: application/json' -d '{"id": "7", "name": "Rex"}'
//! curl -i localhost:8080/pets/7
//! curl -i localhost:8080/pets/8
//! ```
//!
//! With credentials in the environment and a table `pets` (key: `id`, a string), `cargo run --example direct_dynamodb` calls Amazon's own.

use portcullis::Gateway;
use portcullis::integrations::CredentialsSource;
use portcullis::serve::Server;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = Gateway::builder()
        .export(include_str!("functions/table.yaml"))
        .credentials(CredentialsSource::environment());
    if let Ok(endpoint) = std::env::var("DYNAMODB") {
        builder = builder.aws_endpoint(endpoint);
    }
    let gateway = builder.build()?;
    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let server = Server::builder().listen(listen).bind().await?;
    println!("listening on http://{}", server.handle().local_addrs()[0]);
    server.run(gateway).await;
    Ok(())
}
