//! HTTP integrations over real sockets.

mod failures;
mod framing;
mod mapped;
mod proxy;
mod streaming;
mod support;
