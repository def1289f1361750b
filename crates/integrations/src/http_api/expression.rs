//! Values of parameter mappings: `$request.header.name`, `${context.requestId}` within a text, and plain texts.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::HeaderMap;
use http::{HeaderName, Uri};
use percent_encoding::percent_decode_str;
use portcullis_core::{RequestContext, Variable};
use portcullis_templates::{Document, JsonPath};
use serde::de::IgnoredAny;

use crate::uri::query_pairs;

/// The most of a body that a path into it sees.
const PATH_LIMIT: usize = 100 * 1024;

/// A compiled value.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Header(HeaderName),
    Query(String),
    Body,
    BodyPath(Arc<JsonPath>),
    Path,
    PathParameter(String),
    Context(Box<Variable>),
    StageVariable(String),
}

/// Whose facts a value may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

/// What a value is made from.
pub(super) struct Source<'a> {
    headers: &'a HeaderMap,
    uri: Option<&'a Uri>,
    body: Option<Cow<'a, str>>,
    context: &'a RequestContext,
}

impl<'a> Source<'a> {
    pub(super) fn new(
        headers: &'a HeaderMap,
        uri: Option<&'a Uri>,
        body: Option<&'a [u8]>,
        context: &'a RequestContext,
    ) -> Self {
        Self {
            headers,
            uri,
            body: body.map(String::from_utf8_lossy),
            context,
        }
    }

    pub(super) fn query(&self) -> Option<&str> {
        self.uri?.query()
    }
}

impl Expression {
    /// # Errors
    ///
    /// What is wrong with `text`.
    pub(super) fn parse(text: &str, side: Side) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix('$')
            && !name.starts_with('{')
            && Part::is_name(name)
        {
            let part = Part::parse(name, side)?;
            return Ok(Self { parts: vec![part] });
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| format!("`{text}` has a `${{` without a `}}`"))?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::parse(name, side)?);
            rest = after;
        }
        if !rest.is_empty() || parts.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    pub(super) fn reads_body(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Body | Part::BodyPath(_)))
    }

    /// The text, if it is the same for all requests.
    pub(super) fn fixed(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The value. One that names a single fact has none if the fact has none; in a text such a fact is empty.
    pub(super) fn value(&self, source: &Source<'_>) -> Option<String> {
        if let [part] = self.parts.as_slice() {
            return part.value(source).map(Cow::into_owned);
        }
        let parts = self.parts.iter().filter_map(|part| part.value(source));
        Some(parts.collect())
    }

    /// The value for a place where JSON is wanted. What stands in a text that is JSON itself cannot become more than one value of it, so a
    /// client writes no members of its own behind it.
    pub(super) fn json(&self, source: &Source<'_>) -> Option<String> {
        let is_json = matches!(
            self.parts.as_slice(),
            [Part::Text(start), _, ..] if start.trim_start().starts_with(['{', '['])
        );
        if !is_json {
            return self.value(source);
        }
        let (mut text, mut in_string, mut escaped) = (String::new(), false, false);
        for part in &self.parts {
            let value = part.value(source).unwrap_or_default();
            if let Part::Text(_) = part {
                for character in value.chars() {
                    match character {
                        _ if escaped => escaped = false,
                        '\\' if in_string => escaped = true,
                        '"' => in_string = !in_string,
                        _ => {}
                    }
                }
                text.push_str(&value);
            } else if in_string {
                let quoted = serde_json::Value::from(value).to_string();
                text.push_str(&quoted[1..quoted.len() - 1]);
            } else if serde_json::from_str::<IgnoredAny>(&value).is_ok() {
                text.push_str(&value);
            } else {
                text.push_str(&serde_json::Value::from(value).to_string());
            }
        }
        Some(text)
    }

    /// The value for a path, with each part encoded as it must be there; the request's own parts are so already.
    pub(super) fn path(
        &self,
        source: &Source<'_>,
        encode: fn(&mut String, &str),
    ) -> Option<String> {
        let mut path = String::new();
        for part in &self.parts {
            match part {
                Part::Text(_) | Part::Path => path.push_str(&part.value(source)?),
                Part::PathParameter(name) => {
                    let route = source.context.route();
                    path.push_str(route.and_then(|route| route.parameter(name))?);
                }
                _ => encode(&mut path, &part.value(source)?),
            }
        }
        Some(path)
    }
}

impl Part {
    /// Whether something behind a `$` without braces is meant as a name.
    fn is_name(text: &str) -> bool {
        ["request.", "response.", "context.", "stageVariables."]
            .iter()
            .any(|prefix| text.starts_with(prefix))
    }

    fn parse(name: &str, side: Side) -> Result<Self, String> {
        let unknown = || format!("`{name}` is not the name of a value");
        if let Some(name) = name.strip_prefix("stageVariables.") {
            return Ok(Self::StageVariable(name.to_owned()));
        }
        if let Some(variable) = name.strip_prefix("context.") {
            let variable = Variable::parse(variable).ok_or_else(unknown)?;
            return Ok(Self::Context(Box::new(variable)));
        }
        let prefix = match side {
            Side::Request => "request.",
            Side::Response => "response.",
        };
        let rest = name.strip_prefix(prefix).ok_or_else(unknown)?;
        if rest == "body" {
            return Ok(Self::Body);
        }
        if let Some(path) = rest.strip_prefix("body") {
            return Self::body_path(path).ok_or_else(unknown);
        }
        if let Some(name) = rest.strip_prefix("header.") {
            return name.parse().map(Self::Header).map_err(|_| unknown());
        }
        if side == Side::Response {
            return Err(unknown());
        }
        if rest == "path" {
            return Ok(Self::Path);
        }
        match rest.split_once('.') {
            Some(("querystring", name)) => Ok(Self::Query(name.to_owned())),
            Some(("path", name)) => Ok(Self::PathParameter(name.to_owned())),
            _ => Err(unknown()),
        }
    }

    /// A path into a JSON body. Descent and filters are not known here.
    fn body_path(path: &str) -> Option<Self> {
        if !path.starts_with(['.', '[']) || path.contains("..") || path.contains("?(") {
            return None;
        }
        let path = JsonPath::parse(&format!("${path}")).ok()?;
        Some(Self::BodyPath(Arc::new(path)))
    }

    fn value<'a>(&'a self, source: &'a Source<'_>) -> Option<Cow<'a, str>> {
        let context = source.context;
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Header(name) => {
                let values = source.headers.get_all(name).iter();
                joined(values.map(|value| String::from_utf8_lossy(value.as_bytes())))
            }
            Self::Query(name) => {
                let pairs = query_pairs(source.uri?.query()).filter(|(own, _)| own == name);
                joined(pairs.map(|(_, value)| match String::from_utf8(value) {
                    Ok(text) => Cow::Owned(text),
                    Err(error) => {
                        Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned())
                    }
                }))
            }
            Self::Body => source.body.as_deref().map(Cow::Borrowed),
            Self::BodyPath(path) => {
                let body = source.body.as_deref()?;
                let seen = body.get(..PATH_LIMIT).unwrap_or(body);
                let document = Document::read(seen).ok()?;
                document.text(path).map(Cow::Owned)
            }
            Self::Path => Some(Cow::Borrowed(match context.route() {
                Some(route) => route.path(),
                None => source.uri?.path(),
            })),
            Self::PathParameter(name) => {
                let value = context.route()?.parameter(name)?;
                Some(percent_decode_str(value).decode_utf8_lossy())
            }
            Self::StageVariable(name) => {
                let value = context.stage()?.variables.get(name)?;
                Some(Cow::Borrowed(value))
            }
            Self::Context(variable) => {
                let mut text = String::new();
                let known = context.write(variable, &mut text).unwrap_or(false);
                known.then_some(Cow::Owned(text))
            }
        }
    }
}

/// Several values are one, with commas between them.
fn joined<'a>(mut values: impl Iterator<Item = Cow<'a, str>>) -> Option<Cow<'a, str>> {
    let mut all = values.next()?;
    for value in values {
        let all = all.to_mut();
        all.push(',');
        all.push_str(&value);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};
    use portcullis_core::{ApiStage, MatchedRoute, Route, SystemClock};

    use super::*;

    fn context() -> RequestContext {
        let context = RequestContext::new(&Request::new(()), &SystemClock::new());
        let mut stage = ApiStage::default();
        stage.api_id = "abc".into();
        stage.variables = [("env".to_owned(), "beta".to_owned())].into();
        context.set_stage(stage);
        let uri = "/test/pets/a%20b".parse().expect("a URI");
        context.set_route(MatchedRoute::new(Route::new("/pets/{id}"), &uri, 5));
        context
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.append("x-a", HeaderValue::from_static("1"));
        headers.append("x-a", HeaderValue::from_static("2"));
        let uri = "/test/pets/a%20b?q=1&Q=3&q=b+c".parse().expect("a URI");
        let body = br#"{"order": {"id": 7}, "items": ["a"]}"#;
        let context = context();
        let source = Source::new(&headers, Some(&uri), Some(body), &context);
        let expression = Expression::parse(text, Side::Request).expect(text);
        assert_eq!(expression.value(&source).as_deref(), expected, "{text}");
    }

    #[test]
    fn a_value_comes_from_everywhere() {
        for braces in [false, true] {
            let check = |name: &str, expected| {
                let text = if braces {
                    format!("${{{name}}}")
                } else {
                    format!("${name}")
                };
                check(&text, expected);
            };
            check("request.header.X-A", Some("1,2"));
            check("request.querystring.q", Some("1,b c"));
            check("request.body.order.id", Some("7"));
            check("request.body.items[0]", Some("a"));
            check(
                "request.body",
                Some(r#"{"order": {"id": 7}, "items": ["a"]}"#),
            );
            check("request.path", Some("/pets/a%20b"));
            check("request.path.id", Some("a b"));
            check("context.apiId", Some("abc"));
            check("stageVariables.env", Some("beta"));
            check("request.header.none", None);
            check("request.body.none", None);
            check("stageVariables.none", None);
        }
    }

    #[test]
    fn a_text_may_have_several_values_in_it() {
        check("static", Some("static"));
        check("", Some(""));
        check("$5 and $more", Some("$5 and $more"));
        check(
            "${request.path.id}-${stageVariables.env}!",
            Some("a b-beta!"),
        );
        check("<${request.header.none}>", Some("<>"));
    }

    #[test]
    fn a_value_within_json_stays_one_value() {
        let mut headers = HeaderMap::new();
        headers.insert("x-a", HeaderValue::from_static("1\", \"admin\": \"yes"));
        headers.insert("x-n", HeaderValue::from_static("7"));
        headers.insert("x-t", HeaderValue::from_static("7, \"admin\": true"));
        let context = context();
        let source = Source::new(&headers, None, None, &context);
        let json = |text: &str| {
            let expression = Expression::parse(text, Side::Request).expect(text);
            expression.json(&source)
        };
        let text = r#"{"a\"": "<${request.header.x-a}>", "n": ${request.header.x-n}, "t": ${request.header.x-t}}"#;
        assert_eq!(
            json(text).as_deref(),
            Some(r#"{"a\"": "<1\", \"admin\": \"yes>", "n": 7, "t": "7, \"admin\": true"}"#)
        );
        assert_eq!(json("$request.header.x-n").as_deref(), Some("7"));
        assert_eq!(
            json("${request.header.x-n}${request.header.x-n}").as_deref(),
            Some("77")
        );
        assert_eq!(json("$request.header.none"), None);
    }

    #[test]
    fn a_body_is_cut_before_a_path_is_followed() {
        let long = format!(r#"{{"id": 7, "filler": "{}"}}"#, "x".repeat(PATH_LIMIT));
        let (headers, context) = (HeaderMap::new(), context());
        let source = Source::new(&headers, None, Some(long.as_bytes()), &context);
        let value = |text: &str| {
            let expression = Expression::parse(text, Side::Request).expect(text);
            expression.value(&source)
        };
        assert_eq!(value("$request.body.id"), None);
        assert_eq!(value("$request.body"), Some(long.clone()));
    }

    #[test]
    fn what_names_no_value_is_an_error() {
        for text in [
            "$request.cookie.x",
            "$request.header.",
            "${request.header.x",
            "${nothing}",
            "$response.header.x",
            "$context.nothing",
            "$request.body..id",
            "$request.body.items[?(@.a)]",
        ] {
            assert!(Expression::parse(text, Side::Request).is_err(), "{text}");
        }
        assert!(Expression::parse("$response.header.x", Side::Response).is_ok());
        assert!(Expression::parse("$request.header.x", Side::Response).is_err());
        assert!(Expression::parse("$response.path", Side::Response).is_err());
    }
}
