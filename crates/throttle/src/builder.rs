//! How a layer is put together.

use std::sync::Arc;
use std::sync::atomic::AtomicU8;

use portcullis_core::{ApiKind, ConfigError, Mode};

use crate::buckets::Buckets;
use crate::headers::Headers;
use crate::layer::{MAX_RULES, Shared, ThrottleLayer};
use crate::plans::UsagePlans;
use crate::rule::Rule;
#[cfg(feature = "redis")]
use crate::shared::SharedBuckets;
use crate::stats::Counters;

/// Puts a [`ThrottleLayer`] together.
#[derive(Clone, Debug)]
#[must_use]
pub struct ThrottleBuilder {
    rules: Vec<Rule>,
    plans: Option<UsagePlans>,
    buckets: Option<Buckets>,
    headers: Headers,
    mode: Mode,
    api: ApiKind,
    #[cfg(feature = "redis")]
    store: Option<SharedBuckets>,
}

impl ThrottleBuilder {
    pub(crate) const fn new() -> Self {
        Self {
            rules: Vec::new(),
            plans: None,
            buckets: None,
            headers: Headers::new(),
            mode: Mode::Enforce,
            api: ApiKind::Rest,
            #[cfg(feature = "redis")]
            store: None,
        }
    }

    /// Adds a rule. A request passes if all rules let it, and only then takes from any of them. They are asked in the order in which they were added.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Asks the usage plan of whoever sent a request, by the API key in the request's context, before the rules: first its rate, then its quota.
    /// What a rule refuses costs the key nothing.
    pub fn usage_plans(mut self, plans: &UsagePlans) -> Self {
        self.plans = Some(plans.clone());
        self
    }

    /// Counts in these buckets: together with other layers over them, where rules have the same name.
    pub fn buckets(mut self, buckets: &Buckets) -> Self {
        self.buckets = Some(buckets.clone());
        self
    }

    /// Counts in buckets that several machines share, and quotas there, too. The layer's own buckets decide while those do not answer, if
    /// [`WhenAway`](crate::WhenAway) says so.
    #[cfg(feature = "redis")]
    pub fn shared(mut self, buckets: SharedBuckets) -> Self {
        self.store = Some(buckets);
        self
    }

    /// Tells clients how they stand. By default they are told nothing, as by the service.
    pub const fn headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// Whether refusals are carried out; [`ThrottleLayer::set_mode`] changes it later.
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Words refusals as this kind of API does. HTTP APIs leave out `x-amzn-ErrorType`.
    pub const fn api_kind(mut self, api: ApiKind) -> Self {
        self.api = api;
        self
    }

    /// The layer.
    ///
    /// # Errors
    ///
    /// If there are more than 8 rules, or two of one name.
    pub fn build(self) -> Result<ThrottleLayer, ConfigError> {
        if self.rules.len() > MAX_RULES {
            let fix = "use 8 at most, or a second layer";
            let count = self.rules.len();
            return Err(ConfigError::new("rules", count, "are too many rules", fix));
        }
        for (index, rule) in self.rules.iter().enumerate() {
            if self.rules[..index]
                .iter()
                .any(|other| other.name() == rule.name())
            {
                let fix = "give each rule a name of its own";
                let fault = "is the name of two rules";
                return Err(ConfigError::new("rules.name", rule.name(), fault, fix));
            }
        }
        let buckets = self.buckets.unwrap_or_default();
        #[cfg(feature = "redis")]
        let epoch = buckets.epoch();
        let rules = self.rules.into_iter();
        let rules = rules.map(|rule| Arc::new(rule.activate(&buckets, self.api)));
        Ok(ThrottleLayer::of(Shared {
            counters: Counters::new(rules.len()),
            rules: rules.collect(),
            plans: self.plans,
            buckets,
            headers: self.headers,
            mode: AtomicU8::new(self.mode as u8),
            api: self.api,
            #[cfg(feature = "redis")]
            store: self.store.map(|store| store.beginning(epoch)),
        }))
    }
}
