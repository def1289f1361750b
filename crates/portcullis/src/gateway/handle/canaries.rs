//! Canaries of stages.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::deployments::known_stage;
use super::{GatewayHandle, HandleError, HandleErrorKind};
use crate::canary::{MirrorReport, RampStatus, Split};
use crate::definition::{CanarySettings, Stage};
use crate::gateway::StageSummary;
use crate::gateway::canary::KeptSplit;
use crate::gateway::deployments::{History, StageState};

/// The canary of a stage as it is served.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CanarySummary {
    /// The share of requests that it gets now, in percent; of a ramp, where it has come to.
    pub percent_traffic: f64,
    /// The deployment that it serves.
    pub deployment_id: String,
    /// The variables that are others than the stage's.
    pub stage_variable_overrides: BTreeMap<String, String>,
    /// Whether it uses the stage's cache.
    pub use_stage_cache: bool,
    /// How the ramp stands, in words; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramp: Option<String>,
    /// What the ramp has decided, each with its numbers, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<String>,
    /// What came of the copies of production's requests that it is sent; absent without a mirror.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<MirrorSummary>,
}

/// What came of the copies that a canary is sent: see [`MirrorReport`].
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MirrorSummary {
    /// Requests of which a copy was to be sent.
    pub mirrored: u64,
    /// Pairs of answers that were compared.
    pub compared: u64,
    /// Pairs that differed.
    pub mismatched: u64,
    /// The same in percent of those that were compared.
    pub mismatch_rate: f64,
    /// Copies that were not made, since as many as may be were under way.
    pub dropped: u64,
    /// Copies that came to nothing on production's side.
    pub skipped: u64,
    /// Copies to which the canary gave no answer.
    pub failed: u64,
    /// Pairs that differed, with the places, the youngest last.
    pub samples: Vec<String>,
}

impl From<MirrorReport> for MirrorSummary {
    fn from(report: MirrorReport) -> Self {
        Self {
            mirrored: report.mirrored,
            compared: report.compared,
            mismatched: report.mismatched,
            mismatch_rate: report.mismatch_rate(),
            dropped: report.dropped,
            skipped: report.skipped,
            failed: report.failed,
            samples: report.samples.iter().map(ToString::to_string).collect(),
        }
    }
}

impl GatewayHandle {
    /// The canary of a stage.
    ///
    /// ```
    /// use portcullis::definition::CanarySettings;
    /// use portcullis::{ApiSpec, Gateway};
    ///
    /// # let document = |version: u32| format!(r#"{{"openapi": "3.0.1", "info": {{"title": "pets", "version": "{version}"}}, "paths": {{}}}}"#);
    /// let gateway = Gateway::builder().api(ApiSpec::rest(document(1)).id("shop").stage_named("prod")).build()?;
    /// let handle = gateway.handle();
    ///
    /// let mut settings = CanarySettings::default();
    /// settings.percent_traffic = 5.0;
    /// settings.deployment_id = Some(handle.create_deployment("shop", document(2))?.id);
    /// handle.set_canary("shop", "prod", settings)?;
    /// handle.set_canary_weight("shop", "prod", 25.0)?;
    /// assert_eq!(handle.canary("shop", "prod")?.percent_traffic, 25.0);
    ///
    /// // It becomes production, and is done with.
    /// handle.promote_canary("shop", "prod")?;
    /// handle.disable_canary("shop", "prod")?;
    /// # Ok::<(), portcullis::HandleError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no such API or stage, or the stage has no canary.
    pub fn canary(&self, api: &str, stage: &str) -> Result<CanarySummary, HandleError> {
        let standing = self.standing();
        let (spec, history) = standing.find(api)?;
        known_stage(spec, stage)?;
        let configured = spec.stages.iter().find(|own| own.stage_name == stage);
        let own = configured.map(|own| history.effective(own));
        summarize(own.as_ref(), self.kept(api, stage).as_deref())
            .ok_or_else(|| no_canary(api, stage))
    }

    /// How the ramp of a stage's canary stands, with its numbers; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`canary`](Self::canary).
    pub fn canary_ramp(&self, api: &str, stage: &str) -> Result<Option<RampStatus>, HandleError> {
        self.canary(api, stage)?;
        Ok(self.kept(api, stage).and_then(|kept| kept.split.ramp()))
    }

    /// What came of the copies of production's requests that a stage's canary is sent, with samples of answers that differ; `None` if it is sent none.
    ///
    /// # Errors
    ///
    /// Those of [`canary`](Self::canary).
    pub fn canary_mirror(
        &self,
        api: &str,
        stage: &str,
    ) -> Result<Option<MirrorReport>, HandleError> {
        self.canary(api, stage)?;
        let kept = self.kept(api, stage);
        Ok(kept.and_then(|kept| Some(kept.mirror.as_ref()?.handle().report())))
    }

    /// Gives a stage a canary, or its canary other settings. If it names no deployment, it serves that of the stage, with its own variables. Where the stage has a ramp, that begins.
    ///
    /// # Errors
    ///
    /// If there is no such API, stage or deployment, or the share or a variable is none.
    pub fn set_canary(
        &self,
        api: &str,
        stage: &str,
        settings: CanarySettings,
    ) -> Result<CanarySummary, HandleError> {
        self.change_canary(api, stage, |own, history| {
            if let Some(id) = &settings.deployment_id
                && history.find(id).is_none()
            {
                let known = history.snapshots.iter().rev().map(|own| &*own.id);
                let field = format!("stage {stage}:/canarySettings/deploymentId");
                return Err(HandleError::unknown(api, &field, "deployment", id, known));
            }
            check(api, stage, &settings)?;
            own.canary.set(Some(settings), true);
            Ok(())
        })?;
        self.canary(api, stage)
    }

    /// Gives the canary of a stage this share of the requests, in percent. It stops a ramp.
    ///
    /// # Errors
    ///
    /// If there is no such API, stage or canary, or the share is none.
    pub fn set_canary_weight(
        &self,
        api: &str,
        stage: &str,
        percent: f64,
    ) -> Result<CanarySummary, HandleError> {
        self.change_canary(api, stage, |own, _| {
            let settings = own.canary.settings.clone();
            let mut settings = settings.ok_or_else(|| no_canary(api, stage))?;
            settings.percent_traffic = percent;
            check(api, stage, &settings)?;
            own.canary.set(Some(settings), false);
            Ok(())
        })?;
        self.canary(api, stage)
    }

    /// Makes the canary production, as the service does: the stage serves its deployment, and has its variables over those that it had. The canary stays, with no share, and
    /// the next deployment goes to it; [`disable_canary`](Self::disable_canary) ends it.
    ///
    /// # Errors
    ///
    /// If there is no such API, stage or canary.
    pub fn promote_canary(&self, api: &str, stage: &str) -> Result<StageSummary, HandleError> {
        self.change_canary(api, stage, |own, _| match own.promote_canary() {
            true => Ok(()),
            false => Err(no_canary(api, stage)),
        })?;
        self.stage(api, stage)
    }

    /// Takes the canary off a stage; the stage serves what it serves.
    ///
    /// # Errors
    ///
    /// If there is no such API, stage or canary.
    pub fn disable_canary(&self, api: &str, stage: &str) -> Result<StageSummary, HandleError> {
        self.change_canary(api, stage, |own, _| {
            own.canary
                .settings
                .as_ref()
                .ok_or_else(|| no_canary(api, stage))?;
            own.canary.set(None, false);
            Ok(())
        })?;
        self.stage(api, stage)
    }

    /// Gives production all requests. After a promotion, production is what it was before: its deployment and its variables.
    ///
    /// # Errors
    ///
    /// If there is no such API, stage or canary.
    pub fn roll_back_canary(&self, api: &str, stage: &str) -> Result<StageSummary, HandleError> {
        self.change_canary(api, stage, |own, _| match own.roll_back_canary() {
            true => Ok(()),
            false => Err(no_canary(api, stage)),
        })?;
        self.stage(api, stage)
    }

    fn change_canary(
        &self,
        api: &str,
        stage: &str,
        change: impl FnOnce(&mut StageState, &History) -> Result<(), HandleError>,
    ) -> Result<(), HandleError> {
        self.change(|draft| {
            let (spec, history) = draft.api(api)?;
            known_stage(spec, stage)?;
            let mut own = history.stages.get(stage).cloned().unwrap_or_default();
            change(&mut own, history)?;
            history.stages.insert(stage.to_owned(), own);
            Ok(())
        })?;
        // Other variables may name another function that decides who may call.
        self.standing().source.authorizer_caches.flush(api, stage);
        Ok(())
    }

    fn kept(&self, api: &str, stage: &str) -> Option<Arc<KeptSplit>> {
        let plan = self.gateway.plan.load();
        let canaries = &plan.canaries;
        canaries.get(&(api.to_owned(), stage.to_owned())).cloned()
    }
}

fn summarize(stage: Option<&Stage>, kept: Option<&KeptSplit>) -> Option<CanarySummary> {
    let stage = stage?;
    let split = kept.map(|kept| &kept.split);
    let mirror = kept.and_then(|kept| kept.mirror.as_ref());
    let settings = stage.canary_settings.as_ref()?;
    let ramp = split.and_then(Split::ramp);
    let decisions = ramp.iter().flat_map(|ramp| &ramp.decisions);
    let overrides = settings.stage_variable_overrides.clone();
    let own = settings
        .deployment_id
        .as_ref()
        .or(stage.deployment_id.as_ref());
    Some(CanarySummary {
        percent_traffic: split
            .and_then(|split| split.weight(crate::gateway::canary::CANARY))
            .unwrap_or(settings.percent_traffic),
        deployment_id: own.cloned().unwrap_or_default(),
        stage_variable_overrides: overrides.into_iter().collect(),
        use_stage_cache: settings.use_stage_cache,
        decisions: decisions.map(ToString::to_string).collect(),
        ramp: ramp.map(|ramp| ramp.to_string()),
        mirror: mirror.map(|mirror| mirror.handle().report().into()),
    })
}

/// What the service would refuse of a canary.
fn check(api: &str, stage: &str, settings: &CanarySettings) -> Result<(), HandleError> {
    let mut own = Stage::default();
    own.stage_name = stage.to_owned();
    own.canary_settings = Some(settings.clone());
    // `$default` is a stage of HTTP APIs alone; what is looked at here is the same for both.
    match own
        .faults(crate::definition::ApiKind::Http)
        .into_iter()
        .next()
    {
        None => Ok(()),
        Some(fault) => {
            let field = format!("stage {stage}:{}", fault.pointer);
            Err(HandleError::new(
                HandleErrorKind::Invalid,
                api,
                field,
                fault.message,
            ))
        }
    }
}

fn no_canary(api: &str, stage: &str) -> HandleError {
    HandleError::new(
        HandleErrorKind::NotFound,
        api,
        format_args!("stage {stage}:/canarySettings"),
        "the stage has no canary; give it one first",
    )
}
