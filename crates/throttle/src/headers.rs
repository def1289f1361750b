//! The headers by which clients learn how they stand.

use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_core::{LimitStanding, RequestContext};
use serde::Deserialize;

/// What clients are told beside the status. The service tells them nothing, and by default neither does the layer.
///
/// ```
/// use portcullis_throttle::Headers;
///
/// let headers = Headers::new().retry_after(true).rate_limit(true);
/// # let _ = headers;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[must_use]
pub struct Headers {
    retry_after: bool,
    rate_limit: bool,
    x_rate_limit: bool,
}

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

impl Headers {
    /// None.
    pub const fn new() -> Self {
        Self {
            retry_after: false,
            rate_limit: false,
            x_rate_limit: false,
        }
    }

    /// `Retry-After` on refusals: the whole seconds after which the same request would pass. A request that never would gets none.
    pub const fn retry_after(mut self, yes: bool) -> Self {
        self.retry_after = yes;
        self
    }

    /// `RateLimit` and `RateLimit-Policy` on every answer (draft-ietf-httpapi-ratelimit-headers-10): one item for each limit, by its name.
    pub const fn rate_limit(mut self, yes: bool) -> Self {
        self.rate_limit = yes;
        self
    }

    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset` (in seconds from now) on every answer, about the limit of which least is left.
    pub const fn x_rate_limit(mut self, yes: bool) -> Self {
        self.x_rate_limit = yes;
        self
    }

    pub(crate) const fn tells_retry_after(self) -> bool {
        self.retry_after
    }

    /// Whether answers that pass have headers, too.
    pub(crate) const fn on_every_answer(self) -> bool {
        self.rate_limit || self.x_rate_limit
    }

    /// Adds what is asked for on every answer, about the limits that were noted in the request's context. The layer does this by itself; it is for those who
    /// use it as a guard.
    pub fn write_to(self, context: &RequestContext, headers: &mut HeaderMap) {
        if self.on_every_answer() {
            self.write(&context.limits(), headers);
        }
    }

    fn write(self, limits: &[LimitStanding], headers: &mut HeaderMap) {
        if self.rate_limit && !limits.is_empty() {
            let policy = list(limits, |own| format!(";q={};w={}", own.quota, own.window));
            let left = list(limits, |own| {
                format!(";r={};t={}", own.remaining, own.reset)
            });
            headers.insert(RATE_LIMIT_POLICY, policy);
            headers.insert(RATE_LIMIT, left);
        }
        if !self.x_rate_limit {
            return;
        }
        let tightest = limits.iter().min_by_key(|own| own.remaining);
        if let Some(tightest) = tightest {
            headers.insert(X_LIMIT, tightest.quota.into());
            headers.insert(X_REMAINING, tightest.remaining.into());
            headers.insert(X_RESET, tightest.reset.into());
        }
    }
}

/// A list of strings with parameters, as RFC 9651 writes it.
fn list(limits: &[LimitStanding], parameters: impl Fn(&LimitStanding) -> String) -> HeaderValue {
    let items: Vec<String> = limits
        .iter()
        .map(|own| format!("\"{}\"{}", quoted(&own.name), parameters(own)))
        .collect();
    // Names are visible ASCII once they are quoted.
    HeaderValue::try_from(items.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

/// The inside of a quoted string, which has only ASCII.
fn quoted(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            ' '..='~' => out.push(character),
            _ => out.push('_'),
        }
    }
    out
}

/// The whole seconds after which `nanos` have passed, at least one.
pub(crate) fn seconds(nanos: u64) -> HeaderValue {
    nanos.div_ceil(1_000_000_000).max(1).into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::HeaderMap;
    use portcullis_core::LimitStanding;

    use super::Headers;

    fn standing(name: &str, remaining: u64) -> LimitStanding {
        let mut standing = LimitStanding::new(Arc::from(name));
        (standing.quota, standing.window) = (10, 2);
        (standing.remaining, standing.reset) = (remaining, 1);
        standing
    }

    #[test]
    fn limits_are_listed_by_their_names() {
        let mut headers = HeaderMap::new();
        let limits = [standing("per client", 4), standing("a\"b\u{e9}", 2)];
        Headers::new()
            .rate_limit(true)
            .x_rate_limit(true)
            .write(&limits, &mut headers);
        assert_eq!(
            headers["ratelimit-policy"],
            r#""per client";q=10;w=2, "a\"b_";q=10;w=2"#
        );
        assert_eq!(
            headers["ratelimit"],
            r#""per client";r=4;t=1, "a\"b_";r=2;t=1"#
        );
        assert_eq!(headers["x-ratelimit-remaining"], "2");
    }

    #[test]
    fn the_service_says_nothing_and_so_does_the_default() {
        let mut headers = HeaderMap::new();
        Headers::new().write(&[standing("x", 1)], &mut headers);
        assert!(headers.is_empty());
    }
}
