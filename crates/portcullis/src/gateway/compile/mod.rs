//! From definitions to a plan: parse, then compile, then serve.

mod access;
mod api;
mod authorizers;
mod cache;
mod canary;
mod deployment;
mod document;
mod domains;
mod guards;
mod http;
mod integration;
mod keys;
mod objects;
mod observe;
mod quotas;
mod rest;
mod stages;
mod survey;
mod throttle;
mod unnamed;
mod validation;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::api::ApiSpec;
use super::builder::GatewayBuilder;
use super::canary::KeptSplits;
use super::coverage::{Coverage, Served};
use super::deployments::{Digest, Histories, History, Snapshot, Written};
use super::entry::Entry;
use super::error::{GatewayError, GatewayFault};
use super::mutual_tls::MutualTls;
use super::observe::ObserveSettings;
use super::plan::Plan;
use super::upstreams;
use crate::auth::access::{VpcEndpoint, VpcEndpoints};
use crate::auth::credentials::{CredentialLookup, CredentialStore};
use crate::auth::sigv4::ReplayGuard;
use crate::cache::ResponseCache;
use crate::client::{Client, Upstream};
use crate::core::{ApiKind, Chain, Clock, RequestContext};
use crate::definition::{self, Pointer};
use crate::integrations::{Aws, Credentials, CredentialsError, Functions};
use crate::observe::trace::Traces;
use crate::openapi::Document;
use crate::stages::{ConfigError, Fallback, Fault, Resolver};
pub(super) use authorizers::{AuthorizerCaches, Issuers};
pub(super) use cache::{MethodCaches, scope as cache_scope};
pub(super) use domains::truststore;
use keys::KeyRing;
use throttle::Throttles;

pub(super) use throttle::{account as account_limit, member as limit_member};

/// What a source is compiled to.
pub(super) struct Compiled {
    pub(super) prepared: Arc<Prepared>,
    pub(super) histories: Histories,
    pub(super) assembled: Assembled,
}

/// What stays the same from one deployment to the next.
pub(super) struct Prepared {
    shared: Shared,
    /// To be put in the place of those that count so far.
    pub(super) usage_plans: Vec<crate::throttle::UsagePlan>,
    /// What the report has on usage plans and their keys, and on what no definition of the source names.
    coverage: Coverage,
    mutual_tls: Option<Arc<MutualTls>>,
}

/// What is served, and what it was made from.
pub(super) struct Assembled {
    pub(super) plan: Plan,
    pub(super) coverage: Coverage,
    pub(super) ready: Ready,
}

/// Deployments that are compiled, by API and id.
pub(super) type Ready = BTreeMap<(String, String), Arc<deployment::Compiled>>;

/// Documents that have been read and are yet to be compiled, by API and id.
pub(super) type Parsed = BTreeMap<(String, String), Document>;

/// What the parts of one gateway share while they are compiled.
struct Shared {
    client: Client,
    functions: Functions,
    aws: Option<Aws>,
    vpc_links: Arc<BTreeMap<String, Upstream>>,
    region: String,
    account_id: String,
    skip_auth: bool,
    /// Every API is strict, and the gateway says so for all of them.
    strict: bool,
    guards: Chain,
    clock: Arc<dyn Clock>,
    access_keys: Option<Arc<dyn CredentialStore>>,
    vpc_endpoints: Vec<VpcEndpoint>,
    honour_expires: bool,
    replay_guard: Option<ReplayGuard>,
    keys: KeyRing,
    throttles: Throttles,
    issuers: Issuers,
    authorizer_caches: AuthorizerCaches,
    observe: ObserveSettings,
    cache: ResponseCache,
    traces: Option<Traces>,
    trace_every_stage: bool,
    canaries: KeptSplits,
}

/// What compiling one document notes besides its routes.
struct Notes<'a> {
    api: &'a str,
    faults: &'a mut Vec<GatewayFault>,
    /// Fields that cannot be served, by pointer.
    unsupported: &'a mut BTreeMap<String, Cow<'static, str>>,
    /// Fields that change nothing, by pointer.
    idle: &'a mut BTreeMap<String, &'static str>,
}

impl Notes<'_> {
    /// Notes that a field of what stands at `source`, if it is there, changes nothing.
    fn idle(&mut self, source: Option<&Pointer>, field: &str, note: &'static str) {
        if let Some(source) = source {
            self.idle.insert(source.child(field).to_string(), note);
        }
    }

    /// Notes that a field of what stands at `source` is not served.
    fn missing(&mut self, source: Option<&Pointer>, field: &str, note: &'static str) {
        if let Some(source) = source {
            let pointer = source.child(field).to_string();
            self.unsupported.insert(pointer, note.into());
        }
    }
}

/// Compiles everything that `source` says. What is made once per gateway (the client) is put back into it. `histories` are of what was deployed before.
pub(super) fn compile(
    source: &mut GatewayBuilder,
    mut histories: Histories,
) -> Result<Compiled, GatewayError> {
    let mut faults = Vec::new();
    if source.skip_auth {
        tracing::warn!("auth is skipped: methods that need it are open to everyone");
    }
    let mut documents = Vec::with_capacity(source.apis.len());
    for api in &mut source.apis {
        documents.push(api::read(api, &mut source.region, &mut faults));
    }
    let prepared = Arc::new(prepare(source, &mut faults)?);
    let mut parsed = Parsed::new();
    let now = source.clock.wall();
    histories.retain(|id, _| source.apis.iter().any(|api| api.id == *id));
    for (api, document) in source.apis.iter().zip(documents) {
        let Some(document) = document else { continue };
        let history = histories.entry(api.id.clone()).or_default();
        reconcile(history, api, document, now, &mut parsed);
        history.trim(api, source.kept_deployments);
    }
    let assembled = assemble(source, &prepared, &histories, &Ready::new(), parsed, faults)?;
    Ok(Compiled {
        prepared,
        histories,
        assembled,
    })
}

/// Brings what was deployed of an API up to what the source says.
fn reconcile(
    history: &mut History,
    api: &ApiSpec,
    document: Document,
    now: SystemTime,
    parsed: &mut Parsed,
) {
    let own = Written {
        document: &api.document,
        digest: Digest::of(document.root()),
    };
    let mut named = BTreeMap::new();
    for (name, text) in &api.deployments {
        // What is wrong with it is told when it is compiled, behind the faults of the API's own document.
        let document = document::parse(api, text, &mut Vec::new());
        let digest = match &document {
            Some(document) => Digest::of(document.root()),
            None => Digest::of_text(text),
        };
        let key = (api.id.clone(), name.clone());
        parsed.extend(document.map(|document| (key, document)));
        let document = &**text;
        named.insert(&**name, Written { document, digest });
    }
    history.reconcile(api, own, named, now);
    parsed.insert((api.id.clone(), history.configured.clone()), document);
}

/// Makes what all deployments share.
fn prepare(
    source: &mut GatewayBuilder,
    faults: &mut Vec<GatewayFault>,
) -> Result<Prepared, GatewayError> {
    let region = source.region.clone();
    let region = region.unwrap_or_else(|| "us-east-1".to_owned());
    let made = source.made_client.as_ref();
    let client = upstreams::client(source.client.as_ref(), made, &source.upstreams)?;
    if source.client.is_none() {
        source.made_client = Some(client.clone());
    }
    let vpc_links = source.vpc_links.links(client.upstreams(), faults);
    let aws = aws(source, &region, &client)?;
    let mut functions = source.functions.clone().client(client.clone());
    if let Some(aws) = aws.clone() {
        functions = functions.aws(aws);
    }
    let functions = match functions.build() {
        Ok(functions) => functions,
        Err(error) => {
            // The definitions are looked at all the same, so that their faults come with this one.
            faults.push(GatewayFault::new("", error.field(), error.problem()));
            Functions::default()
        }
    };
    let mut coverage = Coverage::default();
    let plans = keys::plans(&source.usage_plans, &source.apis, faults, &mut coverage);
    let usage_plans = source.usage_plans.iter();
    let usage_plans: Vec<_> = usage_plans
        .map(|plan| throttle::plan(plan, faults))
        .collect();
    let throttles = Throttles {
        state: source.limits.state(&source.clock)?,
        account: source.limits.account,
        headers: source.limits.headers,
        mode: source.limits.mode,
        #[cfg(feature = "redis")]
        shared: source.limits.shared.clone(),
        has_plans: !usage_plans.is_empty(),
    };
    let shared = Shared {
        client,
        functions,
        aws,
        vpc_links: Arc::new(vpc_links),
        region,
        account_id: source.account_id.clone(),
        skip_auth: source.skip_auth,
        strict: source.strict,
        guards: source.guards.clone(),
        clock: Arc::clone(&source.clock),
        access_keys: source.access_keys.clone(),
        vpc_endpoints: source.vpc_endpoints.clone(),
        honour_expires: source.honour_expires,
        replay_guard: source.replay_guard.clone(),
        keys: KeyRing::new(source.api_keys.clone(), plans),
        throttles,
        issuers: source.issuers.clone(),
        authorizer_caches: source.authorizer_caches.clone(),
        observe: source.observe.clone(),
        cache: source.caching.cache(&source.clock),
        traces: source.traces.clone(),
        trace_every_stage: source.trace_every_stage,
        canaries: source.canaries.clone(),
    };

    unnamed::survey(source, &mut coverage);
    if source.apis.is_empty() {
        tracing::warn!("the gateway has no API (`apis`): it refuses every request");
    }
    let mutual_tls = domains::mutual_tls(source, faults).map(Arc::new);
    Ok(Prepared {
        shared,
        usage_plans,
        coverage,
        mutual_tls,
    })
}

/// Puts the deployments that are served together. Those that are `ready` are not compiled again.
///
/// # Errors
///
/// All `faults`: those that were found before, and those that are found now.
pub(super) fn assemble(
    source: &GatewayBuilder,
    prepared: &Prepared,
    histories: &Histories,
    ready: &Ready,
    mut parsed: Parsed,
    mut faults: Vec<GatewayFault>,
) -> Result<Assembled, GatewayError> {
    let shared = &prepared.shared;
    let mut coverage = prepared.coverage.clone();
    let mut compiling = Compiling {
        ready,
        parsed: &mut parsed,
        done: Ready::new(),
    };
    let mut resolver = Resolver::builder(shared.region.clone());
    let mut plans = Vec::new();
    let mut canaries = BTreeMap::new();
    let mut disabled = false;
    let mut stages = Vec::new();
    for api in &source.apis {
        // One whose document cannot be read has none, and a fault.
        let Some(history) = histories.get(&api.id) else {
            continue;
        };
        let compiled = api::compile(api, history, shared, &mut compiling, &mut faults);
        if let Some(compiled) = compiled {
            let names = api.stages.iter().map(|stage| &stage.stage_name);
            stages.extend(names.map(|stage| format!("{}/{stage}", api.id)));
            disabled |= compiled.disabled;
            coverage.extend(compiled.coverage);
            let splits = compiled.canaries.into_iter();
            canaries.extend(splits.map(|(stage, split)| ((api.id.clone(), stage), split)));
            plans.push((compiled.id, compiled.plan));
            resolver = resolver.api(compiled.stages);
        }
    }
    throttle::survey_plans(&source.usage_plans, &plans, &mut coverage);
    for domain in &source.domains {
        let domain = domains::compile(domain, source.skip_auth, &mut faults, &mut coverage);
        resolver = resolver.domain(domain);
    }
    // Where an API is to be reached by its domains alone, hosts that are nobody's do not lead to it either.
    let closed = disabled && !source.domains.is_empty();
    resolver = resolver.fallback(match &*plans {
        _ if closed => Fallback::None,
        [(only, _)] => Fallback::Api(only.clone()),
        _ => Fallback::ByPath,
    });
    for (pointer, why) in &source.remarks {
        coverage.push(
            "",
            format!("configuration:{pointer}"),
            Served::NotServed,
            why.clone(),
        );
    }
    if source.strict {
        faults.extend(strict_faults(&coverage));
    }
    let resolver = match resolver.build() {
        Ok(resolver) if faults.is_empty() => resolver,
        Ok(_) => return Err(GatewayError::new(faults)),
        // An API that could not be compiled is missing to domains that name it; that is no fault of theirs.
        Err(_) if plans.len() < source.apis.len() => return Err(GatewayError::new(faults)),
        Err(error) => {
            faults.extend(stage_faults(&error));
            return Err(GatewayError::new(faults));
        }
    };
    let plan = Plan {
        resolver,
        clock: Arc::clone(&source.clock),
        entry: Entry {
            proxies: source.trusted_proxies.clone(),
            endpoints: VpcEndpoints::new(source.vpc_endpoints.iter().cloned()),
            edge: source.edge.clone(),
            open: source.skip_auth,
        },
        mutual_tls: prepared.mutual_tls.clone(),
        observers: source.observe.observers(&source.clock),
        apis: plans,
        canaries,
        stages,
    };
    Ok(Assembled {
        plan,
        coverage,
        ready: compiling.done,
    })
}

/// The deployments of all APIs while they are compiled.
struct Compiling<'a> {
    ready: &'a Ready,
    parsed: &'a mut Parsed,
    /// What was ready and is still needed, and what was compiled.
    done: Ready,
}

/// A document that was handed in by itself.
pub(super) struct Handed(Document);

impl Handed {
    pub(super) fn written<'a>(&self, document: &'a str) -> Written<'a> {
        let digest = Digest::of(self.0.root());
        Written { document, digest }
    }

    pub(super) fn into_inner(self) -> Document {
        self.0
    }
}

/// Reads a document of an API.
pub(super) fn read(spec: &ApiSpec, text: &str) -> Result<Handed, GatewayError> {
    let mut faults = Vec::new();
    let document = document::parse(spec, text, &mut faults);
    document
        .map(Handed)
        .ok_or_else(|| GatewayError::new(faults))
}

/// What a deployment defines.
pub(super) fn definition(
    spec: &ApiSpec,
    snapshot: &Snapshot,
    prepared: &Prepared,
) -> Result<definition::Api, GatewayError> {
    let mut faults = Vec::new();
    let read = document::parse(spec, &snapshot.document, &mut faults)
        .and_then(|document| document::import(spec, document, &prepared.shared, &mut faults));
    read.map(|read| read.api)
        .ok_or_else(|| GatewayError::new(faults))
}

/// The way to AWS, if there are credentials for it.
fn aws(
    source: &GatewayBuilder,
    region: &str,
    client: &Client,
) -> Result<Option<Aws>, GatewayFault> {
    let Some(credentials) = source.credentials.clone() else {
        return Ok(None);
    };
    let mut aws = Aws::builder(client.clone(), credentials)
        .region(region)
        .assume_roles(source.assume_roles)
        .clock(Arc::clone(&source.clock));
    if let Some(endpoint) = &source.aws_endpoint {
        aws = aws.endpoint(endpoint);
    }
    if let Some(store) = source.access_keys.clone() {
        aws = aws.callers(move |context| signer(&*store, context));
    }
    let aws = aws.build();
    aws.map(Some)
        .map_err(|error| GatewayFault::new("", "aws", error))
}

/// The key that signed a request, to sign on with. Only a request whose signature was verified has one.
fn signer(
    store: &dyn CredentialStore,
    context: &RequestContext,
) -> impl Future<Output = Result<Option<Credentials>, CredentialsError>> + Send + use<> {
    let id = context.identity().access_key;
    let found = id.map(|id| store.find(&id));
    async move {
        let key = match found {
            None => None,
            Some(CredentialLookup::Ready(key)) => key,
            Some(CredentialLookup::Later(key)) => key.await.map_err(|error| {
                CredentialsError::new("the caller's key cannot be looked up").with_source(error)
            })?,
        };
        Ok(key.map(|key| {
            let own = Credentials::new(&**key.access_key_id(), key.secret().expose());
            match key.session_token() {
                Some(token) => own.with_session_token(token.expose()),
                None => own,
            }
        }))
    }
}

fn strict_faults(coverage: &Coverage) -> Vec<GatewayFault> {
    coverage
        .not_served()
        .map(|field| {
            GatewayFault::new(
                &field.api,
                &field.pointer,
                format_args!("{}; the strict switch takes no such field", field.note),
            )
        })
        .collect()
}

fn stage_faults(error: &ConfigError) -> Vec<GatewayFault> {
    let fault = |fault: &Fault| {
        GatewayFault::new(
            "",
            fault.at(),
            format_args!("{}; {}", fault.problem(), fault.fix()),
        )
    };
    error.faults().iter().map(fault).collect()
}

const fn kind_of(kind: ApiKind) -> definition::ApiKind {
    match kind {
        ApiKind::Rest => definition::ApiKind::Rest,
        ApiKind::Http => definition::ApiKind::Http,
    }
}
