//! The configuration file by its public API.

use std::path::Path;

use http_body_util::BodyExt;
use portcullis::{ConfigFormat, CredentialsConfig, FunctionPlace, Gateway, GatewayConfig};
use proptest::prelude::*;
use tower::ServiceExt;

mod callers;
mod faults;
mod idle;
mod unnamed;

pub(crate) fn none(_name: &str) -> Option<String> {
    None
}

#[track_caller]
pub(crate) fn faults(yaml: &str, expected: &[&str]) {
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

/// The repository's own file at this path.
fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// The fields that an object of ours may have, as the fault of a field that is none lists them.
fn fields(yaml: &str) -> Vec<String> {
    let error = GatewayConfig::parse_with(yaml, ConfigFormat::Yaml, none).expect_err("a fault");
    let fault = error
        .faults()
        .iter()
        .find(|fault| fault.message.contains("there are: "));
    let message = &fault.expect("a list of fields").message;
    let list = message.split("there are: ").nth(1).unwrap_or_default();
    list.split(", ").map(str::to_owned).collect()
}

#[test]
fn the_guide_and_its_example_have_every_field() {
    let guide = std::fs::read_to_string(repository("docs/guide/configuration.md")).expect("a page");
    let example = repository("examples/configuration/gateway.yaml");
    let example = std::fs::read_to_string(example).expect("an example");
    for (object, yaml) in [
        ("", "qqqq: 1\napis: []"),
        ("", "apis: [{id: a, definition: x, qqqq: 1}]"),
        (
            "import.",
            "apis: [{id: a, definition: x, import: {qqqq: 1}}]",
        ),
        ("", "apis: [{id: a, definition: x, cors: {qqqq: 1}}]"),
    ] {
        for field in fields(yaml) {
            let row = format!("| `{object}{field}` |");
            assert!(
                field == "import" || guide.contains(&row),
                "{row} in the guide"
            );
            assert!(
                example.contains(&format!("{field}:")),
                "{field} in the example"
            );
        }
    }
    for yaml in [
        "apis: []\ntls: {qqqq: 1}",
        "apis: []\nfunctions: {f: {qqqq: 1}}",
        "apis: []\naccount: {throttle: {qqqq: 1}}",
        "apis: []\ncredentials: {qqqq: 1}",
        "apis: []\nredis: {url: x, qqqq: 1}",
        "apis: []\nredis: {url: x}\nsharedLimits: {qqqq: 1}",
        "apis: []\nupstreams: {u: {qqqq: 1}}",
        "apis: []\nupstreams: {u: {ejection: {qqqq: 1}}}",
        "apis: []\nupstreams: {u: {health: {qqqq: 1}}}",
        "apis: []\nupstreams: {u: {retries: {qqqq: 1}}}",
        "apis: []\nupstreams: {u: {circuitBreaker: {qqqq: 1}}}",
    ] {
        for field in fields(yaml) {
            assert!(guide.contains(&field), "{field} in the guide");
            assert!(
                example.contains(&format!("{field}:")),
                "{field} in the example"
            );
        }
    }
}

#[test]
fn the_example_of_the_guide_serves_what_it_says() {
    let path = repository("examples/configuration/gateway.yaml");
    let config = GatewayConfig::load_with(path, none).expect("a good file");
    assert_eq!(config.unknown, []);
    let gateway = config
        .gateway()
        .expect("its files are there")
        .build()
        .expect("good");
    for (host, path, status, body) in [
        ("localhost", "/petstore/demo/", 200, "Welcome"),
        ("localhost", "/petstore/none/", 403, "Forbidden"),
        ("localhost", "/petstore/demo/none", 404, "Not Found"),
        ("localhost", "/orders/orders", 200, "\"pet\":2"),
        ("api.example.com", "/v1/orders/1/label", 200, "To: Ada"),
        ("api.example.com", "/pets/", 200, "Welcome"),
    ] {
        let answer = ask(&gateway, &format!("http://{host}{path}"));
        assert_eq!(answer.0, status, "{host}{path} {}", answer.1);
        assert!(answer.1.contains(body), "{host}{path} {}", answer.1);
    }
}

fn ask(gateway: &Gateway, uri: &str) -> (u16, String) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let request = http::Request::get(uri).body(portcullis::core::Body::empty());
    let answer = gateway.clone().oneshot(request.expect("a request"));
    runtime.block_on(async {
        let response = answer.await.expect("never fails");
        let status = response.status().as_u16();
        let body = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    })
}

#[test]
fn every_field_reaches_the_gateway() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let config = GatewayConfig::load_with(folder.join("gateway.yaml"), |_| Some("x".to_owned()));
    let config = config.expect("a good configuration");
    assert_eq!(config.listen.len(), 1);
    assert!(matches!(
        config.functions["echo"].latest,
        Some(FunctionPlace::Mock(_))
    ));
    let gateway = config
        .gateway()
        .expect("its files are there")
        .build()
        .expect("good");
    let notes = gateway.coverage().to_string();
    let field = "configuration:/apis/0/stages/0/colour";
    assert!(notes.contains(field), "{field} in {notes}");
    let ask = |uri: &str| ask(&gateway, uri);
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
        "apis: [{id: a, kind: rest, defintion: x, definition: y}]\nupstream: {}",
        &[
            "/upstream: no such field; did you mean `upstreams`?",
            "/apis/0/defintion: no such field; did you mean `definition`?",
        ],
    );
}

#[test]
fn an_unknown_field_that_is_near_none_is_told_what_there_is() {
    let error = GatewayConfig::parse_with("apis: []\nqwx: 1", ConfigFormat::Yaml, none);
    let error = error.expect_err("a fault").to_string();
    let fields = "/qwx: no such field; there are: listen, tls, region, accountId, apis";
    assert!(error.starts_with(fields), "{error}");
}

#[test]
fn a_definition_that_is_given_for_a_configuration_is_known_for_one() {
    faults(
        "openapi: 3.0.1\ninfo: {title: t, version: '1'}\npaths: {}",
        &[
            "/openapi: this is an API's definition and no configuration; name its file as the `definition` of one of the `apis`",
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
            "/trustedProxies/0: \"10.0.0.0/99\" must be an address or a network, like `10.0.0.0/8`",
            "/apis/0/id: is missing",
            "/apis/0/definition: is missing",
            "/apis/0/kind: must be one of `rest`, `http`, not \"soap\"",
            "/apis/0/import/basepath: must be one of `ignore`, `prepend`, `split`, not \"cut\"",
            "/functions/f: must have one of `url`, `lambda` and `mock`",
        ],
    );
}

#[test]
fn a_wrong_word_is_told_the_right_ones() {
    faults(
        "listen: ':8080'\napis: [{id: a, definition: x, unknownRoute: 404, parity: strikt, cors: {alowOrigins: [], maxAge: x}}]",
        &[
            "/listen: \":8080\" is no address; write one like `127.0.0.1:8080`",
            "/apis/0/cors/alowOrigins: no such field; did you mean `allowOrigins`?",
            "/apis/0/cors/maxAge: must be a whole number, not \"x\"",
            "/apis/0/parity: must be one of `safe`, `strict`, not \"strikt\"; did you mean `strict`?",
            "/apis/0/unknownRoute: must be one of `as-service`, `not-found`, not `404`",
        ],
    );
}

#[test]
fn syntax_faults_name_the_line_and_none_of_our_parsers_settings() {
    faults(
        "region: a\nregion: b\napis: []",
        &["/: as YAML: duplicate mapping key `region` is not allowed here at line 2, column 1"],
    );
}

#[test]
fn what_comes_from_a_variable_is_a_text_and_counts_as_a_number_all_the_same() {
    let yaml = "apis: [{id: a, definition: x, maxBodyBytes: \"${N}\", strict: \"${YES}\", cors: {maxAge: \"${N}\"}}]\naccount: {throttle: {rateLimit: \"${N}\", burstLimit: \"${N}\"}}\ntrustedProxies: [10.0.0.7]";
    let config = GatewayConfig::parse_with(yaml, ConfigFormat::Yaml, |name| {
        Some(if name == "N" { "5" } else { "true" }.to_owned())
    })
    .expect("a good text");
    let api = &config.apis[0];
    assert_eq!((api.max_body_bytes, api.strict), (Some(5), true));
    assert_eq!(api.cors.as_ref().and_then(|cors| cors.max_age), Some(5));
    let account = config.account.expect("an account");
    assert_eq!(
        (account.rate_limit, account.burst_limit),
        (Some(5.0), Some(5))
    );
    assert_eq!(config.trusted_proxies[0].to_string(), "10.0.0.7/32");
}

#[test]
fn lists_are_taken_as_the_services_tools_print_them() {
    let yaml = "
apis: [{id: a, definition: x, stages: {item: [{stageName: prod, createdDate: '2024-04-15T10:00:00+00:00'}]}}]
apiKeys: {items: [{id: k, value: 0123456789abcdefghij}]}
usagePlans: {items: [{id: p, colour: blue}]}
domainNames: {Items: [{DomainName: api.example.com, ApiMappings: {Items: [{ApiId: a}]}}]}";
    let config = GatewayConfig::parse_with(yaml, ConfigFormat::Yaml, none).expect("a good text");
    assert_eq!(config.apis[0].stages[0].stage_name, "prod");
    assert_eq!(config.api_keys[0].id, "k");
    assert_eq!(config.domain_names[0].api_mappings.len(), 1);
    let unknown: Vec<_> = config.unknown.iter().map(ToString::to_string).collect();
    assert_eq!(
        unknown,
        ["/usagePlans/items/0/colour: no such field is known"]
    );
    faults(
        "apis: []\napiKeys: {item: {}}\nusagePlans: 7",
        &[
            "/usagePlans: must be a list, not a number",
            "/apiKeys/item: must be a list, not an object",
        ],
    );
}

#[test]
fn faults_that_other_crates_find_have_their_places_in_the_file() {
    let yaml = "apis: []\nupstreams: {'http://a/x': 'http://b', 'http://c': 'ftp://d'}";
    let error = GatewayConfig::parse_with(yaml, ConfigFormat::Yaml, none).expect_err("two faults");
    assert_eq!(
        error.to_string(),
        "/upstreams/http:~1~1a~1x: `http://a/x` has a path or a query; write only scheme, host and port, like `https://api.example.com`\n\
         /upstreams/http:~1~1c: `ftp://d` has another scheme than `http` and `https`"
    );
    let yaml = "apis: []\nfunctions: {f: {url: 'ftp://x'}}";
    let config = GatewayConfig::parse_with(yaml, ConfigFormat::Yaml, none).expect("a good text");
    let error = config
        .gateway()
        .expect("no file is read")
        .build()
        .expect_err("no address");
    assert_eq!(
        error.to_string(),
        "/functions/f/url: `ftp://x` is not an address of an HTTP endpoint"
    );
}

#[test]
fn a_function_has_versions_and_aliases() {
    let config = GatewayConfig::parse_with(
        r#"{"apis": [], "functions": {"pets": {
            "lambda": "arn:aws:lambda:eu-west-1:222222222222:function:pets",
            "versions": {"1": {"url": "http://127.0.0.1:9001"}, "2": {"mock": 2}},
            "aliases": {
                "prod": {"functionVersion": "1", "routingConfig": {"additionalVersionWeights": {"2": 0.1}}},
                "test": {"AliasArn": "x", "Name": "test", "FunctionVersion": "2", "Description": "", "RevisionId": "y"}
            }
        }}, "credentials": {"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "x"}}"#,
        ConfigFormat::Json,
        none,
    );
    let config = config.expect("a good configuration");
    let pets = &config.functions["pets"];
    assert!(matches!(pets.latest, Some(FunctionPlace::Lambda(_))));
    assert_eq!(pets.versions.len(), 2);
    assert_eq!(pets.aliases["prod"].function_version(), "1");
    config.gateway().expect("no files").build().expect("good");
}

#[test]
fn an_alias_of_a_version_that_is_not_there_is_an_error() {
    let yaml = "apis: []\nfunctions: {pets: {mock: 0, aliases: {prod: {functionVersion: '3'}}}}";
    let config = GatewayConfig::parse_with(yaml, ConfigFormat::Yaml, none).expect("a good text");
    let error = config
        .gateway()
        .expect("no files")
        .build()
        .expect_err("no version 3");
    let text = error.to_string();
    assert!(
        text.contains("/functions/pets:prod") && text.contains("version `3`"),
        "{text}"
    );
    faults(
        "apis: []\nfunctions: {pets: {mock: 0, aliases: {prod: {functionVersoin: '3'}}}}",
        &[
            "/functions/pets/aliases/prod/functionVersoin: no such field; did you mean `functionVersion`?",
            "/functions/pets/aliases/prod/functionVersion: is missing",
        ],
    );
}

#[test]
fn credentials_come_from_one_of_four_places() {
    let read = |credentials: &str| {
        let text = format!("apis: []\ncredentials: {credentials}");
        let config = GatewayConfig::parse_with(&text, ConfigFormat::Yaml, none);
        config.expect("a good text").credentials
    };
    assert!(matches!(
        read("environment"),
        Some(CredentialsConfig::Environment)
    ));
    assert!(
        matches!(read("{profile: staging}"), Some(CredentialsConfig::Profile(name)) if name == "staging")
    );
    let pod = read("{webIdentity: {roleArn: 'arn:aws:iam::1:role/pod', tokenFile: /token}}");
    assert!(matches!(pod, Some(CredentialsConfig::WebIdentity { .. })));
    let keys = read("{accessKeyId: AKIDEXAMPLE, secretAccessKey: x}");
    assert!(matches!(keys, Some(CredentialsConfig::Static { .. })));
    faults(
        "apis: []\ncredentials: {webIdentity: {roleArn: x}}",
        &["/credentials/webIdentity/tokenFile: is missing"],
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
