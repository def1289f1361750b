//! The client and its builder.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use portcullis_core::Body;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, ServerName};
use serde::Deserialize;

use crate::body::{Outgoing, Slot};
use crate::connector::Connector;
use crate::error::{ClientConfigError, ClientError};
use crate::origin::Settings;
use crate::pool::Pool;
use crate::response::ResponseBody;
use crate::sending::{SendFuture, Sending, Sent};
use crate::tls::TlsSettings;
use crate::upstream_pool::Manner;
use crate::upstreams::{Kind, Upstream, Upstreams};

/// Sends requests. Clones share one pool of connections.
///
/// See the [crate docs](crate) for an example.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    route: Route,
    verify: bool,
    protocol: HttpProtocol,
}

struct Shared {
    options: ClientBuilder,
    tls: Arc<TlsSettings>,
    /// One for each way to connect, made when it is first used: verified or not, by each protocol.
    pools: [OnceLock<Pool>; 6],
    /// The same with connections of their own, by the name that certificates must have.
    named: Mutex<HashMap<ServerName<'static>, Arc<Self>>>,
}

/// Where requests go.
#[derive(Clone, Debug)]
enum Route {
    /// Where their URIs say, with exceptions.
    ByUri(Arc<Upstreams>),
    /// All to the same place.
    Through(Upstream),
}

/// What is spoken with an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::exhaustive_enums,
    reason = "HTTP/3 would be another kind of connection"
)]
pub enum HttpProtocol {
    /// HTTP/1.1 in the clear, and over TLS what the endpoint chooses.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 from the first byte, also in the clear.
    Http2,
}

/// Builds a [`Client`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientBuilder {
    connect_timeout: Duration,
    idle_timeout: Duration,
    max_idle: usize,
    roots: Vec<CertificateDer<'static>>,
    upstreams: Upstreams,
    server_name: Option<ServerName<'static>>,
}

impl Client {
    /// Starts to build a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(90),
            max_idle: 1024,
            roots: Vec::new(),
            upstreams: Upstreams::default(),
            server_name: None,
        }
    }

    /// A client of the same settings that speaks HTTP/2 from the first byte, also in the clear.
    #[must_use]
    pub fn with_http2_prior_knowledge(&self) -> Self {
        Self {
            protocol: HttpProtocol::Http2,
            ..self.clone()
        }
    }

    /// A client of the same settings that believes any certificate, and so is open to whoever sits in between. It has
    /// connections of its own: none of them ever serves a client that verifies.
    #[must_use]
    pub fn dangerous_without_verification(&self) -> Self {
        Self {
            verify: false,
            ..self.clone()
        }
    }

    /// A client of the same settings whose endpoints must all have certificates for this name, whatever their hosts are called. It has
    /// connections of its own, which clients of the same name share.
    ///
    /// # Errors
    ///
    /// If it is neither a DNS name nor an IP address.
    pub fn with_server_name(&self, name: &str) -> Result<Self, ClientConfigError> {
        match ServerName::try_from(name.to_owned()) {
            Ok(name) => Ok(self.named(Some(&name))),
            Err(error) => Err(ClientConfigError(format!("server_name `{name}`: {error}"))),
        }
    }

    /// The same; `None` changes nothing.
    pub(crate) fn named(&self, name: Option<&ServerName<'static>>) -> Self {
        let Some(name) = name else {
            return self.clone();
        };
        let mut known = self
            .shared
            .named
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let shared = known.entry(name.clone()).or_insert_with(|| {
            Arc::new(Shared::new(
                ClientBuilder {
                    server_name: Some(name.clone()),
                    ..self.shared.options.clone()
                },
                Arc::clone(&self.shared.tls),
            ))
        });
        Self {
            shared: Arc::clone(shared),
            ..self.clone()
        }
    }

    /// A client of the same settings and connections, with these overrides instead of its own.
    #[must_use]
    pub fn with_upstreams(&self, upstreams: Upstreams) -> Self {
        Self {
            route: Route::ByUri(Arc::new(upstreams)),
            ..self.clone()
        }
    }

    /// A client of the same settings and connections that sends every request to the same place, whatever origin its URI has. That
    /// becomes the `Host`.
    #[must_use]
    pub fn through(&self, upstream: Upstream) -> Self {
        Self {
            route: Route::Through(upstream),
            ..self.clone()
        }
    }

    /// The overrides that it has; none if all its requests go [to the same place](Self::through).
    #[must_use]
    pub fn upstreams(&self) -> Option<&Upstreams> {
        match &self.route {
            Route::ByUri(upstreams) => Some(upstreams),
            Route::Through(_) => None,
        }
    }

    /// Sends a request to the origin in its URI, or to what stands in for it.
    ///
    /// The request is framed from its body; headers that speak of the connection or the framing are taken out. (`TE: trailers`
    /// stays, and `Upgrade` and `Trailer`, which mean nothing without the others.) Without a `Host`, the URI's is sent.
    /// Where a connection is free, the request is on its way before the future is polled. Dropping the future drops the
    /// request, and its connection if it speaks HTTP/1.1.
    ///
    /// # Errors
    ///
    /// If no answer came. [`ClientError::kind`] says why.
    pub fn send(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<ResponseBody>, ClientError>> + Send + use<> {
        self.route_and_send(request, None, false)
    }

    /// The same, for a caller who drops the future once it is `until`. So a [pool](crate::UpstreamPool) knows the target that did not answer
    /// in time from the caller that has left.
    ///
    /// # Errors
    ///
    /// Like [`send`](Self::send).
    pub fn send_until(
        &self,
        request: Request<Body>,
        until: Instant,
    ) -> impl Future<Output = Result<Response<ResponseBody>, ClientError>> + Send + use<> {
        self.route_and_send(request, Some(until), false)
    }

    /// The same for a request that asks for another protocol, such as `websocket`: it speaks HTTP/1.1, and its `Upgrade` counts. An answer with
    /// the status 101 is for [`hyper::upgrade::on`].
    ///
    /// # Errors
    ///
    /// Like [`send`](Self::send).
    pub fn send_upgrade(
        &self,
        request: Request<Body>,
        until: Instant,
    ) -> impl Future<Output = Result<Response<ResponseBody>, ClientError>> + Send + use<> {
        self.route_and_send(request, Some(until), true)
    }

    fn route_and_send(
        &self,
        mut request: Request<Body>,
        until: Option<Instant>,
        upgrading: bool,
    ) -> SendFuture<impl Future<Output = Sent> + use<>> {
        let upstream = match &self.route {
            Route::ByUri(upstreams) => upstreams.find(request.uri()),
            Route::Through(upstream) => Some(upstream),
        };
        match upstream.map(|upstream| &upstream.0) {
            None => {}
            Some(Kind::Origin(target)) => target.apply(&mut request),
            Some(Kind::Pool(pool)) => {
                let manner = Manner {
                    verify: self.verify,
                    protocol: self.protocol,
                    server_name: self.shared.options.server_name.clone(),
                    until: until.map(tokio::time::Instant::from_std),
                    upgrading,
                };
                let sending = Sending::elsewise(pool.clone().send_so(request, manner));
                return SendFuture {
                    sending,
                    slot: None,
                };
            }
        }
        self.send_direct(request, upgrading)
    }

    /// Sends a request to the origin in its URI.
    pub(crate) fn send_direct(
        &self,
        mut request: Request<Body>,
        upgrading: bool,
    ) -> SendFuture<impl Future<Output = Sent> + use<>> {
        prepare(request.headers_mut());
        let mut protocol = self.protocol;
        if upgrading {
            let upgrade = HeaderValue::from_static("upgrade");
            request.headers_mut().insert(CONNECTION, upgrade);
            // A stream of HTTP/2 is upgraded in another way (RFC 8441), which few endpoints know.
            protocol = HttpProtocol::Http1;
        }
        // The version of the caller's own request means nothing to this connection.
        *request.version_mut() = Version::HTTP_11;
        // Methods that give a body its meaning say so when there is none (RFC 9110, 8.6).
        let expects_body = matches!(
            *request.method(),
            Method::POST | Method::PUT | Method::PATCH
        );
        if expects_body && http_body::Body::size_hint(request.body()).exact() == Some(0) {
            let none = HeaderValue::from_static("0");
            request.headers_mut().insert(CONTENT_LENGTH, none);
        }
        let slot = Slot::of(request.body());
        let sending = match self.pool(protocol).origin(request.uri()) {
            Ok(origin) => origin.send(request.map(|body| Outgoing::new(body, slot.clone()))),
            Err(error) => Sending::Failed { error: Some(error) },
        };
        SendFuture { sending, slot }
    }

    fn pool(&self, protocol: HttpProtocol) -> &Pool {
        let kind = match protocol {
            HttpProtocol::Auto => 0,
            HttpProtocol::Http1 => 1,
            HttpProtocol::Http2 => 2,
        };
        let index = usize::from(self.verify) + 2 * kind;
        self.shared.pools[index].get_or_init(|| {
            let options = &self.shared.options;
            Pool::new(Settings {
                connector: Connector::new(
                    options.connect_timeout,
                    Arc::clone(&self.shared.tls),
                    self.verify,
                    protocol,
                    options.server_name.clone(),
                ),
                only_http2: protocol == HttpProtocol::Http2,
                idle_timeout: options.idle_timeout,
                max_idle: options.max_idle,
            })
        })
    }

    /// A client for the targets of a pool: it goes where it is told, and with a timeout of its own it has connections of its own.
    pub(crate) fn for_pool(
        &self,
        protocol: HttpProtocol,
        connect_timeout: Option<Duration>,
    ) -> Self {
        let shared = match connect_timeout {
            None => Arc::clone(&self.shared),
            Some(connect_timeout) => Arc::new(Shared::new(
                ClientBuilder {
                    connect_timeout,
                    ..self.shared.options.clone()
                },
                Arc::clone(&self.shared.tls),
            )),
        };
        Self {
            shared,
            route: Route::ByUri(Arc::default()),
            verify: self.verify,
            protocol,
        }
    }

    /// Believes any certificate unless it is to verify them. What believes any stays so.
    pub(crate) fn verifying(&self, verify: bool) -> Self {
        Self {
            verify: self.verify && verify,
            ..self.clone()
        }
    }

    pub(crate) fn speaking(mut self, protocol: HttpProtocol) -> Self {
        self.protocol = protocol;
        self
    }

    pub(crate) const fn protocol(&self) -> HttpProtocol {
        self.protocol
    }
}

impl Shared {
    fn new(options: ClientBuilder, tls: Arc<TlsSettings>) -> Self {
        Self {
            options,
            tls,
            pools: Default::default(),
            named: Mutex::default(),
        }
    }
}

/// What speaks of the connection or the framing.
static FRAMING: [HeaderName; 6] = [
    CONNECTION,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
];

fn prepare(headers: &mut HeaderMap) {
    // Callers have taken most of it out as a rule, and one walk finds out for less than a look-up of each.
    let is_framing = |name: &HeaderName| {
        matches!(
            name.as_str(),
            "connection"
                | "content-length"
                | "transfer-encoding"
                | "keep-alive"
                | "proxy-connection"
                | "http2-settings"
                | "te"
        )
    };
    if !headers.keys().any(is_framing) {
        return;
    }
    for name in &FRAMING {
        headers.remove(name);
    }
    if headers.get(TE).is_some_and(|te| te != "trailers") {
        headers.remove(TE);
    }
}

impl Default for Client {
    /// A client with the default settings.
    fn default() -> Self {
        Self::builder().finish()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("options", &self.shared.options)
            .field("verify", &self.verify)
            .field("protocol", &self.protocol)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// How long name resolution, connection and handshake may take together. The default is 10 s.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long an unused connection is kept. The default is 90 s.
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How many unused connections are kept for one origin. The default is 1,024.
    pub const fn max_idle_per_host(mut self, connections: usize) -> Self {
        self.max_idle = connections;
        self
    }

    /// Believes this authority, too: a certificate in DER.
    pub fn root_certificate(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.roots.push(CertificateDer::from(der.into()));
        self
    }

    /// Sends what is meant for some origins to others.
    pub fn upstreams(mut self, upstreams: Upstreams) -> Self {
        self.upstreams = upstreams;
        self
    }

    /// Builds the client. Nothing is connected yet, and the platform's roots are not read yet.
    ///
    /// # Errors
    ///
    /// If the connect timeout is zero, or an added root is not a certificate.
    pub fn build(self) -> Result<Client, ClientConfigError> {
        if self.connect_timeout.is_zero() {
            return Err(ClientConfigError("connect_timeout is zero".into()));
        }
        for (index, root) in self.roots.iter().enumerate() {
            RootCertStore::empty()
                .add(root.clone())
                .map_err(|error| ClientConfigError(format!("root_certificate {index}: {error}")))?;
        }
        Ok(self.finish())
    }

    fn finish(mut self) -> Client {
        let tls = Arc::new(TlsSettings {
            roots: self.roots.clone(),
        });
        let upstreams = Arc::new(std::mem::take(&mut self.upstreams));
        Client {
            shared: Arc::new(Shared::new(self, tls)),
            route: Route::ByUri(upstreams),
            verify: true,
            protocol: HttpProtocol::Auto,
        }
    }
}
