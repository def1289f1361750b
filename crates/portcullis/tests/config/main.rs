//! The configuration file by its public API.

use std::path::Path;

use portcullis::{ConfigFormat, FunctionConfig, GatewayConfig};
use proptest::prelude::*;
use tower::ServiceExt;

fn none(_name: &str) -> Option<String> {
    None
}

#[track_caller]
fn faults(yaml: &str, expected: &[&str]) {
    let error = GatewayConfig::parse_with(yaml, ConfigFormat::Yaml, none).expect_err("faults");
    let lines: Vec<_> = error.faults().iter().map(ToString::to_string).collect();
    assert_eq!(lines, expected);
}

#[test]
fn yaml_json_and_toml_say_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let configs = ["gateway.yaml", "gateway.json", "gateway.toml"].map(|name| {
        let config = GatewayConfig::load_with(folder.join(name), |name| {
            (name == "SECRET").then(|| "hunter2".to_owned())
        });
        format!(
            "{:#?}",
            config.unwrap_or_else(|error| panic!("{name}: {error}"))
        )
    });
    assert_eq!(configs[0], configs[1]);
    assert_eq!(configs[0], configs[2]);
    assert!(
        !configs[0].contains("hunter2"),
        "secrets are not in debug output"
    );
}

#[test]
fn every_field_reaches_the_gateway() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let config = GatewayConfig::load_with(folder.join("gateway.yaml"), |_| Some("x".to_owned()));
    let config = config.expect("a good configuration");
    assert_eq!(config.listen.len(), 1);
    assert!(matches!(config.functions["echo"], FunctionConfig::Mock(_)));
    let gateway = config
        .gateway()
        .expect("its files are there")
        .build()
        .expect("good");
    let notes = gateway.coverage().to_string();
    for field in [
        "configuration:/usagePlans",
        "configuration:/apis/0/stages/0/colour",
        "stage prod:/canarySettings",
    ] {
        assert!(notes.contains(field), "{field} in {notes}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let ask = |uri: &str| {
        let request = http::Request::get(uri).body(portcullis::core::Body::empty());
        let answer = gateway.clone().oneshot(request.expect("a request"));
        let response = runtime.block_on(answer).expect("never fails");
        let body = response.body().as_bytes().unwrap_or_default().to_vec();
        (
            response.status().as_u16(),
            String::from_utf8(body).expect("text"),
        )
    };
    assert_eq!(ask("/prod/version"), (200, "1".to_owned()));
    assert_eq!(
        ask("/old/version"),
        (200, "0".to_owned()),
        "a deployment of its own"
    );
    assert_eq!(ask("/prod/none").0, 404, "unknownRoute");
    assert_eq!(
        ask("http://api.example.com/v1/version"),
        (200, "1".to_owned())
    );
}

#[test]
fn an_unknown_field_names_the_nearest_one() {
    faults(
        "apis: [{id: a, kind: rest, defintion: x, definition: y}]\nupstream: {}\nqwx: 1",
        &[
            "/qwx: no such field; there are: listen, tls, region, accountId, apis, usagePlans, apiKeys, domainNames, functions, upstreams, credentials, account, trustedProxies, forwardingHeader, strict, dangerouslySkipAuth",
            "/upstream: no such field; did you mean `upstreams`?",
            "/apis/0/defintion: no such field; did you mean `definition`?",
        ],
    );
}

#[test]
fn all_faults_are_told_at_once() {
    faults(
        "listen: nowhere\nregion: 7\napis:\n  - kind: soap\n    import: {basepath: cut}\nfunctions: {f: {}}\ntrustedProxies: [10.0.0.0/99]",
        &[
            "/listen: \"nowhere\" is no address; write one like `127.0.0.1:8080`",
            "/region: must be a text (in quotes, if it looks like a number), not a number",
            "/trustedProxies: invalid IP address syntax",
            "/apis/0/id: is missing",
            "/apis/0/definition: is missing",
            "/apis/0/kind: unknown variant `soap`, expected `rest` or `http`",
            "/apis/0/import/basepath: `cut` must be `ignore`, `prepend` or `split`",
            "/functions/f: must have either `url` or `mock`",
        ],
    );
}

#[test]
fn a_variable_that_is_not_set_is_named() {
    faults(
        "apis: []\nregion: ${REGION}",
        &["/region: the variable `REGION` is not set; set it, or write `${REGION:-default}`"],
    );
}

#[test]
fn a_file_that_is_none_is_an_error() {
    for (text, format) in [
        ("[", ConfigFormat::Yaml),
        ("{", ConfigFormat::Json),
        ("=", ConfigFormat::Toml),
    ] {
        assert!(GatewayConfig::parse_with(text, format, none).is_err());
    }
    assert!(GatewayConfig::load("no/such/file.yaml").is_err());
    assert!(GatewayConfig::load("file.ini").is_err());
}

#[test]
fn a_definition_that_cannot_be_read_is_named() {
    let yaml = "apis: [{id: a, definition: no/such/file.json}]";
    let config = GatewayConfig::parse_with(yaml, ConfigFormat::Yaml, none).expect("a good text");
    let error = config.gateway().expect_err("no such file");
    assert_eq!(error.faults()[0].place, "/apis/0/definition");
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        for format in [ConfigFormat::Yaml, ConfigFormat::Json, ConfigFormat::Toml] {
            let _ = GatewayConfig::parse_with(&text, format, none);
        }
    }

    #[test]
    fn no_value_panics(name in "listen|apis|functions|upstreams|credentials|account|tls", value in "\\PC{0,40}") {
        let _ = GatewayConfig::parse_with(&format!("{name}: {value}\napis: []"), ConfigFormat::Yaml, none);
    }
}
