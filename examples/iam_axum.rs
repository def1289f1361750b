//! Routes in axum for whoever signs, each by the policies of the caller.
//!
//! `cargo run --example iam_axum`, then (curl signs from version 7.75 on):
//!
//! ```text
//! curl -i --aws-sigv4 aws:amz:eu-west-1:execute-api --user AKIDTOM:tom-secret localhost:3000/orders/tom/7
//! curl -i --aws-sigv4 aws:amz:eu-west-1:execute-api --user AKIDTOM:tom-secret localhost:3000/orders/eve/7
//! curl -i --aws-sigv4 aws:amz:eu-west-1:execute-api --user AKIDTOM:guessed localhost:3000/orders/tom/7
//! curl -i localhost:3000/orders/tom/7
//! ```
//!
//! The log says of each refusal which statement made it, or which did not.

use axum::extract::Path;
use axum::{Extension, Router, routing::get};
use portcullis::auth::access::{ApiArn, Authorization};
use portcullis::auth::credentials::{Caller, Credential, MemoryCredentials};
use portcullis::auth::iam::{CallerPolicies, IdentityPolicy, Principal};
use portcullis::auth::sigv4::{SigV4Layer, SigV4Rules, SigV4Verifier};
use portcullis::core::RequestContext;
use portcullis_examples::{listener, listening, logs, shown};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    logs("debug");

    let own_orders = IdentityPolicy::parse(include_str!("policies/own-orders.json"))?;
    let tom = Caller::new(Principal::from_arn("arn:aws:iam::123456789012:user/tom")?)
        .with_policies(CallerPolicies::new().with_identity(own_orders.with_name("own-orders")));
    // A clone of the store adds keys and takes them away while requests are in flight.
    let keys = MemoryCredentials::new([Credential::new("AKIDTOM", "tom-secret", tom)]);

    let verifier = SigV4Verifier::new(SigV4Rules::new("eu-west-1", "execute-api")?);
    let api = ApiArn::new("eu-west-1", "123456789012", "shop")?.stage("prod");
    let signed = SigV4Layer::new(verifier, keys).authorize(Authorization::for_api(api));

    let app = Router::new()
        .route("/orders/{who}", get(orders))
        .route("/orders/{who}/{id}", get(orders))
        .layer(signed);
    let listener = listener("127.0.0.1:3000").await?;
    listening(listener.local_addr()?, include_str!("iam_axum.rs"));
    axum::serve(listener, app).await?;
    Ok(())
}

async fn orders(
    Path(path): Path<Vec<(String, String)>>,
    Extension(context): Extension<RequestContext>,
) -> String {
    let caller = context.identity().user_arn.unwrap_or_default();
    format!("{caller} reads {path:?}\n")
}
