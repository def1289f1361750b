//! Certificates, keys and what was agreed on with a client.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use portcullis_core::Tls;
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::Acceptor;
use rustls::server::danger::ClientCertVerifier;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

#[cfg(feature = "mtls")]
use super::clients::ClientCertificates;
use super::error::TlsError;

/// Where a server's certificate and its key come from.
///
/// Both are PEM: the certificate first and then the rest of its chain, and one private key.
#[derive(Clone)]
pub struct TlsConfig {
    source: Source,
    /// By the name that they connect to; without one, of all.
    #[cfg(feature = "mtls")]
    clients: Vec<(Option<String>, Option<ClientCertificates>)>,
}

#[derive(Clone)]
enum Source {
    Files { certificate: PathBuf, key: PathBuf },
    Pem { certificate: Vec<u8>, key: Vec<u8> },
}

impl TlsConfig {
    /// Reads both from files, again with each [`Handle::reload_tls`](super::Handle::reload_tls).
    #[must_use]
    pub fn from_files(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            source: Source::Files {
                certificate: certificate.into(),
                key: key.into(),
            },
            #[cfg(feature = "mtls")]
            clients: Vec::new(),
        }
    }

    /// Takes the text of both.
    #[must_use]
    pub fn from_pem(certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self {
            source: Source::Pem {
                certificate: certificate.into(),
                key: key.into(),
            },
            #[cfg(feature = "mtls")]
            clients: Vec::new(),
        }
    }

    /// Asks every client for a certificate (mutual TLS, feature `mtls`). The handshake fails without a good one; what it says is in the
    /// [`Connection`](portcullis_core::Connection) of each request.
    #[cfg(feature = "mtls")]
    #[must_use]
    pub fn client_certificates(mut self, clients: ClientCertificates) -> Self {
        self.clients.push((None, Some(clients)));
        self
    }

    /// Asks the clients that connect to this name (by SNI; the first label may be `*`) for a certificate. A request can name another host than its
    /// connection did: whoever relies on the certificate looks at both, as a gateway does for domains with `mutualTlsAuthentication`.
    #[cfg(feature = "mtls")]
    #[must_use]
    pub fn client_certificates_for(
        mut self,
        name: impl Into<String>,
        clients: ClientCertificates,
    ) -> Self {
        let name = name.into().to_ascii_lowercase();
        self.clients.push((Some(name), Some(clients)));
        self
    }

    /// Asks the clients that connect to this name for nothing, whatever holds for others.
    #[cfg(feature = "mtls")]
    #[must_use]
    pub fn no_client_certificates_for(mut self, name: impl Into<String>) -> Self {
        let name = name.into().to_ascii_lowercase();
        self.clients.push((Some(name), None));
        self
    }

    /// Reads the files, if they are files, and checks that certificate and key belong together.
    pub(super) fn load(&self) -> Result<Loaded, TlsError> {
        let (certificate, key, names) = match &self.source {
            Source::Files { certificate, key } => {
                let read = |path: &PathBuf| {
                    std::fs::read(path).map_err(|error| {
                        TlsError::because(format!("cannot read `{}`", path.display()), error)
                    })
                };
                let names = (certificate.display().to_string(), key.display().to_string());
                (read(certificate)?, read(key)?, names)
            }
            Source::Pem { certificate, key } => {
                let names = ("the certificate".to_owned(), "the key".to_owned());
                (certificate.clone(), key.clone(), names)
            }
        };
        let chain = CertificateDer::pem_slice_iter(&certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| TlsError::because(format!("`{}` is not PEM", names.0), error))?;
        if chain.is_empty() {
            return Err(TlsError::new(format!("`{}` holds no certificate", names.0)));
        }
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| match error {
            pem::Error::NoItemsFound => {
                TlsError::new(format!("`{}` holds no private key", names.1))
            }
            error => TlsError::because(format!("`{}` is not PEM", names.1), error),
        })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = |clients: Option<Arc<dyn ClientCertVerifier>>| {
            let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions();
            let config = builder.and_then(|builder| {
                let builder = match clients {
                    Some(clients) => builder.with_client_cert_verifier(clients),
                    None => builder.with_no_client_auth(),
                };
                builder.with_single_cert(chain.clone(), key.clone_key())
            });
            let mut config = config.map_err(|error| {
                TlsError::because(
                    format!("`{}` and `{}` cannot be used", names.0, names.1),
                    error,
                )
            })?;
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            Ok(Arc::new(config))
        };
        #[cfg_attr(not(feature = "mtls"), expect(unused_mut, reason = "nobody is asked"))]
        let mut loaded = Loaded {
            all: config(None)?,
            by_name: Vec::new(),
        };
        #[cfg(feature = "mtls")]
        for (name, clients) in &self.clients {
            let clients = clients.as_ref();
            let verifier = clients.map(|clients| clients.verifier(&provider));
            let config = config(verifier.transpose()?)?;
            match name {
                Some(name) => loaded.by_name.push((name.clone(), config)),
                None => loaded.all = config,
            }
        }
        Ok(loaded)
    }
}

/// What is agreed on with clients, by the name that they connect to.
#[derive(Debug)]
pub(super) struct Loaded {
    all: Arc<ServerConfig>,
    by_name: Vec<(String, Arc<ServerConfig>)>,
}

impl Loaded {
    fn of(&self, name: Option<&str>) -> &Arc<ServerConfig> {
        let name = name.map(str::to_ascii_lowercase).unwrap_or_default();
        let own = |pattern: &str| self.by_name.iter().find(|(known, _)| known == pattern);
        let wild = || own(&format!("*.{}", name.split_once('.')?.1));
        own(&name).or_else(wild).map_or(&self.all, |(_, own)| own)
    }

    /// Shakes hands.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        if self.by_name.is_empty() {
            let acceptor = TlsAcceptor::from(Arc::clone(&self.all));
            return acceptor.accept(stream).await;
        }
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let config = Arc::clone(self.of(start.client_hello().server_name()));
        start.into_stream(config).await
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TlsConfig");
        match &self.source {
            Source::Files { certificate, key } => {
                debug.field("certificate", certificate).field("key", key)
            }
            Source::Pem { .. } => debug.field("certificate", &"…").field("key", &"…"),
        };
        #[cfg(feature = "mtls")]
        debug.field("clients", &self.clients);
        debug.finish()
    }
}

/// What was agreed on, in the words of `$context.tlsVersion` and the registry of cipher suites.
pub(super) fn facts(connection: &rustls::ServerConnection) -> Tls {
    let mut tls = Tls::default();
    tls.version = connection.protocol_version().and_then(|version| {
        Some(match version {
            rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2".into(),
            rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3".into(),
            other => other.as_str()?.replace('_', ".").into(),
        })
    });
    tls.cipher_suite = connection.negotiated_cipher_suite().and_then(|suite| {
        // rustls tells the suites of TLS 1.3 from older ones by a number that the registry does not have.
        let name = suite.suite().as_str()?;
        Some(match name.strip_prefix("TLS13_") {
            Some(rest) => format!("TLS_{rest}").into(),
            None => name.into(),
        })
    });
    tls.server_name = connection.server_name().map(Into::into);
    #[cfg(feature = "mtls")]
    {
        tls.client_certificate = super::clients::shown(connection);
    }
    tls
}
