//! What a plan says of one request.

use std::sync::Arc;

use portcullis_core::{ApiKeyId, Head, LimitStanding, Rejection, RequestContext};

use super::plan::UsagePlan;
use crate::bucket::Take;
use crate::buckets::Buckets;
#[cfg(feature = "redis")]
use crate::key;
use crate::key::KeyWriter;
use crate::limit::Limit;
use crate::rule;

/// A request of somebody who has a plan, and what it took.
pub(crate) struct Claim {
    plan: Arc<UsagePlan>,
    key: ApiKeyId,
    limit: Option<Limit>,
    /// Whether that is the limit of the method alone.
    of_method: bool,
    taken: Taken,
    /// Whether the request counts against the quota.
    pub(super) counted: bool,
}

/// Where a token was taken from.
enum Taken {
    Nothing,
    Bucket(u64),
    Overflow,
}

impl Claim {
    pub(super) fn new(
        plan: &Arc<UsagePlan>,
        key: &ApiKeyId,
        head: &Head<'_>,
        context: &RequestContext,
    ) -> Self {
        let of_method = plan.method(head, context);
        Self {
            plan: Arc::clone(plan),
            key: key.clone(),
            limit: of_method.or(plan.limit),
            of_method: of_method.is_some(),
            taken: Taken::Nothing,
            counted: false,
        }
    }

    pub(crate) const fn plan(&self) -> &Arc<UsagePlan> {
        &self.plan
    }

    pub(crate) const fn key(&self) -> &ApiKeyId {
        &self.key
    }

    /// Whether the quota lets anything pass in any period.
    pub(crate) fn has_any_quota(&self) -> bool {
        self.plan.quota.is_some_and(|quota| quota.limit() > 0)
    }

    #[cfg(feature = "redis")]
    pub(crate) const fn limit(&self) -> Option<&Limit> {
        self.limit.as_ref()
    }

    /// What every process calls the bucket, beside the plan's id.
    #[cfg(feature = "redis")]
    pub(crate) fn shared_key(&self, head: &Head<'_>, buckets: &Buckets) -> String {
        let mut text = String::with_capacity(32);
        key::digest(buckets.hasher(), &mut text, |key| self.write(head, key));
        text
    }

    /// What every process calls the key in the plan, wherever it calls.
    #[cfg(feature = "redis")]
    pub(crate) fn shared_holder(&self, buckets: &Buckets) -> String {
        shared_holder(&self.plan.id, self.key.as_str(), buckets)
    }

    /// The quota of the key in this process.
    #[cfg(feature = "redis")]
    pub(crate) fn quota_id(&self, buckets: &Buckets) -> u64 {
        let mut key = KeyWriter::new(buckets.hasher());
        key.part(b"quota");
        key.part(self.plan.id.as_bytes());
        key.part(self.key.as_str().as_bytes());
        Buckets::id(&key.into_hasher())
    }

    /// `plan/` and the id, by which limits are told.
    pub(crate) fn name(&self) -> Arc<str> {
        Arc::from(format!("plan/{}", self.plan.id))
    }

    /// Takes a token, if the plan has a rate.
    pub(crate) fn take(&mut self, head: &Head<'_>, buckets: &Buckets, now: u64) -> Option<Take> {
        let limit = self.limit?;
        let id = self.id(head, buckets);
        let (take, from) = match buckets.take(id, &limit, 1, now) {
            Some(take) => (take, Taken::Bucket(id)),
            None => {
                buckets.count_overflow();
                let take = self.plan.overflow().take(&limit, 1, now);
                (take, Taken::Overflow)
            }
        };
        if matches!(take, Take::Taken { .. }) {
            self.taken = from;
        }
        Some(take)
    }

    pub(super) fn give_back(&self, buckets: &Buckets) {
        let Some(limit) = &self.limit else {
            return;
        };
        match self.taken {
            Taken::Nothing => {}
            Taken::Bucket(id) => {
                buckets.give_back(id, limit, 1);
            }
            Taken::Overflow => self.plan.overflow().give_back(limit, 1),
        }
    }

    /// How the caller stands with the rate.
    pub(crate) fn standing(&self, take: Take) -> LimitStanding {
        let (Take::Taken { debt } | Take::Wait { debt, .. }) = take;
        let limit = self.limit.unwrap_or_else(Limit::nothing);
        rule::standing(&self.name(), &limit, debt)
    }

    /// How the caller stands with the rate at `now`, if the plan has one.
    pub(crate) fn standing_at(
        &self,
        head: &Head<'_>,
        buckets: &Buckets,
        now: u64,
    ) -> Option<LimitStanding> {
        let limit = self.limit?;
        let debt = match self.taken {
            Taken::Overflow => self.plan.overflow().spent(now).0,
            Taken::Bucket(id) => buckets.debt(id, now),
            Taken::Nothing => buckets.debt(self.id(head, buckets), now),
        };
        Some(rule::standing(&self.name(), &limit, debt))
    }

    /// Whether the request was counted against the quota.
    pub(crate) const fn is_counted(&self) -> bool {
        self.counted
    }

    /// The refusal for the rate.
    pub(crate) fn throttled(&self, head: &Head<'_>) -> Rejection {
        let route = head.context().and_then(RequestContext::route);
        match (self.of_method, self.limit, route) {
            (true, Some(limit), Some(route)) => {
                let (verb, path) = (head.method().as_str(), &route.route().template);
                self.plan.method_throttled(verb, path, &limit)
            }
            _ => self.plan.throttled(),
        }
    }

    /// The refusal for the quota.
    pub(crate) fn exceeded(&self) -> Rejection {
        self.plan.exceeded()
    }

    /// The bucket: of the key in the plan, or of the key at this method in the plan.
    pub(crate) fn id(&self, head: &Head<'_>, buckets: &Buckets) -> u64 {
        let mut key = KeyWriter::new(buckets.hasher());
        self.write(head, &mut key);
        Buckets::id(&key.into_hasher())
    }

    fn write(&self, head: &Head<'_>, key: &mut KeyWriter<'_>) {
        key.part(b"usage plan");
        key.part(self.plan.id.as_bytes());
        key.part(self.key.as_str().as_bytes());
        let context = head.context();
        if self.of_method
            && let Some(route) = context.and_then(RequestContext::route)
            && let Some(stage) = context.and_then(RequestContext::stage)
        {
            key.part(stage.api_id.as_bytes());
            key.part(stage.stage.as_bytes());
            key.part(route.route().template.as_bytes());
            key.part(head.method().as_str().as_bytes());
        }
    }
}

/// What every process calls a key in a plan.
#[cfg(feature = "redis")]
pub(crate) fn shared_holder(plan: &str, id: &str, buckets: &Buckets) -> String {
    let mut text = String::with_capacity(32);
    key::digest(buckets.hasher(), &mut text, |writer| {
        writer.part(b"usage plan");
        writer.part(plan.as_bytes());
        writer.part(id.as_bytes());
    });
    text
}

impl UsagePlan {
    /// The limit of the method that a request has reached.
    fn method(&self, head: &Head<'_>, context: &RequestContext) -> Option<Limit> {
        if self.methods.is_empty() {
            return None;
        }
        let (stage, route) = (context.stage()?, context.route()?);
        let own = self.methods.iter().find(|own| {
            *own.verb == *head.method().as_str()
                && *own.path == *route.route().template
                && *own.stage == *stage.stage
                && *own.api == *stage.api_id
        })?;
        Some(own.limit)
    }
}
