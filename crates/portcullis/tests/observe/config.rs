//! Logs and metrics by a configuration file.

use std::fs;

use portcullis::observe::Rotation;
use portcullis::{ConfigFormat, GatewayConfig, LogConfig};
use serde_json::json;

use crate::support::get;

fn parse(text: &str) -> Result<GatewayConfig, portcullis::ConfigError> {
    GatewayConfig::parse(text, ConfigFormat::Yaml)
}

#[tokio::test]
async fn a_configuration_says_where_logs_go() {
    let folder = tempfile::tempdir().unwrap();
    let document = json!({
        "openapi": "3.0.1",
        "info": { "title": "Pet store", "version": "1" },
        "paths": { "/pets": { "get": { "responses": {}, "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
            "responses": { "default": { "statusCode": "200" } }
        } } } }
    });
    fs::write(folder.path().join("pets.json"), document.to_string()).unwrap();
    let config = r#"
apis:
  - id: pets
    definition: pets.json
    stages:
      - stageName: prod
        accessLogSettings:
          destinationArn: arn:aws:logs:us-east-1:000000000000:log-group:pets
          format: "$context.requestId $context.stage $context.status"
      - stageName: test
        accessLogSettings:
          destinationArn: arn:aws:logs:us-east-1:000000000000:log-group:other
          format: "$context.requestId $context.stage $context.status"
accessLogs:
  "arn:aws:logs:us-east-1:000000000000:log-group:pets": { file: prod.log }
  "*": { file: others/test.log, rotate: hourly, maxBytes: 1000000, keep: 3 }
executionLogs: { file: steps.log, maxBytes: 100, keep: 2 }
accessLog: { format: "$context.path", to: { file: all.log } }
emf: { to: { file: metrics.log }, namespace: Shop, intervalInSeconds: 5 }
metrics: both
"#;
    let path = folder.path().join("gateway.yaml");
    fs::write(&path, config).unwrap();
    let gateway = GatewayConfig::load(&path)
        .unwrap()
        .gateway()
        .unwrap()
        .build()
        .unwrap();
    for path in ["/prod/pets", "/test/pets", "/none"] {
        get(&gateway, path).await;
    }
    // The last handle on a log waits until its lines are written.
    drop(gateway);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("prod.log").ends_with(" prod 200\n"));
    assert_eq!(read("all.log"), "/prod/pets\n/test/pets\n/none\n");
    assert!(read("metrics.log").contains(r#""Namespace":"Shop""#));
    let mut others = fs::read_dir(folder.path().join("others")).unwrap();
    let other = others.next().unwrap().unwrap();
    assert!(
        fs::read_to_string(other.path())
            .unwrap()
            .ends_with(" test 200\n")
    );
}

#[test]
fn what_is_wrong_with_a_destination_is_said() {
    for (text, place, message) in [
        (
            "accessLogs: { '*': nowhere }",
            "/accessLogs/*",
            "must be `stdout`",
        ),
        (
            "accessLogs: { '*': { fil: x } }",
            "/accessLogs/*/fil",
            "did you mean `file`?",
        ),
        (
            "accessLogs: { '*': { file: x, keep: 3 } }",
            "/accessLogs/*/keep",
            "needs `rotate` or `maxBytes`",
        ),
        (
            "accessLogs: { '*': { file: x, rotate: never, keep: 3 } }",
            "/accessLogs/*/keep",
            "needs `rotate` or `maxBytes`",
        ),
        ("accessLog: { format: x }", "/accessLog/to", "is missing"),
        ("metrics: all", "/metrics", "both"),
    ] {
        let error = parse(&format!("apis: []\n{text}")).unwrap_err().to_string();
        assert!(error.contains(place) && error.contains(message), "{error}");
    }
    let config = parse("apis: []\naccessLog: { format: '$context.x', to: stdout }").unwrap();
    let error = config.gateway().unwrap_err().to_string();
    assert!(error.contains("/accessLog/format"), "{error}");
    let config = parse(
        "apis: []\naccessLog: { format: '$context.x $context.statuss', to: { file: /no/such/folder/x } }\nemf: { namespace: AWS/ApiGateway, to: stdout }",
    );
    let error = config.unwrap().gateway().unwrap_err().to_string();
    for part in [
        "/accessLog/format: `$context.x` is no variable",
        "/accessLog/format: `$context.statuss` is no variable; did you mean `$context.status`?",
        "/accessLog/to",
        "/emf/namespace: `AWS/ApiGateway` begins with `AWS/`",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let config = parse("apis: []\naccessLog: { format: jsn, to: stdout }").unwrap();
    let error = config.gateway().unwrap_err().to_string();
    assert!(error.contains("did you mean `json`?"), "{error}");
    let error = parse("apis: []\nemf: { to: stdout, intervalInSeconds: 0 }").unwrap_err();
    assert!(error.to_string().contains("must be 1 or more"), "{error}");
    let config = parse("apis: []\naccessLogs: { '*': { file: /no/such/folder/x } }").unwrap();
    let error = config.gateway().unwrap_err().to_string();
    assert!(error.contains("cannot be opened"), "{error}");
}

#[test]
fn destinations_are_words_or_files() {
    let config =
        parse("apis: []\naccessLogs: { a: stdout, b: stderr, c: tracing, d: { file: x } }");
    let logs = config.unwrap().access_logs;
    assert_eq!(logs["a"], LogConfig::Stdout);
    assert_eq!(logs["b"], LogConfig::Stderr);
    assert_eq!(logs["c"], LogConfig::Tracing);
    assert_eq!(logs["d"], LogConfig::File("x".into()));
    let config = parse("apis: []\nexecutionLogs: { file: x, maxBytes: 10, keep: 2 }").unwrap();
    let expected = LogConfig::RollingFile {
        file: "x".into(),
        rotate: Rotation::Never,
        max_bytes: Some(10),
        keep: Some(2),
    };
    assert_eq!(config.execution_logs, Some(expected));
}
