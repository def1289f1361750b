//! `cache` of an HTTP API.

use super::reader::{Object, Reader};
use crate::cache::http::{HttpCacheConfig, SetCookie};

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

pub(super) fn parse(api: Object<'_>, reader: &mut Reader) -> Option<HttpCacheConfig> {
    let path = api.at("cache");
    let cache = reader.object(api.get("cache")?, &path, FIELDS)?;
    reader.needed(cache, "mode")?;
    reader.word(cache, "mode", MODES)?;
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
