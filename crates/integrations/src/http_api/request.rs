//! Changes of requests: `append`, `overwrite` and `remove` of headers and query parameters, `overwrite` of the path.

use http::header::{HOST, HeaderMap, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, Uri};
use portcullis_core::{RequestContext, is_service_header};

use super::expression::{Expression, Side, Source};
use crate::error::{ConfigError, escape};
use crate::failure::Failure;
use crate::http_proxy::Instead;
use crate::mapping::MappingFault;
use crate::uri::{decode_query, encode_path, push_query_value};

/// What is done to a header or a query parameter.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Append(Expression),
    Overwrite(Expression),
    Remove,
}

/// The changes of an integration's requests.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestChanges {
    headers: Vec<(HeaderName, Change)>,
    query: Vec<(String, Change)>,
    path: Option<Expression>,
}

impl Change {
    /// Reads `action` and the value that belongs to it.
    pub(super) fn parse(action: &str, value: &str, side: Side) -> Result<Self, String> {
        match action {
            "append" => Expression::parse(value, side).map(Self::Append),
            "overwrite" => Expression::parse(value, side).map(Self::Overwrite),
            "remove" => Ok(Self::Remove),
            _ => Err(format!(
                "`{action}` is not `append`, `overwrite` or `remove`"
            )),
        }
    }

    pub(super) const fn expression(&self) -> Option<&Expression> {
        match self {
            Self::Append(value) | Self::Overwrite(value) => Some(value),
            Self::Remove => None,
        }
    }
}

/// The name of a header that may be mapped.
pub(super) fn header_name(name: &str) -> Result<HeaderName, String> {
    let name: HeaderName = name
        .parse()
        .map_err(|_| format!("`{name}` is not the name of a header"))?;
    if is_service_header(name.as_str()) {
        return Err(format!("the header `{name}` is reserved"));
    }
    Ok(name)
}

impl RequestChanges {
    pub(super) fn compile(entries: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut changes = Self::default();
        for (target, value) in entries {
            let fault = |fault: String| {
                ConfigError::new(format!("/requestParameters/{}", escape(target)), fault)
            };
            let (action, place) = target
                .split_once(':')
                .ok_or_else(|| fault(format!("`{target}` is not `action:place`")))?;
            match (action, place, place.split_once('.')) {
                ("overwrite", "path", _) => {
                    let value = Expression::parse(value, Side::Request).map_err(fault)?;
                    changes.path = Some(value);
                }
                (_, _, Some(("header", name))) => {
                    let name = header_name(name).map_err(fault)?;
                    let change = Change::parse(action, value, Side::Request).map_err(fault)?;
                    changes.headers.push((name, change));
                }
                (_, _, Some(("querystring", name))) if !name.is_empty() => {
                    let change = Change::parse(action, value, Side::Request).map_err(fault)?;
                    changes.query.push((name.to_owned(), change));
                }
                _ => {
                    return Err(fault(format!(
                        "`{place}` is not `header.name`, `querystring.name` or, with `overwrite`, `path`"
                    )));
                }
            }
        }
        Ok(changes)
    }

    pub(super) const fn changes_path(&self) -> bool {
        self.path.is_some()
    }

    /// Whether a value comes from the body.
    pub(super) fn read_body(&self) -> bool {
        let headers = self.headers.iter().map(|(_, change)| change);
        let query = self.query.iter().map(|(_, change)| change);
        let values = headers.chain(query).filter_map(Change::expression);
        values.chain(&self.path).any(Expression::reads_body)
    }

    /// Changes the head of a request. What only an HTTP endpoint can be told is given back.
    pub(super) fn apply(
        &self,
        parts: &mut Parts,
        body: Option<&[u8]>,
        context: &RequestContext,
    ) -> Result<Instead, Failure> {
        let mut instead = Instead::default();
        // All values are those of the request as it came.
        let source = Source::new(&parts.headers, Some(&parts.uri), body, context);
        let headers = values(&self.headers, &source)?;
        let query = self.query(&source);
        if let Some(path) = &self.path {
            let path = path.path(&source, encode_path).unwrap_or_default();
            instead.path = Some(if path.starts_with('/') {
                path
            } else {
                format!("/{path}")
            });
        }
        for (name, value) in headers {
            // The client's host is still to be told to the endpoint, beside the one that it is called by.
            if *name == HOST {
                instead.host = match value {
                    Changed::To(value) | Changed::By(value) => Some(value),
                    Changed::Away => None,
                };
                continue;
            }
            value.apply(name, &mut parts.headers);
        }
        if let Some(query) = query {
            parts.uri = with_query(&parts.uri, &query)?;
        }
        Ok(instead)
    }

    /// The whole query as it is to be, if it changes.
    fn query(&self, source: &Source<'_>) -> Option<String> {
        if self.query.is_empty() {
            return None;
        }
        let own = source.query().unwrap_or_default();
        let mut pairs: Vec<(String, &str)> = own
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let name = pair.split_once('=').map_or(pair, |(name, _)| name);
                let name = String::from_utf8_lossy(&decode_query(name)).into_owned();
                (name, pair)
            })
            .collect();
        let mut added = String::new();
        for (name, change) in &self.query {
            if !matches!(change, Change::Append(_)) {
                pairs.retain(|(own, _)| own != name);
            }
            if let Some(value) = change.expression().and_then(|value| value.value(source)) {
                if !added.is_empty() {
                    added.push('&');
                }
                push_query_value(&mut added, name.as_bytes());
                added.push('=');
                push_query_value(&mut added, value.as_bytes());
            }
        }
        let kept = pairs.iter().map(|(_, pair)| *pair);
        let all: Vec<&str> = kept
            .chain((!added.is_empty()).then_some(added.as_str()))
            .collect();
        Some(all.join("&"))
    }
}

/// What becomes of a header.
pub(super) enum Changed {
    /// It gets this value.
    To(HeaderValue),
    /// It gets this value as well.
    By(HeaderValue),
    /// It goes.
    Away,
}

impl Changed {
    pub(super) fn apply(self, name: &HeaderName, headers: &mut HeaderMap) {
        match self {
            Self::To(value) => {
                headers.insert(name.clone(), value);
            }
            Self::By(value) => {
                headers.append(name.clone(), value);
            }
            Self::Away => {
                headers.remove(name);
            }
        }
    }
}

/// Reads the values of all headers before any is changed.
pub(super) fn values<'a>(
    changes: &'a [(HeaderName, Change)],
    source: &Source<'_>,
) -> Result<Vec<(&'a HeaderName, Changed)>, MappingFault> {
    let mut all = Vec::with_capacity(changes.len());
    for (name, change) in changes {
        let value = match change.expression().and_then(|value| value.value(source)) {
            Some(value) => Some(
                HeaderValue::try_from(value).map_err(|_| MappingFault::BadValue(name.clone()))?,
            ),
            None => None,
        };
        match (change, value) {
            (Change::Append(_), Some(value)) => all.push((name, Changed::By(value))),
            (Change::Append(_), None) => {}
            (Change::Overwrite(_), Some(value)) => all.push((name, Changed::To(value))),
            // What a client sent must not pass for what the gateway would have said.
            (Change::Overwrite(_), None) | (Change::Remove, _) => {
                all.push((name, Changed::Away));
            }
        }
    }
    Ok(all)
}

fn with_query(uri: &Uri, query: &str) -> Result<Uri, Failure> {
    let target = if query.is_empty() {
        uri.path().to_owned()
    } else {
        format!("{}?{query}", uri.path())
    };
    let mut parts = uri.clone().into_parts();
    let target = PathAndQuery::try_from(target);
    parts.path_and_query = Some(target.map_err(|error| Failure::BadRequest(error.to_string()))?);
    Uri::from_parts(parts).map_err(|error| Failure::BadRequest(error.to_string()))
}

#[cfg(test)]
mod tests {
    use http::Request;
    use portcullis_core::SystemClock;

    use super::*;

    fn compile(entries: &[(&str, &str)]) -> Result<RequestChanges, ConfigError> {
        let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
        RequestChanges::compile(&entries.iter().map(owned).collect::<Vec<_>>())
    }

    fn apply(entries: &[(&str, &str)]) -> (Parts, Instead) {
        let request = Request::get("/p?a=1&b=x%20y&a=2&c")
            .header("x-a", "1")
            .header("host", "client.example.com")
            .header("x-b", "old");
        let mut parts = request.body(()).expect("a request").into_parts().0;
        let context = RequestContext::new(&Request::new(()), &SystemClock::new());
        let changes = compile(entries).expect("compiles");
        let instead = changes
            .apply(&mut parts, None, &context)
            .expect("valid values");
        (parts, instead)
    }

    #[test]
    fn headers_are_appended_overwritten_and_removed() {
        let (parts, _) = apply(&[
            ("append:header.x-a", "2"),
            ("overwrite:header.x-b", "$request.header.x-a"),
            ("append:header.x-c", "$request.header.none"),
            ("overwrite:header.x-d", "new"),
        ]);
        let all = |name: &str| -> Vec<_> { parts.headers.get_all(name).iter().collect() };
        assert_eq!(all("x-a"), ["1", "2"]);
        assert_eq!(all("x-b"), ["1"]);
        assert_eq!(all("x-c"), [""; 0]);
        assert_eq!(all("x-d"), ["new"]);
        let (parts, _) = apply(&[("remove:header.x-a", "''")]);
        assert!(!parts.headers.contains_key("x-a"));
    }

    #[test]
    fn overwriting_by_nothing_removes_what_the_client_sent() {
        let (parts, _) = apply(&[("overwrite:header.x-a", "$context.authorizer.user")]);
        assert!(!parts.headers.contains_key("x-a"));
        let (parts, _) = apply(&[("overwrite:querystring.a", "$context.authorizer.user")]);
        assert_eq!(parts.uri.query(), Some("b=x%20y&c"));
    }

    #[test]
    fn query_parameters_are_changed_and_the_others_stay_as_they_are() {
        let query = |entries: &[(&str, &str)]| apply(entries).0.uri.query().map(str::to_owned);
        assert_eq!(
            query(&[("append:querystring.a", "3&4")]).as_deref(),
            Some("a=1&b=x%20y&a=2&c&a=3%264")
        );
        assert_eq!(
            query(&[("overwrite:querystring.a", "${request.querystring.a}")]).as_deref(),
            Some("b=x%20y&c&a=1%2C2")
        );
        assert_eq!(
            query(&[
                ("remove:querystring.a", ""),
                ("remove:querystring.b", ""),
                ("remove:querystring.c", "")
            ]),
            None
        );
    }

    #[test]
    fn a_path_is_given_to_the_endpoint_instead() {
        let path = |value: &str| apply(&[("overwrite:path", value)]).1.path;
        assert_eq!(path("$request.path").as_deref(), Some("/p"));
        assert_eq!(path("v2/pets").as_deref(), Some("/v2/pets"));
        assert_eq!(
            path("/x/${request.querystring.b}").as_deref(),
            Some("/x/x%20y")
        );
    }

    #[test]
    fn another_host_is_for_the_endpoint_alone() {
        let (parts, instead) = apply(&[("overwrite:header.Host", "other.example.com")]);
        assert_eq!(parts.headers[HOST], "client.example.com");
        assert_eq!(
            instead.host,
            Some(HeaderValue::from_static("other.example.com"))
        );
    }

    #[test]
    fn what_is_no_mapping_is_an_error_that_names_the_field() {
        for (target, value) in [
            ("header.x", "1"),
            ("replace:header.x", "1"),
            ("append:path", "/x"),
            ("append:cookie.x", "1"),
            ("append:querystring.", "1"),
            ("append:header.Authorization", "1"),
            ("append:header.x", "$request.cookie.x"),
        ] {
            let error = compile(&[(target, value)]).expect_err(target);
            assert!(error.field().starts_with("/requestParameters/"), "{error}");
        }
    }
}
