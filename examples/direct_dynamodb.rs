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
use portcullis_examples::{listen, listening, shown};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = Gateway::builder()
        .export(include_str!("functions/table.yaml"))
        .credentials(CredentialsSource::environment());
    if let Ok(endpoint) = std::env::var("DYNAMODB") {
        builder = builder.aws_endpoint(endpoint);
    }
    let gateway = builder.build()?;
    let server = Server::builder()
        .listen(listen("127.0.0.1:8080"))
        .bind()
        .await?;
    listening(
        server.handle().local_addrs()[0],
        include_str!("direct_dynamodb.rs"),
    );
    server.run(gateway).await;
    Ok(())
}
