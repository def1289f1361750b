//! What stands in front of APIs, and what clients are told of versions that go away.

use std::collections::BTreeMap;
use std::time::SystemTime;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use serde_json::Value;

use super::reader::{Object, Reader};
use crate::gateway::Edge;
use crate::stages::Deprecation;

/// `cloudfront`, or the headers of another network.
pub(super) fn edge(object: Object<'_>, reader: &mut Reader) -> Option<Edge> {
    let value = object.get("edge")?;
    if value == "cloudfront" {
        return Some(Edge::cloudfront());
    }
    let path = object.at("edge");
    if !value.is_object() {
        let message = "must be `cloudfront`, or an object with `viewerAddressHeader`, `viewerCountryHeader` or both";
        reader.fault(path, message);
        return None;
    }
    let fields = ["viewerAddressHeader", "viewerCountryHeader"];
    let own = reader.object(value, &path, &fields)?;
    let mut edge = Edge::new();
    if let Some(name) = reader.header(own, "viewerAddressHeader") {
        edge = edge.viewer_address(name);
    }
    if let Some(name) = reader.header(own, "viewerCountryHeader") {
        edge = edge.viewer_country(name);
    }
    Some(edge)
}

/// What clients are told of stages that go away, by the stage's name.
pub(super) fn deprecations(
    object: Object<'_>,
    reader: &mut Reader,
) -> BTreeMap<String, Deprecation> {
    const FIELDS: &[&str] = &["since", "sunset", "link", "sunsetLink", "successor"];
    let mut deprecations = BTreeMap::new();
    for (stage, path, item) in reader.map(object, "deprecations") {
        let Some(own) = reader.object(item, &path, FIELDS) else {
            continue;
        };
        let mut builder = Deprecation::builder();
        if let Some(time) = time(own, "since", reader) {
            builder = builder.since(time);
        }
        if let Some(time) = time(own, "sunset", reader) {
            builder = builder.sunset(time);
        }
        if let Some(url) = reader.text(own, "link") {
            builder = builder.link(url);
        }
        if let Some(url) = reader.text(own, "sunsetLink") {
            builder = builder.sunset_link(url);
        }
        if let Some(url) = reader.text(own, "successor") {
            builder = builder.successor(url);
        }
        let dated = ["since", "sunset"]
            .iter()
            .any(|name| own.get(name).is_some());
        match builder.build() {
            Ok(deprecation) => {
                deprecations.insert(stage.to_owned(), deprecation);
            }
            Err(error) => {
                for fault in error.faults() {
                    let field = match (fault.at(), fault.problem()) {
                        // Nor has one that is none.
                        (_, "it has no date") if dated => continue,
                        (_, "it has no date") => None,
                        ("deprecation", _) => Some("link"),
                        ("sunset", "is no link") => Some("sunsetLink"),
                        ("successor-version", _) => Some("successor"),
                        (at, _) => Some(at),
                    };
                    let place = field.map_or_else(|| path.clone(), |field| own.at(field));
                    reader.fault(place, format!("{}; {}", fault.problem(), fault.fix()));
                }
            }
        }
    }
    deprecations
}

/// A day, which begins at midnight UTC, or a time of RFC 3339.
fn time(object: Object<'_>, name: &str, reader: &mut Reader) -> Option<SystemTime> {
    let text = match object.get(name)? {
        Value::String(text) => text.as_str(),
        _ => "",
    };
    let midnight = |day: Date| {
        let start = day.to_datetime(civil::Time::midnight());
        TimeZone::UTC.to_timestamp(start).ok()
    };
    let day = || text.parse::<Date>().ok().and_then(midnight);
    let parsed = text.parse::<Timestamp>().ok().or_else(day);
    if parsed.is_none() {
        let message =
            "must be a day or a time in quotes, like `2026-12-31` or `2026-12-31T23:59:59Z`";
        reader.fault(object.at(name), message);
    }
    parsed.and_then(|time| time.try_into().ok())
}
