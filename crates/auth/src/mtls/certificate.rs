//! What a certificate says.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use portcullis_core::ClientCertificate;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate, X509Name};

/// What a certificate in DER says. It is not checked.
///
/// # Errors
///
/// If it is no X.509 certificate.
pub fn read(der: &[u8]) -> Result<ClientCertificate, CertificateError> {
    let (rest, parsed) =
        X509Certificate::from_der(der).map_err(|_| CertificateError::new("it is no X.509"))?;
    if !rest.is_empty() {
        return Err(CertificateError::new("something follows it"));
    }
    let mut certificate = ClientCertificate::default();
    certificate.pem = pem(der);
    certificate.subject_dn = name(parsed.subject());
    certificate.issuer_dn = name(parsed.issuer());
    certificate.serial_number = parsed.raw_serial_as_string();
    let validity = parsed.validity();
    certificate.not_before = date(validity.not_before)?;
    certificate.not_after = date(validity.not_after)?;
    Ok(certificate)
}

fn pem(der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut text = String::with_capacity(encoded.len() + encoded.len() / 64 + 64);
    text.push_str("-----BEGIN CERTIFICATE-----\n");
    for (index, character) in encoded.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str("\n-----END CERTIFICATE-----\n");
    text
}

/// `May 28 12:30:02 2019 GMT`
fn date(time: ASN1Time) -> Result<String, CertificateError> {
    let time = Timestamp::from_second(time.timestamp())
        .map_err(|_| CertificateError::new("its dates are out of range"))?;
    Ok(time.strftime("%b %e %H:%M:%S %Y GMT").to_string())
}

/// The name as RFC 4514 writes it: its last part first.
fn name(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    let parts: Vec<_> = name.iter_rdn().collect();
    for (index, part) in parts.iter().rev().enumerate() {
        if index > 0 {
            text.push(',');
        }
        for (index, attribute) in part.iter().enumerate() {
            if index > 0 {
                text.push('+');
            }
            let id = attribute.attr_type();
            match oid2abbrev(id, oid_registry()) {
                Ok(short) => text.push_str(short),
                Err(_) => text.push_str(&id.to_id_string()),
            }
            text.push('=');
            match attribute.as_str() {
                Ok(value) => escape(value, &mut text),
                // What is no text is written as its bytes.
                Err(_) => {
                    text.push('#');
                    for byte in attribute.as_slice() {
                        text.push_str(&format!("{byte:02x}"));
                    }
                }
            }
        }
    }
    text
}

fn escape(value: &str, text: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.push('\\'),
            ' ' if index == 0 || index == last => text.push('\\'),
            '#' if index == 0 => text.push('\\'),
            '\0' => {
                text.push_str("\\00");
                continue;
            }
            _ => {}
        }
        text.push(character);
    }
}

/// A certificate that cannot be read.
#[derive(Debug)]
pub struct CertificateError {
    problem: &'static str,
}

impl CertificateError {
    pub(super) const fn new(problem: &'static str) -> Self {
        Self { problem }
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificate cannot be read: {}", self.problem)
    }
}

impl std::error::Error for CertificateError {}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn what_means_something_in_a_name_is_escaped() {
        let escaped = |value: &str| {
            let mut text = String::new();
            escape(value, &mut text);
            text
        };
        assert_eq!(
            escaped("James \"Jim\" Smith, III"),
            r#"James \"Jim\" Smith\, III"#
        );
        assert_eq!(escaped(" # "), r"\ #\ ");
        assert_eq!(escaped("#1\0"), r"\#1\00");
        assert_eq!(escaped("CN=x"), "CN=x");
    }
}
