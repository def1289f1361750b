//! The authorities that vouch for clients.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::ConfigError;

/// The bytes and certificates that a truststore may have, as in the service.
const MAX_BYTES: usize = 1024 * 1024;
const MAX_CERTIFICATES: usize = 1000;

/// The authorities that vouch for clients: a PEM file, as custom domains have it. Cheap to clone.
///
/// ```no_run
/// use portcullis_auth::mtls::Truststore;
///
/// let truststore = Truststore::from_file("clients-ca.pem")?;
/// # Ok::<(), portcullis_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Truststore {
    certificates: Arc<[CertificateDer<'static>]>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Truststore {
    /// Reads a PEM file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, and those of [`from_pem`](Self::from_pem).
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let pem = std::fs::read(path).map_err(|error| {
            ConfigError::new(&*name, error.to_string(), "name a PEM file of certificates")
        })?;
        Self::read(&pem, &name)
    }

    /// Takes the certificates in a PEM text.
    ///
    /// # Errors
    ///
    /// If it is no PEM, holds none, more than 1,000 or more than 1 MiB of them, or one that cannot be an authority's.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::read(pem.as_ref(), "truststore")
    }

    fn read(pem: &[u8], name: &str) -> Result<Self, ConfigError> {
        let wrong = |problem: String| {
            let fix = "give the certificates of authorities in PEM, 1,000 and 1 MiB at most";
            ConfigError::new(name, problem, fix)
        };
        if pem.len() > MAX_BYTES {
            return Err(wrong("has more than 1 MiB".to_owned()));
        }
        let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|error| wrong(format!("is not PEM: {error}")))?;
        if certificates.is_empty() || certificates.len() > MAX_CERTIFICATES {
            return Err(wrong(format!("holds {} certificates", certificates.len())));
        }
        let mut roots = RootCertStore::empty();
        for (index, certificate) in certificates.iter().enumerate() {
            roots.add(certificate.clone()).map_err(|error| {
                wrong(format!(
                    "has a certificate that cannot be used, number {}: {error}",
                    index + 1
                ))
            })?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Ok(Self {
            certificates: certificates.into(),
            verifier: verifier.map_err(|error| wrong(error.to_string()))?,
        })
    }

    /// The certificates of the authorities, in DER.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates
            .iter()
            .map(|certificate| certificate.as_ref())
    }

    /// Whether it vouches for the certificate of a client, given in DER, at the time `now`.
    #[must_use]
    pub fn vouches_for(&self, der: &[u8], now: SystemTime) -> bool {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let end_entity = CertificateDer::from(der);
        self.verifier
            .verify_client_cert(
                &end_entity,
                &self.certificates,
                UnixTime::since_unix_epoch(since),
            )
            .is_ok()
    }
}

impl fmt::Debug for Truststore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Truststore({} certificates)", self.certificates.len())
    }
}
