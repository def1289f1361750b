//! Certificates in headers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::certificate::CertificateError;

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const X_AMZN_MTLS_CLIENTCERT: HeaderName = HeaderName::from_static("x-amzn-mtls-clientcert");

/// The header in which a proxy passes its client's certificate on. The proxy must take away what its clients send in it.
#[derive(Clone, Debug)]
pub struct ProxyHeader {
    name: HeaderName,
    form: Form,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    /// Base64 of DER between colons (RFC 9440).
    ByteSequence,
    /// PEM in which all but a few characters are percent-encoded.
    EncodedPem,
}

impl ProxyHeader {
    /// `Client-Cert` (RFC 9440).
    #[must_use]
    pub const fn client_cert() -> Self {
        Self {
            name: CLIENT_CERT,
            form: Form::ByteSequence,
        }
    }

    /// `X-Amzn-Mtls-Clientcert`, as an Application Load Balancer passes certificates on.
    #[must_use]
    pub const fn load_balancer() -> Self {
        Self::encoded_pem(X_AMZN_MTLS_CLIENTCERT)
    }

    /// A header with percent-encoded PEM: nginx's `$ssl_client_escaped_cert`, say.
    #[must_use]
    pub const fn encoded_pem(name: HeaderName) -> Self {
        Self {
            name,
            form: Form::EncodedPem,
        }
    }

    /// The header of this name, in the form that it has: RFC 9440's in `Client-Cert`, percent-encoded PEM in all others.
    #[must_use]
    pub fn of(name: HeaderName) -> Self {
        if name == CLIENT_CERT {
            Self::client_cert()
        } else {
            Self::encoded_pem(name)
        }
    }

    /// The name of the header.
    #[must_use]
    pub const fn name(&self) -> &HeaderName {
        &self.name
    }

    /// The certificate in DER; `None` if there is none.
    pub(super) fn certificate(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<Vec<u8>>, CertificateError> {
        let mut values = headers.get_all(&self.name).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(CertificateError::new("there are two"));
        }
        let value = value.as_bytes();
        // A proxy whose client showed none may send the header all the same.
        if value.is_empty() || value == b"-" {
            return Ok(None);
        }
        match self.form {
            Form::ByteSequence => {
                let encoded = value.strip_prefix(b":");
                let encoded = encoded.and_then(|value| value.strip_suffix(b":"));
                let der = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
                der.map(Some)
                    .ok_or_else(|| CertificateError::new("it is no base64 between colons"))
            }
            Form::EncodedPem => {
                let pem: Vec<u8> = percent_decode(value).collect();
                let der = CertificateDer::from_pem_slice(&pem);
                der.map(|der| Some(der.to_vec()))
                    .map_err(|_| CertificateError::new("it is no percent-encoded PEM"))
            }
        }
    }
}
