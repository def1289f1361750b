//! The store that several machines share: Redis or Valkey, with a deadline for each answer and no unbounded queue.
//!
//! The crates whose stores can stand in it have a feature `redis`; their stores take a [`Redis`].
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use portcullis_redis::Redis;
//!
//! # async fn run() -> Result<(), portcullis_redis::RedisError> {
//! let redis = Redis::builder("redis://127.0.0.1:6379/0")
//!     .prefix("shop:")
//!     .deadline(Duration::from_millis(100))
//!     .build()?;
//! redis.set("greeting", "hello").await?;
//! assert_eq!(redis.get("greeting").await?.as_deref(), Some(&b"hello"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! # Semantics
//!
//! One connection serves all commands at once; it is opened by the first and again when it breaks, so that a program starts without its store. A command
//! whose connection broke is sent once more, within its deadline. What has no answer by its deadline, or finds too many others waiting, is an error at
//! once: what that means for a request is for the store that asked to say.
//!
//! That the store does not answer is logged once, and once that it does again.
//!
//! # Caveats
//!
//! TLS (`rediss://`) is not spoken.
//!
//! # Features
//!
//! `cluster` adds [`Redis::cluster`].

mod connection;
mod error;
mod log;
mod store;

pub use {
    error::RedisError,
    log::{Follower, Logged},
    store::{Redis, RedisBuilder, Script},
};
