//! The choice of API and stage.

use std::fmt;

use portcullis_core::ApiKind;
use rustc_hash::FxHashMap;

use crate::build::ResolverBuilder;
use crate::domain::BasePaths;
use crate::host;
use crate::refusal::{Refusal, RefusalReason};

/// Which stage serves a request, by host and path: compiled once, asked per request, without allocating.
///
/// `T` is what the caller wants back for a stage. See the [crate docs](crate) for examples and for the rules.
pub struct Resolver<T> {
    pub(crate) apis: Vec<CheckedApi<T>>,
    pub(crate) api_ids: FxHashMap<Box<str>, usize>,
    pub(crate) hosts: FxHashMap<Box<str>, Target>,
    /// By what follows the first label.
    pub(crate) wildcards: FxHashMap<Box<str>, usize>,
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
    pub(crate) stages: FxHashMap<Box<str>, T>,
    pub(crate) default_stage: Option<Box<str>>,
}

pub(crate) struct CheckedDomain {
    pub(crate) kind: ApiKind,
    pub(crate) base_paths: BasePaths<CheckedMapping>,
}

#[derive(Clone, Debug)]
pub(crate) struct CheckedMapping {
    pub(crate) api: usize,
    pub(crate) stage: Option<Box<str>>,
}

/// The stage that serves a request.
pub struct Resolved<'a, T> {
    target: &'a T,
    api_id: &'a str,
    kind: ApiKind,
    stage: &'a str,
    base_path: Option<&'a str>,
    consumed: usize,
}

const DEFAULT_STAGE: &str = "$default";

impl<T> Resolver<T> {
    /// Starts a resolver. `region` is part of the APIs' default hosts.
    pub fn builder(region: impl Into<String>) -> ResolverBuilder<T> {
        ResolverBuilder::new(region.into())
    }

    /// Finds the stage for a request to `host` (with or without a port; `None` if the client named none) and `path`, as it was sent.
    ///
    /// # Errors
    ///
    /// What was not found; [`Refusal::to_rejection`] is the answer to it.
    pub fn resolve<'a>(
        &'a self,
        host: Option<&str>,
        path: &str,
    ) -> Result<Resolved<'a, T>, Refusal> {
        match self.target(host) {
            Target::Api(api) => self.apis[api].resolve(path, 0, None),
            Target::Domain(domain) => self.resolve_mapping(&self.domains[domain], path),
            Target::ApiByPath => {
                let id = first_segment(path);
                match self.api_ids.get(id) {
                    Some(&api) => self.apis[api].resolve(path, 1 + id.len(), None),
                    None => Err(Refusal::new(RefusalReason::UnknownHost, ApiKind::Rest)),
                }
            }
            Target::Disabled(kind) => Err(Refusal::new(RefusalReason::EndpointDisabled, kind)),
            Target::Nothing => Err(Refusal::new(RefusalReason::UnknownHost, ApiKind::Rest)),
        }
    }

    /// The id of the API that a request to `host` and `path` is for, also where that has no such stage. `None` if no API is meant, or one that is not
    /// reached by this host.
    #[must_use]
    pub fn api_id(&self, host: Option<&str>, path: &str) -> Option<&str> {
        let api = match self.target(host) {
            Target::Api(api) => api,
            Target::Domain(domain) => {
                let chosen = self.domains[domain].base_paths.choose(path)?;
                chosen.mapping.api
            }
            Target::ApiByPath => *self.api_ids.get(first_segment(path))?,
            Target::Disabled(_) | Target::Nothing => return None,
        };
        Some(&self.apis[api].id)
    }

    fn target(&self, host: Option<&str>) -> Target {
        let known = host.and_then(|host| {
            host::with_normal(host, |host| {
                if let Some(&target) = self.hosts.get(host) {
                    return Some(target);
                }
                if self.wildcards.is_empty() {
                    return None;
                }
                let (first, others) = host.split_once('.')?;
                let domain = *self.wildcards.get(others)?;
                (!first.is_empty()).then_some(Target::Domain(domain))
            })
        });
        known.flatten().unwrap_or(self.fallback)
    }

    fn resolve_mapping<'a>(
        &'a self,
        domain: &'a CheckedDomain,
        path: &str,
    ) -> Result<Resolved<'a, T>, Refusal> {
        let Some(chosen) = domain.base_paths.choose(path) else {
            return Err(Refusal::new(RefusalReason::NoMapping, domain.kind));
        };
        let api = &self.apis[chosen.mapping.api];
        let consumed = match chosen.consumed {
            0 => 0,
            consumed => behind_doubled_slashes(path, consumed),
        };
        match &chosen.mapping.stage {
            Some(stage) => api.at(stage, consumed, Some(chosen.base_path)),
            None => api.resolve(path, consumed, Some(chosen.base_path)),
        }
    }
}

impl<T> CheckedApi<T> {
    /// Chooses the stage by what stands in `path` from `start` on.
    fn resolve<'a>(
        &'a self,
        path: &str,
        start: usize,
        base_path: Option<&'a str>,
    ) -> Result<Resolved<'a, T>, Refusal> {
        let rest = path.get(start..).unwrap_or_default();
        let (slashes, name) = match self.kind {
            ApiKind::Rest => {
                let below = rest.trim_start_matches('/');
                (rest.len() - below.len(), until_slash(below))
            }
            ApiKind::Http => (1, first_segment(rest)),
        };
        if name != DEFAULT_STAGE
            && let Some((stage, target)) = self.stages.get_key_value(name)
        {
            let end = start + slashes + name.len();
            let end = match self.kind {
                ApiKind::Rest => behind_doubled_slashes(path, end),
                ApiKind::Http => end,
            };
            return Ok(self.found(stage, target, end, base_path));
        }
        match (&self.default_stage, self.kind) {
            (Some(stage), _) => self.at(stage, start, base_path),
            (None, ApiKind::Http) => self.at(DEFAULT_STAGE, start, base_path),
            (None, ApiKind::Rest) => Err(self.unknown_stage()),
        }
    }

    fn at<'a>(
        &'a self,
        stage: &str,
        consumed: usize,
        base_path: Option<&'a str>,
    ) -> Result<Resolved<'a, T>, Refusal> {
        match self.stages.get_key_value(stage) {
            Some((stage, target)) => Ok(self.found(stage, target, consumed, base_path)),
            None => Err(self.unknown_stage()),
        }
    }

    const fn found<'a>(
        &'a self,
        stage: &'a str,
        target: &'a T,
        consumed: usize,
        base_path: Option<&'a str>,
    ) -> Resolved<'a, T> {
        Resolved {
            target,
            api_id: &self.id,
            kind: self.kind,
            stage,
            base_path,
            consumed,
        }
    }

    const fn unknown_stage(&self) -> Refusal {
        Refusal::new(RefusalReason::UnknownStage, self.kind)
    }
}

/// The first segment of a path that begins with a slash; of any other, nothing.
fn first_segment(path: &str) -> &str {
    until_slash(path.strip_prefix('/').unwrap_or_default())
}

fn until_slash(text: &str) -> &str {
    // Segments are short: a search made for long texts costs more than it finds.
    let slash = text.bytes().position(|byte| byte == b'/');
    &text[..slash.unwrap_or(text.len())]
}

/// Moves `end` behind slashes until at most one is left to stand there.
fn behind_doubled_slashes(path: &str, end: usize) -> usize {
    let rest = path.get(end..).unwrap_or_default();
    let slashes = rest.len() - rest.trim_start_matches('/').len();
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

    /// The base path that was matched, `(none)` for the empty one; `None` where the request did not come by a custom domain.
    /// It is `$context.customDomain.basePathMatched`.
    #[must_use]
    pub const fn base_path(&self) -> Option<&'a str> {
        self.base_path
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
