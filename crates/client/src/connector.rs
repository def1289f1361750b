//! Connections: names, sockets, TLS.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::TokioIo;
use portcullis_core::BoxError;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::client::HttpProtocol;
use crate::error::ClientErrorKind;
use crate::tls::TlsSettings;

/// Makes the connections of one pool.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: Tcp,
    timeout: Duration,
    tls: Arc<LazyTls>,
}

/// The TLS set-up, made when the first encrypted connection is: reading the platform's roots takes
/// a while, and many gateways never need them.
struct LazyTls {
    settings: Arc<TlsSettings>,
    verify: bool,
    protocol: HttpProtocol,
    /// The name that certificates must have instead of their hosts'.
    server_name: Option<ServerName<'static>>,
    config: OnceLock<Result<Arc<ClientConfig>, String>>,
}

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

impl Connector {
    pub(crate) fn new(
        timeout: Duration,
        settings: Arc<TlsSettings>,
        verify: bool,
        protocol: HttpProtocol,
        server_name: Option<ServerName<'static>>,
    ) -> Self {
        let mut http = HttpConnector::new_with_resolver(Resolver(GaiResolver::new()));
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(timeout));
        http.set_keepalive(Some(Duration::from_secs(60)));
        Self {
            tcp: Tcp { http },
            timeout,
            tls: Arc::new(LazyTls {
                settings,
                verify,
                protocol,
                server_name,
                config: OnceLock::new(),
            }),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // One box for each connection, not for each request.
        let mut tcp = self.tcp.clone();
        let tls = Arc::clone(&self.tls);
        let timeout = self.timeout;
        Box::pin(async move {
            let connect = async move {
                if uri.scheme_str() == Some("https") {
                    let config = match tls.ready() {
                        Some(config) => config,
                        // Reading the platform's roots is work for a thread that may block.
                        None => {
                            let tls = Arc::clone(&tls);
                            tokio::task::spawn_blocking(move || tls.config()).await?
                        }
                    }?;
                    let mut encrypted = match tls.server_name.clone() {
                        None => HttpsConnector::from((tcp, config)),
                        Some(name) => {
                            let name = Arc::new(FixedServerNameResolver::new(name));
                            HttpsConnector::new(tcp, config, false, name)
                        }
                    };
                    encrypted.call(uri).await
                } else {
                    Ok(MaybeHttpsStream::Http(tcp.call(uri).await?))
                }
            };
            match tokio::time::timeout(timeout, connect).await {
                Ok(connected) => connected,
                Err(elapsed) => Err(ConnectFailure::new(ClientErrorKind::Timeout, elapsed).into()),
            }
        })
    }
}

impl LazyTls {
    fn ready(&self) -> Option<Result<Arc<ClientConfig>, BoxError>> {
        self.config.get().map(Self::share)
    }

    fn share(config: &Result<Arc<ClientConfig>, String>) -> Result<Arc<ClientConfig>, BoxError> {
        match config {
            Ok(config) => Ok(Arc::clone(config)),
            Err(message) => Err(message.clone().into()),
        }
    }

    fn config(&self) -> Result<Arc<ClientConfig>, BoxError> {
        Self::share(self.config.get_or_init(|| {
            let mut config = self
                .settings
                .client_config(self.verify)
                .map_err(|error| error.to_string())?;
            let offered: &[&[u8]] = match self.protocol {
                HttpProtocol::Auto => &[b"h2", b"http/1.1"],
                HttpProtocol::Http1 => &[b"http/1.1"],
                HttpProtocol::Http2 => &[b"h2"],
            };
            config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
            Ok(Arc::new(config))
        }))
    }
}

/// TCP with errors that say what happened.
#[derive(Clone)]
struct Tcp {
    http: HttpConnector<Resolver>,
}

impl Service<Uri> for Tcp {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectFailure;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<TcpStream>, ConnectFailure>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectFailure>> {
        self.http.poll_ready(cx).map_err(tcp_failure)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connect = self.http.call(uri);
        Box::pin(async move { connect.await.map_err(tcp_failure) })
    }
}

fn tcp_failure(error: impl Error + Send + Sync + 'static) -> ConnectFailure {
    // Without a cause, the connector did not like the URI.
    let mut kind = ClientErrorKind::Address;
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<DnsError>() {
            kind = ClientErrorKind::Dns;
            break;
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            kind = match error.kind() {
                io::ErrorKind::ConnectionRefused => ClientErrorKind::Refused,
                io::ErrorKind::TimedOut => ClientErrorKind::Timeout,
                _ => ClientErrorKind::Connect,
            };
            break;
        }
        cause = error.source();
    }
    ConnectFailure::new(kind, error)
}

/// A failure to connect, with its kind.
#[derive(Debug)]
pub(crate) struct ConnectFailure {
    kind: ClientErrorKind,
    source: BoxError,
}

impl ConnectFailure {
    fn new(kind: ClientErrorKind, source: impl Into<BoxError>) -> Self {
        Self {
            kind,
            source: source.into(),
        }
    }

    pub(crate) const fn kind(&self) -> ClientErrorKind {
        self.kind
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot connect")
    }
}

impl Error for ConnectFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// The system's resolver, with an error of our own so that it can be told from others.
#[derive(Clone)]
struct Resolver(GaiResolver);

#[derive(Debug)]
struct DnsError(io::Error);

impl fmt::Display for DnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for DnsError {}

impl Service<Name> for Resolver {
    type Response = <GaiResolver as Service<Name>>::Response;
    type Error = DnsError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DnsError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), DnsError>> {
        self.0.poll_ready(cx).map_err(DnsError)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolve = self.0.call(name);
        Box::pin(async move { resolve.await.map_err(DnsError) })
    }
}
