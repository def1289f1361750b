//! Client certificates: what they say, who vouches for them, and how a proxy passes them on.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portcullis_auth::mtls::{ClientCertLayer, ProxyHeader, Truststore, read};
use portcullis_core::{
    ClientCertificate, Connection, ManualClock, Rejection, RequestContext, Tls, TrustedProxies,
};
use portcullis_testkit::request as testkit;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, SerialNumber,
    date_time_ymd,
};
use tower::{Layer, ServiceExt, service_fn};

/// 2026-06-01
const NOW: u64 = 1_780_272_000;

struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "DE");
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Authority {
        certificate,
        issuer: Issuer::new(params, key),
    }
}

fn client(authority: &Authority, (from, until): (i32, i32)) -> Certificate {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let name = &mut params.distinguished_name;
    name.push(DnType::CountryName, "DE");
    name.push(DnType::OrganizationName, "Dogs, Cats & Co.");
    name.push(DnType::CommonName, "tom");
    params.serial_number = Some(SerialNumber::from_slice(&[0x0a, 0x1b, 0xff]));
    params.not_before = date_time_ymd(from, 5, 28);
    params.not_after = date_time_ymd(until, 5, 3);
    params
        .signed_by(&KeyPair::generate().unwrap(), &authority.issuer)
        .unwrap()
}

fn good(authority: &Authority) -> Certificate {
    client(authority, (2019, 2030))
}

fn truststore(authority: &Authority) -> Truststore {
    Truststore::from_pem(authority.certificate.pem()).unwrap()
}

#[test]
fn a_certificate_says_who_it_is_as_the_service_has_it() {
    let certificate = good(&authority("Pets, \"root\""));
    let said = read(certificate.der()).unwrap();
    assert_eq!(said.subject_dn, r"CN=tom,O=Dogs\, Cats & Co.,C=DE");
    assert_eq!(said.issuer_dn, r#"CN=Pets\, \"root\",C=DE"#);
    assert_eq!(said.serial_number, "0a:1b:ff");
    assert_eq!(said.not_before, "May 28 00:00:00 2019 GMT");
    assert_eq!(said.not_after, "May  3 00:00:00 2030 GMT");
    let pem = certificate.pem().replace("\r\n", "\n");
    assert_eq!(said.pem, pem);
}

#[test]
fn what_is_no_certificate_is_told_apart() {
    let der = good(&authority("root")).der().to_vec();
    for bytes in [
        &b""[..],
        b"hello",
        &der[..der.len() - 1],
        &[&der[..], b"x"].concat(),
    ] {
        assert!(read(bytes).is_err());
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn a_truststore_vouches_for_what_its_own_issued_while_it_holds() {
    let (own, other) = (authority("root"), authority("root"));
    let truststore = truststore(&own);
    let vouches = |certificate: &Certificate| truststore.vouches_for(certificate.der(), at(NOW));
    assert!(vouches(&good(&own)));
    assert!(!vouches(&good(&other)), "of that name, and not it");
    assert!(!vouches(&client(&own, (2019, 2026))), "expired");
    assert!(!vouches(&client(&own, (2027, 2030))), "not yet");
    assert!(!truststore.vouches_for(b"hello", at(NOW)));
}

#[test]
fn what_is_no_truststore_is_a_fault_of_the_configuration() {
    let pem = authority("root").certificate.pem();
    let many = pem.repeat(1001);
    for (text, expected) in [
        ("", "holds 0 certificates"),
        (
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
            "is not PEM",
        ),
        (
            "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
            "number 1",
        ),
        (&many, "holds 1001 certificates"),
        (&" ".repeat(1024 * 1024 + 1), "has more than 1 MiB"),
    ] {
        let error = Truststore::from_pem(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(Truststore::from_file("/no/such/file.pem").is_err());
}

/// Sends a request from `peer`; the answer is what the handler finds as the subject.
async fn send(
    layer: &ClientCertLayer,
    peer: &str,
    own: Option<ClientCertificate>,
    header: Option<(&str, String)>,
) -> Response<Full<Bytes>> {
    let mut request = testkit::get("/");
    if let Some((name, value)) = &header {
        request = request.header(name, value);
    }
    let mut request = request.empty();
    let mut connection = Connection::new(format!("{peer}:50000").parse().unwrap());
    if let Some(own) = own {
        let mut tls = Tls::default();
        tls.client_certificate = Some(Arc::new(own));
        connection.tls = Some(tls);
    }
    RequestContext::of(&mut request).set_connection(connection);
    let hello = service_fn(async |request: Request<Full<Bytes>>| {
        let context = request.extensions().get::<RequestContext>().unwrap();
        let subject = context.get("identity.clientCert.subjectDN");
        let subject = subject.and_then(|subject| subject.as_str().map(str::to_owned));
        Ok::<_, Infallible>(Response::new(Full::from(subject.unwrap_or_default())))
    });
    let Ok(response) = layer.layer(hello).oneshot(request).await;
    response
}

fn rule(response: &Response<Full<Bytes>>) -> String {
    let rejection = response.extensions().get::<Rejection>();
    let decision = rejection.and_then(Rejection::decision);
    decision.expect("a refusal says why").rule().to_owned()
}

const TOM: &str = r"CN=tom,O=Dogs\, Cats & Co.,C=DE";

#[tokio::test]
async fn the_connections_certificate_lets_in_and_none_does_not() {
    let layer = ClientCertLayer::new();
    let own = read(good(&authority("root")).der()).unwrap();
    let response = send(&layer, "192.0.2.1", Some(own), None).await;
    assert_eq!(testkit::text(response).await, TOM);
    let refused = send(&layer, "192.0.2.1", None, None).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(rule(&refused), "mtls/no-certificate");
    assert_eq!(testkit::text(refused).await, r#"{"message":"Forbidden"}"#);
    let optional = layer.optional();
    assert_eq!(send(&optional, "192.0.2.1", None, None).await.status(), 200);
}

fn byte_sequence(certificate: &Certificate) -> String {
    format!(":{}:", STANDARD.encode(certificate.der()))
}

fn proxies() -> TrustedProxies {
    TrustedProxies::new(["10.0.0.0/8".parse().unwrap()])
}

#[tokio::test]
async fn a_trusted_proxy_passes_certificates_on_in_either_form() {
    let root = authority("root");
    let certificate = good(&root);
    let encoded = utf8_percent_encode(&certificate.pem(), NON_ALPHANUMERIC).to_string();
    for (header, name, value) in [
        (
            ProxyHeader::client_cert(),
            "client-cert",
            byte_sequence(&certificate),
        ),
        (
            ProxyHeader::load_balancer(),
            "x-amzn-mtls-clientcert",
            encoded,
        ),
    ] {
        let layer = ClientCertLayer::new()
            .from_proxies(proxies(), header)
            .truststore(truststore(&root))
            .clock(Arc::new(ManualClock::at_unix(NOW)));
        let response = send(&layer, "10.0.0.1", None, Some((name, value.clone()))).await;
        assert_eq!(testkit::text(response).await, TOM);
        // Anybody can send a header.
        let refused = send(&layer, "192.0.2.1", None, Some((name, value))).await;
        assert_eq!(rule(&refused), "mtls/no-certificate");
        for broken in ["x", ":x:", "-----BEGIN", "::"] {
            let refused = send(&layer, "10.0.0.1", None, Some((name, broken.to_owned()))).await;
            assert_eq!(rule(&refused), "mtls/unreadable", "{broken}");
        }
        for nothing in ["", "-"] {
            let refused = send(&layer, "10.0.0.1", None, Some((name, nothing.to_owned()))).await;
            assert_eq!(rule(&refused), "mtls/no-certificate", "{nothing}");
        }
    }
}

#[tokio::test]
async fn what_a_proxy_passes_on_is_checked_against_the_truststore() {
    let (root, other) = (authority("root"), authority("other"));
    let bare = ClientCertLayer::new().from_proxies(proxies(), ProxyHeader::client_cert());
    let layer = bare
        .clone()
        .truststore(truststore(&root))
        .clock(Arc::new(ManualClock::at_unix(NOW)));
    for certificate in [good(&other), client(&root, (2019, 2026))] {
        let header = || Some(("client-cert", byte_sequence(&certificate)));
        let refused = send(&layer, "10.0.0.1", None, header()).await;
        assert_eq!(rule(&refused), "mtls/not-trusted");
        assert_eq!(send(&bare, "10.0.0.1", None, header()).await.status(), 200);
    }
}

#[tokio::test]
async fn the_certificate_of_the_proxy_itself_is_not_the_clients() {
    let own = || Some(read(good(&authority("root")).der()).unwrap());
    let layer = ClientCertLayer::new().from_proxies(proxies(), ProxyHeader::client_cert());
    let refused = send(&layer, "10.0.0.1", own(), None).await;
    assert_eq!(rule(&refused), "mtls/no-certificate");
    assert_eq!(send(&layer, "192.0.2.1", own(), None).await.status(), 200);
}
