//! The ARNs of an API's methods.

use portcullis_core::{Head, MatchedRoute, RequestContext};

use crate::ConfigError;

/// The ARN of an API, to which a request adds stage, method and path: `arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/pets/7`.
///
/// The path is that of the request, still percent-encoded, behind the stage or the base path, and in one spelling: what needs no encoding is
/// decoded (`%61` is `a`), the digits of other encodings are capitals (`%2f` is `%2F`), and slashes that routing does not see are left out. Otherwise a denial
/// of `GET/admin` would not hold for `GET/%61dmin`, which is the same to whoever answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiArn {
    /// `arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/`
    prefix: Box<str>,
    stage: Option<Box<str>>,
}

impl ApiArn {
    /// The API of this id, account and region.
    ///
    /// # Errors
    ///
    /// If one of them could not stand in an ARN.
    pub fn new(region: &str, account_id: &str, api_id: &str) -> Result<Self, ConfigError> {
        for (field, text) in [
            ("region", region),
            ("accountId", account_id),
            ("apiId", api_id),
        ] {
            if text.is_empty() || text.contains([':', '/', '*', '?']) {
                return Err(ConfigError::new(
                    field,
                    format!("`{text}` cannot stand in an ARN"),
                    "leave out colons, slashes, `*` and `?`",
                ));
            }
        }
        let partition = match region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        Ok(Self {
            prefix: format!("arn:{partition}:execute-api:{region}:{account_id}:{api_id}/").into(),
            stage: None,
        })
    }

    /// The stage of requests whose [`RequestContext`] does not say one. Default: `$default`.
    #[must_use]
    pub fn stage(mut self, stage: impl Into<Box<str>>) -> Self {
        self.stage = Some(stage.into());
        self
    }

    /// The ARN of what the request calls.
    #[must_use]
    pub fn of(&self, head: &Head<'_>) -> String {
        let context = head.context();
        let facts = context.and_then(RequestContext::stage);
        let stage = facts.map(|facts| facts.stage.as_str());
        let stage = stage.or(self.stage.as_deref()).unwrap_or("$default");
        let route = context.and_then(RequestContext::route);
        let path = match route {
            Some(route) => routed(route),
            None => {
                let path = head.uri().path();
                path.strip_prefix('/').unwrap_or(path)
            }
        };
        let method = head.method().as_str();
        let length = self.prefix.len() + stage.len() + method.len() + path.len() + 2;
        let mut arn = String::with_capacity(length);
        for part in [&self.prefix, stage, "/", method, "/"] {
            arn.push_str(part);
        }
        push_in_one_spelling(path, &mut arn);
        arn
    }

    /// The account that owns the API.
    pub(super) fn account_id(&self) -> &str {
        self.prefix.split(':').nth(4).unwrap_or_default()
    }
}

/// The path without the slashes that routing ignores: more than one at the front and, in a REST API, those at the end.
fn routed(route: &MatchedRoute) -> &str {
    let path = route.path().trim_start_matches('/');
    match route.route().route_key {
        None => path.trim_end_matches('/'),
        Some(_) => path,
    }
}

/// Adds `path` as RFC 3986, section 6.2.2, normalizes percent-encodings. It gets no longer by that.
fn push_in_one_spelling(path: &str, out: &mut String) {
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let digits = rest.as_bytes().get(1..3).and_then(<[u8]>::first_chunk);
        let Some(digits) =
            digits.filter(|digits: &&[u8; 2]| digits.iter().all(u8::is_ascii_hexdigit))
        else {
            out.push('%');
            rest = &rest[1..];
            continue;
        };
        let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0);
        let byte = char::from_u32(value(digits[0]) << 4 | value(digits[1])).unwrap_or('%');
        if byte.is_ascii_alphanumeric() || matches!(byte, '-' | '.' | '_' | '~') {
            out.push(byte);
        } else {
            out.push('%');
            out.extend(digits.map(|digit| char::from(digit.to_ascii_uppercase())));
        }
        rest = &rest[3..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use http::Request;
    use portcullis_core::Route;

    use super::*;

    #[test]
    fn a_request_adds_stage_method_and_path() {
        let api = ApiArn::new("eu-west-1", "123456789012", "a1b2c3").unwrap();
        let request = Request::get("/pets/a%2Fb?x=1").body(()).unwrap();
        assert_eq!(
            api.of(&Head::of(&request)),
            "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/$default/GET/pets/a%2Fb"
        );
        let root = Request::get("/").body(()).unwrap();
        assert_eq!(
            api.stage("prod").of(&Head::of(&root)),
            "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/"
        );
        let china = ApiArn::new("cn-north-1", "123456789012", "a").unwrap();
        assert!(china.of(&Head::of(&root)).starts_with("arn:aws-cn:"));
        assert_eq!(china.account_id(), "123456789012");
        assert!(ApiArn::new("eu-west-1", "*", "a").is_err());
    }

    #[test]
    fn what_is_the_same_path_has_one_spelling() {
        let api = ApiArn::new("eu-west-1", "123456789012", "a")
            .unwrap()
            .stage("s");
        for (path, expected) in [
            ("/%61dmin", "admin"),
            ("/a%2fb%7e%C3%a9", "a%2Fb~%C3%A9"),
            ("/%", "%"),
            ("/%6", "%6"),
            ("/%zz%41", "%zzA"),
            ("/%2561", "%2561"),
        ] {
            let request = Request::get(path).body(()).unwrap();
            let arn = api.of(&Head::of(&request));
            assert_eq!(arn.rsplit("/GET/").next(), Some(expected), "{path}");
        }
    }

    #[test]
    fn slashes_that_routing_ignores_are_in_no_arn() {
        let api = ApiArn::new("eu-west-1", "123456789012", "a")
            .unwrap()
            .stage("s");
        let ask = |path: &str, route: &Route| {
            let mut request = Request::get(path).body(()).unwrap();
            let route = MatchedRoute::new(route.clone(), request.uri(), 2);
            RequestContext::of(&mut request).set_route(route);
            let arn = api.of(&Head::of(&request));
            arn.split_once("/s/GET/").unwrap().1.to_owned()
        };
        let rest = Route::new("/admin");
        assert_eq!(ask("/s/admin", &rest), "admin");
        assert_eq!(ask("/s//admin//", &rest), "admin");
        assert_eq!(ask("/s/a//b", &rest), "a//b");
        assert_eq!(ask("/s/", &rest), "");
        // To an HTTP API a slash at the end is another path.
        let mut http = Route::new("/admin");
        http.route_key = Some("GET /admin".to_owned());
        assert_eq!(ask("/s//admin/", &http), "admin/");
    }
}
