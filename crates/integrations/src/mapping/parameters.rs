//! Parameter mapping: where a header, a query parameter or a path parameter of the other side comes from.

use std::borrow::Cow;
use std::sync::Arc;

use http::Uri;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use portcullis_core::{RequestContext, Variable};
use portcullis_templates::{Document, JsonPath};

use crate::error::{ConfigError, escape};
use crate::headers;
use crate::uri::query_pairs;

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Literal(Vec<u8>),
    /// The last value of a header of the message at hand.
    Header(HeaderName),
    /// All of them, joined.
    MultiHeader(HeaderName),
    Query(String),
    MultiQuery(String),
    Path(String),
    StageVariable(String),
    Context(Box<Variable>),
    /// The whole body.
    Body,
    /// What a path into a JSON body leads to.
    BodyPath(Arc<JsonPath>),
}

/// What a value is set on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Header(HeaderName),
    Query(String),
    Path(String),
}

/// The request parameters of an integration.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestParameters {
    entries: Vec<(Target, Source)>,
    /// A header that no mapping may set: each call fails.
    forbidden: Option<HeaderName>,
}

/// The values that a mapping came to.
#[derive(Debug, Default)]
pub(crate) struct Mapped<'a> {
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) query: Vec<(String, Vec<u8>)>,
    /// Percent-encoded, as path parameters are.
    pub(crate) path: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl Mapped<'_> {
    /// The value for a place in a path, percent-encoded.
    pub(crate) fn path_value(&self, name: &str) -> Option<Cow<'_, str>> {
        let value = self.path.iter().rev().find(|(own, _)| own == name);
        value.map(|(_, value)| Cow::Borrowed(&**value))
    }

    /// Puts the headers in the place of those of the same names. Of several values each is sent.
    pub(crate) fn put_headers(&self, headers: &mut HeaderMap) {
        for (name, _) in &self.headers {
            headers.remove(name);
        }
        for (name, value) in &self.headers {
            headers.append(name.clone(), value.clone());
        }
    }
}

/// Why a mapping failed.
#[derive(Debug)]
pub(crate) enum MappingFault {
    Forbidden(HeaderName),
    /// The value cannot stand in a header.
    BadValue(HeaderName),
    /// A value comes from a JSON body, and the body is none.
    NoJson(String),
}

impl RequestParameters {
    pub(crate) fn compile<'a>(
        entries: impl IntoIterator<Item = &'a (String, String)>,
        to_aws: bool,
    ) -> Result<Self, ConfigError> {
        let mut mapping = Self::default();
        for (target, source) in entries {
            let field = format!("/requestParameters/{}", escape(target));
            let fault = |fault: String| ConfigError::new(field.clone(), fault);
            let (place, name) = target
                .strip_prefix("integration.request.")
                .and_then(|rest| rest.split_once('.'))
                .ok_or_else(|| {
                    fault(format!(
                        "`{target}` is not `integration.request.{{header|querystring|path}}.name`"
                    ))
                })?;
            let target = match place {
                "header" => Target::Header(
                    name.parse()
                        .map_err(|_| fault(format!("`{name}` is not the name of a header")))?,
                ),
                "querystring" => Target::Query(name.to_owned()),
                "path" => Target::Path(name.to_owned()),
                _ => {
                    return Err(fault(format!(
                        "`{place}` is not `header`, `querystring` or `path`"
                    )));
                }
            };
            if let Target::Header(name) = &target {
                if headers::is_forbidden(name, to_aws) {
                    mapping.forbidden.get_or_insert_with(|| name.clone());
                    continue;
                }
                if headers::is_dropped_when_mapped(name) {
                    continue;
                }
            }
            let source = Source::request(source).map_err(fault)?;
            mapping.entries.push((target, source));
        }
        Ok(mapping)
    }

    pub(crate) fn forbidden(&self) -> Option<&HeaderName> {
        self.forbidden.as_ref()
    }

    /// Whether a value comes from the body.
    pub(crate) fn read_body(&self) -> bool {
        self.entries.iter().any(|(_, source)| source.reads_body())
    }

    /// Reads all values before anything of the request is changed. What has no value is left out.
    pub(crate) fn evaluate<'a>(
        &'a self,
        request: &Message<'_>,
        context: &'a RequestContext,
    ) -> Result<Mapped<'a>, MappingFault> {
        if let Some(name) = &self.forbidden {
            return Err(MappingFault::Forbidden(name.clone()));
        }
        let mut mapped = Mapped::default();
        let sources = self.entries.iter().map(|(_, source)| source);
        let document = document(sources, request.body)?;
        let json = |path: &JsonPath| document.as_ref()?.text(path);
        let request = &Message {
            json: Some(&json),
            ..*request
        };
        for (target, source) in &self.entries {
            match target {
                Target::Header(name) => {
                    if let Some(value) = source.value(request, context) {
                        let value = HeaderValue::from_bytes(&value)
                            .map_err(|_| MappingFault::BadValue(name.clone()))?;
                        // Two spellings of a name are one header.
                        mapped.headers.retain(|(own, _)| own != name);
                        mapped.headers.push((name.clone(), value));
                    }
                }
                Target::Query(name) => {
                    for value in source.values(request, context) {
                        mapped.query.push((name.clone(), value.into_owned()));
                    }
                }
                Target::Path(name) => {
                    if let Some(value) = source.path_value(request, context) {
                        mapped.path.push((Cow::Borrowed(name.as_str()), value));
                    }
                }
            }
        }
        Ok(mapped)
    }
}

/// The body as JSON, if one of the sources needs it so.
pub(super) fn document<'a>(
    mut sources: impl Iterator<Item = &'a Source>,
    body: Option<&'a str>,
) -> Result<Option<Document<'a>>, MappingFault> {
    if !sources.any(|source| matches!(source, Source::BodyPath(_))) {
        return Ok(None);
    }
    match Document::read(body.unwrap_or_default()) {
        Ok(document) => Ok(Some(document)),
        Err(error) => Err(MappingFault::NoJson(error.to_string())),
    }
}

/// What a source can read: a request, or a response of an integration.
pub(crate) struct Message<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: Option<&'a str>,
    /// The name of the host, where the headers do not have it (HTTP/2).
    pub(crate) authority: Option<&'a str>,
    /// Whether it is the client's request, of which a mapping does not see all headers.
    pub(crate) is_request: bool,
    /// The body, if any source reads it.
    pub(crate) body: Option<&'a str>,
    /// The same as JSON, asked by a path.
    pub(crate) json: Option<&'a dyn Fn(&JsonPath) -> Option<String>>,
}

impl<'a> Message<'a> {
    pub(crate) fn request<B>(request: &'a http::Request<B>) -> Self {
        Self::of_request(request.headers(), request.uri())
    }

    pub(crate) fn of_request(headers: &'a HeaderMap, uri: &'a Uri) -> Self {
        Self {
            headers,
            query: uri.query(),
            authority: uri.authority().map(http::uri::Authority::as_str),
            is_request: true,
            body: None,
            json: None,
        }
    }

    pub(crate) const fn response(headers: &'a HeaderMap) -> Self {
        Self {
            headers,
            query: None,
            authority: None,
            is_request: false,
            body: None,
            json: None,
        }
    }

    pub(crate) const fn with_body(mut self, body: &'a str) -> Self {
        self.body = Some(body);
        self
    }
}

impl Source {
    /// A source of a request mapping: `method.request.header.X` and so on.
    pub(crate) fn request(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("method.request.") else {
            return Self::common(text);
        };
        if let Some(body) = Self::body(rest) {
            return body;
        }
        let (place, name) = rest.split_once('.').ok_or_else(|| unknown(text))?;
        match place {
            "header" => Ok(Self::Header(header(name)?)),
            "multivalueheader" => Ok(Self::MultiHeader(header(name)?)),
            "querystring" => Ok(Self::Query(name.to_owned())),
            "multivaluequerystring" => Ok(Self::MultiQuery(name.to_owned())),
            "path" => Ok(Self::Path(name.to_owned())),
            _ => Err(unknown(text)),
        }
    }

    /// A source of a response mapping: `integration.response.header.X` and so on.
    pub(crate) fn response(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("integration.response.") else {
            return Self::common(text);
        };
        if let Some(body) = Self::body(rest) {
            return body;
        }
        let (place, name) = rest.split_once('.').ok_or_else(|| unknown(text))?;
        match place {
            "header" => Ok(Self::Header(header(name)?)),
            "multivalueheader" => Ok(Self::MultiHeader(header(name)?)),
            _ => Err(unknown(text)),
        }
    }

    /// `body`, or a JSONPath without its `$.` behind `body.`
    fn body(text: &str) -> Option<Result<Self, String>> {
        let rest = text.strip_prefix("body")?;
        if rest.is_empty() {
            return Some(Ok(Self::Body));
        }
        // A list's item stands directly behind: `body[0].id`.
        if !rest.starts_with(['.', '[']) {
            return None;
        }
        Some(match JsonPath::parse(&format!("${rest}")) {
            Ok(path) => Ok(Self::BodyPath(Arc::new(path))),
            Err(error) => Err(format!("`{text}` is not a path into a body: {error}")),
        })
    }

    pub(super) const fn reads_body(&self) -> bool {
        matches!(self, Self::Body | Self::BodyPath(_))
    }

    fn common(text: &str) -> Result<Self, String> {
        if let Some(literal) = text
            .strip_prefix('\'')
            .and_then(|text| text.strip_suffix('\''))
        {
            return Ok(Self::Literal(literal.as_bytes().to_vec()));
        }
        if let Some(name) = text.strip_prefix("stageVariables.") {
            return Ok(Self::StageVariable(name.to_owned()));
        }
        let name = text.strip_prefix("context.").ok_or_else(|| unknown(text))?;
        let variable = Variable::parse(name).ok_or_else(|| unknown(text))?;
        Ok(Self::Context(Box::new(variable)))
    }

    /// The one value, or the last of several.
    pub(crate) fn value<'a>(
        &'a self,
        message: &Message<'a>,
        context: &RequestContext,
    ) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Literal(text) => Some(Cow::Borrowed(text)),
            Self::Header(name) if *name == HOST && !message.headers.contains_key(HOST) => {
                message.authority.map(|host| Cow::Borrowed(host.as_bytes()))
            }
            Self::Header(name) | Self::MultiHeader(name)
                if message.is_request && headers::is_invisible(name) =>
            {
                None
            }
            Self::Header(name) => {
                let last = message.headers.get_all(name).iter().next_back()?;
                Some(Cow::Borrowed(last.as_bytes()))
            }
            Self::MultiHeader(name) => {
                let all: Vec<&[u8]> = message
                    .headers
                    .get_all(name)
                    .iter()
                    .map(HeaderValue::as_bytes)
                    .collect();
                (!all.is_empty()).then(|| Cow::Owned(all.join(&b',')))
            }
            Self::Query(name) | Self::MultiQuery(name) => {
                let last = query_pairs(message.query)
                    .filter(|(own, _)| own == name)
                    .last()?;
                Some(Cow::Owned(last.1))
            }
            Self::Path(name) => {
                let value = context.route()?.parameter(name)?;
                Some(Cow::Owned(percent_decode_str(value).collect()))
            }
            Self::StageVariable(name) => {
                let value = context.stage()?.variables.get(name)?;
                Some(Cow::Owned(value.clone().into_bytes()))
            }
            Self::Body => Some(Cow::Borrowed(message.body?.as_bytes())),
            Self::BodyPath(path) => Some(Cow::Owned(message.json?(path)?.into_bytes())),
            Self::Context(variable) => {
                let mut text = String::new();
                let known = context.write(variable, &mut text).unwrap_or(false);
                known.then(|| Cow::Owned(text.into_bytes()))
            }
        }
    }

    fn values<'a>(&'a self, message: &Message<'a>, context: &RequestContext) -> Vec<Cow<'a, [u8]>> {
        match self {
            Self::MultiQuery(name) => query_pairs(message.query)
                .filter(|(own, _)| own == name)
                .map(|(_, value)| Cow::Owned(value))
                .collect(),
            one => one.value(message, context).into_iter().collect(),
        }
    }

    /// The value for a place in a path, percent-encoded: one of a path stays as the client encoded it.
    fn path_value<'a>(
        &self,
        message: &Message<'_>,
        context: &'a RequestContext,
    ) -> Option<Cow<'a, str>> {
        match self {
            Self::Path(name) => Some(Cow::Borrowed(context.route()?.parameter(name)?)),
            // Literals are encoded for the target already, and stage variables are the operator's.
            Self::Literal(_) | Self::StageVariable(_) => {
                let value = self.value(message, context)?;
                Some(Cow::Owned(String::from_utf8_lossy(&value).into_owned()))
            }
            other => {
                let value = other.value(message, context)?;
                let set = percent_encoding::NON_ALPHANUMERIC;
                let encoded = percent_encoding::percent_encode(&value, set).to_string();
                Some(Cow::Owned(encoded))
            }
        }
    }
}

fn unknown(text: &str) -> String {
    format!("`{text}` is not a source of a value")
}

fn header(name: &str) -> Result<HeaderName, String> {
    name.parse()
        .map_err(|_| format!("`{name}` is not the name of a header"))
}

#[cfg(test)]
mod tests;
