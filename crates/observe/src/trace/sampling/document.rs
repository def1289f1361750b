//! Rules as X-Ray writes them down.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::SamplingRule;
use crate::error::ConfigError;

/// What the SDKs take as local rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Local {
    version: u8,
    #[serde(default)]
    rules: Vec<LocalRule>,
    default: LocalDefault,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LocalRule {
    description: Option<String>,
    /// Of version 2.
    host: Option<String>,
    /// Of version 1, for the same.
    service_name: Option<String>,
    http_method: String,
    url_path: String,
    fixed_target: u32,
    rate: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LocalDefault {
    fixed_target: u32,
    rate: f64,
}

/// What `get-sampling-rules` gives.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Exported {
    sampling_rule_records: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    sampling_rule: ExportedRule,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ExportedRule {
    rule_name: String,
    #[serde(rename = "ResourceARN", default = "any")]
    resource_arn: String,
    priority: u16,
    fixed_rate: f64,
    reservoir_size: u32,
    #[serde(default = "any")]
    service_name: String,
    #[serde(default = "any")]
    service_type: String,
    #[serde(default = "any")]
    host: String,
    #[serde(rename = "HTTPMethod", default = "any")]
    http_method: String,
    #[serde(rename = "URLPath", default = "any")]
    url_path: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "SamplingRuleRecords")]
    records: Option<serde::de::IgnoredAny>,
}

fn any() -> String {
    "*".to_owned()
}

pub(super) fn parse(text: &str) -> Result<Vec<SamplingRule>, ConfigError> {
    let kind: Kind = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    if kind.records.is_some() {
        exported(serde_json::from_str(text).map_err(|error| unreadable(&error))?)
    } else {
        local(serde_json::from_str(text).map_err(|error| unreadable(&error))?)
    }
}

fn unreadable(error: &serde_json::Error) -> ConfigError {
    ConfigError::new(FIELD, "", error.to_string())
}

const FIELD: &str = "sampling rules";

fn local(document: Local) -> Result<Vec<SamplingRule>, ConfigError> {
    if !matches!(document.version, 1 | 2) {
        let problem = format!("is {}; known are 1 and 2", document.version);
        return Err(ConfigError::new(FIELD, "/version", problem));
    }
    let version = document.version;
    let rules = document.rules.into_iter().enumerate();
    let rules = rules.map(|(index, rule)| local_rule(version, &format!("/rules/{index}"), rule));
    let LocalDefault { fixed_target, rate } = document.default;
    let rest = SamplingRule::new("Default", fixed_target, rate);
    let rest = rest.map_err(|error| within("/default", &error));
    // Their order says which comes first.
    collected(rules.chain([rest]))
}

fn local_rule(version: u8, place: &str, rule: LocalRule) -> Result<SamplingRule, ConfigError> {
    let (named, other) = if version == 1 {
        (&rule.service_name, "service_name")
    } else {
        (&rule.host, "host")
    };
    let Some(host) = named else {
        let problem = format!("has no `{other}`, which version {version} wants");
        return Err(ConfigError::new(FIELD, place, problem));
    };
    let name = rule.description.unwrap_or_else(|| place.to_owned());
    SamplingRule::new(name, rule.fixed_target, rule.rate)
        .and_then(|made| made.host(host))
        .and_then(|made| made.method(&rule.http_method))
        .and_then(|made| made.path(&rule.url_path))
        .map_err(|error| within(place, &error))
}

fn exported(document: Exported) -> Result<Vec<SamplingRule>, ConfigError> {
    let records = document.sampling_rule_records.into_iter().enumerate();
    collected(records.map(|(index, record)| {
        let place = format!("/SamplingRuleRecords/{index}/SamplingRule");
        exported_rule(record.sampling_rule).map_err(|error| within(&place, &error))
    }))
}

fn exported_rule(given: ExportedRule) -> Result<SamplingRule, ConfigError> {
    let mut rule = SamplingRule::new(given.rule_name, given.reservoir_size, given.fixed_rate)
        .and_then(|made| made.service(&given.service_name))
        .and_then(|made| made.service_type(&given.service_type))
        .and_then(|made| made.resource_arn(&given.resource_arn))
        .and_then(|made| made.host(&given.host))
        .and_then(|made| made.method(&given.http_method))
        .and_then(|made| made.path(&given.url_path))?
        .priority(given.priority);
    for (header, value) in &given.attributes {
        rule = rule.attribute(header, value)?;
    }
    Ok(rule)
}

/// The rules, or the faults of all of them.
fn collected(
    rules: impl Iterator<Item = Result<SamplingRule, ConfigError>>,
) -> Result<Vec<SamplingRule>, ConfigError> {
    let (mut good, mut faults) = (Vec::new(), Vec::new());
    for rule in rules {
        match rule {
            Ok(rule) => good.push(rule),
            Err(fault) => faults.push(fault),
        }
    }
    match ConfigError::all(faults) {
        Some(faults) => Err(faults),
        None => Ok(good),
    }
}

/// The fault of one rule, with its place in the document.
fn within(place: &str, error: &ConfigError) -> ConfigError {
    ConfigError::new(FIELD, place, format!("has a fault: {error}"))
}
