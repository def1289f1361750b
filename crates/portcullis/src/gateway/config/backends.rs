//! From a tree to functions, and to the credentials for what is elsewhere.

use std::path::PathBuf;

use serde_json::Value;

use super::reader::{Object, Reader, join};
use super::{CredentialsConfig, FunctionConfig, FunctionPlace};
use crate::definition::SecretValue;
use crate::integrations::FunctionAlias;

pub(super) fn function(item: &Value, path: &str, reader: &mut Reader) -> Option<FunctionConfig> {
    let fields = ["url", "lambda", "mock", "versions", "aliases"];
    let object = reader.object(item, path, &fields)?;
    let mut function = FunctionConfig::default();
    for (version, path, item) in reader.map(object, "versions") {
        if let Some(version_object) = reader.object(item, &path, &["url", "lambda", "mock"]) {
            let place = place(version_object, item, reader);
            function
                .versions
                .extend(place.map(|place| (version.to_owned(), place)));
        }
    }
    for (name, path, item) in reader.map(object, "aliases") {
        let alias = alias(item, &path, reader);
        function
            .aliases
            .extend(alias.map(|alias| (name.to_owned(), alias)));
    }
    let has_place = ["url", "lambda", "mock"]
        .iter()
        .any(|name| item.get(name).is_some());
    if has_place || function.versions.is_empty() && function.aliases.is_empty() {
        function.latest = Some(place(object, item, reader)?);
    }
    Some(function)
}

fn place(object: Object<'_>, item: &Value, reader: &mut Reader) -> Option<FunctionPlace> {
    match (object.get("url"), object.get("lambda"), item.get("mock")) {
        (Some(_), None, None) => Some(FunctionPlace::Url(reader.text(object, "url")?.to_owned())),
        (None, Some(_), None) => {
            let arn = reader.text(object, "lambda")?;
            Some(FunctionPlace::Lambda(arn.to_owned()))
        }
        (None, None, Some(mock)) => Some(FunctionPlace::Mock(mock.clone())),
        _ => {
            reader.fault(object.path(), "must have one of `url`, `lambda` and `mock`");
            None
        }
    }
}

/// An alias in the words of the service, as `aws lambda get-alias` prints them or with a small first letter.
fn alias(item: &Value, path: &str, reader: &mut Reader) -> Option<FunctionAlias> {
    const FIELDS: &[&str] = &[
        "FunctionVersion",
        "functionVersion",
        "RoutingConfig",
        "routingConfig",
        // What else the service prints says nothing of the calls.
        "AliasArn",
        "Name",
        "Description",
        "RevisionId",
    ];
    let object = reader.object(item, path, FIELDS)?;
    let version = match object.get("FunctionVersion") {
        Some(_) => reader.text(object, "FunctionVersion"),
        None => reader.needed(object, "functionVersion"),
    };
    let mut alias = FunctionAlias::new(version.unwrap_or_default());
    let name = match object.get("RoutingConfig") {
        Some(_) => "RoutingConfig",
        None => "routingConfig",
    };
    let Some(config) = object.get(name) else {
        return version.map(|_| alias);
    };
    let path = object.at(name);
    let fields = ["AdditionalVersionWeights", "additionalVersionWeights"];
    let config = reader.object(config, &path, &fields)?;
    for name in fields {
        for (version, path, weight) in reader.map(config, name) {
            // What comes from a variable is a text.
            let written = weight.as_str().and_then(|text| text.parse().ok());
            match weight.as_f64().or(written) {
                Some(weight) => alias = alias.additional_version_weight(version, weight),
                None => reader.fault(path, format!("must be a number from 0 to 1, not {weight}")),
            }
        }
    }
    version.map(|_| alias)
}

pub(super) fn credentials(object: Object<'_>, reader: &mut Reader) -> Option<CredentialsConfig> {
    let value = object.get("credentials")?;
    if value == "environment" {
        return Some(CredentialsConfig::Environment);
    }
    let path = object.at("credentials");
    if !value.is_object() {
        reader.fault(
            path,
            "must be `environment`, or an object with `accessKeyId` and `secretAccessKey`, with `profile` or with `webIdentity`",
        );
        return None;
    }
    if value.get("profile").is_some() {
        let own = reader.object(value, &path, &["profile"])?;
        let name = reader.text(own, "profile")?;
        return Some(CredentialsConfig::Profile(name.to_owned()));
    }
    if let Some(identity) = value.get("webIdentity") {
        reader.object(value, &path, &["webIdentity"])?;
        let path = join(&path, "webIdentity");
        let own = reader.object(identity, &path, &["roleArn", "tokenFile"])?;
        let role_arn = reader.needed(own, "roleArn").map(str::to_owned);
        let token_file = reader.needed(own, "tokenFile").map(PathBuf::from);
        return Some(CredentialsConfig::WebIdentity {
            role_arn: role_arn?,
            token_file: token_file?,
        });
    }
    let fields = ["accessKeyId", "secretAccessKey", "sessionToken"];
    let own = reader.object(value, &path, &fields)?;
    let access_key_id = reader.needed(own, "accessKeyId").map(str::to_owned);
    let secret_access_key = reader.needed(own, "secretAccessKey").map(secret);
    let session_token = reader.text(own, "sessionToken");
    let session_token = session_token.filter(|token| !token.is_empty()).map(secret);
    Some(CredentialsConfig::Static {
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        session_token,
    })
}

fn secret(text: &str) -> SecretValue {
    SecretValue::new(text)
}
