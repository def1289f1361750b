//! Client certificates (mutual TLS): whom a truststore vouches for, and what a certificate says (feature `mtls`).
//!
//! A listener asks for certificates and checks them (`portcullis::serve`), or a proxy does and passes them on in a header:
//!
//! ```
//! use portcullis_auth::mtls::{ClientCertLayer, ProxyHeader};
//! use portcullis_core::TrustedProxies;
//!
//! # fn build() -> Result<ClientCertLayer, Box<dyn std::error::Error>> {
//! // Lets requests through whose connection showed a certificate …
//! let layer = ClientCertLayer::new();
//! // … or that came from this proxy, which says in the header of RFC 9440 that its client did.
//! let proxies = TrustedProxies::new(["10.0.0.0/8".parse()?]);
//! let layer = layer.from_proxies(proxies, ProxyHeader::client_cert());
//! # Ok(layer)
//! # }
//! # build().unwrap();
//! ```
//!
//! # Semantics
//!
//! A [`Truststore`] vouches for a certificate that one of its own issued, directly or over others of them, that holds at the time, and may be used by clients. Signatures are by
//! SHA-256 or better, keys of RSA by 2,048 bits or more. Revocation is not looked at, as in the service: an authorizer can.
//!
//! What a certificate says is in the context: `$context.identity.clientCert.clientCertPem`, `subjectDN`, `issuerDN`, `serialNumber`, `validity.notBefore` and
//! `validity.notAfter`. Events of functions have it, too. Names are written as in RFC 4514, dates like `May 28 12:30:02 2019 GMT`.
//!
//! Whoever shows no certificate where the layer asks for one gets 403 `{"message":"Forbidden"}`. A listener that asks for one refuses in the handshake.

mod certificate;
mod layer;
mod proxy;
mod truststore;

pub use {
    certificate::{CertificateError, read},
    layer::ClientCertLayer,
    proxy::ProxyHeader,
    truststore::Truststore,
};
