//! Building a resolver: checks, all faults at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use portcullis_core::ApiKind;
use rustc_hash::FxHashMap;

use crate::api::Api;
use crate::base_paths::BasePaths;
use crate::domain::{self, Domain, Mapping, NONE};
use crate::error::{ConfigError, Fault};
use crate::host;
use crate::host_map::HostMap;
use crate::resolver::{
    CheckedApi, CheckedDomain, CheckedMapping, DEFAULT_STAGE, Resolver, StageTable, Target,
};
use crate::rule::{CheckedRule, Rule, priority_fault};

/// Who gets the requests for hosts that belong to no API and no domain: `localhost`, an address, or no host at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fallback {
    /// Nobody: they are refused with 403.
    #[default]
    None,
    /// The API with this id, as if the host were its own: `/{stage}/…`. A [disabled](Api::disable_default_endpoint) default
    /// endpoint does not close this way.
    Api(String),
    /// The API whose id is the first segment of the path: `/{api id}/{stage}/…`.
    ByPath,
}

/// Builds a [`Resolver`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ResolverBuilder<T> {
    region: String,
    apis: Vec<Api<T>>,
    domains: Vec<Domain>,
    fallback: Fallback,
}

/// A resolver in the making, with what was found wrong so far.
struct Build<T> {
    resolver: Resolver<T>,
    faults: Vec<Fault>,
}

impl<T> ResolverBuilder<T> {
    pub(crate) const fn new(region: String) -> Self {
        Self {
            region,
            apis: Vec::new(),
            domains: Vec::new(),
            fallback: Fallback::None,
        }
    }

    /// Adds an API.
    pub fn api(mut self, api: Api<T>) -> Self {
        self.apis.push(api);
        self
    }

    /// Adds a custom domain.
    pub fn domain(mut self, domain: Domain) -> Self {
        self.domains.push(domain);
        self
    }

    /// Sets who gets the requests for unknown hosts. Default: nobody.
    pub fn fallback(mut self, fallback: Fallback) -> Self {
        self.fallback = fallback;
        self
    }

    /// Checks everything and compiles it.
    ///
    /// # Errors
    ///
    /// Every fault: ids, stages, hosts, base paths and rules that are malformed or occur twice, and mappings, rules, default stages and a fallback
    /// that name what is not there.
    pub fn build(self) -> Result<Resolver<T>, ConfigError> {
        let top = match self.region.starts_with("cn-") {
            true => "amazonaws.com.cn",
            false => "amazonaws.com",
        };
        let mut build = Build {
            resolver: Resolver {
                apis: Vec::with_capacity(self.apis.len()),
                api_ids: FxHashMap::default(),
                hosts: HostMap::new(),
                default_hosts: format!("execute-api.{}.{top}", self.region).into(),
                private: self.apis.iter().any(|api| api.private),
                domains: Vec::with_capacity(self.domains.len()),
                fallback: Target::Nothing,
            },
            faults: Vec::new(),
        };
        for api in self.apis {
            build.api(api);
        }
        for domain in &self.domains {
            build.domain(domain);
        }
        build.fallback(self.fallback);
        ConfigError::unless_faulty(build.faults, build.resolver)
    }
}

impl<T> Build<T> {
    fn fault(&mut self, at: &str, problem: impl Into<String>, fix: &str) {
        self.faults.push(Fault::new(at, problem, fix));
    }

    fn api(&mut self, api: Api<T>) {
        let at = format!("api {}", api.id);
        let index = self.resolver.apis.len();
        let id: Box<str> = api.id.as_str().into();
        let twice = self.resolver.api_ids.contains_key(&id);
        if twice {
            self.fault(&at, "another API has this id", "give each API its own id");
        } else {
            self.resolver.api_ids.insert(id.clone(), index);
        }

        let default_host = format!("{id}.{}", self.resolver.default_hosts);
        let one_label = !id.contains(['.', ':', '[', ']']);
        match host::checked(&default_host).filter(|_| one_label) {
            Some(_) if twice => {}
            Some(host) if api.default_endpoint => self.host(&at, &host, Target::Api(index)),
            Some(host) => self.host(&at, &host, Target::Disabled(api.kind)),
            None => self.fault(
                &at,
                format!("`{default_host}` is no host"),
                "use letters, digits and hyphens for the API's id and the region",
            ),
        }
        for host in &api.hosts {
            match host::checked(host) {
                Some(host) => self.host(&at, &host, Target::Api(index)),
                None => self.fault(
                    &at,
                    format!("`{host}` is no host"),
                    "give a name or an address",
                ),
            }
        }

        let mut stages = StageTable {
            list: Vec::with_capacity(api.stages.len()),
            places: FxHashMap::default(),
        };
        for (name, target) in api.stages {
            if !is_stage_name(&name, api.kind) {
                self.fault(
                    &at,
                    format!("`{name}` cannot be the name of a stage"),
                    "use 1 to 128 letters, digits, underscores and hyphens (an HTTP API may have a stage `$default`)",
                );
            }
            let own = name.as_str().into();
            if stages.places.insert(own, stages.list.len()).is_some() {
                let problem = format!("two stages are called `{name}`");
                self.fault(&at, problem, "give each stage its own name");
            }
            stages.list.push((name.into(), target));
        }
        let default_stage = match (&api.default_stage, api.kind) {
            (Some(stage), _) => stages.places.get(stage.as_str()),
            (None, ApiKind::Http) => stages.places.get(DEFAULT_STAGE),
            (None, ApiKind::Rest) => None,
        };
        let default_stage = default_stage.copied();
        if let (Some(stage), None) = (&api.default_stage, default_stage) {
            let problem = format!("the default stage `{stage}` is not there");
            self.fault(&at, problem, "name a stage of this API");
        }
        self.resolver.apis.push(CheckedApi {
            id,
            kind: api.kind,
            private: api.private,
            stages,
            default_stage,
        });
    }

    fn host(&mut self, at: &str, host: &str, target: Target) {
        match self.resolver.hosts.own(host) {
            Some(before) if *before != target => {
                let problem = format!("the host `{host}` is taken");
                self.fault(at, problem, "give each host to one API or domain");
            }
            _ => {
                self.resolver.hosts.insert(host, target);
            }
        }
    }

    fn domain(&mut self, domain: &Domain) {
        let at = format!("domain {}", domain.name);
        let index = self.resolver.domains.len();
        let bare = domain.name.strip_prefix("*.").unwrap_or(&domain.name);
        match host::checked(bare) {
            Some(_) => self.host(&at, &domain.name, Target::Domain(index)),
            None => self.fault(
                &at,
                "this is no domain name",
                "use labels of letters, digits and hyphens; only the first may be `*`",
            ),
        }

        let mut only_http = !domain.mappings.is_empty() || !domain.rules.is_empty();
        let mut taken = HashSet::new();
        let mut mappings = Vec::with_capacity(domain.mappings.len());
        for mapping in &domain.mappings {
            mappings.extend(self.mapping(&at, mapping, &mut taken, &mut only_http));
        }
        let mut priorities = HashMap::new();
        let mut rules = Vec::with_capacity(domain.rules.len());
        for rule in &domain.rules {
            rules.extend(self.rule(&at, rule, &mut priorities, &mut only_http));
        }
        rules.sort_by_key(|rule| rule.priority);
        self.resolver.domains.push(CheckedDomain {
            kind: if only_http {
                ApiKind::Http
            } else {
                ApiKind::Rest
            },
            base_paths: BasePaths::new(mappings),
            rules,
            strict_server_name: domain.strict_server_name,
        });
    }

    fn mapping(
        &mut self,
        at: &str,
        mapping: &Mapping,
        taken: &mut HashSet<Arc<str>>,
        only_http: &mut bool,
    ) -> Option<(Arc<str>, CheckedMapping)> {
        let base_path: Arc<str> = match mapping.base_path.as_str() {
            "" => NONE.into(),
            path => path.into(),
        };
        let at = format!("{at}, mapping {base_path}");
        if let Err((problem, fix)) = domain::check_base_path(&base_path) {
            self.fault(&at, problem, fix);
        }
        if !taken.insert(Arc::clone(&base_path)) {
            self.fault(
                &at,
                "the base path is mapped already",
                "map each base path once",
            );
        }
        let (api, stage, kind) = self.stage_of(&at, &mapping.api, mapping.stage.as_deref())?;
        *only_http &= kind == ApiKind::Http;
        Some((base_path, CheckedMapping { api, stage }))
    }

    fn rule(
        &mut self,
        at: &str,
        rule: &Rule,
        priorities: &mut HashMap<u32, String>,
        only_http: &mut bool,
    ) -> Option<CheckedRule> {
        let at = match &rule.id {
            Some(id) => format!("{at}, rule {id}"),
            None => format!("{at}, rule of priority {}", rule.priority),
        };
        if let Some((problem, fix)) = priority_fault(rule, priorities) {
            self.fault(&at, problem, fix);
        }
        let found = self.stage_of(&at, &rule.api, Some(&rule.stage));
        // A rule that leads nowhere is a fault, and never asked.
        let place = found.map_or((0, 0), |(api, stage, _)| (api, stage.unwrap_or_default()));
        let checked = CheckedRule::new(rule, place, &mut |problem, fix| {
            self.fault(&at, problem, fix)
        });
        let (_, _, kind) = found?;
        *only_http &= kind == ApiKind::Http;
        Some(checked)
    }

    /// The API that a mapping or a rule leads to, if it is there, and the place of the stage. That it has no such stage is a fault, too.
    fn stage_of(
        &mut self,
        at: &str,
        api: &str,
        stage: Option<&str>,
    ) -> Option<(usize, Option<usize>, ApiKind)> {
        let Some(&index) = self.resolver.api_ids.get(api) else {
            let problem = format!("there is no API `{api}`");
            self.fault(at, problem, "name the id of an API of this gateway");
            return None;
        };
        let of = &self.resolver.apis[index];
        let kind = of.kind;
        let place = stage.and_then(|stage| of.stages.places.get(stage).copied());
        if let (Some(stage), None) = (stage, place) {
            let names = of.stages.places.keys();
            let mut names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
            names.sort_unstable();
            let problem = format!("the API `{api}` has no stage `{stage}`");
            let fix = match names.is_empty() {
                true => "give it one".to_owned(),
                false => format!("name one of its stages: {}", names.join(", ")),
            };
            self.fault(at, problem, &fix);
        }
        Some((index, place, kind))
    }

    fn fallback(&mut self, fallback: Fallback) {
        self.resolver.fallback = match fallback {
            Fallback::None => Target::Nothing,
            Fallback::ByPath => Target::ApiByPath,
            Fallback::Api(id) => match self.resolver.api_ids.get(id.as_str()) {
                Some(&api) => Target::Api(api),
                None => {
                    let problem = format!("there is no API `{id}`");
                    self.fault("fallback", problem, "name the id of an API of this gateway");
                    Target::Nothing
                }
            },
        };
    }
}

fn is_stage_name(name: &str, kind: ApiKind) -> bool {
    if kind == ApiKind::Http && name == "$default" {
        return true;
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=128).contains(&name.len()) && name.bytes().all(allowed)
}
