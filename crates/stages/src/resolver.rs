//! The choice of API and stage.

use std::fmt;
use std::sync::Arc;

use http::HeaderName;
use portcullis_core::{ApiKind, Detail, RequestContext};
use rustc_hash::FxHashMap;

use crate::base_paths::BasePaths;
use crate::build::ResolverBuilder;
use crate::host;
use crate::host_map::HostMap;
use crate::lookup::Lookup;
use crate::refusal::{Refusal, RefusalReason};
use crate::rule::CheckedRule;

/// Which stage serves a request, by host and path: compiled once, asked per request, without allocating.
///
/// `T` is what the caller wants back for a stage. See the [crate docs](crate) for examples and for the rules.
pub struct Resolver<T> {
    pub(crate) apis: Vec<CheckedApi<T>>,
    pub(crate) api_ids: FxHashMap<Box<str>, usize>,
    pub(crate) hosts: HostMap<Target>,
    /// What follows the API's id in default hosts.
    pub(crate) default_hosts: Box<str>,
    /// Whether any API is private.
    pub(crate) private: bool,
    pub(crate) domains: Vec<CheckedDomain>,
    pub(crate) fallback: Target,
}

/// What a host stands for. Numbers are places in the lists of a [`Resolver`], which made them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Nothing,
    Api(usize),
    Disabled(ApiKind),
    Domain(usize),
    /// The first segment is the id of the API.
    ApiByPath,
}

pub(crate) struct CheckedApi<T> {
    pub(crate) id: Box<str>,
    pub(crate) kind: ApiKind,
    pub(crate) private: bool,
    pub(crate) stages: StageTable<T>,
    /// The place of the stage that serves paths without a stage's name.
    pub(crate) default_stage: Option<usize>,
}

/// The stages of an API: by name, and by the places that mappings and rules know.
pub(crate) struct StageTable<T> {
    pub(crate) list: Vec<(Box<str>, T)>,
    pub(crate) places: FxHashMap<Box<str>, usize>,
}

pub(crate) struct CheckedDomain {
    pub(crate) kind: ApiKind,
    pub(crate) base_paths: BasePaths<CheckedMapping>,
    /// In the order of their priorities.
    pub(crate) rules: Vec<CheckedRule>,
    pub(crate) strict_server_name: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct CheckedMapping {
    pub(crate) api: usize,
    /// The place of the stage, if it is not the path that says it.
    pub(crate) stage: Option<usize>,
}

/// The stage that serves a request.
pub struct Resolved<'a, T> {
    target: &'a T,
    api_id: &'a str,
    kind: ApiKind,
    stage: &'a str,
    base_path: Option<&'a Arc<str>>,
    rule: Option<&'a Arc<str>>,
    consumed: usize,
}

/// Where a domain sends a request.
struct Way<'a> {
    api: usize,
    stage: Option<usize>,
    consumed: usize,
    base_path: Option<&'a Arc<str>>,
    rule: Option<&'a Arc<str>>,
}

const API_ID: HeaderName = HeaderName::from_static("x-apigw-api-id");

pub(crate) const DEFAULT_STAGE: &str = "$default";

impl<T> Resolver<T> {
    /// Starts a resolver. `region` is part of the APIs' default hosts.
    pub fn builder(region: impl Into<String>) -> ResolverBuilder<T> {
        ResolverBuilder::new(region.into())
    }

    /// Finds the stage for a request to `host` (with or without a port; `None` if the client named none) and `path`, as it was sent. A domain whose routing rules look at
    /// headers has to be [asked with them](Self::look_up).
    ///
    /// # Errors
    ///
    /// What was not found; [`Refusal::to_rejection`] is the answer to it.
    pub fn resolve<'a>(
        &'a self,
        host: Option<&str>,
        path: &str,
    ) -> Result<Resolved<'a, T>, Refusal> {
        self.look_up(&Lookup::new(host, path))
    }

    /// Finds the stage for a request.
    ///
    /// # Errors
    ///
    /// What was not found; [`Refusal::to_rejection`] is the answer to it.
    pub fn look_up<'a>(&'a self, lookup: &Lookup<'_>) -> Result<Resolved<'a, T>, Refusal> {
        let path = lookup.path();
        let way = match self.target(lookup) {
            Target::Api(api) => Way::to(api, 0),
            Target::Domain(domain) => self.domains[domain].way(lookup)?,
            Target::ApiByPath => {
                let (id, end) = api_segment(path);
                match self.api_ids.get(id) {
                    Some(&api) => Way::to(api, end),
                    None => return Err(Refusal::new(RefusalReason::UnknownHost, ApiKind::Rest)),
                }
            }
            Target::Disabled(kind) => {
                return Err(Refusal::new(RefusalReason::EndpointDisabled, kind));
            }
            Target::Nothing => return Err(Refusal::new(RefusalReason::UnknownHost, ApiKind::Rest)),
        };
        let api = &self.apis[way.api];
        if api.private && !lookup.is_private() {
            return Err(Refusal::new(RefusalReason::NotPrivate, api.kind));
        }
        let found = match way.stage {
            Some(stage) => api.at(stage, way.consumed),
            None => api.resolve(path, way.consumed)?,
        };
        Ok(Resolved {
            base_path: way.base_path,
            rule: way.rule,
            ..found
        })
    }

    /// The id of the API that a request is for, also where that has no such stage. `None` if no API is meant, or one that is not
    /// reached this way.
    #[must_use]
    pub fn api_of(&self, lookup: &Lookup<'_>) -> Option<&str> {
        let api = match self.target(lookup) {
            Target::Api(api) => api,
            Target::Domain(domain) => self.domains[domain].way(lookup).ok()?.api,
            Target::ApiByPath => *self.api_ids.get(api_segment(lookup.path()).0)?,
            Target::Disabled(_) | Target::Nothing => return None,
        };
        Some(&self.apis[api].id)
    }

    fn target(&self, lookup: &Lookup<'_>) -> Target {
        let known = lookup.host().and_then(|host| self.hosts.find(host));
        if let Some(known) = known {
            return *known;
        }
        // Whoever is elsewhere must not choose among the private APIs.
        if self.private && lookup.is_private() {
            return self.private_target(lookup).unwrap_or(self.fallback);
        }
        self.fallback
    }

    /// The private API that a request names which came through a VPC endpoint: by the header, or by a host that has the endpoint's id in it.
    fn private_target(&self, lookup: &Lookup<'_>) -> Option<Target> {
        let header = lookup.all_headers().and_then(|headers| headers.get(API_ID));
        let by_header = header.and_then(|id| self.api_ids.get(id.to_str().ok()?));
        let by_host = || {
            let own = |host: &str| {
                let (first, rest) = host.split_once('.')?;
                let (id, _) = first.split_once("-vpce-")?;
                self.api_ids
                    .get(id)
                    .filter(|_| *rest == *self.default_hosts)
            };
            host::with_normal(lookup.host()?, own).flatten()
        };
        let api = *by_header.or_else(by_host)?;
        self.apis[api].private.then_some(Target::Api(api))
    }
}

impl Way<'_> {
    const fn to(api: usize, consumed: usize) -> Self {
        Self {
            api,
            stage: None,
            consumed,
            base_path: None,
            rule: None,
        }
    }
}

impl CheckedDomain {
    fn way(&self, lookup: &Lookup<'_>) -> Result<Way<'_>, Refusal> {
        if self.strict_server_name
            && let (Some(opened_to), Some(host)) = (lookup.opened_to(), lookup.host())
            && !host::same(opened_to, host)
        {
            return Err(Refusal::new(RefusalReason::AnotherServerName, self.kind));
        }
        let path = lookup.path();
        let rule = self
            .rules
            .iter()
            .find_map(|rule| Some((rule, rule.fits(lookup)?)));
        if let Some((rule, consumed)) = rule {
            return Ok(Way {
                api: rule.api,
                stage: Some(rule.stage),
                consumed: behind_base_path(path, consumed),
                base_path: None,
                rule: Some(&rule.id),
            });
        }
        let Some(chosen) = self.base_paths.choose(path) else {
            return Err(Refusal::new(RefusalReason::NoMapping, self.kind));
        };
        Ok(Way {
            api: chosen.mapping.api,
            stage: chosen.mapping.stage,
            consumed: behind_base_path(path, chosen.consumed),
            base_path: Some(chosen.base_path),
            rule: None,
        })
    }
}

/// A slash doubled behind a base path counts as one.
fn behind_base_path(path: &str, consumed: usize) -> usize {
    match consumed {
        0 => 0,
        consumed => behind_doubled_slashes(path, consumed),
    }
}

impl<T> CheckedApi<T> {
    /// Chooses the stage by what stands in `path` from `start` on.
    fn resolve(&self, path: &str, start: usize) -> Result<Resolved<'_, T>, Refusal> {
        let rest = path.get(start..).unwrap_or_default();
        let (slashes, name) = match self.kind {
            ApiKind::Rest => {
                let below = rest.trim_start_matches('/');
                (rest.len() - below.len(), until_slash(below))
            }
            ApiKind::Http => (1, first_segment(rest)),
        };
        if name != DEFAULT_STAGE
            && let Some(&place) = self.stages.places.get(name)
        {
            let end = start + slashes + name.len();
            let end = match self.kind {
                ApiKind::Rest => behind_doubled_slashes(path, end),
                ApiKind::Http => end,
            };
            return Ok(self.at(place, end));
        }
        match self.default_stage {
            Some(place) => Ok(self.at(place, start)),
            None => Err(Refusal::new(RefusalReason::UnknownStage, self.kind)),
        }
    }

    fn at(&self, place: usize, consumed: usize) -> Resolved<'_, T> {
        let (stage, target) = &self.stages.list[place];
        Resolved {
            target,
            api_id: &self.id,
            kind: self.kind,
            stage,
            base_path: None,
            rule: None,
            consumed,
        }
    }
}

/// The first segment of a path that begins with a slash; of any other, nothing.
fn first_segment(path: &str) -> &str {
    until_slash(path.strip_prefix('/').unwrap_or_default())
}

/// The first segment that has text, as the name of an API, and where it ends: slashes doubled before it count as one, as they do before a stage.
fn api_segment(path: &str) -> (&str, usize) {
    let below = path.trim_start_matches('/');
    let slashes = path.len() - below.len();
    match slashes {
        0 => ("", 0),
        slashes => {
            let id = until_slash(below);
            (id, slashes + id.len())
        }
    }
}

pub(crate) fn until_slash(text: &str) -> &str {
    // Segments are short: a search made for long texts costs more than it finds.
    let slash = text.bytes().position(|byte| byte == b'/');
    &text[..slash.unwrap_or(text.len())]
}

/// Moves `end` behind slashes until at most one is left to stand there.
fn behind_doubled_slashes(path: &str, end: usize) -> usize {
    let rest = path.as_bytes().get(end..).unwrap_or_default();
    let slashes = rest.iter().take_while(|byte| **byte == b'/').count();
    end + slashes.saturating_sub(1)
}

impl<'a, T> Resolved<'a, T> {
    /// What was configured for the stage.
    #[must_use]
    pub const fn target(&self) -> &'a T {
        self.target
    }

    /// The id of the API.
    #[must_use]
    pub const fn api_id(&self) -> &'a str {
        self.api_id
    }

    /// The kind of the API.
    #[must_use]
    pub const fn kind(&self) -> ApiKind {
        self.kind
    }

    /// The name of the stage.
    #[must_use]
    pub const fn stage(&self) -> &'a str {
        self.stage
    }

    /// The base path of the mapping that was chosen, `(none)` for the empty one; `None` where no mapping was.
    /// It is `$context.customDomain.basePathMatched`.
    #[must_use]
    pub fn base_path(&self) -> Option<&'a str> {
        self.base_path.map(|path| &**path)
    }

    /// The id of the routing rule that was chosen; `None` where none was. It is `$context.customDomain.routingRuleIdMatched`.
    #[must_use]
    pub fn rule(&self) -> Option<&'a str> {
        self.rule.map(|id| &**id)
    }

    /// Notes in `context` which mapping or which rule was chosen.
    pub fn note(&self, context: &RequestContext) {
        if let Some(path) = self.base_path {
            context.note(Detail::BasePathMatched, Arc::clone(path));
        }
        if let Some(id) = self.rule {
            context.note(Detail::RoutingRuleIdMatched, Arc::clone(id));
        }
    }

    /// How many bytes at the start of the path were for base path and stage. What follows may be empty, and
    /// behind a base path that matched as a prefix it may begin without a slash.
    #[must_use]
    pub const fn consumed(&self) -> usize {
        self.consumed
    }

    /// The path below the stage: what follows the [consumed](Self::consumed) bytes of `path`, which is the one that was
    /// resolved; `/` if nothing does.
    #[must_use]
    pub fn rest_of<'p>(&self, path: &'p str) -> &'p str {
        match path.get(self.consumed..) {
            Some("") | None => "/",
            Some(rest) => rest,
        }
    }
}

impl<T> Clone for Resolved<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Resolved<'_, T> {}

impl<T> fmt::Debug for Resolved<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved")
            .field("api_id", &self.api_id)
            .field("stage", &self.stage)
            .field("base_path", &self.base_path)
            .field("rule", &self.rule)
            .field("consumed", &self.consumed)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Resolver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apis = self.apis.iter().map(|api| &api.id);
        f.debug_struct("Resolver")
            .field("apis", &apis.collect::<Vec<_>>())
            .field("hosts", &self.hosts.len())
            .field("domains", &self.domains.len())
            .finish_non_exhaustive()
    }
}
