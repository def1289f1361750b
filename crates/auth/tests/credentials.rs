//! Stores of access keys over their public API.

use std::fs;

use portcullis_auth::credentials::{
    CredentialLookup, CredentialStore, FileCredentials, MemoryCredentials, PrincipalConfig,
};
use portcullis_auth::iam::{AccessRequest, evaluate};
use serde_json::{Value, json};

fn tom(changes: &Value) -> Result<PrincipalConfig, serde_json::Error> {
    let mut tom = json!({
        "arn": "arn:aws:iam::123456789012:user/tom",
        "accessKeys": [{"accessKeyId": "AKIDTOM", "secretAccessKey": "hunter2"}],
    });
    for (name, value) in changes.as_object().unwrap() {
        tom[name] = value.clone();
    }
    serde_json::from_value(tom)
}

fn found(store: &impl CredentialStore, id: &str) -> bool {
    match store.find(id) {
        CredentialLookup::Ready(found) => found.is_some(),
        CredentialLookup::Later(_) => panic!("it is in memory"),
    }
}

#[test]
fn a_file_is_read_anew_when_it_is_told_to_and_a_wrong_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("principals.json");
    let write = |document: &Value| fs::write(&path, document.to_string()).unwrap();
    let document = |id: &str| {
        json!({"principals": [{
            "arn": "arn:aws:iam::123456789012:user/tom",
            "accessKeys": [{"accessKeyId": id, "secretAccessKey": "hunter2"}],
        }]})
    };
    write(&document("AKIDOLD"));
    let store = FileCredentials::open(&path).unwrap();
    assert!(found(&store, "AKIDOLD"));

    write(&document("AKIDNEW"));
    assert!(found(&store, "AKIDOLD"));
    store.reload().unwrap();
    assert!(found(&store, "AKIDNEW") && !found(&store, "AKIDOLD"));

    write(&json!({"principals": [{"arn": "tom"}]}));
    let error = store.reload().unwrap_err().to_string();
    assert!(error.contains("principals[0].arn"), "{error}");
    assert!(found(&store, "AKIDNEW"));
    fs::remove_file(&path).unwrap();
    assert!(store.reload().is_err());
}

#[test]
fn the_words_of_the_configuration_become_a_caller_with_policies() {
    let tom = tom(&json!({
        "policies": [
            {"policyName": "all", "policyDocument": {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}},
            {"policyDocument": "{\"Statement\": {\"Effect\": \"Deny\", \"Action\": \"s3:*\", \"Resource\": \"*\"}}"},
        ],
        "permissionsBoundary": {"policyDocument": {"Statement": {"Effect": "Allow", "Action": "execute-api:*", "Resource": "*"}}},
        "tags": {"team": "dogs"},
    }))
    .unwrap();
    let keys = tom.credentials().unwrap();
    let caller = keys[0].caller();
    let may = |action| {
        let arn = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/pets";
        let request = AccessRequest::new(caller.principal(), action, arn);
        evaluate(&request, caller.policies(), None).is_allowed()
    };
    assert!(may("execute-api:Invoke"));
    assert!(!may("s3:GetObject"));
    assert!(!may("sqs:SendMessage"));
}

#[track_caller]
fn wrong(changes: &Value, expected: &str) {
    let error = MemoryCredentials::from_config(&[tom(changes).unwrap()]).unwrap_err();
    assert!(error.to_string().starts_with(expected), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn what_is_wrong_is_named_by_its_field_and_never_with_a_secret() {
    let key = |changes: &Value| {
        let mut key = json!({"accessKeyId": "AKIDTOM", "secretAccessKey": "hunter2"});
        for (name, value) in changes.as_object().unwrap() {
            key[name] = value.clone();
        }
        json!({"accessKeys": [key]})
    };
    wrong(
        &json!({"arn": "arn:aws:iam::123456789012:group/dogs"}),
        "principals[0].arn: `arn:aws:iam::123456789012:group/dogs` is the ARN of no principal",
    );
    wrong(
        &json!({"policies": [{"policyDocument": {"Statement": []}}, {"policyDocument": {}}]}),
        "principals[0].policies[1].policyDocument: is no policy: /: a policy needs the element `Statement`",
    );
    wrong(
        &key(&json!({"accessKeyId": "AKID/TOM"})),
        "principals[0].accessKeys[0].accessKeyId: ",
    );
    wrong(
        &key(&json!({"secretAccessKey": ""})),
        "principals[0].accessKeys[0].secretAccessKey: is empty",
    );
    wrong(
        &key(&json!({"sessionToken": "hunter2"})),
        "principals[0].accessKeys[0].expiration: is missing",
    );
    wrong(
        &key(&json!({"sessionToken": "hunter2", "expiration": "soon"})),
        "principals[0].accessKeys[0].expiration: `soon` is no date",
    );
    wrong(
        &key(&json!({"expiration": "2026-01-31T12:00:00Z"})),
        "principals[0].accessKeys[0].sessionToken: is missing",
    );
    assert!(tom(&json!({"acessKeys": []})).is_err());
    let tom = tom(&json!({})).unwrap();
    let error = MemoryCredentials::from_config(&[tom.clone(), tom]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`AKIDTOM` is the id of another key"),
        "{error}"
    );
}

#[test]
fn an_inactive_key_is_none() {
    let key = json!({"accessKeyId": "AKIDTOM", "secretAccessKey": "hunter2", "status": "Inactive"});
    let store =
        MemoryCredentials::from_config(&[tom(&json!({"accessKeys": [key]})).unwrap()]).unwrap();
    assert!(!found(&store, "AKIDTOM"));
}
