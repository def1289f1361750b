//! One origin: how requests and connections get there.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Response, Uri, header, uri};
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::client::legacy::connect::Connection as _;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service as _;

use crate::body::Outgoing;
use crate::connections::{Connections, Open, Shared, Turn};
use crate::connector::Connector;
use crate::error::{ClientError, ClientErrorKind};
use crate::pool::Origins;
use crate::response::ResponseBody;
use crate::sending::{Sending, Sent};

/// How the connections of one pool are made, and how long they are kept.
pub(crate) struct Settings {
    pub(crate) connector: Connector,
    /// HTTP/2 is spoken from the first byte, also in the clear.
    pub(crate) only_http2: bool,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_idle: usize,
}

/// What stands behind one scheme, host and port.
pub(crate) struct Origin {
    settings: Arc<Settings>,
    /// All that are known, this one among them.
    origins: Weak<Origins>,
    scheme: Scheme,
    authority: Authority,
    /// What `Host` says where the caller does not.
    host: HeaderValue,
    connections: Connections,
}

impl Origin {
    /// # Errors
    ///
    /// If the authority has no host that a header can name.
    pub(crate) fn new(
        settings: Arc<Settings>,
        origins: Weak<Origins>,
        scheme: Scheme,
        authority: Authority,
    ) -> Result<Self, ClientError> {
        let default = if scheme == Scheme::HTTPS { 443 } else { 80 };
        let host = match authority.port_u16() {
            Some(port) if port != default => format!("{}:{port}", authority.host()),
            _ => authority.host().to_owned(),
        };
        let host = HeaderValue::try_from(host)
            .map_err(|error| ClientError::new(ClientErrorKind::Address, error))?;
        // The first clone of a value turns it into a shared one, which allocates: here, not on a request.
        drop(host.clone());
        Ok(Self {
            connections: Connections::new(settings.idle_timeout, settings.max_idle),
            settings,
            origins,
            scheme,
            authority,
            host,
        })
    }

    /// Sends a request: at once, if a connection of HTTP/1.1 is free.
    pub(crate) fn send(
        self: Arc<Self>,
        mut request: Request<Outgoing>,
    ) -> Sending<impl Future<Output = Sent> + use<>> {
        match self.connections.take() {
            Some(Open::Http1(mut sender)) => {
                self.address_http1(&mut request);
                Sending::Written {
                    sent: sender.try_send_request(request),
                    sender: Some(sender),
                    origin: self,
                }
            }
            open => Sending::elsewise(self.send_on(open, request)),
        }
    }

    /// Sends a request on this connection, or else on the next that is open, or on a new one.
    ///
    /// An open connection may turn out to be closed before anything of the request was written to it. Then another one is
    /// taken.
    pub(crate) async fn send_on(
        self: Arc<Self>,
        mut first: Option<Open>,
        mut request: Request<Outgoing>,
    ) -> Result<Response<ResponseBody>, ClientError> {
        loop {
            let (mut open, reused) = match first.take().or_else(|| self.connections.take()) {
                Some(open) => (open, true),
                None => self.connect_or_wait().await?,
            };
            let sent = match &mut open {
                Open::Http1(sender) => {
                    self.address_http1(&mut request);
                    sender.try_send_request(request).await
                }
                Open::Http2(shared) => {
                    *request.uri_mut() = self.uri(target_of(&request))?;
                    shared.send(request, &self.connections).await
                }
            };
            match sent {
                Ok(response) => {
                    self.release(open);
                    return Ok(response.map(ResponseBody::from));
                }
                Err(error) => request = unsent(error, reused)?,
            }
        }
    }

    /// HTTP/1.1 names the host in a header, and only the path in the request's first line (RFC 9112, 3.2).
    fn address_http1(&self, request: &mut Request<Outgoing>) {
        if !request.headers().contains_key(header::HOST) {
            let host = self.host.clone();
            request.headers_mut().insert(header::HOST, host);
        }
        *request.uri_mut() = if *request.method() == Method::CONNECT {
            self.authority.clone().into()
        } else {
            target_of(request).into()
        };
    }

    fn uri(&self, target: PathAndQuery) -> Result<Uri, ClientError> {
        let mut parts = uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target);
        Uri::from_parts(parts).map_err(|error| ClientError::new(ClientErrorKind::Address, error))
    }

    /// Makes a connection, or waits for one that another request is done with, whichever is first. The flag says whether
    /// the connection has served before.
    async fn connect_or_wait(self: &Arc<Self>) -> Result<(Open, bool), ClientError> {
        loop {
            let free = match self.connections.turn(self.settings.only_http2) {
                Turn::Use(open) => return Ok((open, true)),
                Turn::Connect(free) => free,
                Turn::Wait(free) => match free.await {
                    Ok(open) => return Ok((open, true)),
                    // Whoever was making the connection failed.
                    Err(_) => continue,
                },
            };
            let attempt = Attempt {
                origin: Arc::clone(self),
            };
            let mut connecting = Box::pin(attempt.connect());
            let mut free = Some(free);
            let first = poll_fn(|cx| {
                if let Some(waiting) = &mut free
                    && let Poll::Ready(freed) = Pin::new(waiting).poll(cx)
                {
                    free = None;
                    if let Ok(open) = freed {
                        return Poll::Ready(Ok(open));
                    }
                }
                connecting.as_mut().poll(cx).map(Err)
            });
            match first.await {
                Err(connected) => return Ok((connected?, false)),
                Ok(open) => {
                    // The new connection will be for another request.
                    let origin = Arc::clone(self);
                    tokio::spawn(async move {
                        if let Ok(open) = connecting.await {
                            origin.release(open);
                        }
                    });
                    return Ok((open, true));
                }
            }
        }
    }

    /// Takes a connection back once it can serve again.
    pub(crate) fn release(self: &Arc<Self>, open: Open) {
        let Open::Http1(mut sender) = open else {
            return;
        };
        if sender.is_ready() {
            self.connections.put(sender);
        } else if !sender.is_closed() {
            // The answer's body is still on its way.
            let origin = Arc::clone(self);
            tokio::spawn(async move {
                if sender.ready().await.is_ok() {
                    origin.connections.put(sender);
                }
            });
        }
    }

    /// Closes what was not used for long. Whether anything is left.
    pub(crate) fn close_idle(&self) -> bool {
        self.connections.close_idle()
    }
}

/// A request makes a connection. When that ends, others may be waiting to hear of it, whatever it comes to.
struct Attempt {
    origin: Arc<Origin>,
}

impl Attempt {
    async fn connect(self) -> Result<Open, ClientError> {
        let origin = &*self.origin;
        if let Some(origins) = origin.origins.upgrade() {
            origins.keep_clean(origin.settings.idle_timeout);
        }
        let mut connector = origin.settings.connector.clone();
        poll_fn(|cx| connector.poll_ready(cx))
            .await
            .map_err(ClientError::from_connect)?;
        let address = origin.uri(PathAndQuery::from_static("/"))?;
        let io = connector
            .call(address)
            .await
            .map_err(ClientError::from_connect)?;
        if origin.settings.only_http2 || io.connected().is_negotiated_h2() {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .adaptive_window(true)
                .handshake(io)
                .await
                .map_err(ClientError::from_hyper)?;
            spawn(connection);
            let shared = Shared::new(sender);
            return Ok(Open::Http2(origin.connections.share(shared)));
        }
        let (sender, connection) = http1::handshake(io)
            .await
            .map_err(ClientError::from_hyper)?;
        spawn(connection.with_upgrades());
        Ok(Open::Http1(sender))
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.origin.settings.only_http2 {
            self.origin.connections.connected();
        }
    }
}

/// The path and the query of a request, however it is addressed.
fn target_of(request: &Request<Outgoing>) -> PathAndQuery {
    match request.uri().path_and_query() {
        Some(target) => target.clone(),
        None => PathAndQuery::from_static("/"),
    }
}

/// The request, if nothing of it was written to a connection that had served before; else the failure.
pub(crate) fn unsent(
    mut error: TrySendError<Request<Outgoing>>,
    reused: bool,
) -> Result<Request<Outgoing>, ClientError> {
    match error.take_message() {
        Some(request) if reused => Ok(request),
        _ => Err(ClientError::from_hyper(error.into_error())),
    }
}

/// Drives a connection to its end. Whoever sends on it hears of its failure.
fn spawn(connection: impl Future<Output = Result<(), hyper::Error>> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection failed");
        }
    });
}
