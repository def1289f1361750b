//! Deploying, promoting, rolling back.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{GatewayHandle, HandleError, HandleErrorKind};
use crate::definition::{Stage, Timestamp};
use crate::gateway::api::ApiSpec;
use crate::gateway::compile;
use crate::gateway::control::{Draft, Standing};
use crate::gateway::deployments::{
    DeploymentDiff, DeploymentSummary, History, NewDeployment, Snapshot, pinned,
};

impl GatewayHandle {
    /// Makes a deployment and serves it: on the stages that it names, or on all that do not name a deployment of their own. Where a stage has a canary, the
    /// canary gets it, as in the service.
    ///
    /// # Errors
    ///
    /// Every fault of the document, or that there is no such API or stage.
    pub fn deploy(
        &self,
        api: &str,
        deployment: impl Into<NewDeployment>,
    ) -> Result<DeploymentSummary, HandleError> {
        let deployment = deployment.into();
        self.change(|draft| {
            let stages = deployment.stages.clone();
            let id = draft.add(api, deployment)?;
            let (spec, history) = draft.api(api)?;
            for stage in &stages {
                by_hand(spec, stage)?;
                if let Some(own) = history.stages.get_mut(stage) {
                    own.redeploy(&id);
                }
            }
            if stages.is_empty() {
                history.current.clone_from(&id);
                for stage in &spec.stages {
                    let own = history.stages.get_mut(&stage.stage_name);
                    if let (Some(own), None) = (own, pinned(spec, stage)) {
                        own.redeploy(&id);
                    }
                }
            }
            summary(history, &id, api)
        })
    }

    /// Makes a deployment and serves it nowhere yet: it is ready for [`promote`](Self::promote). Stages of HTTP APIs with `autoDeploy` serve
    /// it at once.
    ///
    /// # Errors
    ///
    /// Every fault of the document, or that there is no such API.
    pub fn create_deployment(
        &self,
        api: &str,
        deployment: impl Into<NewDeployment>,
    ) -> Result<DeploymentSummary, HandleError> {
        let deployment = deployment.into();
        self.change(|draft| {
            let id = draft.add(api, deployment)?;
            let (_, history) = draft.api(api)?;
            summary(history, &id, api)
        })
    }

    /// Serves a deployment on a stage. That stage can be rolled back to the one before.
    ///
    /// # Errors
    ///
    /// If there is no such API, stage or deployment, or the stage deploys by itself.
    pub fn promote(
        &self,
        api: &str,
        stage: &str,
        deployment: &str,
    ) -> Result<DeploymentSummary, HandleError> {
        self.change(|draft| {
            let (spec, history) = draft.api(api)?;
            serve(spec, history, stage, deployment)?;
            summary(history, deployment, api)
        })
    }

    /// Serves on a stage what it served before. Done again, it goes back further.
    ///
    /// # Errors
    ///
    /// If there is no such API or stage, the stage served nothing before, or it deploys by itself.
    pub fn roll_back(&self, api: &str, stage: &str) -> Result<DeploymentSummary, HandleError> {
        self.change(|draft| {
            let (spec, history) = draft.api(api)?;
            by_hand(spec, stage)?;
            let own = history.stages.get_mut(stage);
            let Some(id) = own.and_then(|own| own.roll_back()).map(str::to_owned) else {
                return Err(HandleError::new(
                    HandleErrorKind::Conflict,
                    api,
                    format_args!("stage {stage}:/deploymentId"),
                    "the stage served nothing before; promote one of the deployments",
                ));
            };
            summary(history, &id, api)
        })
    }

    /// Forgets a deployment.
    ///
    /// # Errors
    ///
    /// If there is no such API or deployment, or a stage or the configuration still has it.
    pub fn delete_deployment(&self, api: &str, deployment: &str) -> Result<(), HandleError> {
        self.change(|draft| {
            let (spec, history) = draft.api(api)?;
            find(history, deployment, api)?;
            let stages = history.stages_of(deployment);
            let why = if !stages.is_empty() {
                format!(
                    "stages serve it: {}; promote another one there first",
                    stages.join(", ")
                )
            } else if history.configured == deployment || spec.deployments.contains_key(deployment)
            {
                "the configuration has it; take it out there first".to_owned()
            } else {
                history.remove(deployment);
                return Ok(());
            };
            let field = format_args!("deployment {deployment}");
            Err(HandleError::new(HandleErrorKind::Conflict, api, field, why))
        })
    }

    /// The deployments of an API that are kept, the youngest first.
    ///
    /// # Errors
    ///
    /// If there is no such API.
    pub fn deployments(&self, api: &str) -> Result<Vec<DeploymentSummary>, HandleError> {
        let standing = self.standing();
        let (_, history) = standing.find(api)?;
        let snapshots = history.snapshots.iter().rev();
        Ok(snapshots.map(|own| summarize(history, own)).collect())
    }

    /// One deployment of an API.
    ///
    /// # Errors
    ///
    /// If there is no such API or deployment.
    pub fn deployment(&self, api: &str, id: &str) -> Result<DeploymentSummary, HandleError> {
        let standing = self.standing();
        let (_, history) = standing.find(api)?;
        summary(history, id, api)
    }

    /// What differs between two deployments of an API.
    ///
    /// # Errors
    ///
    /// If there is no such API or deployment.
    pub fn diff(&self, api: &str, from: &str, to: &str) -> Result<DeploymentDiff, HandleError> {
        let standing = self.standing();
        let (spec, history) = standing.find(api)?;
        let definition = |id| {
            let snapshot = find(history, id, api)?;
            Ok::<_, HandleError>(compile::definition(spec, snapshot, &standing.prepared)?)
        };
        let (before, after) = (definition(from)?, definition(to)?);
        Ok(DeploymentDiff::between((from, &before), (to, &after)))
    }

    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut Draft<'_>) -> Result<T, HandleError>,
    ) -> Result<T, HandleError> {
        self.gateway.control.change(&self.gateway.plan, change)
    }
}

impl Draft<'_> {
    /// The API with this id, and what was deployed of it.
    pub(super) fn api(&mut self, id: &str) -> Result<(&ApiSpec, &mut History), HandleError> {
        let apis = &self.source.apis;
        let spec = apis.iter().find(|api| api.id == id);
        match (spec, self.histories.get_mut(id)) {
            (Some(spec), Some(history)) => Ok((spec, history)),
            _ => Err(unknown_api(apis, id)),
        }
    }

    /// Makes a deployment. Stages that deploy by themselves serve it.
    fn add(&mut self, api: &str, deployment: NewDeployment) -> Result<String, HandleError> {
        let now = self.now;
        let (spec, history) = self.api(api)?;
        let document = compile::read(spec, &deployment.document)?;
        let id = history.add(
            document.written(&deployment.document),
            deployment.description,
            now,
        );
        for stage in spec.stages.iter().filter(|stage| stage.auto_deploy) {
            if let Some(own) = history.stages.get_mut(&stage.stage_name) {
                own.serve(&id);
            }
        }
        self.parsed
            .insert((api.to_owned(), id.clone()), document.into_inner());
        Ok(id)
    }
}

impl Standing {
    /// The API with this id, and what was deployed of it.
    pub(super) fn find(&self, id: &str) -> Result<(&ApiSpec, &History), HandleError> {
        match (self.api(id), self.histories.get(id)) {
            (Some(spec), Some(history)) => Ok((spec, history)),
            _ => Err(unknown_api(&self.source.apis, id)),
        }
    }
}

fn unknown_api(apis: &[ApiSpec], id: &str) -> HandleError {
    let known = apis.iter().map(|api| &*api.id);
    HandleError::unknown(id, "", "API", id, known)
}

/// The stage, if there is one.
pub(super) fn known_stage<'a>(spec: &'a ApiSpec, stage: &str) -> Result<&'a Stage, HandleError> {
    let mut stages = spec.stages.iter();
    let own = stages.find(|own| own.stage_name == stage);
    own.ok_or_else(|| {
        let known = spec.stages.iter().map(|own| &*own.stage_name);
        HandleError::unknown(&spec.id, "stages", "stage", stage, known)
    })
}

/// That there is such a stage, and that its deployment is chosen by hand.
fn by_hand(spec: &ApiSpec, stage: &str) -> Result<(), HandleError> {
    if known_stage(spec, stage)?.auto_deploy {
        return Err(HandleError::new(
            HandleErrorKind::Conflict,
            &spec.id,
            format_args!("stage {stage}:/autoDeploy"),
            "the stage serves each change at once; its deployment can be chosen once `autoDeploy` is false",
        ));
    }
    Ok(())
}

fn serve(
    spec: &ApiSpec,
    history: &mut History,
    stage: &str,
    deployment: &str,
) -> Result<(), HandleError> {
    by_hand(spec, stage)?;
    find(history, deployment, &spec.id)?;
    if let Some(own) = history.stages.get_mut(stage) {
        own.serve(deployment);
    }
    Ok(())
}

fn find<'a>(history: &'a History, id: &str, api: &str) -> Result<&'a Snapshot, HandleError> {
    history.find(id).map(|own| &**own).ok_or_else(|| {
        let known = history.snapshots.iter().rev().map(|own| &*own.id);
        HandleError::unknown(api, "deployments", "deployment", id, known)
    })
}

fn summary(history: &History, id: &str, api: &str) -> Result<DeploymentSummary, HandleError> {
    find(history, id, api).map(|snapshot| summarize(history, snapshot))
}

fn summarize(history: &History, snapshot: &Snapshot) -> DeploymentSummary {
    DeploymentSummary {
        id: snapshot.id.clone(),
        description: snapshot.description.clone(),
        created_date: timestamp(snapshot.created),
        stages: history.stages_of(&snapshot.id),
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::Epoch(since.as_secs().into())
}
