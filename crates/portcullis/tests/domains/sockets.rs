//! Names, rules and private endpoints over real sockets, with a real client, by a configuration file.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::Version;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis::{ConfigFormat, GatewayConfig};
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::*;

const CONFIG: &str = r#"
listen: ["127.0.0.1:0"]
trustedProxies: [127.0.0.1]
vpcEndpoints:
  - { vpcEndpointId: vpce-1, vpcId: vpc-1, networks: [10.1.0.0/16] }
apis:
  - id: shop
    definition: where.json
    stages: [{ stageName: v1 }, { stageName: v2 }]
  - id: desk
    definition: private.json
    endpointType: PRIVATE
    stages: [{ stageName: v1 }]
domainNames:
  - domainName: www.example.com
    apiMappings: [{ apiMappingKey: one, apiId: shop, stage: v1 }, { apiId: shop, stage: v2 }]
  - domainName: deep.example.com
    apiMappings:
      - { apiMappingKey: a/b, apiId: shop, stage: v2 }
      - { apiMappingKey: a, apiId: shop, stage: v1 }
  - domainName: "*.example.com"
    routingMode: ROUTING_RULE_THEN_API_MAPPING
    apiMappings: [{ apiId: shop, stage: v1 }]
    routingRules:
      - priority: 10
        conditions: [{ matchHeaders: { anyOf: [{ header: Host, valueGlob: "acme.*" }] } }]
        actions: [{ invokeApi: { apiId: shop, stage: v2 } }]
      - priority: 20
        conditions: [{ matchHeaders: { anyOf: [{ header: x-version, valueGlob: "v2*" }] } }]
        actions: [{ invokeApi: { apiId: shop, stage: v2 } }]
      - priority: 30
        conditions: [{ matchBasePaths: { anyOf: [beta] } }]
        actions: [{ invokeApi: { apiId: shop, stage: v2, stripBasePath: true } }]
  - domainName: strict.example.com
    endpointAccessMode: STRICT
    apiMappings: [{ apiId: shop, stage: v1 }]
"#;

/// Serves a configuration, with these lines before it.
async fn serve(folder: &Path, more: &str) -> SocketAddr {
    let template = "$context.apiId $context.stage $context.path $context.identity.vpceId";
    let public = document(template);
    let mut private: Value = serde_json::from_str(&public).expect("JSON");
    private["x-amazon-apigateway-policy"] = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"
    }] });
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
    write("where.json", &public);
    write("private.json", &private.to_string());
    let text = format!("{more}{CONFIG}");
    let mut config = GatewayConfig::parse(&text, ConfigFormat::Yaml).expect("it is right");
    config.folder = folder.to_owned();
    let gateway = config.gateway().expect("its files").build();
    let server = config.server().expect("it is right").bind().await;
    let server = server.expect("a free port");
    let address = server.handle().local_addrs()[0];
    tokio::spawn(server.run(gateway.expect("a gateway")));
    address
}

fn get(path: &str, lines: &[(&str, &str)]) -> Request<Empty<Bytes>> {
    let mut request = Request::get(path);
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.body(Empty::new()).expect("a request")
}

/// What a client reads over a connection of its own.
async fn ask(address: SocketAddr, path: &str, lines: &[(&str, &str)]) -> (u16, String) {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    read(client.send_request(get(path, lines)).await).await
}

async fn read(answer: hyper::Result<Response<hyper::body::Incoming>>) -> (u16, String) {
    let answer = answer.expect("an answer");
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("a body");
    let text = String::from_utf8(body.to_bytes().into()).expect("text");
    (status, text.trim_end().to_owned())
}

const FORBIDDEN: &str = r#"{"message":"Forbidden"}"#;

#[tokio::test]
async fn names_mappings_and_rules_lead_to_their_stages() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = serve(folder.path(), "").await;
    for (host, path, version, expected) in [
        (
            "www.example.com",
            "/one/hats",
            "",
            Some("shop v1 /one/hats"),
        ),
        ("WWW.Example.com:8080", "/one", "", Some("shop v1 /one")),
        (
            "www.example.com",
            "/oneandmore",
            "",
            Some("shop v2 /oneandmore"),
        ),
        ("deep.example.com", "/a/b/c", "", Some("shop v2 /a/b/c")),
        ("deep.example.com", "/a/c", "", Some("shop v1 /a/c")),
        ("deep.example.com", "/b", "", None),
        ("blog.example.com", "/hats", "", Some("shop v1 /hats")),
        ("acme.example.com", "/hats", "", Some("shop v2 /hats")),
        ("blog.example.com", "/hats", "v2.1", Some("shop v2 /hats")),
        (
            "blog.example.com",
            "/beta/hats",
            "",
            Some("shop v2 /beta/hats"),
        ),
        ("a.b.example.com", "/hats", "", None),
        (
            "shop.execute-api.us-east-1.amazonaws.com",
            "/v2/x",
            "",
            Some("shop v2 /v2/x"),
        ),
    ] {
        let mut lines = vec![("host", host)];
        if !version.is_empty() {
            lines.push(("x-version", version));
        }
        let answer = ask(address, path, &lines).await;
        let expected = match expected {
            Some(expected) => (200, expected.to_owned()),
            None => (403, FORBIDDEN.to_owned()),
        };
        assert_eq!(answer, expected, "{host}{path} {version}");
    }
}

#[tokio::test]
async fn a_private_api_is_reached_through_its_endpoint_alone() {
    const OWN: &str = "desk.execute-api.us-east-1.amazonaws.com";
    const ENDPOINT: &str = "vpce-1-x.execute-api.us-east-1.vpce.amazonaws.com";
    const INSIDE: &str = "10.1.2.3";
    let folder = tempfile::tempdir().expect("a folder");
    let address = serve(folder.path(), "").await;
    // The trusted proxy in front is this very client, and says whom it speaks for.
    for (client, lines, allowed) in [
        (INSIDE, vec![("host", OWN)], true),
        (
            INSIDE,
            vec![("host", ENDPOINT), ("x-apigw-api-id", "desk")],
            true,
        ),
        (
            INSIDE,
            vec![("host", ENDPOINT), ("x-apigw-api-id", "shop")],
            false,
        ),
        ("203.0.113.9", vec![("host", OWN)], false),
        (
            "203.0.113.9",
            vec![("host", ENDPOINT), ("x-apigw-api-id", "desk")],
            false,
        ),
    ] {
        let mut lines = lines;
        lines.push(("x-forwarded-for", client));
        let answer = ask(address, "/v1/hats", &lines).await;
        let expected = match allowed {
            true => (200, "desk v1 /v1/hats vpce-1".to_owned()),
            false => (403, FORBIDDEN.to_owned()),
        };
        assert_eq!(answer, expected, "{lines:?}");
    }
}

/// Over TLS and h2, to `name`, asking for `host`.
async fn ask_over_tls(
    address: SocketAddr,
    root: &CertificateDer<'static>,
    name: &'static str,
    host: &str,
) -> (u16, String) {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(address).await.expect("a connection");
    let name = name.try_into().expect("a name");
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let stream = TokioIo::new(stream.await.expect("TLS"));
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), stream)
        .await
        .expect("h2");
    tokio::spawn(connection);
    let mut request = get(&format!("https://{host}/hats"), &[]);
    *request.version_mut() = Version::HTTP_2;
    read(client.send_request(request).await).await
}

#[tokio::test]
async fn a_strict_domain_is_reached_by_connections_to_its_own_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = [
        "strict.example.com".to_owned(),
        "www.example.com".to_owned(),
    ];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text);
    write("server.pem", made.cert.pem()).expect("a file");
    write("server.key", made.signing_key.serialize_pem()).expect("a file");
    let tls = "tls: { certificate: server.pem, key: server.key }\n";
    let address = serve(folder.path(), tls).await;
    let root = made.cert.der();
    const STRICT: &str = "strict.example.com";
    const OTHER: &str = "www.example.com";
    for (name, host, expected) in [
        (STRICT, STRICT, (200, "shop v1 /hats")),
        (OTHER, STRICT, (403, FORBIDDEN)),
        (STRICT, OTHER, (200, "shop v2 /hats")),
    ] {
        let (status, text) = ask_over_tls(address, root, name, host).await;
        assert_eq!((status, &*text), expected, "{host} over {name}");
    }
}
