//! What a definition is compiled to: everything that serving looks at.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;

use super::RouteSummary;
use super::api::UnknownRoute;
use super::canary::{CanaryPlan, KeptSplit};
use super::compile::MethodCaches;
use super::entry::Entry;
use super::http_cache::HttpCaches;
use super::mutual_tls::MutualTls;
use super::observe::{Observers, StageObservers};
use super::traces::StageTraces;
use crate::auth::caller_headers::CallerHeadersLayer;
use crate::core::{ApiKind, ApiStage, Chain, Clock, Route};
use crate::cors::CorsRules;
use crate::integrations::{Compression, Integration};
use crate::observe::trace::Callee;
use crate::responses::GatewayResponses;
use crate::routing::{HttpRoutes, Miss, RestRoutes};
use crate::stages::{Deprecation, Lookup, Resolver};
use crate::throttle::Headers;

/// Everything that one gateway serves at one time.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) resolver: Resolver<Arc<StagePlan>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entry: Entry,
    /// Absent where no certificates of clients are looked at.
    pub(super) mutual_tls: Option<Arc<MutualTls>>,
    /// Absent where nobody looks at requests.
    pub(super) observers: Option<Arc<Observers>>,
    /// By id; for printing.
    pub(super) apis: Vec<(String, Arc<ApiPlan>)>,
    /// The splits of the stages that have a canary, by API and stage; for operators.
    pub(super) canaries: BTreeMap<(String, String), Arc<KeptSplit>>,
    /// API and stage, with a slash between; for the log.
    pub(super) stages: Vec<String>,
}

/// One stage of one API.
#[derive(Debug)]
pub(super) struct StagePlan {
    pub(super) facts: Arc<ApiStage>,
    /// How long method and path may be together: what the ARN of a method leaves them.
    pub(super) longest_target: usize,
    pub(super) observers: StageObservers,
    pub(super) api: Arc<ApiPlan>,
    /// Absent where nobody follows traces.
    pub(super) traces: Option<StageTraces>,
    /// What clients are told, if the stage goes away.
    pub(super) deprecation: Option<Deprecation>,
    /// What it has of the stage's cache.
    pub(super) cache_use: CacheUse,
    /// The canary beside it, if it has one.
    pub(super) canary: Option<Box<CanaryPlan>>,
}

/// What a release has of its stage's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CacheUse {
    /// A canary takes nothing from it, and puts nothing there, unless it says so.
    None,
    /// What it has made itself.
    Own,
    /// A canary without variables of its own also has what production has made of the same deployment.
    Shared,
}

/// What the stages of one deployment share.
#[derive(Debug)]
pub(super) struct ApiPlan {
    pub(super) kind: ApiKind,
    pub(super) name: String,
    pub(super) routes: Routes,
    pub(super) responses: GatewayResponses,
    pub(super) cors: Option<CorsRules>,
    pub(super) unknown_route: UnknownRoute,
    /// What integrations are told of the caller.
    pub(super) caller_headers: Option<CallerHeadersLayer>,
    /// Whether `X-HTTP-Method-Override` counts.
    pub(super) method_override: bool,
    pub(super) max_body_bytes: u64,
    /// What clients are told of limits.
    pub(super) limit_headers: Headers,
    /// What is compressed for clients that accept it; absent if nothing is.
    pub(super) compression: Option<Compression>,
}

/// One method of a resource, or one route.
#[derive(Debug)]
pub(super) struct MethodPlan {
    /// Its place among the methods of the API.
    pub(super) index: usize,
    /// The verb, or `ANY`; for printing.
    pub(super) method: String,
    pub(super) route: Arc<Route>,
    /// What stands behind it, in words; for printing.
    pub(super) summary: String,
    pub(super) guards: Chain,
    pub(super) integration: Integration,
    /// What of it is cached, by stage; absent if nothing is.
    pub(super) caches: Option<MethodCaches>,
    /// Whom the integration calls, as traces name it.
    pub(super) callee: Option<Callee>,
    /// The caches by RFC 9111 that its API has; absent if it has none.
    pub(super) http_caches: Option<Arc<HttpCaches>>,
    /// Whether its responses pass as they come, so that nothing may hold them up.
    pub(super) streams: bool,
    /// The stage variables in its address; for the coverage report.
    pub(super) variables: Vec<String>,
}

impl Plan {
    /// The CORS rules of the API that a request is for, also where it has no such stage.
    pub(super) fn cors_of(&self, asked: &Lookup<'_>) -> Option<&CorsRules> {
        let id = self.resolver.api_of(asked)?;
        let (_, api) = self.apis.iter().find(|(own, _)| own == id)?;
        api.cors.as_ref()
    }

    /// The first few stages, for a person who asked for one that is not there.
    pub(super) fn stage_names(&self) -> String {
        const SHOWN: usize = 8;
        let mut names = self.stages[..self.stages.len().min(SHOWN)].join(" ");
        if self.stages.len() > SHOWN {
            names.push_str(" …");
        }
        names
    }

    /// The routes of every API, for a person to read.
    pub(super) fn routes(&self) -> Vec<RouteSummary> {
        self.apis
            .iter()
            .flat_map(|(api, plan)| {
                plan.routes.iter().map(move |method| RouteSummary {
                    api: api.clone(),
                    method: method.method.clone(),
                    path: method.route.template.clone(),
                    integration: method.summary.clone(),
                })
            })
            .collect()
    }
}

#[derive(Debug)]
pub(super) enum Routes {
    Rest(RestRoutes<Arc<MethodPlan>>),
    Http(HttpRoutes<Arc<MethodPlan>>),
}

impl Routes {
    pub(super) fn find(&self, method: &Method, path: &str) -> Result<&Arc<MethodPlan>, Miss> {
        match self {
            Self::Rest(routes) => routes.find(method, path).map(|found| found.value()),
            Self::Http(routes) => routes.find(method, path).map(|found| found.value()),
        }
    }

    /// The verbs that a path has, for `Allow`.
    pub(super) fn allowed(&self, path: &str) -> String {
        let methods = match self {
            Self::Rest(routes) => routes.allowed(path),
            Self::Http(routes) => routes.allowed(path),
        };
        let names: Vec<_> = methods.iter().map(|method| method.to_string()).collect();
        names.join(", ")
    }

    /// The route that is nearest to a path that has none.
    pub(super) fn nearest(&self, path: &str) -> Option<String> {
        match self {
            Self::Rest(routes) => routes
                .nearest(path)
                .map(|nearest| nearest.route().to_owned()),
            Self::Http(routes) => routes
                .nearest(path)
                .map(|nearest| nearest.route().to_owned()),
        }
    }

    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = &Arc<MethodPlan>> + '_> {
        match self {
            Self::Rest(routes) => Box::new(routes.iter().map(|(_, _, method)| method)),
            Self::Http(routes) => Box::new(routes.iter().map(|(_, method)| method)),
        }
    }
}
