//! Signature version 4, from the server's side.
//!
//! As a layer, with policies:
//!
//! ```
//! use axum::{Router, routing::get};
//! use portcullis_auth::access::{ApiArn, Authorization};
//! use portcullis_auth::credentials::{Caller, Credential, MemoryCredentials};
//! use portcullis_auth::iam::{CallerPolicies, IdentityPolicy, Principal};
//! use portcullis_auth::sigv4::{SigV4Layer, SigV4Rules, SigV4Verifier};
//!
//! let readers = IdentityPolicy::parse(r#"{"Version": "2012-10-17", "Statement": {
//!     "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:*:a1b2c3/prod/GET/*"
//! }}"#)?;
//! let tom = Caller::new(Principal::from_arn("arn:aws:iam::123456789012:user/tom")?)
//!     .with_policies(CallerPolicies::new().with_identity(readers));
//! let keys = MemoryCredentials::new([Credential::new("AKIDEXAMPLE", "secret", tom)]);
//!
//! let verifier = SigV4Verifier::new(SigV4Rules::new("eu-west-1", "execute-api")?);
//! let api = ApiArn::new("eu-west-1", "123456789012", "a1b2c3")?.stage("prod");
//! let signed = SigV4Layer::new(verifier, keys).authorize(Authorization::for_api(api));
//! let app: Router = Router::new().route("/pets", get("Rex")).layer(signed);
//! # let _ = app;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! As functions, for whatever has a request:
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use http::Request;
//! use portcullis_auth::credentials::{Caller, Credential, MemoryCredentials};
//! use portcullis_auth::iam::Principal;
//! use portcullis_auth::sigv4::{SigV4Rules, SigV4Verifier, SignedRequest, payload_hash};
//!
//! let tom = Caller::new(Principal::from_arn("arn:aws:iam::123456789012:user/tom")?);
//! let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
//! let keys = MemoryCredentials::new([Credential::new("AKIDEXAMPLE", secret, tom)]);
//! let verifier = SigV4Verifier::new(SigV4Rules::new("us-east-1", "service")?);
//!
//! let request = Request::get("/")
//!     .header("host", "example.amazonaws.com")
//!     .header("x-amz-date", "20150830T123600Z")
//!     .header("authorization", "AWS4-HMAC-SHA256 \
//!         Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
//!         SignedHeaders=host;x-amz-date, \
//!         Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")
//!     .body("")?;
//! let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160); // 2015-08-30T12:36:00Z
//!
//! let signed = SignedRequest::of(&request);
//! let signature = verifier.read(&signed, now)?; // form, date and scope
//! let key = keys.get(signature.access_key_id());
//! let hash = payload_hash(request.body().as_bytes());
//! verifier.verify(&signed, &signature, hash.as_str(), key.as_ref(), now)?;
//!
//! // A body that somebody changed has another hash.
//! let hash = payload_hash(b"changed");
//! let refusal = verifier.verify(&signed, &signature, hash.as_str(), key.as_ref(), now).unwrap_err();
//! assert_eq!(refusal.status(), 403);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Semantics
//!
//! Both forms are verified: the `Authorization` header, and the query of a presigned URL. The checks come in the service's order and
//! refuse in its words: form, date, scope, then the key, the signature, the session token.
//!
//! - The path is canonicalised as it came: resolved, and percent-encoded once more. The query is decoded and encoded anew, and sorted as pairs. A raw `+` in
//!   it is a plus, never a blank.
//! - The body's hash is always that of the body. A signed `x-amz-content-sha256` must be the same; an unsigned one has no say.
//! - `SignedHeaders` must name the host, and names in ascending order. An `x-amz-*` header need not be signed: the service's own generated clients add the session
//!   token afterwards.
//! - A long-term key with a session token, and a temporary one without, are refused.
//! - A header that is no signature may be a token of another kind: refusals name it by its hash.
//!
//! # Caveats
//!
//! - A signature covers the request as its client sent it. Verify before anything rewrites the path or a header: outside of `axum`'s `nest`, behind no proxy that
//!   changes `Host`.
//! - Asymmetric signatures (version 4A, `AWS4-ECDSA-P256-SHA256`) are refused unless they are [allowed](SigV4Rules::allow_asymmetric), chunks with trailers always.

mod asymmetric;
mod chunked;
mod date;
mod key;
mod layer;
mod refusal;
mod replay;
mod rules;
mod stream;
mod verifier;
mod verify;

pub use {
    chunked::Chunks,
    key::SigningKey,
    layer::SigV4Layer,
    replay::ReplayGuard,
    rules::SigV4Rules,
    stream::{PayloadMismatch, SigV4Stream, SigV4StreamFuture, SigV4StreamLayer, VerifiedBody},
    verifier::SigV4Verifier,
    verify::{PayloadHash, Signature, SignedRequest, payload_hash},
};
