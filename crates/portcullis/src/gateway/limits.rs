//! The buckets and quotas of a gateway, which outlive deployments.

use std::path::PathBuf;
use std::sync::Arc;

use super::error::GatewayFault;
use crate::core::{Clock, Mode};
use crate::throttle::{Buckets, Headers, Limit, UsagePlan, UsagePlans};

/// What a gateway limits beyond its definitions.
#[derive(Clone, Default)]
pub(super) struct Limits {
    /// The limit of the account.
    pub(super) account: Option<Limit>,
    /// What clients are told.
    pub(super) headers: Headers,
    /// Whether refusals are carried out.
    pub(super) mode: Mode,
    /// Buckets that several machines share.
    #[cfg(feature = "redis")]
    pub(super) shared: Option<crate::throttle::SharedBuckets>,
    /// The file of used quotas.
    pub(super) quota_file: Option<PathBuf>,
    /// Absent until the gateway is built.
    state: Option<LimitState>,
}

/// What has been spent, of rates and of quotas.
#[derive(Clone)]
pub(super) struct LimitState {
    pub(super) buckets: Buckets,
    pub(super) plans: UsagePlans,
}

impl Limits {
    /// What has been spent so far; nothing, the first time.
    pub(super) fn state(&mut self, clock: &Arc<dyn Clock>) -> Result<LimitState, GatewayFault> {
        if let Some(state) = &self.state {
            return Ok(state.clone());
        }
        let mut plans = UsagePlans::with_clock([], Arc::clone(clock));
        if let Some(path) = &self.quota_file {
            plans = plans.persist(path).map_err(|error| {
                let message = match path
                    .parent()
                    .filter(|folder| !folder.as_os_str().is_empty())
                {
                    Some(folder) if !folder.is_dir() => {
                        format!("there is no folder `{}`; make it first", folder.display())
                    }
                    _ => format!("`{}` cannot be read or written: {error}", path.display()),
                };
                GatewayFault::new("", "quotaFile", message)
            })?;
        }
        let state = LimitState {
            buckets: Buckets::with_clock(MOST_KEYS, Arc::clone(clock)),
            plans,
        };
        self.state = Some(state.clone());
        Ok(state)
    }

    /// The plans, once the gateway is built.
    pub(super) fn plans(&self) -> Option<&UsagePlans> {
        self.state.as_ref().map(|state| &state.plans)
    }

    /// Puts these plans in the place of all.
    pub(super) fn replace_plans(&self, plans: Vec<UsagePlan>) {
        if let Some(state) = &self.state {
            state.plans.replace(plans);
        }
    }

    /// Goes on with what was spent before. Another file of used quotas is a matter of the next start.
    pub(super) fn take_state_from(&mut self, before: &Self) {
        if self.quota_file != before.quota_file {
            tracing::warn!(
                "quotaFile has changed: used quotas are kept in the old file until the next start"
            );
        }
        self.state.clone_from(&before.state);
    }
}

/// The keys whose buckets are kept: more than there can be in the service, at 40 bytes each.
const MOST_KEYS: usize = 1_000_000;
