//! API keys and usage plans of a configuration.

use std::collections::HashMap;

use super::GatewayConfig;
use super::again::Found;
use super::error::ConfigFault;
use crate::auth::api_key::{self, KeyHash, MemoryKeys};
use crate::definition::{self, Pointer};

/// The lengths that values have in the service.
const LENGTHS: std::ops::RangeInclusive<usize> = 20..=128;

impl GatewayConfig {
    /// The keys, if there are any: those that stand in the configuration, and those of the file that it names.
    pub(super) fn keys(&self, faults: &mut Vec<ConfigFault>) -> Option<MemoryKeys> {
        if self.api_keys.is_empty() && self.api_key_file.is_none() {
            return None;
        }
        let mut fault = |place: String, message: String| {
            faults.push(ConfigFault { place, message });
        };
        let mut keys = Vec::new();
        for (index, key) in self.api_keys.iter().enumerate() {
            let place = format!("/apiKeys/{index}");
            match read(key, &place) {
                Ok(key) => keys.push((place, key)),
                Err((member, message)) => fault(place + member, message.to_owned()),
            }
        }
        if let Some(path) = &self.api_key_file {
            let place = || "/apiKeyFile".to_owned();
            match api_key::read_file(self.folder.join(path)) {
                Ok(read) => keys.extend(read.into_iter().map(|key| (place(), key))),
                Err(error) => fault(place(), error.to_string()),
            }
        }
        let mut values: HashMap<KeyHash, &str> = HashMap::new();
        let mut ids = HashMap::new();
        for (place, key) in &keys {
            for hash in [Some(key.hash()), key.previous()].into_iter().flatten() {
                if let Some(other) = values.insert(*hash, place) {
                    let message = format!("the key `{}` has a value of {other}, too", key.id());
                    fault(place.clone(), message);
                }
            }
            if let Some(other) = ids.insert(key.id().as_str(), place) {
                let message = format!("`{}` is the id of {other}, too", key.id());
                fault(place.clone(), message);
            }
        }
        for (index, plan) in self.usage_plans.iter().enumerate() {
            for (at, key) in plan.keys.iter().enumerate() {
                if !ids.contains_key(key.id.as_str()) {
                    let message = format!("there is no key with the id `{}`", key.id);
                    fault(format!("/usagePlans/{index}/keys/{at}"), message);
                }
            }
        }
        Some(MemoryKeys::new(keys.into_iter().map(|(_, key)| key)))
    }
}

/// What is wrong with a key by itself.
pub(super) fn check(key: &definition::ApiKey) -> Result<(), Vec<Found>> {
    let mut found = Vec::new();
    if key.id.is_empty() {
        found.push(NO_ID);
    }
    match &key.value {
        Some(value) => found.extend(fits("/value", value.expose()).err()),
        None => found.push(NO_VALUE),
    }
    if let Some(previous) = &key.previous_value {
        found.extend(fits("/previousValue", previous.expose()).err());
    }
    if found.is_empty() {
        return Ok(());
    }
    let found = found.into_iter().map(|(member, message)| {
        let member = Pointer::root().child(member.trim_start_matches('/'));
        (member, message.to_owned())
    });
    Err(found.collect())
}

const NO_ID: (&str, &str) = ("/id", "is missing; usage plans name keys by their ids");
const NO_VALUE: (&str, &str) = (
    "/value",
    "is missing; `get-api-keys` prints it with `--include-values`",
);

fn read(
    key: &definition::ApiKey,
    place: &str,
) -> Result<api_key::ApiKey, (&'static str, &'static str)> {
    if key.id.is_empty() {
        return Err(NO_ID);
    }
    let value = key.value.as_ref().ok_or(NO_VALUE)?;
    measured((&key.id, place, "/value"), value.expose())?;
    let enabled = key.enabled.unwrap_or_default();
    if !enabled {
        tracing::warn!(key = key.id, "the API key is not enabled: it opens nothing");
    }
    let mut own = api_key::ApiKey::new(key.id.as_str(), value.expose()).with_enabled(enabled);
    if let Some(previous) = &key.previous_value {
        measured((&key.id, place, "/previousValue"), previous.expose())?;
        own = own.with_previous(previous.expose());
    }
    if let Some(name) = &key.name {
        own = own.with_name(name);
    }
    if let Some(description) = &key.description {
        own = own.with_description(description);
    }
    if let Some(id) = &key.customer_id {
        own = own.with_customer_id(id);
    }
    for (name, value) in &key.tags {
        own = own.with_tag(name, value);
    }
    Ok(own)
}

/// That a header can have the value, and, with a warning, whether the service would have it.
fn measured(
    (key, place, member): (&str, &str, &'static str),
    value: &str,
) -> Result<(), (&'static str, &'static str)> {
    fits(member, value)?;
    if !LENGTHS.contains(&value.len()) {
        tracing::warn!(
            key,
            place = format_args!("{place}{member}"),
            "the API key has a value that the service would not take: those have 20 to 128 characters"
        );
    }
    Ok(())
}

/// Whether a header can have the value.
fn fits(member: &'static str, value: &str) -> Result<(), (&'static str, &'static str)> {
    if value.is_empty() || value.len() > 1024 || !value.bytes().all(|byte| byte.is_ascii_graphic())
    {
        let message = "must be visible ASCII without blanks, at most 1,024 of it; or `sha256:` and the hash of a value";
        return Err((member, message));
    }
    Ok(())
}
