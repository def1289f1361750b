//! Which usage plans open which stages, and for which keys.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::key::ApiKey;

/// Which usage plans open which stages, and which keys are in them. How much a plan allows is for throttles and quotas.
///
/// ```
/// use portcullis_auth::api_key::{ApiKey, ApiKeyLayer, MemoryKeys, UsagePlans};
///
/// let plans = UsagePlans::new()
///     .with_stage("gold", "a1b2c3", "prod")
///     .with_key("gold", "partner-1");
/// let keys = MemoryKeys::new([ApiKey::new("partner-1", "0123456789abcdefghij")]);
/// let layer = ApiKeyLayer::new(keys).usage_plans(plans);
/// # let _ = layer;
/// ```
#[derive(Clone, Default)]
pub struct UsagePlans {
    plans: HashMap<Arc<str>, Arc<Plan>>,
    by_key: HashMap<Arc<str>, Vec<Arc<str>>>,
}

#[derive(Clone)]
struct Plan {
    id: Arc<str>,
    /// The stages of each API.
    stages: HashMap<Box<str>, Vec<Box<str>>>,
}

impl UsagePlans {
    /// No plans: no key opens anything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The plan with this id opens a stage of an API.
    #[must_use]
    pub fn with_stage(mut self, plan: &str, api_id: &str, stage: &str) -> Self {
        let plan = self.plans.entry(plan.into()).or_insert_with(|| {
            let id = plan.into();
            let stages = HashMap::new();
            Arc::new(Plan { id, stages })
        });
        let stages = &mut Arc::make_mut(plan).stages;
        stages.entry(api_id.into()).or_default().push(stage.into());
        self
    }

    /// The key with this id is in the plan.
    #[must_use]
    pub fn with_key(mut self, plan: &str, key_id: &str) -> Self {
        self.by_key
            .entry(key_id.into())
            .or_default()
            .push(plan.into());
        self
    }

    /// Whether any plan opens the stage.
    #[must_use]
    pub fn open(&self, api_id: &str, stage: &str) -> bool {
        self.plans.values().any(|plan| plan.opens(api_id, stage))
    }

    /// The plan by which `key` opens the stage: one that has the key, or that the key names.
    #[must_use]
    pub fn of(&self, key: &ApiKey, api_id: &str, stage: &str) -> Option<&Arc<str>> {
        let given = self.by_key.get(key.id().as_str());
        let named = given.into_iter().flatten().chain(key.usage_plans());
        named
            .filter_map(|plan| self.plans.get(plan))
            .find(|plan| plan.opens(api_id, stage))
            .map(|plan| &plan.id)
    }
}

impl Plan {
    fn opens(&self, api_id: &str, stage: &str) -> bool {
        let stages = self.stages.get(api_id);
        stages.is_some_and(|stages| stages.iter().any(|own| &**own == stage))
    }
}

impl fmt::Debug for UsagePlans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsagePlans")
            .field("plans", &self.plans.len())
            .field("keys", &self.by_key.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &ApiKey, stage: &str, expected: Option<&str>) {
        let plans = UsagePlans::new()
            .with_stage("gold", "pets", "prod")
            .with_stage("gold", "pets", "beta")
            .with_stage("free", "pets", "test")
            .with_key("gold", "one")
            .with_key("gone", "one");
        let plan = plans.of(key, "pets", stage).map(|plan| &**plan);
        assert_eq!(plan, expected);
    }

    #[test]
    fn a_key_opens_the_stages_of_its_plans_alone() {
        let one = ApiKey::new("one", "first");
        check(&one, "prod", Some("gold"));
        check(&one, "beta", Some("gold"));
        check(&one, "test", None);
        check(&one, "dev", None);
        check(&ApiKey::new("two", "second"), "prod", None);
    }

    #[test]
    fn a_key_can_name_its_plans_itself() {
        let two = ApiKey::new("two", "second").with_usage_plan("free");
        check(&two, "test", Some("free"));
        check(&two, "prod", None);
    }
}
