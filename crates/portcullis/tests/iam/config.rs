//! Principals and endpoints from a configuration file.

use std::fs;

use portcullis::{ConfigFormat, GatewayConfig};

use super::*;

const CONFIG: &str = "
region: eu-west-1
accountId: '123456789012'
honourExpires: true
apis:
  - id: a1b2c3
    definition: api.json
    stages: [{ stageName: prod }]
vpcEndpoints:
  - { vpcEndpointId: vpce-1, vpcId: vpc-1, networks: [10.1.0.0/16] }
principals:
  - arn: arn:aws:iam::123456789012:user/tom
    userId: AIDATOM
    accessKeys:
      - { accessKeyId: AKIDEXAMPLE, secretAccessKey: '${TOM_SECRET}' }
    policies:
      - policyName: own
        policyDocument:
          Version: '2012-10-17'
          Statement:
            Effect: Allow
            Action: execute-api:Invoke
            Resource: 'arn:aws:execute-api:*:*:*/prod/GET/${aws:username}'
";

fn read(text: &str) -> Result<GatewayConfig, portcullis::ConfigError> {
    GatewayConfig::parse_with(text, ConfigFormat::Yaml, |name| {
        (name == "TOM_SECRET").then(|| SECRET.to_owned())
    })
}

#[tokio::test]
async fn a_file_says_who_may_sign_and_what_they_may() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = json!({"/{name}": {"get": signed_method()}});
    fs::write(folder.path().join("api.json"), document(&paths, None)).expect("written");
    let mut config = read(CONFIG).expect("a good configuration");
    config.folder = folder.path().to_owned();
    assert!(!format!("{config:?}").contains(SECRET));
    let gateway = config.gateway().expect("good settings");
    let gateway = build(gateway.clock(ManualClock::at_unix(NOW)));

    let response = send(&gateway, signer().sign(plain("GET", "/prod/tom"))).await;
    assert_eq!(response.status(), StatusCode::OK);
    let response = send(&gateway, signer().sign(plain("GET", "/prod/eve"))).await;
    assert_eq!(rule(&response), "iam/implicit-deny");
}

#[track_caller]
fn wrong(change: (&str, &str), expected: &str) {
    let text = CONFIG.replace(change.0, change.1);
    assert_ne!(text, CONFIG);
    let error = match read(&text) {
        Ok(config) => config.gateway().expect_err("it is wrong").to_string(),
        Err(error) => error.to_string(),
    };
    assert!(error.contains(expected), "{error}");
    assert!(!error.contains(SECRET), "{error}");
}

#[test]
fn what_is_wrong_is_named_by_its_pointer() {
    wrong(
        ("user/tom", "group/dogs"),
        "/principals/0/arn: `arn:aws:iam::123456789012:group/dogs`",
    );
    wrong(
        ("Effect: Allow", "Effect: allow"),
        "/principals/0/policies/0/policyDocument: is no policy: /Statement/Effect: ",
    );
    wrong(("accessKeys:", "acessKeys:"), "/principals/0");
    wrong(("10.1.0.0/16", "10.1.0.0/99"), "/vpcEndpoints/0/networks/0");
    wrong(
        ("region: eu-west-1", "region: eu-west-1\nreplayGuard: 0"),
        "/replayGuard: must be how many signatures are remembered",
    );
    wrong(
        ("AKIDEXAMPLE", "''"),
        "/principals/0/accessKeys/0/accessKeyId: is empty",
    );
}
