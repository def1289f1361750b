//! A domain that asks clients for certificates, beside one that does not, on one port.
//!
//! `cargo run --example mutual_tls` makes an authority, a certificate for the listener and one for a client in a folder of its own, and prints what to try. `LISTEN` is
//! another address. A client without a good certificate does not get past the handshake; the log says why.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use portcullis::{ConfigFormat, GatewayConfig};
use portcullis_examples::{listen, logs, shown};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

const CONFIG: &str = "
tls: { certificate: server.pem, key: server.key }
apis:
  - { id: who, definition: who.json, stages: [{ stageName: live }] }
domainNames:
  - domainName: clients.example.com
    mutualTlsAuthentication: { truststoreUri: authority.pem }
    apiMappings: [{ apiId: who, stage: live }]
  - domainName: open.example.com
    apiMappings: [{ apiId: who, stage: live }]
";

/// Answers with the name in the client's certificate.
const DEFINITION: &str = r#"{
    "openapi": "3.0.1",
    "info": { "title": "who", "version": "1" },
    "paths": { "/who": { "get": {
        "responses": { "200": { "description": "who calls" } },
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
            "responses": { "default": {
                "statusCode": "200",
                "responseTemplates": { "application/json": "{\"client\": \"$context.identity.clientCert.subjectDN\"}" }
            } }
        }
    } } },
    "x-amazon-apigateway-endpoint-configuration": { "disableExecuteApiEndpoint": true }
}"#;

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    logs("info");
    let folder = std::env::temp_dir().join(format!("portcullis-mutual-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    certificates(&folder)?;
    std::fs::write(folder.join("who.json"), DEFINITION)?;

    let mut config = GatewayConfig::parse(CONFIG, ConfigFormat::Yaml)?;
    config.folder.clone_from(&folder);
    config.listen = vec![listen("127.0.0.1:8443")];
    let gateway = config.gateway()?.build()?;
    let server = config.server()?.bind().await?;
    let address = server.handle().local_addrs()[0];
    let (ip, port, folder) = (address.ip(), address.port(), folder.display());
    println!(
        "listening on https://{address}; with a certificate, without one, and where none is asked for:"
    );
    let curl = |host: &str| {
        format!(
            "curl -i --cacert {folder}/authority.pem --resolve {host}:{port}:{ip} https://{host}:{port}/who"
        )
    };
    println!(
        "  {} --cert {folder}/client.pem --key {folder}/client.key",
        curl("clients.example.com")
    );
    println!("  {}", curl("clients.example.com"));
    println!("  {}", curl("open.example.com"));
    server.run(gateway).await;
    Ok(())
}

/// An authority, and what it vouches for.
fn certificates(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut own = CertificateParams::new(Vec::new())?;
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    own.distinguished_name
        .push(DnType::CommonName, "example authority");
    let key = KeyPair::generate()?;
    std::fs::write(folder.join("authority.pem"), own.self_signed(&key)?.pem())?;
    let authority = Issuer::new(own, key);
    let names = [
        "clients.example.com".to_owned(),
        "open.example.com".to_owned(),
    ];
    for (name, hosts) in [("server", &names[..]), ("client", &[])] {
        let mut params = CertificateParams::new(hosts)?;
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?;
        std::fs::write(folder.join(format!("{name}.pem")), certificate.pem())?;
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem())?;
    }
    Ok(())
}
