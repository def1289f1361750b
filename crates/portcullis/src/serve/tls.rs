//! Certificates, keys and what was agreed on with a client.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use portcullis_core::Tls;
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::TlsError;

/// Where a server's certificate and its key come from.
///
/// Both are PEM: the certificate first and then the rest of its chain, and one private key.
#[derive(Clone)]
pub struct TlsConfig {
    source: Source,
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
        }
    }

    /// Reads the files, if they are files, and checks that certificate and key belong together.
    pub(super) fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
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
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| {
                TlsError::because(
                    format!("`{}` and `{}` cannot be used", names.0, names.1),
                    error,
                )
            })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
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
        }
        .finish()
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
    tls
}
