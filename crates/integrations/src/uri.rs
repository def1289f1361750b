//! Addresses with placeholders.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::Uri;
use http::uri::{Authority, Parts as UriParts, PathAndQuery, Scheme};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stands in a path segment as it is (RFC 3986, `pchar`); all else is encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// What stands in a query value as it is.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// An address that may hold `${stageVariables.name}` and `{parameter}`.
#[derive(Clone, Debug)]
pub(crate) struct UriTemplate {
    text: String,
    parts: Parts,
}

#[derive(Clone, Debug)]
enum Parts {
    /// Nothing to fill in.
    Fixed(Uri),
    Pieces {
        pieces: Vec<Piece>,
        /// The scheme and the authority, if nothing is to be filled into them, and where in the first piece the path begins.
        origin: Option<(Scheme, Authority, usize)>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    StageVariable(String),
    Parameter(String),
}

/// Why an address could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UriFault {
    #[error("stage variable `{0}` is not set")]
    UnsetVariable(String),
    #[error("stage variable `{0}` has a character that cannot stand in an address")]
    BadVariable(String),
    #[error("nothing is mapped to `{{{0}}}`")]
    UnmappedParameter(String),
    #[error("`{0}` is not an address of an HTTP endpoint")]
    NotAnAddress(String),
    /// The client's doing.
    #[error("the value of `{{{0}}}` would lead to another path")]
    Escapes(String),
}

/// Splits `text` at its placeholders. What only looks like one stays text.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '{']) {
        let (before, tail) = rest.split_at(at);
        literal.push_str(before);
        let found = if let Some(inner) = tail.strip_prefix("${stageVariables.") {
            inner
                .split_once('}')
                .filter(|(name, _)| is_name(name))
                .map(|(name, rest)| (Piece::StageVariable(name.to_owned()), rest))
        } else if let Some(inner) = tail.strip_prefix('{') {
            inner
                .split_once('}')
                .map(|(name, rest)| (name.strip_suffix('+').unwrap_or(name), rest))
                .filter(|(name, _)| is_name(name))
                .map(|(name, rest)| (Piece::Parameter(name.to_owned()), rest))
        } else {
            None
        };
        if let Some((piece, after)) = found {
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(piece);
            rest = after;
        } else {
            // `${path}` is no placeholder, and neither is the `{path}` in it.
            let skip = if tail.starts_with("${") { 2 } else { 1 };
            literal.push_str(&tail[..skip]);
            rest = &tail[skip..];
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    pieces
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$' | b'-'))
}

impl UriTemplate {
    /// # Errors
    ///
    /// If it has no placeholder and is not an `http` or `https` address.
    pub(crate) fn parse(text: &str) -> Result<Self, UriFault> {
        let pieces = pieces(text);
        let parts = match pieces.as_slice() {
            [Piece::Text(text)] => Parts::Fixed(parse_address(text)?),
            [] => return Err(UriFault::NotAnAddress(String::new())),
            _ => Parts::Pieces {
                origin: fixed_origin(&pieces),
                pieces,
            },
        };
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }

    pub(crate) fn has_parameters(&self) -> bool {
        match &self.parts {
            Parts::Fixed(_) => false,
            Parts::Pieces { pieces, .. } => pieces
                .iter()
                .any(|piece| matches!(piece, Piece::Parameter(_))),
        }
    }

    /// Fills the placeholders in. `parameter` gives a path parameter's value, percent-encoded as the client sent it.
    pub(crate) fn expand<'v>(
        &self,
        variables: Option<&BTreeMap<String, String>>,
        parameter: impl Fn(&str) -> Option<Cow<'v, str>>,
    ) -> Result<Uri, UriFault> {
        let (pieces, origin) = match &self.parts {
            Parts::Fixed(uri) => return Ok(uri.clone()),
            Parts::Pieces { pieces, origin } => (pieces, origin),
        };
        // The target alone is less to write and to check than the whole address.
        let mut skip = origin.as_ref().map_or(0, |(_, _, path)| *path);
        let mut out = String::with_capacity(self.text.len() - skip + 32);
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    out.push_str(text.get(skip..).unwrap_or_default());
                    skip = 0;
                }
                Piece::StageVariable(name) => out.push_str(variable(variables, name)?),
                Piece::Parameter(name) => {
                    let value =
                        parameter(name).ok_or_else(|| UriFault::UnmappedParameter(name.clone()))?;
                    match place(&out, origin.is_some()) {
                        Place::Authority => {
                            if !value
                                .bytes()
                                .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
                            {
                                return Err(UriFault::Escapes(name.clone()));
                            }
                            out.push_str(&value);
                        }
                        Place::Path => push_path(&mut out, &value)
                            .map_err(|Dots| UriFault::Escapes(name.clone()))?,
                        Place::Query => push_query_value(
                            &mut out,
                            &percent_decode_str(&value).collect::<Vec<_>>(),
                        ),
                    }
                }
            }
        }
        let Some((scheme, authority, _)) = origin else {
            return parse_address(&out);
        };
        let bad = |target: &str| UriFault::NotAnAddress(format!("{scheme}://{authority}{target}"));
        let target = PathAndQuery::try_from(out.as_str()).map_err(|_| bad(&out))?;
        let mut parts = UriParts::default();
        parts.scheme = Some(scheme.clone());
        parts.authority = Some(authority.clone());
        parts.path_and_query = Some(target);
        Uri::from_parts(parts).map_err(|_| bad(&out))
    }
}

/// The origin of an address, if all of it and the slash behind it stand in the first piece.
fn fixed_origin(pieces: &[Piece]) -> Option<(Scheme, Authority, usize)> {
    let Some(Piece::Text(text)) = pieces.first() else {
        return None;
    };
    let behind_scheme = text.find("://")? + 3;
    let path = behind_scheme + text[behind_scheme..].find(['/', '?', '#'])?;
    if !text[path..].starts_with('/') {
        return None;
    }
    let origin = parse_address(&text[..path]).ok()?.into_parts();
    Some((origin.scheme?, origin.authority?, path))
}

/// The value of a stage variable that is to stand in an address or an ARN.
pub(crate) fn variable<'a>(
    variables: Option<&'a BTreeMap<String, String>>,
    name: &str,
) -> Result<&'a str, UriFault> {
    let value = variables
        .and_then(|variables| variables.get(name))
        .ok_or_else(|| UriFault::UnsetVariable(name.to_owned()))?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#&=,".contains(&byte);
    if value.bytes().all(allowed) {
        Ok(value)
    } else {
        Err(UriFault::BadVariable(name.to_owned()))
    }
}

enum Place {
    Authority,
    Path,
    Query,
}

/// Where the next character of an address stands.
fn place(so_far: &str, is_target: bool) -> Place {
    if is_target {
        return if so_far.contains('?') {
            Place::Query
        } else {
            Place::Path
        };
    }
    let behind_scheme = so_far.find("://").map_or(0, |at| at + 3);
    let rest = &so_far[behind_scheme..];
    if rest.contains('?') {
        Place::Query
    } else if rest.contains('/') {
        Place::Path
    } else {
        Place::Authority
    }
}

/// A segment of a value is `.` or `..`, written out or encoded.
#[derive(Debug)]
pub(crate) struct Dots;

/// Appends a value that may have several segments: each is decoded and encoded again, so that what was
/// one segment stays one.
fn push_path(out: &mut String, value: &str) -> Result<(), Dots> {
    // An id as a rule: nothing to decode, nothing to encode.
    if value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    {
        out.push_str(value);
        return Ok(());
    }
    for (index, segment) in value.split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        let decoded: Vec<u8> = percent_decode_str(segment).collect();
        if is_dots(&decoded) {
            return Err(Dots);
        }
        push_encoded(out, &decoded, SEGMENT);
    }
    Ok(())
}

/// Appends a value to a path, slashes and all.
pub(crate) fn encode_path(out: &mut String, value: &str) {
    for (index, segment) in value.split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        push_encoded(out, segment.as_bytes(), SEGMENT);
    }
}

/// The address with another path. What would lead out of it is a fault.
pub(crate) fn at_path(uri: &Uri, path: &str) -> Result<Uri, UriFault> {
    let mut target = String::with_capacity(path.len());
    push_path(&mut target, path).map_err(|Dots| UriFault::Escapes("path".to_owned()))?;
    if let Some(query) = uri.query() {
        target.push('?');
        target.push_str(query);
    }
    replace_target(uri, target)
}

/// Whether a decoded segment is one that servers take for a step in the tree. (Some cut a segment at a semicolon first,
/// and some take a backslash for a slash.)
fn is_dots(segment: &[u8]) -> bool {
    segment
        .split(|byte| matches!(byte, b'/' | b'\\'))
        .any(|part| {
            let part = part.split(|byte| *byte == b';').next().unwrap_or_default();
            matches!(part, b"." | b"..")
        })
}

fn push_encoded(out: &mut String, bytes: &[u8], set: &'static AsciiSet) {
    match std::str::from_utf8(bytes) {
        Ok(text) => out.extend(utf8_percent_encode(text, set)),
        Err(_) => out.extend(percent_encoding::percent_encode(bytes, set)),
    }
}

pub(crate) fn push_query_value(out: &mut String, value: &[u8]) {
    push_encoded(out, value, QUERY);
}

fn parse_address(text: &str) -> Result<Uri, UriFault> {
    let bad = |text: &str| UriFault::NotAnAddress(text.to_owned());
    // A fragment is the client's own business and is never sent.
    let end = text.find('#').unwrap_or(text.len());
    let uri: Uri = text[..end].parse().map_err(|_| bad(text))?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    if known && uri.host().is_some_and(|host| !host.is_empty()) {
        Ok(uri)
    } else {
        Err(bad(text))
    }
}

/// Appends to the query of `uri`: the caller's own as it is, then the mapped pairs.
pub(crate) fn with_query(
    uri: Uri,
    caller: Option<&str>,
    mapped: &[(String, Vec<u8>)],
) -> Result<Uri, UriFault> {
    let caller = caller.filter(|query| !query.is_empty());
    if caller.is_none() && mapped.is_empty() {
        return Ok(uri);
    }
    let mut target = String::with_capacity(uri.path().len() + 64);
    target.push_str(uri.path());
    target.push('?');
    let start = target.len();
    let separate = |target: &mut String| {
        if target.len() > start {
            target.push('&');
        }
    };
    if let Some(own) = uri.query() {
        target.push_str(own);
    }
    if let Some(caller) = caller {
        separate(&mut target);
        target.push_str(caller);
    }
    for (name, value) in mapped {
        separate(&mut target);
        push_query_value(&mut target, name.as_bytes());
        target.push('=');
        push_query_value(&mut target, value);
    }
    replace_target(&uri, target)
}

/// Appends a path to the one of `uri`, for routes that forward whole paths.
pub(crate) fn with_path(uri: &Uri, path: &str) -> Result<Uri, UriFault> {
    let mut target = uri.path().trim_end_matches('/').to_owned();
    if !path.starts_with('/') {
        target.push('/');
    }
    push_path(&mut target, path).map_err(|Dots| UriFault::Escapes("proxy".to_owned()))?;
    if let Some(query) = uri.query() {
        target.push('?');
        target.push_str(query);
    }
    replace_target(uri, target)
}

/// The address with its path encoded as signatures are calculated: all but letters, digits and `-._~`. A service that signs a path as it was sent, as S3
/// does, encodes it so before it compares.
pub(crate) fn with_encoded_path(uri: Uri) -> Result<Uri, UriFault> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    if uri.path().bytes().all(plain) {
        return Ok(uri);
    }
    let mut target = String::with_capacity(uri.path().len() + 16);
    for (index, segment) in uri.path().split('/').enumerate() {
        if index > 0 {
            target.push('/');
        }
        let decoded: Vec<u8> = percent_decode_str(segment).collect();
        push_query_value(&mut target, &decoded);
    }
    if let Some(query) = uri.query() {
        target.push('?');
        target.push_str(query);
    }
    replace_target(&uri, target)
}

fn replace_target(uri: &Uri, target: String) -> Result<Uri, UriFault> {
    let mut parts = uri.clone().into_parts();
    let shown = target.clone();
    parts.path_and_query = Some(
        target
            .try_into()
            .map_err(|_| UriFault::NotAnAddress(shown))?,
    );
    Uri::from_parts(parts).map_err(|_| UriFault::NotAnAddress(uri.to_string()))
}

/// The names and values of a query, decoded; `+` is a space.
pub(crate) fn query_pairs(query: Option<&str>) -> impl Iterator<Item = (String, Vec<u8>)> + '_ {
    query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = String::from_utf8_lossy(&decode_query(name)).into_owned();
            (name, decode_query(value))
        })
}

pub(crate) fn decode_query(text: &str) -> Vec<u8> {
    let text = text.replace('+', " ");
    percent_decode_str(&text).collect()
}

#[cfg(test)]
mod tests;
