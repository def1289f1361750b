//! Parameters that a request must have.

use std::borrow::Cow;

use http::HeaderName;
use percent_encoding::percent_decode_str;
use portcullis_core::Head;

use crate::error::ConfigError;

/// The parameters that a request must have, in the order in which those that are missing are named.
#[derive(Clone, Debug, Default)]
pub(super) struct Required {
    headers: Vec<(String, HeaderName)>,
    path: Vec<String>,
    query: Vec<String>,
}

impl Required {
    /// Adds one by the service's name for it: `method.request.querystring.limit`.
    pub(super) fn add(&mut self, parameter: &str) -> Result<(), ConfigError> {
        let fault = |fault: &str| {
            let field = format!("/requestParameters/{parameter}");
            Err(ConfigError::new(field, fault))
        };
        let place = parameter
            .strip_prefix("method.request.")
            .and_then(|rest| rest.split_once('.'))
            .filter(|(_, name)| !name.is_empty());
        match place {
            Some(("header", name)) => match HeaderName::try_from(name) {
                Ok(header) => self.headers.push((name.to_owned(), header)),
                Err(_) => return fault("is not the name of a header"),
            },
            Some(("path", name)) => self.path.push(name.to_owned()),
            Some(("querystring", name)) => self.query.push(name.to_owned()),
            _ => {
                return fault(
                    "is not `method.request.header.`, `.path.` or `.querystring.` with a name",
                );
            }
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.path.is_empty() && self.query.is_empty()
    }

    /// The parameters that `head` lacks: headers, then path, then query string. One that is blank is not there.
    pub(super) fn missing<'a>(&'a self, head: &'a Head<'_>) -> impl Iterator<Item = &'a str> {
        let headers = self.headers.iter().filter(|(_, header)| {
            let mut values = head.headers().get_all(header).iter();
            !values.any(|value| !value.as_bytes().trim_ascii().is_empty())
        });
        let route = head.context().and_then(|context| context.route());
        let path = self.path.iter().filter(move |name| {
            let value = route.and_then(|route| route.parameter(name));
            value.is_none_or(|value| {
                percent_decode_str(value).all(|byte| byte.is_ascii_whitespace())
            })
        });
        let query = self
            .query
            .iter()
            .filter(|name| !is_in_query(head.uri().query().unwrap_or_default(), name));
        headers
            .map(|(name, _)| &**name)
            .chain(path.map(String::as_str))
            .chain(query.map(String::as_str))
    }
}

/// Whether the query string has a value for `name` that is not blank.
fn is_in_query(query: &str, name: &str) -> bool {
    query.split('&').any(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        decoded(key) == name.as_bytes() && !decoded(value).trim_ascii().is_empty()
    })
}

/// What a part of a query string stands for.
fn decoded(part: &str) -> Cow<'_, [u8]> {
    if part.contains('+') {
        let spaced = part.replace('+', " ");
        percent_decode_str(&spaced).collect::<Vec<u8>>().into()
    } else {
        percent_decode_str(part).into()
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use portcullis_core::{MatchedRoute, RequestContext, Route};

    use super::*;

    fn required(names: &[&str]) -> Required {
        let mut required = Required::default();
        for name in names {
            required.add(name).expect("a parameter");
        }
        required
    }

    #[track_caller]
    fn check(names: &[&str], uri: &str, headers: &[(&str, &str)], missing: &str) {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).expect("a request");
        let route = MatchedRoute::new(Route::new("/pets/{id}"), request.uri(), 0);
        RequestContext::of(&mut request).set_route(route);
        let head = Head::of(&request);
        let found: Vec<_> = required(names).missing(&head).map(str::to_owned).collect();
        assert_eq!(found.join(", "), missing);
    }

    #[test]
    fn what_is_missing_is_named_by_place() {
        let all = [
            "method.request.querystring.limit",
            "method.request.path.owner",
            "method.request.header.X-Version",
            "method.request.path.id",
        ];
        check(&all, "/pets/7", &[], "X-Version, owner, limit");
        check(&all, "/pets/7?limit=1", &[("x-version", "1")], "owner");
    }

    #[test]
    fn what_is_blank_is_missing() {
        let all = [
            "method.request.header.a",
            "method.request.path.id",
            "method.request.querystring.q",
        ];
        check(&all, "/pets/%20?q=+%09", &[("a", " ")], "a, id, q");
        check(&all, "/pets/%20x?q=&q=1", &[("a", ""), ("a", "1")], "");
        check(&all, "/pets/0?q", &[("a", "0")], "q");
    }

    #[test]
    fn names_in_the_query_are_decoded_and_have_their_capitals() {
        let one = ["method.request.querystring.Page Size"];
        check(&one, "/?Page%20Size=1", &[], "");
        check(&one, "/?Page+Size=1", &[], "");
        check(&one, "/?page+size=1", &[], "Page Size");
    }

    #[test]
    fn path_parameters_are_those_of_the_route_that_an_outer_layer_found() {
        let request = Request::get("/pets/7").body(()).expect("a request");
        let required = required(&["method.request.path.id"]);
        assert_eq!(required.missing(&Head::of(&request)).count(), 1);
    }

    #[test]
    fn what_is_no_parameter_is_an_error_that_names_it() {
        for name in [
            "limit",
            "method.request.body.x",
            "method.request.header.",
            "method.request.header.a b",
            "integration.request.header.a",
        ] {
            let error = Required::default().add(name).expect_err(name);
            assert_eq!(error.field(), format!("/requestParameters/{name}"));
        }
    }
}
