//! Clients that ask for a new response, and whether they may.

use std::fmt;
use std::sync::Arc;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue};
use portcullis_core::{Decision, Permissions, Rejection, RejectionKind, RequestContext};

/// What becomes of a request that asks for a new response (`Cache-Control: max-age=0`) and may not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnauthorizedRefresh {
    /// It is refused: `FAIL_WITH_403`.
    Refuse,
    /// It is served as any other, and told by a `Warning`: `SUCCEED_WITH_RESPONSE_HEADER`.
    #[default]
    Warn,
    /// It is served as any other: `SUCCEED_WITHOUT_RESPONSE_HEADER`.
    Ignore,
}

/// What a caller must be allowed to do.
const ACTION: &str = "execute-api:InvalidateCache";

/// What a client is told that asked and may not.
pub(crate) const WARNING_TEXT: HeaderValue = HeaderValue::from_static(
    "199 Cache-control headers were ignored because the caller was unauthorized.",
);

/// Who may have a response replaced before its time.
#[derive(Clone)]
pub(super) struct Refresh {
    /// Who may: absent means nobody.
    pub(super) permissions: Option<Arc<dyn Permissions>>,
    pub(super) everyone: bool,
    pub(super) otherwise: UnauthorizedRefresh,
    /// What stands before method and path in the ARN that is asked about.
    pub(super) resource: Box<str>,
}

impl Default for Refresh {
    fn default() -> Self {
        Self {
            permissions: None,
            everyone: false,
            otherwise: UnauthorizedRefresh::default(),
            resource: "arn:aws:execute-api:us-east-1:000000000000:api/stage".into(),
        }
    }
}

impl Refresh {
    /// Whether the caller may; or what becomes of the request.
    pub(super) fn may(&self, context: &RequestContext) -> Result<(), UnauthorizedRefresh> {
        if self.everyone {
            return Ok(());
        }
        let allowed = self.permissions.as_ref().is_some_and(|permissions| {
            let path = match context.route() {
                Some(route) => route.path(),
                None => context.uri().path(),
            };
            let resource = format!("{}/{}{path}", self.resource, context.method());
            permissions.allow(context, ACTION, &resource)
        });
        if allowed { Ok(()) } else { Err(self.otherwise) }
    }
}

impl fmt::Debug for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresh")
            .field("everyone", &self.everyone)
            .field("otherwise", &self.otherwise)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

/// The refusal of a request that asks for a new response and may not.
pub(crate) fn refusal(context: &RequestContext) -> Rejection {
    let decision = Decision::new("cache", "invalidation").with("action", ACTION);
    let rejection = Rejection::new(RejectionKind::AccessDenied).with_decision(decision);
    match context.stage() {
        Some(stage) => rejection.for_api(stage.kind),
        None => rejection,
    }
}

/// Whether a request asks for a new response. Other directives beside it make no difference.
pub(super) fn is_asked(headers: &HeaderMap) -> bool {
    headers.get_all(CACHE_CONTROL).iter().any(|line| {
        let directives = line.to_str().unwrap_or_default().split(',');
        directives
            .filter_map(|directive| directive.split_once('='))
            .any(|(name, age)| {
                name.trim().eq_ignore_ascii_case("max-age") && age.trim().trim_matches('"') == "0"
            })
    })
}

#[cfg(test)]
mod tests {
    use http::header::CACHE_CONTROL;
    use http::{HeaderMap, HeaderValue};

    use super::is_asked;

    #[test]
    fn only_a_max_age_of_zero_asks() {
        for (line, expected) in [
            ("max-age=0", true),
            ("no-cache, Max-Age = 0", true),
            ("max-age=\"0\"", true),
            ("max-age=5", false),
            ("no-cache", false),
            ("no-store", false),
            ("s-maxage=0", false),
            ("max-age", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(line));
            assert_eq!(is_asked(&headers), expected, "{line}");
        }
    }
}
