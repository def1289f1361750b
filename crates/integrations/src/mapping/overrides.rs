//! `$context.requestOverride` and `$context.responseOverride`: what templates change beside bodies.

use std::borrow::Cow;

use http::header::{HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portcullis_core::{Body, RequestContext};
use portcullis_templates::{Data, Output};

use super::parameters::{Mapped, MappingFault};
use crate::failure::Failure;
use crate::headers;

/// The overrides as the last template left them. The response template reads what the request template set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Carried {
    pub(super) request: Data,
    pub(super) response: Data,
}

impl Carried {
    /// Takes what a rendering left, and gives its text. A template that names no override leaves none and changes none.
    pub(super) fn update(
        &mut self,
        output: Output,
        context: &RequestContext,
    ) -> Result<String, Failure> {
        if let Some(name) = output.overridden_twice() {
            let cause = format!("the template overrides `{name}` more than once");
            return Err(Failure::Configuration(cause));
        }
        let (text, request, response) = output.into_parts();
        for (own, left) in [(&mut self.request, request), (&mut self.response, response)] {
            if left != Data::Null {
                *own = left;
            }
        }
        if has_content(&self.request) || has_content(&self.response) {
            let (request, response) = (members(&self.request), members(&self.response));
            context.update_overrides(|overrides| {
                overrides.request = request;
                overrides.response = response;
            });
        }
        Ok(text)
    }

    /// Puts overrides of the request in the place of what was mapped.
    pub(super) fn apply_to_request(
        &self,
        mapped: &mut Mapped<'_>,
        to_aws: bool,
    ) -> Result<(), Failure> {
        for (name, value) in entries(&self.request, "header") {
            let name = header_name(name)?;
            if headers::is_forbidden(&name, to_aws) {
                let cause = format!("`{name}` cannot be overridden");
                return Err(Failure::Configuration(cause));
            }
            if headers::is_dropped_when_mapped(&name) {
                continue;
            }
            mapped.headers.retain(|(own, _)| *own != name);
            for text in texts(value) {
                let value = HeaderValue::from_str(&text)
                    .map_err(|_| MappingFault::BadValue(name.clone()))?;
                mapped.headers.push((name.clone(), value));
            }
        }
        for (name, value) in entries(&self.request, "querystring") {
            mapped.query.retain(|(own, _)| own != name);
            for text in texts(value) {
                let value = text.into_owned().into_bytes();
                mapped.query.push((name.clone(), value));
            }
        }
        for (name, value) in entries(&self.request, "path") {
            mapped.path.retain(|(own, _)| own != name);
            if let Some(text) = texts(value).pop() {
                let encoded = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
                mapped
                    .path
                    .push((Cow::Owned(name.clone()), Cow::Owned(encoded)));
            }
        }
        Ok(())
    }

    /// Puts overrides of the response in the place of what was mapped.
    pub(super) fn apply_to_response(&self, response: &mut Response<Body>) -> Result<(), Failure> {
        for (name, value) in entries(&self.response, "header") {
            let name = header_name(name)?;
            if name != TRANSFER_ENCODING {
                set(response.headers_mut(), &name, value)?;
            }
        }
        // What is no whole number, or no status of an answer, is not taken.
        let status = self.response.get("status").and_then(Data::as_i64);
        let status = status.and_then(|status| u16::try_from(status).ok());
        if let Some(status) = status.filter(|status| (200..600).contains(status))
            && let Ok(status) = StatusCode::from_u16(status)
        {
            *response.status_mut() = status;
        }
        Ok(())
    }
}

fn set(headers: &mut HeaderMap, name: &HeaderName, value: &Data) -> Result<(), Failure> {
    let name = headers::remapped(name).unwrap_or_else(|| name.clone());
    headers.remove(&name);
    for text in texts(value) {
        let value = HeaderValue::from_str(&text).map_err(|_| {
            Failure::Configuration(format!("the override of `{name}` cannot stand in a header"))
        })?;
        headers.append(name.clone(), value);
    }
    Ok(())
}

/// The overrides of one group, in the order in which they were set.
fn entries<'a>(overrides: &'a Data, group: &str) -> &'a [(String, Data)] {
    match overrides.get(group) {
        Some(Data::Map(entries)) => entries,
        _ => &[],
    }
}

/// The texts of a value: of a list each of its items'.
fn texts(value: &Data) -> Vec<Cow<'_, str>> {
    match value {
        Data::Null => Vec::new(),
        Data::Text(text) => vec![Cow::Borrowed(text)],
        Data::List(items) => items.iter().flat_map(texts).collect(),
        other => serde_json::to_string(other)
            .map(Cow::Owned)
            .into_iter()
            .collect(),
    }
}

fn header_name(name: &str) -> Result<HeaderName, Failure> {
    name.parse()
        .map_err(|_| Failure::Configuration(format!("`{name}` is not the name of a header")))
}

/// Whether anything was set beside the groups that are there from the beginning.
fn has_content(overrides: &Data) -> bool {
    match overrides {
        Data::Map(entries) => entries
            .iter()
            .any(|(_, value)| !matches!(value, Data::Map(group) if group.is_empty())),
        _ => false,
    }
}

fn members(overrides: &Data) -> serde_json::Map<String, serde_json::Value> {
    match serde_json::to_value(overrides) {
        Ok(serde_json::Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    }
}
