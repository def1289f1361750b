//! Listeners that ask for certificates of clients.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use portcullis::serve::{ClientCertificates, TlsConfig};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{builder, start};

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "clients");
    let key = KeyPair::generate().expect("a key");
    let pem = params.self_signed(&key).expect("a certificate").pem();
    Authority {
        pem,
        issuer: Issuer::new(params, key),
    }
}

type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

fn client(authority: &Authority, name: &str, until: i32) -> Identity {
    let mut params = CertificateParams::new(Vec::new()).expect("names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &authority.issuer);
    let der = certificate.expect("a certificate").der().clone();
    (
        der,
        PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
    )
}

/// A server's certificate for two names, and its key.
fn server() -> (String, String, CertificateDer<'static>) {
    let names = ["open.test".to_owned(), "mtls.test".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    (
        made.cert.pem(),
        made.signing_key.serialize_pem(),
        made.cert.der().clone(),
    )
}

/// What a client reads that connects to `name` with this certificate.
async fn ask(
    address: SocketAddr,
    root: &CertificateDer<'static>,
    name: &'static str,
    identity: Option<&Identity>,
) -> io::Result<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match identity {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => config
            .with_client_auth_cert(vec![certificate.clone()], key.clone_key())
            .expect("a pair"),
    };
    let stream = TcpStream::connect(address).await?;
    let connector = TlsConnector::from(Arc::new(config));
    let name = name.try_into().expect("a name");
    let mut stream = connector.connect(name, stream).await?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    // With TLS 1.3 the client learns here that its certificate was refused.
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

struct At(SocketAddr, CertificateDer<'static>);

impl At {
    async fn ask(&self, name: &'static str, identity: Option<&Identity>) -> io::Result<String> {
        ask(self.0, &self.1, name, identity).await
    }
}

#[tokio::test]
async fn a_client_needs_a_good_certificate_and_the_service_learns_whose() {
    let (own, other) = (authority(), authority());
    let (certificate, key, root) = server();
    let truststore = ClientCertificates::new(
        portcullis::auth::mtls::Truststore::from_pem(&own.pem).expect("PEM"),
    );
    let tls = TlsConfig::from_pem(certificate, key).client_certificates(truststore);
    let server = start(builder().tls(tls).expect("good")).await;
    let at = At(server.address, root);

    let answer = at
        .ask("open.test", Some(&client(&own, "tom", 4000)))
        .await
        .expect("good");
    assert!(answer.contains(r#""client":"CN=tom""#), "{answer}");
    for bad in [
        Some(client(&other, "tom", 4000)),
        Some(client(&own, "tom", 2001)),
        None,
    ] {
        at.ask("open.test", bad.as_ref())
            .await
            .expect_err("the handshake fails");
    }
    // Nobody is kept out by those who were.
    at.ask("open.test", Some(&client(&own, "eve", 4000)))
        .await
        .expect("good");
}

#[tokio::test]
async fn where_a_certificate_is_optional_none_will_do_and_a_bad_one_will_not() {
    let (own, other) = (authority(), authority());
    let (certificate, key, root) = server();
    let truststore = portcullis::auth::mtls::Truststore::from_pem(&own.pem).expect("PEM");
    let clients = ClientCertificates::new(truststore).optional();
    let tls = TlsConfig::from_pem(certificate, key).client_certificates(clients);
    let server = start(builder().tls(tls).expect("good")).await;
    let at = At(server.address, root);
    let answer = at.ask("open.test", None).await.expect("good");
    assert!(answer.contains(r#""client":null"#), "{answer}");
    let answer = at
        .ask("open.test", Some(&client(&own, "tom", 4000)))
        .await
        .expect("good");
    assert!(answer.contains(r#""client":"CN=tom""#), "{answer}");
    at.ask("open.test", Some(&client(&other, "tom", 4000)))
        .await
        .expect_err("the handshake fails");
}

#[tokio::test]
async fn one_name_asks_and_another_does_not_and_a_reload_reads_the_truststore_again() {
    let (own, other) = (authority(), authority());
    let (certificate, key, root) = server();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("clients.pem");
    std::fs::write(&path, &own.pem).expect("a file");
    let clients = ClientCertificates::from_file(&path);
    let tls = TlsConfig::from_pem(certificate, key).client_certificates_for("MTLS.test", clients);
    let server = start(builder().tls(tls).expect("good")).await;
    let at = At(server.address, root);
    let (tom, eve) = (client(&own, "tom", 4000), client(&other, "eve", 4000));

    let answer = at.ask("open.test", Some(&tom)).await.expect("good");
    assert!(answer.contains(r#""client":null"#), "not asked: {answer}");
    let answer = at.ask("mtls.test", Some(&tom)).await.expect("good");
    assert!(answer.contains(r#""client":"CN=tom""#), "{answer}");
    at.ask("mtls.test", None).await.expect_err("none");
    at.ask("mtls.test", Some(&eve))
        .await
        .expect_err("another's");

    std::fs::write(&path, "hello").expect("a file");
    server.handle.reload_tls().expect_err("no truststore");
    at.ask("mtls.test", Some(&tom)).await.expect("the old one");
    std::fs::write(&path, &other.pem).expect("a file");
    server.handle.reload_tls().expect("good");
    at.ask("mtls.test", Some(&eve)).await.expect("the new one");
    at.ask("mtls.test", Some(&tom))
        .await
        .expect_err("the old one is gone");
}
