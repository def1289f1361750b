//! An API and its stages, as they are given to a resolver.

use std::sync::Arc;

use portcullis_core::{ApiKind, ApiStage};

use crate::StageVariables;

/// An API with its stages, for [`ResolverBuilder::api`](crate::ResolverBuilder::api). `T` is what the caller wants back for a stage.
#[derive(Clone, Debug)]
#[must_use]
pub struct Api<T> {
    pub(crate) id: String,
    pub(crate) kind: ApiKind,
    pub(crate) stages: Vec<(String, T)>,
    pub(crate) hosts: Vec<String>,
    pub(crate) default_endpoint: bool,
    pub(crate) default_stage: Option<String>,
    pub(crate) private: bool,
}

impl<T> Api<T> {
    /// An API without stages. Its id is the first label of its default host: letters, digits and inner hyphens.
    pub fn new(id: impl Into<String>, kind: ApiKind) -> Self {
        Self {
            id: id.into(),
            kind,
            stages: Vec::new(),
            hosts: Vec::new(),
            default_endpoint: true,
            default_stage: None,
            private: false,
        }
    }

    /// Adds a stage: letters, digits, `_` and `-`, at most 128 of them. An HTTP API may have one called `$default`.
    pub fn stage(mut self, name: impl Into<String>, target: T) -> Self {
        self.stages.push((name.into(), target));
        self
    }

    /// Adds a host that the API answers to like its default endpoint: the stage is part of the path.
    /// [Disabling](Self::disable_default_endpoint) the default endpoint does not close it.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Whether `{api id}.execute-api.{region}.amazonaws.com` answers 403 to everything. Default: no. Custom domains and other hosts
    /// of the API go on serving it.
    pub const fn disable_default_endpoint(mut self, disable: bool) -> Self {
        self.default_endpoint = !disable;
        self
    }

    /// Whether only requests from [private networks](crate::Lookup::private) are let in; others are refused with 403. They also reach it by
    /// `{api id}-{VPC endpoint}.execute-api.{region}.amazonaws.com`, and by any host that nobody has, if the header `x-apigw-api-id` says its id. Default: no.
    pub const fn private(mut self, private: bool) -> Self {
        self.private = private;
        self
    }

    /// Names the stage that serves paths whose first segment is no stage, whole. Default: none, as in the service,
    /// where every path of a REST API names its stage. It is meant for laptops and for APIs that move in from elsewhere.
    pub fn default_stage(mut self, name: impl Into<String>) -> Self {
        self.default_stage = Some(name.into());
        self
    }
}

impl Api<Arc<ApiStage>> {
    /// Adds a stage for [`StagesLayer`](crate::StagesLayer) with these variables. The account stays empty; an [`ApiStage`] made by
    /// hand and given to [`stage`](Self::stage) can say more.
    pub fn plain_stage(self, name: impl Into<String>, variables: StageVariables) -> Self {
        let name = name.into();
        let mut stage = ApiStage::default();
        stage.kind = self.kind;
        stage.api_id.clone_from(&self.id);
        stage.stage.clone_from(&name);
        stage.variables = variables.into_map();
        self.stage(name, Arc::new(stage))
    }
}
