//! Policies at the door: what a request wants to do, what conditions can ask of it, and layers that ask.
//!
//! [`SigV4Layer`](crate::sigv4::SigV4Layer) decides about signed requests by an [`Authorization`]; [`ResourcePolicyLayer`] about all by a resource policy alone,
//! [`AuthorizerAccess`] about those for which a custom authorizer returned a policy.
//!
//! ```
//! use http::{Request, Response};
//! use portcullis_auth::access::{ApiArn, ResourcePolicyLayer};
//! use portcullis_auth::iam::ResourcePolicy;
//! use portcullis_core::{Body, Connection, RequestContext};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let policy = ResourcePolicy::parse(r#"{"Version": "2012-10-17", "Statement": {
//!     "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
//!     "Resource": "execute-api:/prod/GET/*",
//!     "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
//! }}"#)?;
//! let api = ApiArn::new("eu-west-1", "123456789012", "a1b2c3")?.stage("prod");
//! let hello = service_fn(async |_request: Request<()>| {
//!     Ok::<_, std::convert::Infallible>(Response::new(Body::from("hello")))
//! });
//! let service = ResourcePolicyLayer::new(policy, api).layer(hello);
//!
//! let from = |address: &str| {
//!     let mut request = Request::get("/pets").body(()).unwrap();
//!     // A listener says so.
//!     let connection = Connection::new(format!("{address}:50000").parse().unwrap());
//!     RequestContext::of(&mut request).set_connection(connection);
//!     request
//! };
//! assert_eq!(service.clone().oneshot(from("203.0.113.7")).await?.status(), 200);
//! assert_eq!(service.oneshot(from("198.51.100.7")).await?.status(), 403);
//! # Ok(())
//! # }
//! ```
//!
//! # Condition keys
//!
//! | key | of a request |
//! | --- | --- |
//! | `aws:CurrentTime`, `aws:EpochTime` | always |
//! | `aws:SecureTransport` | if its listener said by which connection it came |
//! | `aws:SourceIp` | the client, behind trusted proxies; not through a VPC endpoint |
//! | `aws:SourceVpc`, `aws:SourceVpce`, `aws:VpcSourceIp` | through one of the [`VpcEndpoints`] |
//! | `aws:UserAgent`, `aws:Referer` | if the client sent the header |
//! | `aws:PrincipalArn`, `aws:PrincipalAccount`, `aws:PrincipalType`, `aws:PrincipalOrgID`, `aws:PrincipalTag/…`, `aws:userid`, `aws:username`, `aws:TokenIssueTime` | if it was signed, as its [`Caller`](crate::credentials::Caller) says |

mod api_arn;
mod authorization;
mod authorizer;
mod keys;
mod permissions;
mod policy_layer;
mod private;
mod refusal;
mod vpc;

pub use {
    api_arn::ApiArn,
    authorization::{Authorization, Operation},
    authorizer::{AuthorizerAccess, AuthorizerQuestion},
    keys::RequestKeys,
    permissions::IamPermissions,
    policy_layer::ResourcePolicyLayer,
    private::PrivateEndpointLayer,
    vpc::{VpcEndpoint, VpcEndpoints},
};
