//! The client and its builder.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use hyper::body::Incoming;
use portcullis_core::Body;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::body::{Outgoing, Slot};
use crate::connector::Connector;
use crate::error::{ClientConfigError, ClientError};
use crate::origin::Settings;
use crate::pool::Pool;
use crate::sending::{SendFuture, Sending};
use crate::tls::TlsSettings;
use crate::upstreams::Upstreams;

/// Sends requests. Clones share one pool of connections.
///
/// See the [crate docs](crate) for an example.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    verify: bool,
    prior_knowledge: bool,
}

struct Shared {
    options: ClientBuilder,
    tls: Arc<TlsSettings>,
    /// One for each way to connect, made when it is first used: verified or not, HTTP/2 without asking or not.
    pools: [OnceLock<Pool>; 4],
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
        }
    }

    /// A client of the same settings that speaks HTTP/2 from the first byte, also in the clear.
    #[must_use]
    pub fn with_http2_prior_knowledge(&self) -> Self {
        Self {
            prior_knowledge: true,
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
        mut request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Incoming>, ClientError>> + Send + use<> {
        prepare(request.headers_mut());
        // The version of the caller's own request means nothing to this connection.
        *request.version_mut() = Version::HTTP_11;
        self.shared.options.upstreams.apply(&mut request);
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
        let sending = match self.pool().origin(request.uri()) {
            Ok(origin) => origin.send(request.map(|body| Outgoing::new(body, slot.clone()))),
            Err(error) => Sending::Failed { error: Some(error) },
        };
        SendFuture { sending, slot }
    }

    fn pool(&self) -> &Pool {
        let index = usize::from(self.verify) + 2 * usize::from(self.prior_knowledge);
        self.shared.pools[index].get_or_init(|| {
            let options = &self.shared.options;
            Pool::new(Settings {
                connector: Connector::new(
                    options.connect_timeout,
                    Arc::clone(&self.shared.tls),
                    self.verify,
                    self.prior_knowledge,
                ),
                only_http2: self.prior_knowledge,
                idle_timeout: options.idle_timeout,
                max_idle: options.max_idle,
            })
        })
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
            .field("prior_knowledge", &self.prior_knowledge)
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

    fn finish(self) -> Client {
        let tls = Arc::new(TlsSettings {
            roots: self.roots.clone(),
        });
        Client {
            shared: Arc::new(Shared {
                options: self,
                tls,
                pools: Default::default(),
            }),
            verify: true,
            prior_knowledge: false,
        }
    }
}
