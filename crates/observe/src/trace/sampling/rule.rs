//! One rule.

use std::sync::Arc;

use http::HeaderName;

use super::Candidate;
use super::wildcard::Wildcard;
use crate::error::ConfigError;

/// A rule of [`SamplingRules`](super::SamplingRules). Its patterns have `*` for any text and `?` for any one character; those that are not set match everything.
///
/// ```
/// use portcullis_observe::trace::{SamplingRule, SamplingRules};
///
/// let orders = SamplingRule::new("orders", 10, 0.25)?.path("/orders/*")?.method("POST")?;
/// let rest = SamplingRule::new("rest", 1, 0.05)?.priority(9999);
/// let rules = SamplingRules::new([orders, rest])?;
/// # let _ = rules;
/// # Ok::<(), portcullis_observe::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct SamplingRule {
    pub(super) name: Arc<str>,
    pub(super) priority: u16,
    pub(super) reservoir: u32,
    pub(super) rate: f64,
    service: Wildcard,
    service_type: Wildcard,
    resource_arn: Wildcard,
    host: Wildcard,
    method: Wildcard,
    path: Wildcard,
    attributes: Vec<(HeaderName, Wildcard)>,
}

/// As many as X-Ray takes.
const MAX_ATTRIBUTES: usize = 5;

impl SamplingRule {
    /// A rule that matches every request: it records the first `reservoir` requests of each second, and of the rest the share `rate`, from 0 to 1.
    ///
    /// # Errors
    ///
    /// If `rate` is no share.
    pub fn new(name: impl Into<Arc<str>>, reservoir: u32, rate: f64) -> Result<Self, ConfigError> {
        if !(0.0..=1.0).contains(&rate) {
            return Err(ConfigError::new("rate", rate, "is not between 0 and 1"));
        }
        Ok(Self::fallback(name, reservoir, rate))
    }

    /// The same with a rate that is known to be one.
    pub(super) fn fallback(name: impl Into<Arc<str>>, reservoir: u32, rate: f64) -> Self {
        let any = Wildcard::new("*");
        Self {
            name: name.into(),
            priority: 1,
            reservoir,
            rate,
            service: any.clone(),
            service_type: any.clone(),
            resource_arn: any.clone(),
            host: any.clone(),
            method: any.clone(),
            path: any,
            attributes: Vec::new(),
        }
    }

    /// Rules with lower numbers are looked at first. 1 unless set.
    pub const fn priority(mut self, priority: u16) -> Self {
        self.priority = priority;
        self
    }

    /// Matches requests to services with such a name. Of a gateway, that is API and stage: `pets/prod`.
    ///
    /// # Errors
    ///
    /// If the pattern is longer than 512 characters; the same of the others.
    pub fn service(mut self, pattern: &str) -> Result<Self, ConfigError> {
        self.service = wildcard("service", pattern)?;
        Ok(self)
    }

    /// Matches requests to services of such a kind: `AWS::ApiGateway::*`.
    ///
    /// # Errors
    ///
    /// If the pattern is too long.
    pub fn service_type(mut self, pattern: &str) -> Result<Self, ConfigError> {
        self.service_type = wildcard("service type", pattern)?;
        Ok(self)
    }

    /// Matches requests to services with such an ARN.
    ///
    /// # Errors
    ///
    /// If the pattern is too long.
    pub fn resource_arn(mut self, pattern: &str) -> Result<Self, ConfigError> {
        self.resource_arn = wildcard("resource ARN", pattern)?;
        Ok(self)
    }

    /// Matches requests to such hosts.
    ///
    /// # Errors
    ///
    /// If the pattern is too long.
    pub fn host(mut self, pattern: &str) -> Result<Self, ConfigError> {
        self.host = wildcard("host", pattern)?;
        Ok(self)
    }

    /// Matches requests with such verbs.
    ///
    /// # Errors
    ///
    /// If the pattern is too long.
    pub fn method(mut self, pattern: &str) -> Result<Self, ConfigError> {
        self.method = wildcard("method", pattern)?;
        Ok(self)
    }

    /// Matches requests to such paths.
    ///
    /// # Errors
    ///
    /// If the pattern is too long.
    pub fn path(mut self, pattern: &str) -> Result<Self, ConfigError> {
        self.path = wildcard("path", pattern)?;
        Ok(self)
    }

    /// Matches requests that have the header with such a value, besides. At most five.
    ///
    /// # Errors
    ///
    /// If it is no name of a header, if the pattern is too long, or if there are five already.
    pub fn attribute(mut self, header: &str, pattern: &str) -> Result<Self, ConfigError> {
        let name = HeaderName::try_from(header)
            .map_err(|_| ConfigError::new("attribute", header, "is no name of a header"))?;
        if self.attributes.len() == MAX_ATTRIBUTES {
            let problem = format!("is one more than the {MAX_ATTRIBUTES} there may be");
            return Err(ConfigError::new("attribute", header, problem));
        }
        self.attributes
            .push((name, wildcard("attribute", pattern)?));
        Ok(self)
    }

    /// Whether there is no request that it does not match.
    pub(super) fn matches_all(&self) -> bool {
        let patterns = [
            &self.method,
            &self.service,
            &self.service_type,
            &self.resource_arn,
            &self.host,
            &self.path,
        ];
        self.attributes.is_empty() && patterns.into_iter().all(Wildcard::is_any)
    }

    pub(super) fn matches(&self, candidate: &Candidate<'_>) -> bool {
        let has = |(name, wanted): &(HeaderName, Wildcard)| {
            let value = candidate.headers.get(name);
            value.is_some_and(|value| wanted.matches(&String::from_utf8_lossy(value.as_bytes())))
        };
        self.method.matches(candidate.method.as_str())
            && self.service.matches(candidate.service)
            && self.service_type.matches(candidate.service_type)
            && self.resource_arn.matches(candidate.resource_arn)
            && self.host.matches(candidate.host)
            && self.path.matches(candidate.path)
            && self.attributes.iter().all(has)
    }
}

fn wildcard(field: &'static str, pattern: &str) -> Result<Wildcard, ConfigError> {
    if pattern.len() > Wildcard::MAX_LENGTH {
        let problem = format!("is longer than {} bytes", Wildcard::MAX_LENGTH);
        return Err(ConfigError::new(field, pattern, problem));
    }
    Ok(Wildcard::new(pattern))
}
