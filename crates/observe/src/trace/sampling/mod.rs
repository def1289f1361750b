//! Which traces are recorded.

mod document;
mod reservoir;
mod rule;
mod wildcard;

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, Method};

use self::reservoir::Reservoir;
pub use self::rule::SamplingRule;
use crate::error::ConfigError;

/// Which traces are recorded: rules with a reservoir and a rate, as those of AWS X-Ray. Clones share the reservoirs.
///
/// The first rule that matches decides. It records as many requests of each second as its reservoir holds, and its rate of the rest.
///
/// ```
/// use portcullis_observe::trace::SamplingRules;
///
/// // What the SDKs of X-Ray take as local rules.
/// let rules = SamplingRules::from_json(r#"{
///     "version": 2,
///     "rules": [
///         {"description": "health", "host": "*", "http_method": "GET", "url_path": "/health", "fixed_target": 0, "rate": 0.0},
///         {"description": "orders", "host": "*", "http_method": "POST", "url_path": "/orders/*", "fixed_target": 10, "rate": 0.25}
///     ],
///     "default": {"fixed_target": 1, "rate": 0.05}
/// }"#)?;
/// # let _ = rules;
/// # Ok::<(), portcullis_observe::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct SamplingRules {
    rules: Arc<[Ruled]>,
}

/// A rule with what it has given.
struct Ruled {
    rule: SamplingRule,
    matches_all: bool,
    reservoir: Reservoir,
}

impl Ruled {
    fn new(rule: SamplingRule) -> Self {
        Self {
            matches_all: rule.matches_all(),
            rule,
            reservoir: Reservoir::default(),
        }
    }
}

/// A request that a rule may match.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Candidate<'a> {
    /// The service that has got the request. Of a gateway: API and stage, `pets/prod`.
    pub service: &'a str,
    /// The kind of service: `AWS::ApiGateway::Stage` of a gateway. Empty if it has no such name.
    pub service_type: &'a str,
    /// The ARN of the service. Empty if it has none.
    pub resource_arn: &'a str,
    /// The host that the client asked for.
    pub host: &'a str,
    /// The verb.
    pub method: &'a Method,
    /// The path, without a query.
    pub path: &'a str,
    /// The headers, which `Attributes` of rules look at.
    pub headers: &'a HeaderMap,
}

impl<'a> Candidate<'a> {
    /// A request to `service`.
    #[must_use]
    pub const fn new(
        service: &'a str,
        host: &'a str,
        method: &'a Method,
        path: &'a str,
        headers: &'a HeaderMap,
    ) -> Self {
        Self {
            service,
            service_type: "",
            resource_arn: "",
            host,
            method,
            path,
            headers,
        }
    }
}

impl SamplingRules {
    /// More rules than this are refused.
    pub const MAX_RULES: usize = 1000;

    /// These rules, by their priorities and, of equal ones, in their order. A request that none of them matches is not recorded.
    ///
    /// # Errors
    ///
    /// If there are more than [`MAX_RULES`](Self::MAX_RULES).
    pub fn new(rules: impl IntoIterator<Item = SamplingRule>) -> Result<Self, ConfigError> {
        let mut rules: Vec<_> = rules.into_iter().collect();
        if rules.len() > Self::MAX_RULES {
            let problem = format!("rules are more than the {} there may be", Self::MAX_RULES);
            return Err(ConfigError::new("sampling rules", rules.len(), problem));
        }
        rules.sort_by_key(|rule| rule.priority);
        Ok(Self {
            rules: rules.into_iter().map(Ruled::new).collect(),
        })
    }

    /// What X-Ray does without rules: the first request of each second, and one in twenty of the rest.
    #[must_use]
    pub fn standard() -> Self {
        Self::single(SamplingRule::fallback("Default", 1, 0.05))
    }

    /// Every request.
    #[must_use]
    pub fn all() -> Self {
        Self::single(SamplingRule::fallback("all", 0, 1.0))
    }

    fn single(rule: SamplingRule) -> Self {
        Self {
            rules: [Ruled::new(rule)].into(),
        }
    }

    /// Reads rules: what the SDKs of X-Ray take as local rules (version 1 or 2), or what `aws xray get-sampling-rules` prints.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, at which member.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        Self::new(document::parse(text)?)
    }

    /// Whether a request that came at `now` is recorded, and by which rule.
    #[must_use]
    pub fn decide(&self, candidate: &Candidate<'_>, now: SystemTime) -> Option<&Arc<str>> {
        self.decide_by(|| *candidate, now)
    }

    /// The same with a candidate that is only made where a rule looks at it.
    pub(super) fn decide_by<'a>(
        &self,
        candidate: impl FnOnce() -> Candidate<'a>,
        now: SystemTime,
    ) -> Option<&Arc<str>> {
        let first = self.rules.first()?;
        let Ruled {
            rule, reservoir, ..
        } = if first.matches_all {
            first
        } else {
            let candidate = candidate();
            let mut rules = self.rules.iter();
            rules.find(|ruled| ruled.rule.matches(&candidate))?
        };
        let recorded = rule.reservoir > 0 && reservoir.take(second(now), rule.reservoir)
            || rule.rate > 0.0 && (rule.rate >= 1.0 || fastrand::f64() < rule.rate);
        recorded.then_some(&rule.name)
    }
}

fn second(now: SystemTime) -> u32 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    // It only tells seconds apart.
    since.as_secs() as u32
}

impl Default for SamplingRules {
    /// [`standard`](Self::standard).
    fn default() -> Self {
        Self::standard()
    }
}

impl fmt::Debug for SamplingRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.rules.iter().map(|ruled| &ruled.rule);
        f.debug_list().entries(rules).finish()
    }
}

#[cfg(test)]
mod tests;
