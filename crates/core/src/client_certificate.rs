//! The certificate by which a client proved who it is.

/// The certificate of a client under mutual TLS: `$context.identity.clientCert`.
///
/// A listener puts it into [`Tls`](crate::Tls), or a layer that reads it from the header of a trusted proxy into the
/// [`RequestContext`](crate::RequestContext). Either has checked it: nothing here says by whose word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientCertificate {
    /// The certificate in PEM. (`clientCertPem`)
    pub pem: String,
    /// Whose it is, as RFC 4514 writes names: `CN=alice,O=Example`. (`subjectDN`)
    pub subject_dn: String,
    /// Who issued it. (`issuerDN`)
    pub issuer_dn: String,
    /// Its number in hexadecimal, in pairs with colons between: `0a:1b`. (`serialNumber`)
    pub serial_number: String,
    /// From when on it holds: `May 28 12:30:02 2019 GMT`. (`validity.notBefore`)
    pub not_before: String,
    /// Until when. (`validity.notAfter`)
    pub not_after: String,
}

/// A member of a [`ClientCertificate`], by its name below `$context.identity.clientCert`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CertificateField {
    Pem,
    SubjectDn,
    IssuerDn,
    SerialNumber,
    NotBefore,
    NotAfter,
}

impl ClientCertificate {
    pub(crate) fn field(&self, field: CertificateField) -> &str {
        match field {
            CertificateField::Pem => &self.pem,
            CertificateField::SubjectDn => &self.subject_dn,
            CertificateField::IssuerDn => &self.issuer_dn,
            CertificateField::SerialNumber => &self.serial_number,
            CertificateField::NotBefore => &self.not_before,
            CertificateField::NotAfter => &self.not_after,
        }
    }
}
