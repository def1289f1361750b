//! The client and its builder.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use pin_project_lite::pin_project;
use portcullis_core::Body;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::body::{Outgoing, Slot};
use crate::connector::Connector;
use crate::error::{ClientConfigError, ClientError, ClientErrorKind};
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

type Pool = legacy::Client<Connector, Outgoing>;

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
    /// Dropping the future drops the request, and its connection if it speaks HTTP/1.1.
    pub fn send(&self, mut request: Request<Body>) -> SendFuture {
        prepare(request.headers_mut());
        // The version of the caller's own request means nothing to this connection.
        *request.version_mut() = Version::HTTP_11;
        let (mut parts, body) = request.into_parts();
        self.shared
            .options
            .upstreams
            .apply(&mut parts.uri, &mut parts.headers);
        // Methods that give a body its meaning say so when there is none (RFC 9110, 8.6).
        let expects_body = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
        if expects_body && http_body::Body::size_hint(&body).exact() == Some(0) {
            parts
                .headers
                .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let (body, slot) = Outgoing::new(body);
        SendFuture {
            inner: self.pool().request(Request::from_parts(parts, body)),
            slot,
        }
    }

    fn pool(&self) -> &Pool {
        let index = usize::from(self.verify) + 2 * usize::from(self.prior_knowledge);
        self.shared.pools[index].get_or_init(|| {
            let options = &self.shared.options;
            let connector = Connector::new(
                options.connect_timeout,
                Arc::clone(&self.shared.tls),
                self.verify,
                self.prior_knowledge,
            );
            legacy::Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .timer(TokioTimer::new())
                .pool_idle_timeout(options.idle_timeout)
                .pool_max_idle_per_host(options.max_idle)
                .http2_only(self.prior_knowledge)
                .http2_adaptive_window(true)
                .build(connector)
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

/// What TLS needs to know.
pub(crate) struct TlsSettings {
    roots: Vec<CertificateDer<'static>>,
}

impl TlsSettings {
    pub(crate) fn client_config(&self, verify: bool) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        if !verify {
            return Ok(builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(BelieveAnything { provider }))
                .with_no_client_auth());
        }
        let mut roots = RootCertStore::empty();
        for root in &self.roots {
            roots.add(root.clone())?;
        }
        roots.add_parsable_certificates(platform_roots().iter().cloned());
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

/// The platform's roots, read once in the life of the process.
fn platform_roots() -> &'static [CertificateDer<'static>] {
    static ROOTS: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "cannot read a root certificate of the platform");
        }
        if found.certs.is_empty() {
            tracing::warn!("the platform has no root certificates");
        }
        found.certs
    })
}

/// For integrations that say `insecureSkipVerification`.
#[derive(Debug)]
struct BelieveAnything {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for BelieveAnything {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let schemes = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let schemes = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

pin_project! {
    /// The future of [`Client::send`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct SendFuture {
        #[pin]
        inner: legacy::ResponseFuture,
        slot: Option<Slot>,
    }
}

impl Future for SendFuture {
    type Output = Result<Response<Incoming>, ClientError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        Poll::Ready(ready!(this.inner.poll(cx)).map_err(|error| {
            match this.slot.as_ref().and_then(Slot::take) {
                Some(own) => ClientError::new(ClientErrorKind::RequestBody, own),
                None => ClientError::from_hyper(error),
            }
        }))
    }
}
