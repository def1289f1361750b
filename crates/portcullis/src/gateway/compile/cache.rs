//! What of a REST API's methods is cached, by the stage that serves a request.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::throttle::{Place, nearest_settings, own_verbs};
use super::{Notes, Shared};
use crate::auth::access::{IamPermissions, VpcEndpoints};
use crate::auth::credentials::MemoryCredentials;
use crate::auth::iam::ResourcePolicy;
use crate::cache::{
    CacheLayer, CacheRules, CacheRulesBuilder, ConfigError, KeyPart, UnauthorizedRefresh,
};
use crate::core::{ApiKind, RequestContext};
use crate::definition::{
    self, AuthorizerType, MethodSetting, RestApi, Stage, UnauthorizedCacheControl,
};
use crate::gateway::api::{ApiSpec, Parity};
use crate::gateway::error::GatewayFault;
use crate::gateway::plan::CacheUse;

/// The caches of one method, by the stage that serves a request.
#[derive(Debug)]
pub(in crate::gateway) struct MethodCaches {
    stages: Vec<StageCache>,
    /// Bodies of requests are a part of the key.
    pub(in crate::gateway) reads_bodies: bool,
}

#[derive(Debug)]
struct StageCache {
    stage: Box<str>,
    verb: Box<str>,
    layer: CacheLayer,
    /// For a canary that shares with production what both make of one deployment.
    sharing: CacheLayer,
}

impl MethodCaches {
    /// The one for a request that a release serves with this use of it, if its responses are cached.
    pub(in crate::gateway) fn of(
        &self,
        context: &RequestContext,
        cache_use: CacheUse,
    ) -> Option<&CacheLayer> {
        if cache_use == CacheUse::None {
            return None;
        }
        let stage = context.stage()?;
        let verb = context.method().as_str();
        let own = self
            .stages
            .iter()
            .find(|own| *own.stage == *stage.stage && *own.verb == *verb)?;
        Some(match cache_use {
            CacheUse::Shared => &own.sharing,
            CacheUse::Own | CacheUse::None => &own.layer,
        })
    }
}

/// What is purged with a stage.
pub(in crate::gateway) fn scope(api: &str, stage: &str) -> String {
    format!("{api}/{stage}")
}

/// What all methods of an API are cached by.
pub(super) struct Caches<'a> {
    api: &'a RestApi,
    spec: &'a ApiSpec,
    shared: &'a Shared,
    /// What the API describes, in a number: what was cached of one description does not serve another.
    revision: String,
}

impl<'a> Caches<'a> {
    pub(super) fn new(api: &'a RestApi, spec: &'a ApiSpec, shared: &'a Shared) -> Self {
        let revision = if spec.stages.iter().any(is_on) {
            let mut hasher = DefaultHasher::new();
            format!("{api:?}").hash(&mut hasher);
            format!("{:x}", hasher.finish())
        } else {
            String::new()
        };
        Self {
            api,
            spec,
            shared,
            revision,
        }
    }

    /// The caches of a method; nothing if no stage caches it.
    pub(super) fn of(
        &self,
        (verb, path, resource_id): (&str, &str, &str),
        method: &definition::Method,
        streams: bool,
        notes: &mut Notes<'_>,
    ) -> Option<MethodCaches> {
        let integration = method.method_integration.as_ref()?;
        let place = Place {
            verb,
            path,
            needs_key: false,
        };
        let mut stages = Vec::new();
        for stage in &self.spec.stages {
            if !stage.cache_cluster_enabled {
                continue;
            }
            for verb in own_verbs(stage, place) {
                let settings = Settings::of(stage, path, verb);
                // A method that takes any verb is cached for GET.
                let verb = if verb == "ANY" { "GET" } else { verb };
                if settings.is_on(verb) {
                    stages.push((stage, verb, settings));
                }
            }
        }
        if stages.is_empty() {
            return None;
        }
        let source = integration.source.as_ref();
        if streams {
            let note = "the response is streamed, and so is not cached";
            notes.missing(source, "responseTransferMode", note);
            return None;
        }
        let parts = match parts(integration) {
            Ok(mut parts) => {
                parts.extend(self.identity_of(method));
                parts
            }
            Err(errors) => {
                for (index, error) in errors {
                    let note = format!(
                        "{}; {}; the method is not cached",
                        error.problem(),
                        error.fix()
                    );
                    if let Some(source) = source {
                        let pointer = source.child("cacheKeyParameters").child(index);
                        notes.unsupported.insert(pointer.to_string(), note.into());
                    }
                }
                return None;
            }
        };
        let namespace = integration.cache_namespace.as_deref();
        let namespace = namespace.unwrap_or(resource_id);
        let mut caches = Vec::new();
        for (stage, verb, settings) in stages {
            // What is wrong with a stage's settings, its own check tells.
            let rules = self.rules((stage, verb), &settings, &parts, namespace);
            let cache = &self.shared.cache;
            if let (Ok(own), Ok(sharing)) = (
                rules.clone().build(),
                rules.share_between_releases().build(),
            ) {
                caches.push(StageCache {
                    stage: stage.stage_name.as_str().into(),
                    verb: verb.into(),
                    layer: CacheLayer::new(cache, own),
                    sharing: CacheLayer::new(cache, sharing),
                });
            }
        }
        Some(MethodCaches {
            stages: caches,
            reads_bodies: parts.contains(&KeyPart::Body),
        })
    }

    /// What a custom authorizer knows callers by: many call all of them by one name.
    fn identity_of(&self, method: &definition::Method) -> Vec<KeyPart> {
        let id = method.authorizer_id.as_deref();
        let own = id.and_then(|id| self.api.authorizer(id));
        let Some(own) = own.filter(|_| self.spec.parity != Parity::Strict) else {
            return Vec::new();
        };
        if !matches!(own.r#type, AuthorizerType::Token | AuthorizerType::Request) {
            return Vec::new();
        }
        let sources = own.identity_source.as_deref().unwrap_or_default();
        let sources = sources.split(',').map(str::trim);
        sources
            .filter_map(|source| KeyPart::parse(source).ok())
            .collect()
    }

    fn rules(
        &self,
        (stage, verb): (&Stage, &str),
        settings: &Settings,
        parts: &[KeyPart],
        namespace: &str,
    ) -> CacheRulesBuilder {
        let Self {
            api, spec, shared, ..
        } = self;
        let verb = http::Method::from_bytes(verb.as_bytes()).unwrap_or(http::Method::GET);
        let revision = KeyPart::Constant(self.revision.as_str().into());
        let mut rules = CacheRules::builder()
            .ttl(settings.ttl)
            .methods([verb])
            .scope(scope(&spec.id, &stage.stage_name))
            .namespace(namespace)
            .key(parts.iter().cloned().chain([revision]))
            .unauthorized_refresh(settings.otherwise)
            .stage_arn(format!(
                "arn:aws:execute-api:{}:{}:{}/{}",
                shared.region, shared.account_id, spec.id, stage.stage_name
            ));
        if settings.encrypted {
            rules = rules.encrypt();
        }
        if !settings.asks {
            rules = rules.dangerously_let_everyone_refresh();
        } else {
            let mut permissions = match &shared.access_keys {
                Some(keys) => IamPermissions::new(Arc::clone(keys)),
                None => IamPermissions::new(MemoryCredentials::new([])),
            };
            permissions =
                permissions.vpc_endpoints(VpcEndpoints::new(shared.vpc_endpoints.iter().cloned()));
            let policy = api.policy.as_ref();
            if let Some(policy) =
                policy.and_then(|policy| ResourcePolicy::from_value(policy.as_value()).ok())
            {
                permissions = permissions.resource_policy(policy);
            }
            rules = rules.permissions(permissions);
        }
        if spec.parity == Parity::Strict {
            rules = rules
                .dangerously_share_between_callers()
                .dangerously_store_errors()
                .dangerously_ignore_vary();
        }
        rules
    }
}

/// What a stage says of the caching of one method.
struct Settings {
    enabled: bool,
    /// Said for this method by name.
    named: bool,
    ttl: Duration,
    asks: bool,
    otherwise: UnauthorizedRefresh,
    encrypted: bool,
}

impl Settings {
    fn of(stage: &Stage, path: &str, verb: &str) -> Self {
        let own: Vec<(bool, &MethodSetting)> = nearest_settings(stage, path, verb).collect();
        fn first<T>(
            own: &[(bool, &MethodSetting)],
            read: impl Fn(&MethodSetting) -> Option<T>,
        ) -> Option<(bool, T)> {
            own.iter()
                .find_map(|(named, setting)| Some((*named, read(setting)?)))
        }
        let enabled = first(&own, |setting| setting.caching_enabled);
        let otherwise = first(&own, |setting| {
            setting.unauthorized_cache_control_header_strategy
        });
        Self {
            enabled: enabled.is_some_and(|(_, enabled)| enabled),
            named: enabled.is_some_and(|(named, _)| named),
            ttl: Duration::from_secs(
                first(&own, |setting| setting.cache_ttl_in_seconds)
                    .map_or(300, |(_, seconds)| seconds)
                    .into(),
            ),
            asks: first(&own, |setting| {
                setting.require_authorization_for_cache_control
            })
            .is_none_or(|(_, asks)| asks),
            encrypted: first(&own, |setting| setting.cache_data_encrypted)
                .is_some_and(|(_, encrypted)| encrypted),
            otherwise: match otherwise.map(|(_, otherwise)| otherwise) {
                Some(UnauthorizedCacheControl::FailWith403) => UnauthorizedRefresh::Refuse,
                Some(UnauthorizedCacheControl::SucceedWithoutResponseHeader) => {
                    UnauthorizedRefresh::Ignore
                }
                _ => UnauthorizedRefresh::Warn,
            },
        }
    }

    /// Whether the verb is cached: one other than GET only if its own settings say so.
    fn is_on(&self, verb: &str) -> bool {
        self.enabled && (self.named || verb == "GET") && !self.ttl.is_zero()
    }
}

/// The parts of a method's key; or all that are none, with their places in the list.
fn parts(integration: &definition::Integration) -> Result<Vec<KeyPart>, Vec<(usize, ConfigError)>> {
    let mut parts = Vec::new();
    let mut errors = Vec::new();
    for (index, parameter) in integration.cache_key_parameters.iter().enumerate() {
        // What goes to the integration comes from somewhere.
        let from = integration.request_parameters.get(parameter);
        match KeyPart::parse(from.unwrap_or(parameter)) {
            Ok(part) => parts.push(part),
            Err(error) => errors.push((index, error)),
        }
    }
    if errors.is_empty() {
        Ok(parts)
    } else {
        Err(errors)
    }
}

/// The faults of what a stage says of caching.
pub(super) fn check_stage(
    spec: &ApiSpec,
    stage: &Stage,
    shared: &Shared,
    faults: &mut Vec<GatewayFault>,
) {
    if spec.kind != ApiKind::Rest {
        return;
    }
    let encrypts = shared.cache.store().encrypts();
    for (key, own) in &stage.method_settings {
        let mut fault = |field: &str, message: String| {
            let key = key.replace('~', "~0").replace('/', "~1");
            let place = format!("stage {}:/methodSettings/{key}/{field}", stage.stage_name);
            faults.push(GatewayFault::new(&spec.id, place, message));
        };
        if let Some(seconds) = own.cache_ttl_in_seconds
            && seconds > 3600
        {
            let message = format!("`{seconds}` is too long; choose 0 to 3600 seconds");
            fault("cacheTtlInSeconds", message);
        }
        if own.cache_data_encrypted == Some(true) && is_on(stage) && !encrypts {
            let message = "the shared store has no keys to encrypt with; give it some: `cache.encryptionKeys` of the configuration, or `RedisStore::encrypted`";
            fault("cacheDataEncrypted", message.to_owned());
        }
    }
}

/// Whether any method of the stage is cached.
pub(super) fn is_on(stage: &Stage) -> bool {
    let mut settings = stage.method_settings.values();
    stage.cache_cluster_enabled && settings.any(|own| own.caching_enabled == Some(true))
}
