//! `cache` of an HTTP API.

use serde_json::Value;

use super::again::Found;
use super::reader::{Object, Reader, join};
use crate::cache::ConfigError;
use crate::cache::http::{HttpCacheConfig, SetCookie};
use crate::core::ApiKind;
use crate::definition::Pointer;

const FIELDS: &[&str] = &[
    "mode",
    "name",
    "status",
    "targetedFields",
    "surrogate",
    "heuristic",
    "maxHeuristic",
    "staleWhenDisconnected",
    "keepStale",
    "setCookie",
    "obeyRequests",
    "maxBodyBytes",
];

/// The only conduct there is to choose: that of the service's own cache is its stages' to say.
const MODES: &[(&str, ())] = &[("http", ())];

const SET_COOKIE: &[(&str, SetCookie)] = &[
    ("refuse", SetCookie::Refuse),
    ("strip", SetCookie::Strip),
    ("replay", SetCookie::Replay),
];

/// What an API says of its cache. All that is wrong is told at once.
pub(super) fn parse(
    api: Object<'_>,
    kind: ApiKind,
    reader: &mut Reader,
) -> Option<HttpCacheConfig> {
    let path = api.at("cache");
    let value = api.get("cache")?;
    if kind == ApiKind::Rest {
        reader.fault(&path, REST);
        return None;
    }
    if value.is_object() && value.get("mode").is_none_or(Value::is_null) {
        reader.fault(join(&path, "mode"), "is missing; write `http`");
    }
    reader.checked(value, &path, fields, |config| {
        let built = config.into_builder().build();
        built.map(drop).map_err(|error| vec![found(&error)])
    })
}

/// What is said of one that a REST API has.
pub(super) const REST: &str =
    "a REST API has the service's own cache: set `cacheClusterEnabled` on its stages";

/// What is wrong with a cache, at the field that it is about.
pub(super) fn found(error: &ConfigError) -> Found {
    let segments = error.field().split('/');
    let place = segments.fold(Pointer::root(), |place, segment| place.child(segment));
    (place, format!("{}; {}", error.problem(), error.fix()))
}

fn fields(value: &Value, path: &str, reader: &mut Reader) -> Option<HttpCacheConfig> {
    let cache = reader.object(value, path, FIELDS)?;
    reader.word(cache, "mode", MODES);
    let mut seconds = |name: &str| {
        let number = reader.number(cache, name)?;
        Some(u32::try_from(number).unwrap_or(u32::MAX))
    };
    let mut config = HttpCacheConfig::default();
    config.max_heuristic = seconds("maxHeuristic");
    config.stale_when_disconnected = seconds("staleWhenDisconnected");
    config.keep_stale = seconds("keepStale");
    config.name = reader.text(cache, "name").map(str::to_owned);
    config.status = reader.flag(cache, "status");
    config.surrogate = reader.text(cache, "surrogate").map(str::to_owned);
    config.heuristic = reader.decimal(cache, "heuristic");
    config.set_cookie = reader.word(cache, "setCookie", SET_COOKIE);
    config.obey_requests = reader.flag(cache, "obeyRequests");
    config.max_body_bytes = reader
        .number(cache, "maxBodyBytes")
        .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if cache.get("targetedFields").is_some() {
        config.targeted_fields = Some(reader.texts(cache, "targetedFields"));
    }
    Some(config)
}
