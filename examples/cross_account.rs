//! A gateway whose API lets another account in: its resource policy must allow, and so must the caller's own policy.
//!
//! `cargo run --example cross_account`, then:
//!
//! ```text
//! sign() { curl -i --aws-sigv4 aws:amz:eu-west-1:execute-api --user "$@"; }
//! sign AKIDTOM:tom-secret localhost:3000/prod/pets              # of the API's account: the own policy is enough
//! sign AKIDEVE:eve-secret localhost:3000/prod/pets              # of a partner's account: both sides allow
//! sign AKIDEVE:eve-secret -X POST localhost:3000/prod/pets      # the API's policy does not
//! sign AKIDMAX:max-secret localhost:3000/prod/pets              # of the partner's account, without a policy of his own
//! ```

use std::error::Error;
use std::process::ExitCode;

use portcullis::auth::credentials::{Caller, Credential, MemoryCredentials};
use portcullis::auth::iam::{CallerPolicies, IdentityPolicy, Principal};
use portcullis::serve::Server;
use portcullis::{ApiSpec, Gateway};
use portcullis_examples::{listen, logs, shown};
use serde_json::{Value, json};

/// An operation that asks for a signature.
fn signed(answer: &str) -> Value {
    json!({
        "responses": { "200": { "description": "200 response" } },
        "x-amazon-apigateway-auth": { "type": "AWS_IAM" },
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
            "responses": { "default": {
                "statusCode": "200",
                "responseTemplates": { "application/json": answer }
            } }
        }
    })
}

fn key(
    id: &str,
    secret: &str,
    arn: &str,
    policies: CallerPolicies,
) -> Result<Credential, Box<dyn Error>> {
    let caller = Caller::new(Principal::from_arn(arn)?).with_policies(policies);
    Ok(Credential::new(id, secret, caller))
}

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    logs("debug");

    let definition = json!({
        "openapi": "3.0.1",
        "info": { "title": "pets", "version": "1.0" },
        "paths": { "/pets": {
            "get": signed("{\"pets\": [\"Rex\"], \"for\": \"$context.identity.userArn\"}"),
            "post": signed("{\"created\": true}"),
        } },
        // The partner's account may read. Who of it, its own policies say.
        "x-amazon-apigateway-policy": { "Version": "2012-10-17", "Statement": {
            "Sid": "PartnersRead",
            "Effect": "Allow",
            "Principal": { "AWS": "arn:aws:iam::210987654321:root" },
            "Action": "execute-api:Invoke",
            "Resource": "execute-api:/*/GET/*"
        } }
    });

    let pets = IdentityPolicy::parse(
        r#"{"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:123456789012:*/*/*/pets"
        }}"#,
    )?;
    let may = CallerPolicies::new().with_identity(pets.with_name("pets"));
    let keys = MemoryCredentials::new([
        key(
            "AKIDTOM",
            "tom-secret",
            "arn:aws:iam::123456789012:user/tom",
            may.clone(),
        )?,
        key(
            "AKIDEVE",
            "eve-secret",
            "arn:aws:iam::210987654321:user/eve",
            may,
        )?,
        key(
            "AKIDMAX",
            "max-secret",
            "arn:aws:iam::210987654321:user/max",
            CallerPolicies::new(),
        )?,
    ]);

    let gateway = Gateway::builder()
        .region("eu-west-1")
        .account_id("123456789012")
        .access_keys(keys)
        .api(
            ApiSpec::rest(definition.to_string())
                .id("pets")
                .stage_named("prod"),
        )
        .build()?;
    let server = Server::builder()
        .listen(listen("127.0.0.1:3000"))
        .bind()
        .await?;
    println!("listening on http://{}", server.handle().local_addrs()[0]);
    server.run(gateway).await;
    Ok(())
}
