//! Where in a request the caller's identity stands.

use std::borrow::Cow;
use std::fmt;

use http::HeaderName;
use percent_encoding::percent_decode_str;
use portcullis_core::{Head, RequestContext, Variable};

use crate::ConfigError;

/// One place that an authorizer's identity comes from, in the spelling of either kind of API: `method.request.header.X` or
/// `$request.header.X`, `method.request.querystring.x` or `$request.querystring.x`, `stageVariables.x`, `context.identity.sourceIp`, with a `$` or without.
///
/// Headers are found in any letter case, parameters of the query only in this one. Where a header or a parameter is there several times, REST APIs take the
/// last value and HTTP APIs all, with commas between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentitySource {
    place: Place,
    /// In the spelling of an HTTP API.
    all: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Header(HeaderName),
    Query(Box<str>),
    StageVariable(Box<str>),
    Context(Variable),
}

impl IdentitySource {
    /// Reads one source.
    ///
    /// # Errors
    ///
    /// If there is no such place; the path of a request cannot be one.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let fault = |why: &str| {
            ConfigError::new(
                "identitySource",
                format!("`{text}` {why}"),
                "name a header, a parameter of the query, a stage variable or a value of the context",
            )
        };
        let source = text.trim();
        let all = source.starts_with("$request.");
        let bare = source.strip_prefix('$').unwrap_or(source);
        let bare = ["method.", "route."]
            .iter()
            .find_map(|prefix| bare.strip_prefix(prefix))
            .unwrap_or(bare);
        let (place, name) = [
            "request.header.",
            "request.querystring.",
            "stageVariables.",
            "context.",
        ]
        .iter()
        .find_map(|place| Some((*place, bare.strip_prefix(place)?)))
        .filter(|(_, name)| !name.is_empty())
        .ok_or_else(|| fault("is no place that an identity can come from"))?;
        let place = match place {
            "request.header." => {
                Place::Header(HeaderName::try_from(name).map_err(|_| fault("names no header"))?)
            }
            "request.querystring." => Place::Query(name.into()),
            "stageVariables." => Place::StageVariable(name.into()),
            _ => Place::Context(
                Variable::parse(name).ok_or_else(|| fault("names nothing in the context"))?,
            ),
        };
        Ok(Self { place, all })
    }

    pub(super) const fn header(name: HeaderName) -> Self {
        Self {
            place: Place::Header(name),
            all: false,
        }
    }

    /// What stands there; `None` if it is missing, empty or no text.
    pub(super) fn find<'a>(&self, head: &Head<'a>) -> Option<Cow<'a, str>> {
        let found = match &self.place {
            Place::Header(name) => {
                let values = head.headers().get_all(name).iter();
                self.choose(values.map(|value| {
                    std::str::from_utf8(value.as_bytes())
                        .ok()
                        .map(Cow::Borrowed)
                }))
            }
            Place::Query(name) => {
                let pairs = head.uri().query().unwrap_or_default().split('&');
                let values = pairs.filter_map(|pair| {
                    let (own, value) = pair.split_once('=').unwrap_or((pair, ""));
                    let is_own = decode(own).is_some_and(|own| own == **name);
                    is_own.then(|| decode(value))
                });
                self.choose(values)
            }
            Place::StageVariable(name) => {
                let stage = head.context()?.stage()?;
                stage
                    .variables
                    .get(&**name)
                    .map(|value| Cow::Owned(value.clone()))
            }
            Place::Context(variable) => written(head.context()?, variable).map(Cow::Owned),
        };
        found.filter(|value| !value.is_empty())
    }

    /// Of several values one; a value that is no text spoils them all.
    fn choose<'a>(
        &self,
        values: impl Iterator<Item = Option<Cow<'a, str>>>,
    ) -> Option<Cow<'a, str>> {
        let mut found: Option<Cow<'a, str>> = None;
        for value in values {
            let value = value?;
            found = Some(match found {
                Some(before) if self.all => Cow::Owned([&*before, ",", &*value].concat()),
                _ => value,
            });
        }
        found
    }
}

fn written(context: &RequestContext, variable: &Variable) -> Option<String> {
    let mut text = String::new();
    context.write(variable, &mut text).ok()?.then_some(text)
}

/// A part of a query, in which `+` is a space.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('+') {
        let text = text.replace('+', " ");
        let decoded = percent_decode_str(&text).decode_utf8().ok()?.into_owned();
        return Some(Cow::Owned(decoded));
    }
    percent_decode_str(text).decode_utf8().ok()
}

impl fmt::Display for IdentitySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Header(name) => write!(f, "$request.header.{name}"),
            Place::Query(name) => write!(f, "$request.querystring.{name}"),
            Place::StageVariable(name) => write!(f, "$stageVariables.{name}"),
            Place::Context(variable) => write!(f, "$context.{}", variable.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use portcullis_core::{ApiStage, Head, RequestContext};

    use super::IdentitySource;

    #[track_caller]
    fn check(source: &str, expected: Option<&str>) {
        let mut request = Request::get("/x?a=1&a=2&b=&A=3&d+e=f%20g+h&bad=%ff")
            .header("x-one", "1")
            .header("x-two", "a")
            .header("x-two", "b")
            .header("x-empty", "")
            .body(())
            .expect("a request");
        let mut stage = ApiStage::default();
        stage.stage = "prod".to_owned();
        stage.variables.insert("v".to_owned(), "w".to_owned());
        RequestContext::of(&mut request).set_stage(stage);
        let source = IdentitySource::parse(source).expect("a source");
        assert_eq!(
            source.find(&Head::of(&request)).as_deref(),
            expected,
            "{source}"
        );
    }

    #[test]
    fn sources_are_read_in_the_spelling_of_either_kind_of_api() {
        check("method.request.header.X-One", Some("1"));
        check("$request.header.x-one", Some("1"));
        check(" route.request.header.X-One ", Some("1"));
        check("method.request.querystring.a", Some("2"));
        check("$request.querystring.a", Some("1,2"));
        check("method.request.header.X-Two", Some("b"));
        check("$request.header.X-Two", Some("a,b"));
        check("method.request.querystring.A", Some("3"));
        check("method.request.querystring.d e", Some("f g h"));
        check("stageVariables.v", Some("w"));
        check("$stageVariables.v", Some("w"));
        check("context.stage", Some("prod"));
        check("$context.httpMethod", Some("GET"));
    }

    #[test]
    fn what_is_missing_empty_or_no_text_is_no_identity() {
        check("method.request.header.X-None", None);
        check("method.request.header.X-Empty", None);
        check("method.request.querystring.b", None);
        check("method.request.querystring.c", None);
        check("method.request.querystring.bad", None);
        check("stageVariables.none", None);
        check("context.routeKey", None);
    }

    #[test]
    fn what_is_no_place_is_an_error_that_names_it() {
        for wrong in [
            "",
            "method.request.path.id",
            "method.request.body",
            "$request.header.",
            "$request.header.a b",
            "context.nothing",
            "Authorization",
        ] {
            let error = IdentitySource::parse(wrong).expect_err(wrong);
            assert_eq!(error.field(), "identitySource");
        }
    }
}
