//! Parts of a request that make its key.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use http::HeaderName;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use portcullis_core::{ConfigError, Variable};
use sha2::{Digest, Sha256};

use super::asked::{Asked, is_taken_for};
use crate::key::KeyBuilder;

/// A part of a request that makes its key: requests that differ in it are not served with one another's responses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyPart {
    /// The path and the query, as they are.
    Target,
    /// A parameter of the path, by the route that an outer layer or a gateway noted.
    PathParameter(Box<str>),
    /// All values of a query parameter, in their order.
    Query(Box<str>),
    /// All lines of a header, in their order.
    Header(HeaderName),
    /// The body, by its SHA-256, with what says how it is to be read: `Content-Type` and `Content-Encoding`. It takes a
    /// [`BodyCacheLayer`](crate::BodyCacheLayer): before a [`CacheLayer`](crate::CacheLayer), a request that has a body passes.
    Body,
    /// A claim of the caller's token.
    Claim(Box<str>),
    /// A value below `$context`: `authorizer.tenant`, `identity.sourceIp`.
    Context(Variable),
    /// A stage variable.
    StageVariable(Box<str>),
    /// The same for all.
    Constant(Box<str>),
}

impl KeyPart {
    /// A query parameter.
    #[must_use]
    pub fn query(name: impl Into<Box<str>>) -> Self {
        Self::Query(name.into())
    }

    /// A header.
    #[must_use]
    pub const fn header(name: HeaderName) -> Self {
        Self::Header(name)
    }

    /// A claim of the caller's token.
    #[must_use]
    pub fn claim(name: impl Into<Box<str>>) -> Self {
        Self::Claim(name.into())
    }

    /// Reads a part as definitions write it: `method.request.querystring.type`, `method.request.header.Accept-Language`, `method.request.path.id`,
    /// `method.request.body`, `context.authorizer.tenant`, `stageVariables.version`, `'constant'`. `method.request.body.` with a JSON path is the whole body, too:
    /// what it names is a part of it.
    ///
    /// # Errors
    ///
    /// The text is none of these.
    ///
    /// ```
    /// use portcullis_cache::KeyPart;
    ///
    /// assert_eq!(KeyPart::parse("method.request.querystring.type")?, KeyPart::query("type"));
    /// assert!(KeyPart::parse("method.request.cookie.type").is_err());
    /// # Ok::<(), portcullis_cache::ConfigError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let fault = |fix| ConfigError::new("cacheKeyParameters", text, "is no part of a key", fix);
        if let Some(constant) = text.strip_prefix('\'') {
            let constant = constant.strip_suffix('\'');
            return constant
                .map(|constant| Self::Constant(constant.into()))
                .ok_or_else(|| fault("close the quote"));
        }
        if let Some(name) = text.strip_prefix("context.") {
            return Variable::parse(name)
                .map(Self::Context)
                .ok_or_else(|| fault("name a value that `$context` has"));
        }
        if let Some(name) = text.strip_prefix("stageVariables.") {
            return Ok(Self::StageVariable(name.into()));
        }
        if text == "method.request.body" || text.starts_with("method.request.body.") {
            return Ok(Self::Body);
        }
        let place = text.strip_prefix("method.request.");
        let Some((place, name)) = place.and_then(|place| place.split_once('.')) else {
            return Err(fault(
                "write `method.request.querystring.NAME`, `method.request.header.NAME`, `method.request.path.NAME` or `method.request.body`",
            ));
        };
        if name.is_empty() {
            return Err(fault("name the parameter"));
        }
        match place {
            "querystring" | "multivaluequerystring" => Ok(Self::query(name)),
            "header" | "multivalueheader" => HeaderName::from_bytes(name.as_bytes())
                .map(Self::Header)
                .map_err(|_| fault("name a header that HTTP allows")),
            "path" => Ok(Self::PathParameter(name.into())),
            _ => Err(fault("use `querystring`, `header` or `path`")),
        }
    }

    /// Writes the part of a request.
    pub(crate) fn write(&self, asked: &Asked<'_>, key: &mut KeyBuilder) {
        match self {
            Self::Target => key.part(asked.target().as_bytes()),
            Self::PathParameter(name) => {
                let route = asked.context.and_then(|context| context.route());
                optional(key, route.and_then(|route| route.parameter(name)));
            }
            Self::Query(name) => write_query(asked.uri.query().unwrap_or_default(), name, key),
            Self::Header(name) => {
                for value in asked.headers.get_all(name) {
                    key.part(value.as_bytes());
                }
                key.absent();
                for (own, value) in asked.headers {
                    if own != name && is_taken_for(own, name) {
                        key.part(own.as_str().as_bytes());
                        key.part(value.as_bytes());
                    }
                }
                key.absent();
            }
            Self::Body => {
                for name in [CONTENT_TYPE, CONTENT_ENCODING] {
                    for value in asked.headers.get_all(name) {
                        key.part(value.as_bytes());
                    }
                    key.absent();
                }
                match asked.body.filter(|body| !body.is_empty()) {
                    Some(body) => key.part(&Sha256::digest(body)),
                    None => key.absent(),
                }
            }
            Self::Claim(name) => {
                let claims = asked.context.and_then(|context| context.claims());
                let claim = claims.as_ref().and_then(|claims| claims.get(name));
                // As JSON: the text `1` is not the number.
                optional(key, claim.map(ToString::to_string).as_deref());
            }
            Self::Context(variable) => {
                let mut text = String::new();
                let known = asked
                    .context
                    .and_then(|context| context.write(variable, &mut text).ok());
                optional(key, (known == Some(true)).then_some(text.as_str()));
            }
            Self::StageVariable(name) => {
                let stage = asked.context.and_then(|context| context.stage());
                let value = stage.and_then(|stage| stage.variables.get(&**name));
                optional(key, value.map(String::as_str));
            }
            Self::Constant(constant) => key.part(constant.as_bytes()),
        }
    }
}

fn optional(key: &mut KeyBuilder, value: Option<&str>) {
    match value {
        Some(value) => key.part(value.as_bytes()),
        None => key.absent(),
    }
}

/// Writes every part of a query that some server might take for the parameter of this name.
///
/// Names are compared once they are decoded, and without regard to case; `name[]` and `name[x]` are the name as well. A query with a semicolon, which
/// some servers take for `&`, is part of the key as a whole.
fn write_query(query: &str, name: &str, key: &mut KeyBuilder) {
    if query.contains(';') {
        key.part(query.as_bytes());
    }
    for pair in query.split('&') {
        let (own, value) = pair.split_once('=').unwrap_or((pair, ""));
        let own = decoded(own);
        let stem = own.split('[').next().unwrap_or_default();
        if !is_name(stem.trim(), name) {
            continue;
        }
        if own != name {
            key.part(own.as_bytes());
        }
        // A name without a value is not one with an empty value.
        if pair.contains('=') {
            key.part(value.as_bytes());
        } else {
            key.absent();
        }
    }
    key.absent();
}

/// Whether some server takes a parameter for one of this name: without regard to case, and PHP takes dots and blanks for underscores.
fn is_name(own: &str, name: &str) -> bool {
    let plain = |byte: u8| match byte {
        b'.' | b' ' => b'_',
        byte => byte.to_ascii_lowercase(),
    };
    let (own, name) = (own.as_bytes(), name.as_bytes());
    own.len() == name.len()
        && own
            .iter()
            .zip(name)
            .all(|(one, other)| plain(*one) == plain(*other))
}

fn decoded(name: &str) -> Cow<'_, str> {
    if !name.contains(['%', '+']) {
        return Cow::Borrowed(name);
    }
    let bytes = name.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = (byte == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escaped {
            Some(escaped) => {
                out.push(escaped);
                at += 3;
            }
            None => {
                out.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

impl fmt::Display for KeyPart {
    /// As definitions write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target => f.write_str("the path and the query"),
            Self::PathParameter(name) => write!(f, "method.request.path.{name}"),
            Self::Query(name) => write!(f, "method.request.querystring.{name}"),
            Self::Header(name) => write!(f, "method.request.header.{name}"),
            Self::Body => f.write_str("method.request.body"),
            Self::Claim(name) => write!(f, "context.authorizer.claims.{name}"),
            Self::Context(variable) => write!(f, "context.{}", variable.as_str()),
            Self::StageVariable(name) => write!(f, "stageVariables.{name}"),
            Self::Constant(constant) => {
                f.write_char('\'')?;
                f.write_str(constant)?;
                f.write_char('\'')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyPart, decoded};
    use crate::key::KeyBuilder;

    fn of(query: &str) -> Vec<u8> {
        let mut key = KeyBuilder::new(b"");
        super::write_query(query, "type", &mut key);
        key.as_bytes().to_vec()
    }

    #[test]
    fn queries_that_some_server_may_read_differently_are_different() {
        let readings = [
            "",
            "type",
            "type=",
            "type=dog",
            "type=cat",
            "type=dog&type=cat",
            "type=cat&type=dog",
            "x=1;type=cat",
            "TYPE=dog",
            "type[]=dog",
            "type[a]=dog",
            "%20type=dog",
        ];
        for (at, one) in readings.iter().enumerate() {
            for other in &readings[at + 1..] {
                assert_ne!(of(one), of(other), "{one} {other}");
            }
        }
        assert_eq!(of("t%79pe=dog"), of("type=dog"));
        assert_eq!(of("a=1&type=dog&b=2"), of("type=dog"));
        assert_eq!(of("types=dog"), of(""));
        let mut keys = ["a_b", "a.b", "a+b", "A%5Fb"].map(|name| {
            let mut key = KeyBuilder::new(b"");
            super::write_query(&format!("{name}=1"), "a_b", &mut key);
            key.as_bytes().to_vec()
        });
        keys.sort();
        assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "{keys:?}");
    }

    #[test]
    fn names_are_decoded_as_forms_are() {
        assert_eq!(decoded("a%62+c%2"), "ab c%2");
        assert_eq!(decoded("%zz"), "%zz");
    }

    #[test]
    fn parts_are_read_as_definitions_write_them() {
        for text in [
            "method.request.querystring.type",
            "method.request.header.accept-language",
            "method.request.path.id",
            "method.request.body",
            "context.authorizer.tenant",
            "stageVariables.version",
            "'constant'",
        ] {
            assert_eq!(
                KeyPart::parse(text).map(|part| part.to_string()).as_deref(),
                Ok(text)
            );
        }
        for text in [
            "",
            "type",
            "method.request.querystring.",
            "method.request.bodies",
            "method.request.header.a b",
            "context.nothing",
            "'open",
        ] {
            assert!(KeyPart::parse(text).is_err(), "{text}");
        }
    }
}
