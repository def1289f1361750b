//! The layer, which is a guard as well.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use http::header::RETRY_AFTER;
use portcullis_core::{ApiKind, Guard, GuardLayer, Head, Mode, Never, Rejection, Verdict};
use tower_layer::Layer;

use crate::bucket::Take;
use crate::buckets::Buckets;
use crate::builder::ThrottleBuilder;
use crate::headers::{self, Headers};
use crate::rule::{ActiveRule, Rule, RuleHandle, Ticket};
use crate::service::Throttled;
use crate::stats::{Counters, ThrottleStats};

/// Limits the rate of requests.
///
/// See the [crate docs](crate) for an example. Clones, and the services made by them, share one state. It is a [`Guard`], too.
#[derive(Clone)]
#[must_use]
pub struct ThrottleLayer {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) rules: Vec<Arc<ActiveRule>>,
    pub(crate) buckets: Buckets,
    pub(crate) headers: Headers,
    pub(crate) mode: AtomicU8,
    pub(crate) counters: Counters,
}

/// The most rules of one layer.
pub(crate) const MAX_RULES: usize = 8;

impl ThrottleLayer {
    /// A layer with one rule, and buckets of its own for at most a million keys.
    pub fn new(rule: Rule) -> Self {
        let buckets = Buckets::default();
        let rule = Arc::new(rule.activate(&buckets, ApiKind::Rest));
        Self::of(vec![rule], buckets, Headers::new(), Mode::Enforce)
    }

    /// A layer with several rules, or with more to say.
    pub fn builder() -> ThrottleBuilder {
        ThrottleBuilder::new()
    }

    pub(crate) fn of(
        rules: Vec<Arc<ActiveRule>>,
        buckets: Buckets,
        headers: Headers,
        mode: Mode,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                counters: Counters::new(rules.len()),
                rules,
                buckets,
                headers,
                mode: AtomicU8::new(mode as u8),
            }),
        }
    }

    /// The rule of this name, to be read and changed while requests run.
    #[must_use]
    pub fn rule(&self, name: &str) -> Option<RuleHandle> {
        let mut rules = self.shared.rules.iter();
        let rule = rules.find(|rule| rule.name() == name)?;
        Some(RuleHandle::new(Arc::clone(rule)))
    }

    /// Changes whether refusals are carried out, from the next request on.
    pub fn set_mode(&self, mode: Mode) {
        self.shared.mode.store(mode as u8, Ordering::Relaxed);
    }

    /// What the layer has decided so far.
    #[must_use]
    pub fn stats(&self) -> ThrottleStats {
        let shared = &self.shared;
        let names = shared.rules.iter().map(|rule| rule.name());
        shared.counters.read(names, &shared.buckets)
    }

    /// The buckets, which other layers may share.
    #[must_use]
    pub fn buckets(&self) -> &Buckets {
        &self.shared.buckets
    }

    pub(crate) fn headers(&self) -> Headers {
        self.shared.headers
    }
}

impl Shared {
    /// Takes from every rule, or, if one refuses, from none.
    fn decide(&self, head: &Head<'_>) -> Result<(), Rejection> {
        let now = self.buckets.now();
        let mut tickets = [Ticket::NONE; MAX_RULES];
        for (index, rule) in self.rules.iter().enumerate() {
            let (take, ticket) = rule.take(head, now);
            tickets[index] = ticket;
            if self.headers.on_every_answer()
                && let Some(context) = head.context()
            {
                context.note_limit(rule.standing(take, &ticket));
            }
            if let Take::Wait { nanos, .. } = take {
                for (rule, ticket) in self.rules.iter().zip(&tickets[..index]) {
                    rule.give_back(ticket);
                }
                self.counters.refused(index, now);
                return Err(self.refuse(rule, &ticket, nanos));
            }
        }
        self.counters.passed(now);
        Ok(())
    }

    fn refuse(&self, rule: &ActiveRule, ticket: &Ticket, wait: Option<u64>) -> Rejection {
        let rejection = rule.refuse(ticket);
        match wait {
            Some(nanos) if self.headers.tells_retry_after() => {
                rejection.with_header(RETRY_AFTER, headers::seconds(nanos))
            }
            _ => rejection,
        }
    }
}

impl Guard for ThrottleLayer {
    type Ask = Never;

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        match self.shared.decide(head) {
            Ok(()) => Verdict::Pass,
            Err(rejection) => Verdict::Refuse(rejection),
        }
    }

    fn mode(&self) -> Mode {
        const OBSERVE: u8 = Mode::Observe as u8;
        const DISABLED: u8 = Mode::Disabled as u8;
        match self.shared.mode.load(Ordering::Relaxed) {
            OBSERVE => Mode::Observe,
            DISABLED => Mode::Disabled,
            _ => Mode::Enforce,
        }
    }
}

impl<S> Layer<S> for ThrottleLayer {
    type Service = Throttled<S>;

    fn layer(&self, inner: S) -> Throttled<S> {
        Throttled::new(GuardLayer::new(self.clone()).layer(inner), self.headers())
    }
}

impl fmt::Debug for ThrottleLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.shared.rules.iter().map(|rule| rule.name()).collect();
        f.debug_struct("ThrottleLayer")
            .field("rules", &names)
            .field("mode", &self.mode())
            .finish_non_exhaustive()
    }
}
