//! From a tree to what a stage's canary goes by.

use std::time::Duration;

use http::{HeaderName, Method};
use serde_json::Value;

use super::reader::{Object, Reader};
use crate::canary::{
    Carry, Comparison, Forced, MirrorLayer, MirrorLayerBuilder, Ramp, SigningKey, Sticky,
    StickyCookie,
};
use crate::gateway::CanaryRules;

/// The rules of one stage's canary.
pub(super) fn canary(item: &Value, path: &str, reader: &mut Reader) -> Option<CanaryRules> {
    const FIELDS: &[&str] = &["sticky", "forced", "carry", "salt", "mirror", "ramp"];
    let object = reader.object(item, path, FIELDS)?;
    let mut rules = CanaryRules::new();
    if let Some(value) = object.get("sticky") {
        let path = object.at("sticky");
        if let Some(sticky) = sticky(value, &path, reader) {
            rules = rules.sticky(sticky);
        }
    }
    if let Some(value) = object.get("forced") {
        let path = object.at("forced");
        if let Some(forced) = forced(value, &path, reader) {
            rules = rules.forced(forced);
        }
    }
    if let Some(value) = object.get("carry") {
        let path = object.at("carry");
        if let Some(carry) = carry(value, &path, reader) {
            rules = rules.carry(carry);
        }
    }
    if let Some(salt) = reader.text(object, "salt") {
        rules = rules.salt(salt);
    }
    if let Some(value) = object.get("mirror") {
        let path = object.at("mirror");
        if let Some(mirror) = mirror(value, &path, reader) {
            rules = rules.mirror(mirror);
        }
    }
    if let Some(value) = object.get("ramp") {
        let path = object.at("ramp");
        if let Some((ramp, mismatches_above)) = ramp(value, &path, reader) {
            rules = rules.ramp(ramp);
            if let Some(percent) = mismatches_above {
                rules = rules.max_mismatches_above(percent);
            }
        }
    }
    Some(rules.written(item.clone()))
}

/// One of several ways, or a list of them: the next is looked at where one finds nobody.
fn sticky(value: &Value, path: &str, reader: &mut Reader) -> Option<Sticky> {
    if let Some(items) = value.as_array() {
        let items = items.iter().enumerate();
        let ways = items.filter_map(|(index, item)| way(item, &format!("{path}/{index}"), reader));
        // All of them, so that all faults are told.
        let ways: Vec<_> = ways.collect();
        return ways.into_iter().reduce(Sticky::or);
    }
    way(value, path, reader)
}

fn way(value: &Value, path: &str, reader: &mut Reader) -> Option<Sticky> {
    const WAYS: &[&str] = &["cookie", "ownCookie", "header", "clientAddress"];
    let object = reader.object(value, path, WAYS)?;
    match WAYS.iter().filter(|way| object.get(way).is_some()).count() {
        1 => {}
        // What is there instead is a fault already.
        0 if value.as_object().is_some_and(|own| !own.is_empty()) => return None,
        _ => {
            let message = "must have one of `cookie`, `ownCookie`, `header` and `clientAddress`; several of them are a list";
            reader.fault(path, message);
            return None;
        }
    }
    if object.get("cookie").is_some() {
        return reader.text(object, "cookie").map(Sticky::cookie);
    }
    if object.get("header").is_some() {
        return reader.header(object, "header").map(Sticky::header);
    }
    if object.get("clientAddress").is_some() {
        if reader.flag(object, "clientAddress") == Some(false) {
            reader.fault(object.at("clientAddress"), "must be true, or be left out");
        }
        return Some(Sticky::client_address());
    }
    let path = object.at("ownCookie");
    let fields = ["name", "signingKey", "maxAge", "path", "domain", "secure"];
    let own = reader.object(object.get("ownCookie")?, &path, &fields)?;
    let name = reader.needed(own, "name");
    let mut cookie = StickyCookie::new(name.unwrap_or_default().to_owned());
    if let Some(key) = signing_key(own, reader) {
        cookie = cookie.signed(key);
    }
    if let Some(seconds) = reader.number(own, "maxAge") {
        match u32::try_from(seconds) {
            Ok(seconds) => cookie = cookie.max_age_seconds(seconds),
            Err(_) => reader.fault(own.at("maxAge"), "must be a number of seconds below 2³²"),
        }
    }
    if let Some(path) = reader.text(own, "path") {
        cookie = cookie.path(path.to_owned());
    }
    if let Some(domain) = reader.text(own, "domain") {
        cookie = cookie.domain(domain.to_owned());
    }
    if let Some(secure) = reader.flag(own, "secure") {
        cookie = cookie.secure(secure);
    }
    name.map(|_| Sticky::own_cookie(cookie))
}

fn forced(value: &Value, path: &str, reader: &mut Reader) -> Option<Forced> {
    let object = reader.object(value, path, &["header", "cookie", "signingKey"])?;
    let key = signing_key(object, reader);
    let forced = match (object.get("header"), object.get("cookie")) {
        (Some(_), None) => Forced::header(reader.header(object, "header")?),
        (None, Some(_)) => Forced::cookie(reader.text(object, "cookie")?),
        _ => {
            reader.fault(path, "must have one of `header` and `cookie`");
            return None;
        }
    };
    Some(match key {
        Some(key) => forced.signed(key),
        None => forced,
    })
}

fn carry(value: &Value, path: &str, reader: &mut Reader) -> Option<Carry> {
    let object = reader.object(value, path, &["header", "trustInbound"])?;
    let trust = reader.flag(object, "trustInbound").unwrap_or_default();
    reader.needed(object, "header")?;
    let carry = Carry::header(reader.header(object, "header")?);
    Some(carry.trust_inbound(trust))
}

fn mirror(value: &Value, path: &str, reader: &mut Reader) -> Option<MirrorLayerBuilder> {
    const FIELDS: &[&str] = &[
        "percent",
        "methods",
        "maxBodyBytes",
        "concurrency",
        "queue",
        "timeoutSeconds",
        "samples",
        "markHeader",
        "compare",
    ];
    let object = reader.object(value, path, FIELDS)?;
    let mut mirror = MirrorLayer::builder();
    if let Some(percent) = reader.decimal(object, "percent") {
        mirror = mirror.share(percent);
    }
    let method = |text: &str| Method::from_bytes(text.as_bytes()).ok();
    for method in reader.parsed(object, "methods", "a method", method) {
        mirror = mirror.method(method);
    }
    let mut size = |name: &str| {
        let size = reader.number(object, name)?;
        Some(usize::try_from(size).unwrap_or(usize::MAX))
    };
    if let Some(bytes) = size("maxBodyBytes") {
        mirror = mirror.max_body_bytes(bytes);
    }
    if let Some(copies) = size("concurrency") {
        mirror = mirror.concurrency(copies);
    }
    if let Some(copies) = size("queue") {
        mirror = mirror.queue(copies);
    }
    if let Some(samples) = size("samples") {
        mirror = mirror.samples(samples);
    }
    if let Some(seconds) = reader.number(object, "timeoutSeconds") {
        mirror = mirror.timeout(Duration::from_secs(seconds));
    }
    if let Some(name) = reader.header(object, "markHeader") {
        mirror = mirror.mark(name);
    }
    if let Some(value) = object.get("compare") {
        let path = object.at("compare");
        mirror = mirror.compare(comparison(value, &path, reader)?);
    }
    Some(mirror)
}

fn comparison(value: &Value, path: &str, reader: &mut Reader) -> Option<Comparison> {
    const FIELDS: &[&str] = &["ignoreHeaders", "ignorePaths", "tolerance", "redact"];
    let object = reader.object(value, path, FIELDS)?;
    let mut comparison = Comparison::new();
    let name = |text: &str| HeaderName::try_from(text).ok();
    for name in reader.parsed(object, "ignoreHeaders", "the name of a header", name) {
        comparison = comparison.ignore_header(name);
    }
    for (index, pointer) in reader.texts(object, "ignorePaths").iter().enumerate() {
        match comparison.clone().ignore_path(pointer) {
            Ok(more) => comparison = more,
            Err(error) => {
                let place = format!("{}/{index}", object.at("ignorePaths"));
                reader.fault(place, error.problem());
            }
        }
    }
    if let Some(tolerance) = reader.decimal(object, "tolerance") {
        match comparison.clone().tolerance(tolerance) {
            Ok(more) => comparison = more,
            Err(error) => reader.fault(object.at("tolerance"), error.problem()),
        }
    }
    for name in reader.texts(object, "redact") {
        comparison = comparison.redact(&name);
    }
    Some(comparison)
}

/// A ramp, and how many percent of the compared answers may differ.
fn ramp(value: &Value, path: &str, reader: &mut Reader) -> Option<(Ramp, Option<f64>)> {
    const FIELDS: &[&str] = &[
        "steps",
        "windowSeconds",
        "minRequests",
        "maxErrorRateAbove",
        "maxP99Times",
        "maxMismatchesAbove",
    ];
    let object = reader.object(value, path, FIELDS)?;
    let mut steps = Vec::new();
    for (path, item) in reader.list(object, "steps") {
        let Some(step) = reader.object(item, &path, &["percent", "seconds"]) else {
            continue;
        };
        let percent = reader.decimal(step, "percent");
        let seconds = reader.number(step, "seconds").unwrap_or_default();
        match percent {
            Some(percent) => steps.push((percent, Duration::from_secs(seconds))),
            None if step.get("percent").is_none() => reader.fault(step.at("percent"), "is missing"),
            None => {}
        }
    }
    let mut ramp = Ramp::new(steps);
    if let Some(seconds) = reader.number(object, "windowSeconds") {
        ramp = ramp.window(Duration::from_secs(seconds));
    }
    if let Some(requests) = reader.number(object, "minRequests") {
        ramp = ramp.min_requests(requests);
    }
    if let Some(points) = reader.decimal(object, "maxErrorRateAbove") {
        ramp = ramp.max_error_rate_above(points);
    }
    if let Some(times) = reader.decimal(object, "maxP99Times") {
        ramp = ramp.max_p99_times(times);
    }
    Some((ramp, reader.decimal(object, "maxMismatchesAbove")))
}

fn signing_key(object: Object<'_>, reader: &mut Reader) -> Option<SigningKey> {
    let secret = reader.text(object, "signingKey")?;
    match SigningKey::new(secret) {
        Ok(key) => Some(key),
        Err(error) => {
            reader.fault(object.at("signingKey"), error.problem());
            None
        }
    }
}
