//! What the holders of some API keys may do.

use std::sync::{Arc, OnceLock};

use portcullis_core::{Decision, Rejection, RejectionKind};

use crate::bucket::Bucket;
use crate::limit::Limit;
use crate::quota::Quota;

/// A usage plan: the rate and the quota of each of its keys, over all stages that the plan opens.
///
/// ```
/// use portcullis_throttle::{Limit, Quota, QuotaPeriod, UsagePlan};
///
/// let gold = UsagePlan::new("gold")
///     .limit(Limit::per_second(100.0, 200)?)
///     .quota(Quota::new(1_000_000, QuotaPeriod::Month, 0)?)
///     .method_limit("shop", "prod", "/export", "GET", Limit::per_minute(2.0, 2)?)
///     .key("a1b2c3");
/// # let _ = gold;
/// # Ok::<(), portcullis_throttle::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct UsagePlan {
    pub(crate) id: Arc<str>,
    pub(super) limit: Option<Limit>,
    pub(crate) quota: Option<Quota>,
    pub(super) methods: Vec<MethodLimit>,
    pub(super) keys: Vec<Arc<str>>,
    /// The stages that it opens; none: wherever its keys call.
    pub(super) stages: Vec<(Box<str>, Box<str>)>,
    made: Arc<Made>,
}

/// What is made of a plan when it is first needed.
#[derive(Debug)]
struct Made {
    throttled: OnceLock<Rejection>,
    exceeded: OnceLock<Rejection>,
    /// The bucket of keys that find no place among the others.
    overflow: Bucket,
}

/// The limit of a method in a stage of a plan.
#[derive(Clone, Debug)]
pub(super) struct MethodLimit {
    pub(super) api: Box<str>,
    pub(super) stage: Box<str>,
    pub(super) path: Box<str>,
    pub(super) verb: Box<str>,
    pub(super) limit: Limit,
}

impl UsagePlan {
    /// A plan with this id, without any limit.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self {
            id: id.into(),
            limit: None,
            quota: None,
            methods: Vec::new(),
            keys: Vec::new(),
            stages: Vec::new(),
            made: Arc::new(Made {
                throttled: OnceLock::new(),
                exceeded: OnceLock::new(),
                overflow: Bucket::new(),
            }),
        }
    }

    /// The rate of each key.
    pub const fn limit(mut self, limit: Limit) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The requests of each key in a period.
    pub const fn quota(mut self, quota: Quota) -> Self {
        self.quota = Some(quota);
        self
    }

    /// The rate of each key at one method of a stage, in place of the plan's own. `path` is the template of the route (`/pets/{id}`), `verb` a concrete one.
    pub fn method_limit(
        mut self,
        api: &str,
        stage: &str,
        path: &str,
        verb: &str,
        limit: Limit,
    ) -> Self {
        self.methods.push(MethodLimit {
            api: api.into(),
            stage: stage.into(),
            path: path.into(),
            verb: verb.into(),
            limit,
        });
        self
    }

    /// Puts the key with this id into the plan. It is needed only where authentication does not say by which plan a key was let in
    /// ([`CallerKey::usage_plan`](portcullis_core::CallerKey::usage_plan)).
    pub fn key(mut self, id: impl Into<Arc<str>>) -> Self {
        self.keys.push(id.into());
        self
    }

    /// Opens a stage of an API. A key that is in several plans has at each stage the plan that opens it, or else the first by its id that names no stages. Like
    /// [`key`](Self::key), it is needed only where authentication does not say which plan it is.
    pub fn stage(mut self, api: &str, stage: &str) -> Self {
        self.stages.push((api.into(), stage.into()));
        self
    }

    /// The refusal of a request that is over the plan's rate.
    pub(crate) fn throttled(&self) -> Rejection {
        let made = self.made.throttled.get_or_init(|| {
            let decision = Decision::new("throttle", format!("plan/{}", self.id));
            let decision = match &self.limit {
                Some(limit) => decision
                    .with("rate", limit.rate().to_string())
                    .with("burst", i64::from(limit.burst())),
                None => decision,
            };
            Rejection::new(RejectionKind::Throttled).with_decision(decision)
        });
        made.clone()
    }

    /// The refusal of a request that is over its method's rate in the plan.
    pub(crate) fn method_throttled(&self, verb: &str, path: &str, limit: &Limit) -> Rejection {
        let decision = Decision::new("throttle", format!("plan/{}", self.id))
            .with("method", format!("{verb} {path}"))
            .with("rate", limit.rate().to_string())
            .with("burst", i64::from(limit.burst()));
        Rejection::new(RejectionKind::Throttled).with_decision(decision)
    }

    /// The refusal of a request whose key has used its quota.
    pub(crate) fn exceeded(&self) -> Rejection {
        let made = self.made.exceeded.get_or_init(|| {
            let decision = Decision::new("throttle", format!("quota/{}", self.id));
            let decision = match &self.quota {
                Some(quota) => decision
                    .with("limit", quota.limit())
                    .with("period", quota.period().name()),
                None => decision,
            };
            Rejection::new(RejectionKind::QuotaExceeded).with_decision(decision)
        });
        made.clone()
    }

    pub(crate) fn overflow(&self) -> &Bucket {
        &self.made.overflow
    }
}
