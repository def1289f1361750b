//! What of two answers is compared.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::Value;

use super::body::Answer;
use super::difference::{ABSENT, Differences, SECRET};
use super::json::{JsonRules, Pattern};
use crate::error::ConfigError;

/// What of two answers is compared: the status, headers, and bodies, JSON member by member.
///
/// Headers that say when and by whom something was answered do not count: `Date`, `Age`, `Server`, `Via`, `ETag`, ids of requests and traces, and what belongs to the connection or says how long the
/// body is. Of cookies, the names count.
///
/// ```
/// use http::HeaderName;
/// use portcullis_canary::Comparison;
///
/// let comparison = Comparison::new()
///     .ignore_header(HeaderName::from_static("x-served-by"))
///     .ignore_path("/items/*/updatedAt")?
///     .tolerance(0.001)?
///     .redact("iban");
/// # let _ = comparison;
/// # Ok::<(), portcullis_canary::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Comparison {
    ignored: Vec<HeaderName>,
    secret: Vec<HeaderName>,
    json: JsonRules,
}

const IGNORED: &[&str] = &[
    "age",
    "apigw-requestid",
    "connection",
    "content-length",
    "date",
    "etag",
    "keep-alive",
    "server",
    "server-timing",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "via",
    "x-amz-apigw-id",
    "x-amzn-requestid",
    "x-amzn-trace-id",
    "x-request-id",
];

const SECRET_HEADERS: &[&str] = &[
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-amz-security-token",
    "x-api-key",
];

const SECRET_MEMBERS: &[&str] = &[
    "apikey",
    "api_key",
    "authorization",
    "password",
    "secret",
    "token",
];

impl Comparison {
    /// Compares everything but the headers that never are the same.
    pub fn new() -> Self {
        let names = |names: &'static [&'static str]| {
            let names = names.iter().copied();
            names.map(HeaderName::from_static).collect()
        };
        Self {
            ignored: names(IGNORED),
            secret: names(SECRET_HEADERS),
            json: JsonRules {
                secrets: SECRET_MEMBERS.iter().map(|own| (*own).to_owned()).collect(),
                ..JsonRules::default()
            },
        }
    }

    /// Does not compare this header.
    pub fn ignore_header(mut self, name: HeaderName) -> Self {
        self.ignored.push(name);
        self
    }

    /// Does not compare what is here in JSON, and below: a JSON pointer in which `*` stands for any one member or item.
    ///
    /// # Errors
    ///
    /// If it does not begin with `/`.
    pub fn ignore_path(mut self, pointer: &str) -> Result<Self, ConfigError> {
        let Some(pattern) = Pattern::parse(pointer) else {
            let problem = format!("`{pointer}` is no JSON pointer; begin it with `/`");
            return Err(ConfigError::new("mirror.ignorePaths", problem));
        };
        self.json.ignored.push(pattern);
        Ok(self)
    }

    /// Takes two numbers in JSON for the same if they are no further apart than this. By default they must be equal.
    ///
    /// # Errors
    ///
    /// If it is negative or no number.
    pub fn tolerance(mut self, tolerance: f64) -> Result<Self, ConfigError> {
        if !(tolerance >= 0.0 && tolerance.is_finite()) {
            let problem = format!("{tolerance} is no distance of numbers; give 0 or more");
            return Err(ConfigError::new("mirror.tolerance", problem));
        }
        self.json.tolerance = tolerance;
        Ok(self)
    }

    /// Shows no value of a header of this name, and of no member of JSON in whose name this stands, in small letters or capitals. They are compared all the same. Names with
    /// `password`, `secret`, `token` or `apiKey` in them, and headers that carry credentials, are such by default.
    pub fn redact(mut self, name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        self.secret.extend(HeaderName::try_from(&name));
        self.json.secrets.push(name);
        self
    }

    /// Where the answers differ; an error is a body that is too long to be compared.
    pub(super) fn compare(&self, live: &Answer, mirrored: &Answer) -> Result<Compared, TooLong> {
        let (Some(live_body), Some(mirrored_body)) = (&live.body, &mirrored.body) else {
            return Err(TooLong);
        };
        let mut out = Differences::default();
        if live.status != mirrored.status {
            let code = |answer: &Answer| answer.status.as_str().to_owned();
            out.push("status", code(live), code(mirrored));
        }
        let status = out.len() > 0;
        self.compare_headers(&live.headers, &mirrored.headers, &mut out);
        let headers = out.len() > usize::from(status) || out.more;
        let before = out.len();
        if live_body != mirrored_body {
            match (
                json(&live.headers, live_body),
                json(&mirrored.headers, mirrored_body),
            ) {
                (Some(live), Some(mirrored)) => self.json.compare(&live, &mirrored, &mut out),
                _ => {
                    let size = |body: &[u8]| format!("{} bytes", body.len());
                    let others = match live_body.len() == mirrored_body.len() {
                        true => ", others",
                        false => "",
                    };
                    out.push("body", size(live_body), size(mirrored_body) + others);
                }
            }
        }
        let body = out.len() > before;
        Ok(Compared {
            status,
            headers,
            body,
            differences: out,
        })
    }

    fn compare_headers(&self, live: &HeaderMap, mirrored: &HeaderMap, out: &mut Differences) {
        let added = mirrored.keys().filter(|name| !live.contains_key(*name));
        for name in live.keys().chain(added) {
            if self.ignored.contains(name) {
                continue;
            }
            let values = |headers: &HeaderMap| {
                let values = headers.get_all(name).iter();
                let values = values.map(|value| shown(name, value));
                values.collect::<Vec<_>>()
            };
            let (live, mirrored) = (values(live), values(mirrored));
            if live == mirrored {
                continue;
            }
            let text = |values: Vec<String>| match &*values {
                [] => ABSENT.to_owned(),
                _ if self.secret.contains(name) => SECRET.to_owned(),
                _ => values.join(", "),
            };
            out.push(format!("header {name}"), text(live), text(mirrored));
        }
    }
}

impl Default for Comparison {
    fn default() -> Self {
        Self::new()
    }
}

/// What came of comparing.
pub(super) struct Compared {
    pub(super) status: bool,
    pub(super) headers: bool,
    pub(super) body: bool,
    pub(super) differences: Differences,
}

/// A body is longer than what is kept of one.
#[derive(Debug)]
pub(super) struct TooLong;

/// What of a header is compared.
fn shown(name: &HeaderName, value: &HeaderValue) -> String {
    let value = String::from_utf8_lossy(value.as_bytes());
    match *name == header::SET_COOKIE {
        true => value.split('=').next().unwrap_or_default().to_owned(),
        false => value.into_owned(),
    }
}

/// The body as JSON, if it is said to be JSON and is.
fn json(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let media_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let media_type = media_type.split(';').next()?.trim().to_ascii_lowercase();
    let is_json = media_type.ends_with("/json") || media_type.ends_with("+json");
    is_json.then(|| serde_json::from_slice(body).ok())?
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

    use super::{Answer, Comparison};

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Answer {
        let headers = headers.iter().map(|(name, value)| {
            let value = HeaderValue::from_static(value);
            (HeaderName::from_static(name), value)
        });
        Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: headers.collect::<HeaderMap>(),
            body: Some(Bytes::from_static(body.as_bytes())),
        }
    }

    #[track_caller]
    fn check(live: &Answer, mirrored: &Answer, expected: &[&str]) {
        let compared = Comparison::new()
            .compare(live, mirrored)
            .expect("both are short");
        let found = compared.differences.into_vec();
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn answers_are_compared_by_status_headers_and_body() {
        let json = ("content-type", "application/json; charset=utf-8");
        check(
            &answer(200, &[json, ("date", "today")], r#"{"a": 1, "b": 2}"#),
            &answer(200, &[json, ("date", "now")], r#"{"b":2,"a":1}"#),
            &[],
        );
        check(
            &answer(
                200,
                &[json, ("x-a", "1"), ("x-api-key", "hunter2")],
                r#"{"a": 1}"#,
            ),
            &answer(
                404,
                &[json, ("x-b", "2"), ("x-api-key", "hunter3")],
                r#"{"a": 2}"#,
            ),
            &[
                "status: 200 became 404",
                "header x-a: 1 became (absent)",
                "header x-api-key: … became …",
                "header x-b: (absent) became 2",
                "body /a: 1 became 2",
            ],
        );
    }

    #[test]
    fn what_is_no_json_is_compared_byte_by_byte() {
        check(&answer(200, &[], "a"), &answer(200, &[], "a"), &[]);
        check(
            &answer(200, &[], "{\"a\": 1}"),
            &answer(200, &[], "{\"a\":1}"),
            &["body: 8 bytes became 7 bytes"],
        );
        check(
            &answer(200, &[("content-type", "application/json")], "{"),
            &answer(200, &[("content-type", "application/json")], "}"),
            &["body: 1 bytes became 1 bytes, others"],
        );
    }

    #[test]
    fn of_cookies_the_names_are_compared_and_no_value_is_shown() {
        check(
            &answer(200, &[("set-cookie", "a=hunter2; Path=/")], ""),
            &answer(200, &[("set-cookie", "a=hunter3; Path=/")], ""),
            &[],
        );
        check(
            &answer(200, &[("set-cookie", "a=hunter2")], ""),
            &answer(200, &[("set-cookie", "b=hunter3")], ""),
            &["header set-cookie: a became b"],
        );
    }

    #[test]
    fn a_body_that_is_too_long_is_not_compared() {
        let mut long = answer(200, &[], "");
        long.body = None;
        assert!(
            Comparison::new()
                .compare(&long, &answer(500, &[], ""))
                .is_err()
        );
    }
}
