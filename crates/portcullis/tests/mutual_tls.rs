//! Domains that ask clients for certificates, through a whole gateway and over sockets.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use http::{Request, Response};
use portcullis::auth::mtls::{self, ProxyHeader};
use portcullis::core::{Body, Connection, Rejection, RequestContext, Tls, TrustedProxies};
use portcullis::{ApiSpec, ConfigFormat, Gateway, GatewayBuilder, GatewayConfig, Served};
use portcullis_testkit::request as testkit;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower::ServiceExt;

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "root");
    let key = KeyPair::generate().expect("a key");
    let pem = params.self_signed(&key).expect("a certificate").pem();
    Authority {
        pem,
        issuer: Issuer::new(params, key),
    }
}

type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

fn client(authority: &Authority, name: &str) -> Identity {
    let mut params = CertificateParams::new(Vec::new()).expect("names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &authority.issuer);
    let der = certificate.expect("a certificate").der().clone();
    (
        der,
        PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
    )
}

fn document() -> Value {
    json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "paths": { "/who": { "get": {
            "responses": {},
            "x-amazon-apigateway-integration": {
                "type": "mock",
                "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
                "responses": { "default": {
                    "statusCode": "200",
                    "responseTemplates": { "application/json": "$context.identity.clientCert.subjectDN by $context.identity.clientCert.issuerDN" }
                } }
            }
        } } },
    })
}

fn domains(truststore: &Path) -> Vec<Value> {
    let mappings = json!([{ "restApiId": "pets", "stage": "prod" }]);
    vec![
        json!({
            "domainName": "*.mtls.test", "basePathMappings": mappings,
            "mutualTlsAuthentication": { "truststoreUri": truststore },
        }),
        json!({ "domainName": "open.mtls.test", "basePathMappings": mappings }),
    ]
}

struct Setup {
    folder: tempfile::TempDir,
    own: Authority,
}

fn setup() -> Setup {
    let own = authority();
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("written");
    };
    write("clients.pem", &own.pem);
    write("api.json", &document().to_string());
    Setup { folder, own }
}

fn builder(setup: &Setup) -> GatewayBuilder {
    let api = ApiSpec::rest(document().to_string()).id("pets");
    let builder = Gateway::builder().api(api.stage_named("prod"));
    let domains = domains(&setup.folder.path().join("clients.pem"));
    domains.into_iter().fold(builder, |builder, domain| {
        builder.domain(serde_json::from_value(domain).expect("a domain"))
    })
}

/// A request as a listener hands it on.
struct Arrival<'a> {
    peer: &'a str,
    connected_to: Option<&'a str>,
    certificate: Option<&'a CertificateDer<'static>>,
    passed_on: Option<&'a CertificateDer<'static>>,
}

const NOTHING: Arrival<'static> = Arrival {
    peer: "192.0.2.1",
    connected_to: None,
    certificate: None,
    passed_on: None,
};

async fn send(gateway: &Gateway, host: &str, arrival: Arrival<'_>) -> Response<Body> {
    let mut request = Request::get(format!("https://{host}/who"));
    if let Some(der) = arrival.passed_on {
        let encoded = base64::engine::general_purpose::STANDARD.encode(der);
        request = request.header("client-cert", format!(":{encoded}:"));
    }
    let mut request = request.body(Body::empty()).expect("a request");
    let peer = format!("{}:50000", arrival.peer).parse();
    let mut connection = Connection::new(peer.expect("an address"));
    if let Some(name) = arrival.connected_to {
        let mut tls = Tls::default();
        tls.server_name = Some(name.into());
        let read = |der: &CertificateDer<'_>| Arc::new(mtls::read(der).expect("a certificate"));
        tls.client_certificate = arrival.certificate.map(read);
        connection.tls = Some(tls);
    }
    RequestContext::of(&mut request).set_connection(connection);
    gateway.clone().oneshot(request).await.expect("never fails")
}

fn rule(response: &Response<Body>) -> String {
    let rejection = response.extensions().get::<Rejection>();
    let decision = rejection.and_then(Rejection::decision);
    decision.expect("a refusal says why").rule().to_owned()
}

#[tokio::test]
async fn a_domain_asks_for_the_certificate_of_a_connection_to_itself() {
    let setup = setup();
    let gateway = builder(&setup).build().expect("good");
    let (tom, _) = client(&setup.own, "tom");
    let shown = |name| Arrival {
        connected_to: Some(name),
        certificate: Some(&tom),
        ..NOTHING
    };
    let good = send(&gateway, "api.mtls.test", shown("api.mtls.test")).await;
    assert_eq!(testkit::text(good).await, "CN=tom by CN=root");

    for (arrival, expected) in [
        (shown("open.mtls.test"), "mtls/another-name"),
        (NOTHING, "mtls/another-name"),
        (
            Arrival {
                connected_to: Some("api.mtls.test"),
                ..NOTHING
            },
            "mtls/no-certificate",
        ),
        (
            Arrival {
                connected_to: Some("api.mtls.test"),
                passed_on: Some(&tom),
                ..NOTHING
            },
            "mtls/no-certificate",
        ),
    ] {
        let refused = send(&gateway, "API.mtls.test", arrival).await;
        assert_eq!(rule(&refused), expected);
        assert_eq!(refused.status(), 403);
        assert_eq!(testkit::text(refused).await, r#"{"message":"Forbidden"}"#);
    }
    // However the host is written.
    for host in ["api.mtls.test.", "api.mtls.test:443", "API.mtls.test.:443"] {
        assert_eq!(send(&gateway, host, NOTHING).await.status(), 403, "{host}");
        let good = send(&gateway, host, shown("api.mtls.test")).await;
        assert_eq!(good.status(), 200, "{host}");
    }
    // The more specific domain asks for none.
    assert_eq!(
        send(&gateway, "open.mtls.test", NOTHING).await.status(),
        200
    );
}

#[tokio::test]
async fn a_trusted_proxy_passes_on_what_the_domain_checks() {
    let setup = setup();
    let proxies = TrustedProxies::new(["10.0.0.0/8".parse().expect("a network")]);
    let gateway = builder(&setup)
        .trusted_proxies(proxies)
        .client_certificate_header(ProxyHeader::client_cert())
        .build()
        .expect("good");
    let ((tom, _), (eve, _)) = (client(&setup.own, "tom"), client(&authority(), "eve"));
    let passed = |der| Arrival {
        peer: "10.0.0.1",
        passed_on: Some(der),
        ..NOTHING
    };
    let good = send(&gateway, "api.mtls.test", passed(&tom)).await;
    assert_eq!(testkit::text(good).await, "CN=tom by CN=root");
    let refused = send(&gateway, "api.mtls.test", passed(&eve)).await;
    assert_eq!(rule(&refused), "mtls/not-trusted");
    // Hosts that ask for nothing show what they are given.
    let open = send(&gateway, "open.mtls.test", passed(&eve)).await;
    assert_eq!(testkit::text(open).await, "CN=eve by CN=root");
    let forged = Arrival {
        passed_on: Some(&tom),
        ..NOTHING
    };
    let forged = send(&gateway, "open.mtls.test", forged).await;
    assert_eq!(testkit::text(forged).await, " by ");
}

#[tokio::test]
async fn a_truststore_that_cannot_be_read_is_said_and_one_elsewhere_keeps_the_domain_shut() {
    let api = || {
        ApiSpec::rest(document().to_string())
            .id("pets")
            .stage_named("prod")
    };
    let with = |uri: &str| {
        let domain = domains(Path::new(uri)).remove(0);
        let domain = serde_json::from_value(domain).expect("a domain");
        Gateway::builder().api(api()).domain(domain)
    };
    let error = with("/no/such/file.pem").build().expect_err("no file");
    let text = error.to_string();
    assert!(
        text.contains("domain *.mtls.test:/mutualTlsAuthentication/truststoreUri"),
        "{text}"
    );

    let gateway = with("s3://bucket/clients.pem").build().expect("good");
    assert_eq!(send(&gateway, "api.mtls.test", NOTHING).await.status(), 403);
    let coverage = gateway.coverage();
    let field = coverage
        .iter()
        .find(|field| field.pointer.ends_with(":/mutualTlsAuthentication"));
    assert_eq!(field.map(|field| field.served), Some(Served::NotServed));
}

/// What a client reads that connects to `name`, asks for `host` and has this certificate.
async fn ask(
    address: SocketAddr,
    root: &CertificateDer<'static>,
    (name, host): (&'static str, &str),
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
    let connector = TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(address).await?;
    let name = name.try_into().expect("a name");
    let mut stream = connector.connect(name, stream).await?;
    let request = format!("GET /who HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_configuration_sets_listener_and_gateway_up() {
    let setup = setup();
    let names = ["api.mtls.test".to_owned(), "open.mtls.test".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let write = |name: &str, text: &str| {
        std::fs::write(setup.folder.path().join(name), text).expect("written");
    };
    write("cert.pem", &made.cert.pem());
    write("key.pem", &made.signing_key.serialize_pem());
    let config = json!({
        "listen": "127.0.0.1:0",
        "tls": { "certificate": "cert.pem", "key": "key.pem" },
        "apis": [{ "id": "pets", "definition": "api.json", "stages": [{ "stageName": "prod" }] }],
        "domainNames": domains(Path::new("clients.pem")),
    });
    let config = GatewayConfig::parse(&config.to_string(), ConfigFormat::Json);
    let mut config = config.expect("good");
    config.folder = setup.folder.path().to_owned();
    let gateway = config.gateway().expect("good").build().expect("good");
    let server = config.server().expect("good").bind().await.expect("a port");
    let address = server.handle().local_addrs()[0];
    tokio::spawn(server.run(gateway));

    let root = made.cert.der().clone();
    let (tom, eve) = (client(&setup.own, "tom"), client(&authority(), "eve"));
    let own = ("api.mtls.test", "api.mtls.test");
    let answer = ask(address, &root, own, Some(&tom)).await.expect("good");
    assert!(answer.ends_with("CN=tom by CN=root"), "{answer}");
    for bad in [None, Some(&eve)] {
        let failed = ask(address, &root, own, bad).await;
        failed.expect_err("the handshake fails");
    }
    let open = ("open.mtls.test", "open.mtls.test");
    let answer = ask(address, &root, open, None).await.expect("good");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // In by one door, and asking for the room behind the other.
    let around = ("open.mtls.test", "api.mtls.test");
    let answer = ask(address, &root, around, Some(&tom)).await.expect("TLS");
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[test]
fn a_header_without_trusted_proxies_is_a_fault() {
    for (fields, expected) in [
        (
            json!({ "clientCertificateHeader": "client-cert" }),
            "needs `trustedProxies`",
        ),
        (
            json!({ "clientCertificateHeader": "client cert", "trustedProxies": ["10.0.0.1"] }),
            "`client cert` is no name of a header",
        ),
    ] {
        let mut config = fields;
        config["apis"] = json!([]);
        let config = GatewayConfig::parse(&config.to_string(), ConfigFormat::Json);
        let built = config.and_then(|config| config.gateway());
        let text = built.expect_err("a fault").to_string();
        assert!(
            text.starts_with(&format!("/clientCertificateHeader: {expected}")),
            "{text}"
        );
    }
}
