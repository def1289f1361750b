//! Certificates of clients: who is asked for one, and what it must be.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use portcullis_auth::mtls::{self, Truststore};
use portcullis_core::ClientCertificate;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::error::TlsError;

/// What is asked of clients that connect: a certificate that a truststore vouches for (feature `mtls`).
///
/// ```
/// use portcullis::serve::{ClientCertificates, TlsConfig};
///
/// // For connections to this name alone; others are asked for nothing.
/// let tls = TlsConfig::from_files("cert.pem", "key.pem")
///     .client_certificates_for("api.example.com", ClientCertificates::from_file("clients-ca.pem"));
/// # let _ = tls;
/// ```
#[derive(Clone)]
#[must_use]
pub struct ClientCertificates {
    source: Source,
    optional: bool,
}

#[derive(Clone)]
enum Source {
    File(PathBuf),
    Truststore(Truststore),
}

impl ClientCertificates {
    /// With the truststore in this PEM file, which is read again whenever the server's certificate is.
    pub fn from_file(truststore: impl Into<PathBuf>) -> Self {
        Self {
            source: Source::File(truststore.into()),
            optional: false,
        }
    }

    /// With this truststore.
    pub const fn new(truststore: Truststore) -> Self {
        Self {
            source: Source::Truststore(truststore),
            optional: false,
        }
    }

    /// Takes clients without a certificate, too. One that is not good ends the handshake all the same.
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    pub(super) fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let truststore = match &self.source {
            Source::File(path) => Truststore::from_file(path)
                .map_err(|error| TlsError::because("the truststore cannot be used", error))?,
            Source::Truststore(truststore) => truststore.clone(),
        };
        let unusable = |error: &dyn fmt::Display| {
            TlsError::because("the truststore cannot be used", error.to_string())
        };
        let mut roots = RootCertStore::empty();
        for der in truststore.certificates() {
            let certificate = CertificateDer::from(der.to_vec());
            roots.add(certificate).map_err(|error| unusable(&error))?;
        }
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let builder = if self.optional {
            builder.allow_unauthenticated()
        } else {
            builder
        };
        builder.build().map_err(|error| unusable(&error))
    }
}

impl fmt::Debug for ClientCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ClientCertificates");
        match &self.source {
            Source::File(path) => debug.field("truststore", path),
            Source::Truststore(truststore) => debug.field("truststore", truststore),
        };
        debug.field("optional", &self.optional).finish()
    }
}

/// The certificate that the client showed, which was found good.
pub(super) fn shown(connection: &rustls::ServerConnection) -> Option<Arc<ClientCertificate>> {
    let certificate = connection.peer_certificates()?.first()?;
    match mtls::read(certificate) {
        Ok(certificate) => Some(Arc::new(certificate)),
        Err(error) => {
            tracing::warn!(%error, "a client's certificate was found good and says nothing");
            None
        }
    }
}
