//! Who is connected, where the server does not say so by itself.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use http::Request;
use portcullis_core::{Connection, Head, RequestContext, TrustedProxies};

use crate::exchange::Exchange;
use crate::observer::Observer;

/// Says in the context of each request who sent it, for servers that know it in their own way. It stands before observers that ask: the first of a pair.
///
/// ```
/// use std::net::SocketAddr;
/// use axum::extract::ConnectInfo;
/// use portcullis_core::TrustedProxies;
/// use portcullis_observe::{AccessFormat, AccessLog, LogSink, ObserveLayer, Peer};
///
/// let peer = Peer::new(|head| head.extensions().get().map(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| *peer))
///     .trust(TrustedProxies::new(["10.0.0.0/8".parse()?]));
/// let log = AccessLog::new(AccessFormat::combined(), LogSink::stdout());
/// let layer = ObserveLayer::new((peer, log));
/// # let _ = layer;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It costs an allocation for each request whose context does not know its connection.
#[derive(Clone)]
#[must_use]
pub struct Peer {
    find: Arc<Find>,
    proxies: TrustedProxies,
}

type Find = dyn Fn(&Head<'_>) -> Option<SocketAddr> + Send + Sync;

impl Peer {
    /// Finds the other end of the connection by `find`.
    pub fn new(find: impl Fn(&Head<'_>) -> Option<SocketAddr> + Send + Sync + 'static) -> Self {
        Self {
            find: Arc::new(find),
            proxies: TrustedProxies::default(),
        }
    }

    /// Believes these proxies about who the client behind them is. Default: none.
    pub fn trust(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }
}

impl Observer for Peer {
    type Watch = ();

    fn begin<B>(&self, request: &mut Request<B>, context: &RequestContext) {
        if context.connection().is_none()
            && let Some(peer) = (self.find)(&Head::of(request))
        {
            context.set_client(self.proxies.client(peer.ip(), request.headers()));
            context.set_connection(Connection::new(peer));
        }
    }

    fn end(&self, _watch: (), _exchange: &Exchange<'_>) {}
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("proxies", &self.proxies)
            .finish_non_exhaustive()
    }
}
