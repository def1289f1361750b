//! The checked rules, and what they say of a request.

use http::header::ACCESS_CONTROL_REQUEST_METHOD;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::builder::CorsRulesBuilder;
use crate::check::{Check, Later};
use crate::grant::Grant;
use crate::origin::{Origin, Origins, Ruling};
use crate::preflight::{Answers, Names, grants_all};

/// By which book the rules are applied. The [crate docs](crate#semantics) compare the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the standard and the managed service are all there is"
)]
pub enum Conduct {
    /// The WHATWG Fetch standard.
    #[default]
    Standard,
    /// What an HTTP API of Amazon API Gateway does when it has a CORS configuration.
    HttpApi,
}

/// Checked rules: who may read answers across origins, and what preflights are told.
///
/// Besides the [layer](crate::CorsLayer), which needs nothing else, [`check`](Self::check) lets any other code
/// apply the same policy.
///
/// ```
/// use http::{HeaderMap, HeaderValue, Method, header};
/// use portcullis_cors::{Check, CorsRules};
///
/// let rules = CorsRules::builder().allow_origins(["https://app.example"]).build()?;
/// let mut request = HeaderMap::new();
/// request.insert(header::ORIGIN, HeaderValue::from_static("https://app.example"));
///
/// let Check::Pass(grant) = rules.check(&Method::GET, &request) else {
///     panic!("a GET is no preflight, and there is no asynchronous predicate");
/// };
/// let mut answer = HeaderMap::new();
/// grant.decorate(&mut answer);
/// assert_eq!(answer["access-control-allow-origin"], "https://app.example");
/// # Ok::<_, portcullis_cors::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CorsRules {
    pub(crate) conduct: Conduct,
    pub(crate) origins: Origins,
    pub(crate) methods: Names,
    pub(crate) headers: Names,
    pub(crate) answers: Answers,
    /// What any origin at all is told, if it is the same for all: then nothing is compared, and nothing varies.
    pub(crate) fixed: Option<Grant>,
    /// `*`, if allowed origins are told that and not their own name.
    pub(crate) wildcard: Option<HeaderValue>,
    pub(crate) expose: Option<HeaderValue>,
    pub(crate) credentials: bool,
    pub(crate) vary: bool,
}

impl CorsRules {
    /// Rules that allow nothing yet.
    pub fn builder() -> CorsRulesBuilder {
        CorsRulesBuilder::default()
    }

    /// The conduct by which the rules are applied.
    #[must_use]
    pub const fn conduct(&self) -> Conduct {
        self.conduct
    }

    /// Decides on a request, by its method and headers.
    ///
    /// No request is refused by it: the outcome is an answer to a preflight, or what to put on the service's
    /// answer.
    #[must_use]
    #[inline]
    pub fn check(&self, method: &Method, headers: &HeaderMap) -> Check {
        if *method == Method::OPTIONS
            && let Some(answer) = self.preflight(headers)
        {
            return answer;
        }
        if let Some(grant) = &self.fixed {
            return Check::Pass(grant.clone());
        }
        match Origin::of(headers) {
            Origin::One(origin) => self.cross_origin(origin),
            Origin::Absent | Origin::Several => Check::Pass(Grant::nothing(self.vary)),
        }
    }

    fn cross_origin(&self, origin: &HeaderValue) -> Check {
        match self.origins.rule(origin) {
            Ruling::Allow => Check::Pass(self.grant(origin)),
            Ruling::Deny => Check::Pass(Grant::nothing(self.vary)),
            Ruling::Ask(allowed) => Check::PassLater(Later::new(
                allowed,
                self.grant(origin),
                Grant::nothing(self.vary),
            )),
        }
    }

    /// What an `OPTIONS` is answered; `None` where it is no preflight.
    #[cold]
    fn preflight(&self, request: &HeaderMap) -> Option<Check> {
        let origin = Origin::of(request);
        match self.conduct {
            // Fetch, "CORS-preflight request": any other OPTIONS is the service's own business.
            Conduct::Standard => {
                let asks = |name: &HeaderName| *name == ACCESS_CONTROL_REQUEST_METHOD;
                if matches!(origin, Origin::Absent) || !request.keys().any(asks) {
                    return None;
                }
            }
            Conduct::HttpApi => {
                if !grants_all(request, &self.methods, &self.headers) {
                    return Some(Check::Answer(self.answers.denied()));
                }
            }
        }
        if self.fixed.is_some() {
            return Some(Check::Answer(self.answers.granted(None, request)));
        }
        let Origin::One(origin) = origin else {
            return Some(Check::Answer(self.answers.denied()));
        };
        Some(match self.origins.rule(origin) {
            Ruling::Allow => Check::Answer(self.answers.granted(Some(origin), request)),
            Ruling::Deny => Check::Answer(self.answers.denied()),
            Ruling::Ask(allowed) => Check::AnswerLater(Later::new(
                allowed,
                self.answers.granted(Some(origin), request),
                self.answers.denied(),
            )),
        })
    }

    fn grant(&self, origin: &HeaderValue) -> Grant {
        Grant {
            // The request's own value, not ours: a count that all threads share would be slower.
            origin: Some(self.wildcard.as_ref().unwrap_or(origin).clone()),
            expose: self.expose.clone(),
            credentials: self.credentials,
            vary: self.vary,
        }
    }
}
