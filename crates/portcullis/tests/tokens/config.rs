//! Issuers that stand in, from Rust and from a configuration file.

use std::fs;

use portcullis::auth::jwt::{Issuer, KeySet};
use portcullis::{ConfigFormat, GatewayConfig};

use super::*;

fn api() -> String {
    let scheme = json!({ "type": "oauth2", "flows": {}, "x-amazon-apigateway-authorizer": {
        "type": "jwt", "jwtConfiguration": { "issuer": ISSUER, "audience": ["pets"] },
    } });
    let paths = json!({ "/pets": { "get": show(&json!([{ "tokens": [] }])) } });
    document(&scheme, &paths)
}

fn key_set() -> String {
    json!({ "keys": [RSA.jwk(), CURVE.jwk()] }).to_string()
}

#[tokio::test]
async fn keys_that_are_given_stand_in_for_an_issuer() {
    let keys = KeySet::from_jwks(key_set()).expect("keys");
    let instead = Issuer::given(ISSUER, keys).expect("keys");
    let gateway = build(builder(ApiSpec::http(api()).id("a")).issuer(ISSUER, instead));
    assert_eq!(status(&gateway, "/pets", &token(&json!({}))).await, 200);
    let other = token(&json!({ "aud": "dogs" }));
    assert_eq!(
        status(&gateway, "/pets", &other).await,
        401,
        "the audience stays"
    );
    let curve = CURVE.sign(&claims(&json!({})));
    assert_eq!(
        status(&gateway, "/pets", &curve).await,
        401,
        "the algorithms stay"
    );
}

async fn from_file(issuers: &str) -> Gateway {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("api.json"), api()).expect("written");
    fs::write(folder.path().join("keys.json"), key_set()).expect("written");
    let text =
        format!("apis: [{{ id: a, kind: http, definition: api.json }}]\nissuers:\n{issuers}");
    let mut config = GatewayConfig::parse(&text, ConfigFormat::Yaml).expect("a good configuration");
    config.folder = folder.path().to_owned();
    let builder = config.gateway().expect("good settings");
    build(
        builder
            .clock(ManualClock::at_unix(NOW))
            .function("show", show_caller),
    )
}

#[tokio::test]
async fn a_file_names_a_local_issuer_by_its_address() {
    // It calls itself what it is called on this machine.
    let server = portcullis_testkit::HyperServer::start(tower::service_fn(
        async |request: Request<hyper::body::Incoming>| {
            let host = request.headers()["host"].to_str().expect("text").to_owned();
            let body = if request.uri().path().starts_with("/.well-known") {
                json!({ "issuer": format!("http://{host}"), "jwks_uri": format!("http://{host}/keys") }).to_string()
            } else {
                key_set()
            };
            Ok::<_, std::convert::Infallible>(testkit::answer(200, body))
        },
    ))
    .await;
    let address = format!("http://{}", server.addr());
    let gateway = from_file(&format!("  {ISSUER}: {address}\n")).await;
    let own = token(&json!({ "iss": address }));
    assert_eq!(status(&gateway, "/pets", &own).await, 200);
    assert_eq!(status(&gateway, "/pets", &token(&json!({}))).await, 401);
}

#[tokio::test]
async fn a_file_names_a_key_set_and_algorithms() {
    let gateway = from_file(&format!(
        "  {ISSUER}: {{ jwks: keys.json, algorithms: [ES256] }}\n"
    ))
    .await;
    let curve = CURVE.sign(&claims(&json!({})));
    assert_eq!(status(&gateway, "/pets", &curve).await, 200);
    assert_eq!(status(&gateway, "/pets", &token(&json!({}))).await, 401);
}

#[track_caller]
fn wrong(issuer: &str, expected: &str) {
    let text = format!("apis: []\nissuers:\n  https://x: {issuer}\n");
    let error = GatewayConfig::parse(&text, ConfigFormat::Yaml)
        .and_then(|config| config.gateway().map(|_| ()))
        .expect_err("a fault");
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn what_cannot_be_an_issuer_is_an_error_at_its_place() {
    wrong(
        "ftp://y",
        "/issuers/https:~1~1x: `ftp://y` is not an https address",
    );
    wrong(
        "{ jwks: none.json }",
        "/issuers/https:~1~1x/jwks: cannot read",
    );
    wrong(
        "{ jwksUri: 'https://y', jwks: z }",
        "has both `jwksUri` and `jwks`",
    );
    wrong(
        "{ algorithms: [none] }",
        "/issuers/https:~1~1x/algorithms/0: `none` is not",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys.json");
    fs::write(&keys, key_set()).expect("written");
    wrong(
        &format!("{{ jwks: '{}', algorithms: [ES512] }}", keys.display()),
        "/issuers/https:~1~1x/algorithms: fit none of the keys in ",
    );
    wrong("{ isuer: x }", "did you mean `issuer`?");
}
