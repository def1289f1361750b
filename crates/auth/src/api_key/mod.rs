//! API keys: who may call by what they send, known by its hash alone.
//!
//! ```
//! use axum::{Extension, Router, routing::get};
//! use portcullis_auth::api_key::{ApiKey, ApiKeyLayer, MemoryKeys};
//! use portcullis_core::RequestContext;
//!
//! let keys = MemoryKeys::new([
//!     ApiKey::new("partner-1", "0123456789abcdefghij"),
//!     ApiKey::new("partner-2", "sha256:1e9f06b7b7b1f4c6ba1de2d4ddf4f6ac2f4ffe1dd4d29c4d47c5ac2c1f4f5a11"),
//! ]);
//!
//! async fn hello(Extension(context): Extension<RequestContext>) -> String {
//!     let key = context.api_key().expect("the layer lets nobody through without");
//!     format!("hello, {}", key.id())
//! }
//!
//! let app: Router = Router::new()
//!     .route("/hello", get(hello))
//!     .layer(ApiKeyLayer::new(keys.clone()));
//!
//! // While it runs: a second value for a key, and the end of the first.
//! assert!(keys.rotate("partner-1", "klmnopqrstuvwxyz0123"));
//! assert!(keys.retire_previous("partner-1"));
//! # let _ = app;
//! ```
//!
//! # Semantics
//!
//! The key is what the header `x-api-key` says, or another header ([`ApiKeyLayer::key_in_header`]), or what a custom authorizer names
//! ([`ApiKeyLayer::key_from_authorizer`]; then headers do not count). It passes if it is one of the store's, enabled, and, where usage plans
//! are given, in a plan that has the stage. Otherwise the answer is 403 `{"message":"Forbidden"}`, in every case the same. A header that is
//! there twice, or has more than 1,024 bytes, is no key.
//!
//! # Stores
//!
//! | store | holds |
//! | --- | --- |
//! | [`MemoryKeys`] | keys in memory, changed while requests run |
//! | [`FileKeys`] | keys of a file: the service's CSV, or the JSON of `get-api-keys` |
//! | `RedisKeys` (feature `redis`) | keys that several machines share |
//! | a closure | what it finds, at once or later |
//!
//! A store is asked by the [`KeyHash`] of what the caller sent: SHA-256, compared in constant time. Values themselves are kept nowhere. Where a
//! value is written, in files and in code, `sha256:` and the hash may stand for it, so that files hold no secret either. That is safe for values that
//! nobody can guess, such as those of [`generate`]; a word from a dictionary can be found from its hash.
//!
//! # When a store is away
//!
//! Requests are refused with 500 and the reason is in the log; the service lets them pass ([`ApiKeyLayer::dangerous_pass_when_away`]).
//!
//! # Context
//!
//! Writes the key ([`CallerKey`](portcullis_core::CallerKey)): `$context.identity.apiKey`, `$context.identity.apiKeyId`, and the plan for throttles. Reads the
//! stage, where usage plans are given, and the authorizer's key.

mod csv;
mod file;
mod hash;
mod json;
mod key;
mod layer;
mod plans;
#[cfg(feature = "redis")]
mod redis;
mod refusal;
mod store;

#[cfg(feature = "redis")]
pub use redis::RedisKeys;
pub use {
    file::{FileKeys, KeyFileError, read_file},
    hash::{KeyHash, generate},
    key::ApiKey,
    layer::ApiKeyLayer,
    plans::UsagePlans,
    store::{KeyFuture, KeyLookup, KeyStore, KeyStoreError, MemoryKeys},
};
