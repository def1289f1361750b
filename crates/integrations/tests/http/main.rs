//! HTTP integrations over real sockets.

mod failures;
mod framing;
mod http_api;
mod mapped;
mod private;
mod proxy;
mod streaming;
mod support;
mod templates;
