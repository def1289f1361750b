//! Stages: how they are served, and their variables.

use super::deployments::known_stage;
use super::{GatewayHandle, HandleError, HandleErrorKind};
use crate::cache::Purge;
use crate::definition::{Pointer, Stage, check_stage_variable};
use crate::gateway::api::ApiSpec;
use crate::gateway::compile::cache_scope;
use crate::gateway::deployments::{History, StageSummary};
use crate::gateway::error::GatewayFault;

impl GatewayHandle {
    /// The stages of an API as they are served.
    ///
    /// # Errors
    ///
    /// If there is no such API.
    pub fn stages(&self, api: &str) -> Result<Vec<StageSummary>, HandleError> {
        let standing = self.standing();
        let (spec, history) = standing.find(api)?;
        let stages = spec.stages.iter();
        Ok(stages.map(|stage| summarize(history, stage)).collect())
    }

    /// One stage of an API as it is served.
    ///
    /// # Errors
    ///
    /// If there is no such API or stage.
    pub fn stage(&self, api: &str, stage: &str) -> Result<StageSummary, HandleError> {
        let standing = self.standing();
        let (spec, history) = standing.find(api)?;
        Ok(summarize(history, known_stage(spec, stage)?))
    }

    /// Sets variables of a stage, all at once. The others stay. No deployment is needed for it, as in the service.
    ///
    /// ```
    /// use portcullis::{ApiSpec, Gateway};
    ///
    /// # let document = r#"{"openapi":"3.0.1","info":{"title":"pets","version":"1"},"paths":{}}"#;
    /// let gateway = Gateway::builder().api(ApiSpec::rest(document).id("shop").stage_named("prod")).build()?;
    /// let handle = gateway.handle();
    /// handle.set_stage_variables("shop", "prod", [("backend", "green.example.com"), ("table", "pets-2")])?;
    ///
    /// let error = handle.set_stage_variables("shop", "prod", [("table", "{pets}")]).unwrap_err();
    /// assert!(error.to_string().starts_with("shop stage prod:/variables/table: "));
    /// assert_eq!(handle.stage("shop", "prod")?.variables["table"], "pets-2");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no such API or stage, or a name or value is none that the service takes.
    pub fn set_stage_variables<N, V>(
        &self,
        api: &str,
        stage: &str,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Result<StageSummary, HandleError>
    where
        N: Into<String>,
        V: Into<String>,
    {
        let set = variables.into_iter();
        let set = set.map(|(name, value)| (name.into(), Some(value.into())));
        self.change_stage_variables(api, stage, set)
    }

    /// Removes a variable of a stage.
    ///
    /// # Errors
    ///
    /// If there is no such API or stage, or it has no such variable.
    pub fn remove_stage_variable(
        &self,
        api: &str,
        stage: &str,
        name: &str,
    ) -> Result<StageSummary, HandleError> {
        self.change_stage_variables(api, stage, [(name.to_owned(), None)])
    }

    /// Sets variables of a stage, and removes those that are nothing, all at once.
    ///
    /// # Errors
    ///
    /// Those of [`set_stage_variables`](Self::set_stage_variables) and [`remove_stage_variable`](Self::remove_stage_variable).
    pub fn change_stage_variables(
        &self,
        api: &str,
        stage: &str,
        variables: impl IntoIterator<Item = (String, Option<String>)>,
    ) -> Result<StageSummary, HandleError> {
        self.change(|draft| {
            let (spec, history) = draft.api(api)?;
            known_stage(spec, stage)?;
            for (name, value) in variables {
                match &value {
                    Some(value) => check_stage_variable(&name, value).map_err(|message| {
                        let place = Pointer::root().child("variables").child(&*name);
                        let field = format!("stage {stage}:{place}");
                        HandleError::new(HandleErrorKind::Invalid, api, field, message)
                    })?,
                    None => known_variable(spec, history, stage, &name)?,
                }
                if let Some(own) = history.stages.get_mut(stage) {
                    own.variables.insert(name, value);
                }
            }
            Ok(())
        })?;
        // Another function may decide now who may call.
        self.standing().source.authorizer_caches.flush(api, stage);
        self.stage(api, stage)
    }

    /// Forgets what the custom authorizers of an API said about requests to one of its stages, as the service's `FlushStageAuthorizersCache` does:
    /// the next request of each caller asks them again.
    ///
    /// # Errors
    ///
    /// If there is no such API or stage.
    pub fn flush_authorizers_cache(&self, api: &str, stage: &str) -> Result<(), HandleError> {
        let standing = self.standing();
        let (spec, _) = standing.find(api)?;
        known_stage(spec, stage)?;
        standing.source.authorizer_caches.flush(api, stage);
        Ok(())
    }

    /// Forgets the cached responses of a stage, as the service's `FlushStageCache` does, and says how many there were. What was asked for before is not
    /// stored after it.
    ///
    /// # Errors
    ///
    /// If there is no such API or stage, or the cache's store is away.
    pub async fn flush_stage_cache(&self, api: &str, stage: &str) -> Result<u64, HandleError> {
        let cache = {
            let standing = self.standing();
            let (spec, _) = standing.find(api)?;
            known_stage(spec, stage)?;
            standing.source.caching.built().cloned()
        };
        let Some(cache) = cache else {
            return Ok(0);
        };
        let scope = cache_scope(api, stage);
        let flushed = cache.purge(Purge::scope(scope.as_bytes())).await;
        flushed.map_err(|error| HandleError::store(GatewayFault::new(api, "", error)))
    }
}

fn known_variable(
    spec: &ApiSpec,
    history: &History,
    stage: &str,
    name: &str,
) -> Result<(), HandleError> {
    let variables = history.effective(known_stage(spec, stage)?).variables;
    if variables.contains_key(name) {
        return Ok(());
    }
    let field = format!("stage {stage}:/variables");
    let known = variables.keys().map(String::as_str);
    let unknown = HandleError::unknown(&spec.id, &field, "variable", name, known);
    Err(unknown)
}

fn summarize(history: &History, stage: &Stage) -> StageSummary {
    let own = history.effective(stage);
    let state = history.stages.get(&stage.stage_name);
    let earlier = state
        .into_iter()
        .flat_map(|state| state.earlier.iter().rev());
    StageSummary {
        stage_name: own.stage_name,
        deployment_id: own.deployment_id.unwrap_or_default(),
        earlier_deployment_ids: earlier.cloned().collect(),
        variables: own.variables.into_iter().collect(),
        auto_deploy: own.auto_deploy,
    }
}
