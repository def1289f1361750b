//! From definitions to a plan: parse, then compile, then serve.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::api::{ApiSpec, Parity};
use super::builder::GatewayBuilder;
use super::coverage::{Coverage, Served, Survey};
use super::error::{GatewayError, GatewayFault};
use super::guards;
use super::integration::{self, Notes};
use super::plan::{ApiPlan, MethodPlan, Plan, Routes, StagePlan};
use super::{Control, Gateway, RouteSummary};
use crate::client::{Client, Upstreams};
use crate::core::{ApiKind, ApiStage, Chain, Clock, Live, Route};
use crate::cors::{Conduct, CorsConfig, CorsRules};
use crate::definition::{self, Api, DomainName, HttpApi, Pointer, RestApi, RoutingMode, Stage};
use crate::integrations::Functions;
use crate::openapi::{self, Document, ImportOptions, Node, ParseOptions};
use crate::responses::{GatewayResponses, ResponseConfig};
use crate::routing::{HttpRoutes, RestRoutes};
use crate::stages::{self, Domain, Fallback, Resolver};

impl Gateway {
    pub(super) fn compile(mut source: GatewayBuilder) -> Result<Self, GatewayError> {
        let (plan, coverage) = compile(&mut source)?;
        Ok(Self {
            plan: Live::new(plan),
            control: Arc::new(std::sync::Mutex::new(Control {
                source,
                coverage: Arc::new(coverage),
            })),
        })
    }
}

impl Plan {
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

/// What the parts of one gateway share while they are compiled.
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) functions: Functions,
    pub(super) region: String,
    pub(super) account_id: String,
    pub(super) skip_auth: bool,
    pub(super) guards: Chain,
    pub(super) clock: Arc<dyn Clock>,
}

/// Compiles everything that `source` says. What is made once per gateway (the client) is put back into it.
pub(super) fn compile(source: &mut GatewayBuilder) -> Result<(Plan, Coverage), GatewayError> {
    let mut faults = Vec::new();
    if source.skip_auth {
        tracing::warn!("auth is skipped: methods that need it are open to everyone");
    }
    let client = client(source)?;
    source.made_client = Some(client.clone());
    let functions = match source.functions.clone().client(client.clone()).build() {
        Ok(functions) => functions,
        Err(error) => return Err(GatewayFault::new("", "functions", error).into()),
    };
    let shared = Shared {
        client,
        functions,
        region: source.region.clone(),
        account_id: source.account_id.clone(),
        skip_auth: source.skip_auth,
        guards: source.guards.clone(),
        clock: Arc::clone(&source.clock),
    };

    let mut coverage = Coverage::default();
    let mut resolver = Resolver::builder(source.region.clone());
    let mut plans = Vec::new();
    let mut disabled = false;
    for api in &mut source.apis {
        if let Some(compiled) = compile_api(api, &shared, &mut faults) {
            disabled |= compiled.disabled;
            coverage.extend(compiled.coverage);
            plans.push((compiled.id, compiled.plan));
            resolver = resolver.api(compiled.stages);
        }
    }
    for domain in &source.domains {
        resolver = resolver.domain(compile_domain(domain, source.skip_auth, &mut coverage));
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
            *why,
        );
    }
    if source.strict {
        faults.extend(not_served(&coverage));
    }
    GatewayError::check(faults)?;
    let resolver = resolver
        .build()
        .map_err(|error| GatewayError::new(stage_faults(&error)))?;
    let plan = Plan {
        resolver,
        clock: Arc::clone(&source.clock),
        trusted_proxies: source.trusted_proxies.clone(),
        apis: plans,
    };
    Ok((plan, coverage))
}

fn client(source: &GatewayBuilder) -> Result<Client, GatewayFault> {
    if let Some(client) = source.client.as_ref().or(source.made_client.as_ref()) {
        return Ok(client.clone());
    }
    let upstreams = Upstreams::new(source.upstreams.iter().cloned())
        .map_err(|error| GatewayFault::new("", "upstreams", error))?;
    Client::builder()
        .upstreams(upstreams)
        .build()
        .map_err(|error| GatewayFault::new("", "client", error))
}

fn not_served(coverage: &Coverage) -> Vec<GatewayFault> {
    coverage
        .not_served()
        .map(|field| {
            GatewayFault::new(
                &field.api,
                &field.pointer,
                format_args!(
                    "not served yet, and the strict switch is on: {}",
                    field.note
                ),
            )
        })
        .collect()
}

fn stage_faults(error: &stages::ConfigError) -> Vec<GatewayFault> {
    let fault = |fault: &stages::Fault| {
        GatewayFault::new(
            "",
            fault.at(),
            format_args!("{}; {}", fault.problem(), fault.fix()),
        )
    };
    error.faults().iter().map(fault).collect()
}

struct CompiledApi {
    id: String,
    plan: Arc<ApiPlan>,
    stages: stages::Api<Arc<StagePlan>>,
    /// Its default endpoint is closed.
    disabled: bool,
    coverage: Coverage,
}

/// An API of which a document was read, and where that document says it lives.
struct Read {
    document: Document,
    api: Api,
    /// Fields of the service's own objects that it does not have.
    unknown: Vec<Pointer>,
}

fn compile_api(
    spec: &mut ApiSpec,
    shared: &Shared,
    faults: &mut Vec<GatewayFault>,
) -> Option<CompiledApi> {
    let mut id = spec.id.clone();
    let mut specified = spec.stages.clone();
    let document = parse(spec, &id, &spec.document, faults)?;
    if spec.exported {
        let address = Address::of(document.root());
        if let Some(found) = address.api_id {
            id = found;
        }
        if let (true, Some(stage)) = (specified.is_empty(), address.stage) {
            specified.push(named(stage));
        }
    }
    if specified.is_empty() {
        specified.push(named(
            match spec.kind {
                ApiKind::Rest => "default",
                ApiKind::Http => "$default",
            }
            .to_owned(),
        ));
    }

    // What an export says of itself stays when another document is deployed.
    spec.id.clone_from(&id);
    spec.stages.clone_from(&specified);
    spec.exported = false;
    let spec = &*spec;

    let read = import(spec, &id, shared, document, faults)?;
    let mut coverage = Coverage::default();
    if spec.parity == Parity::Strict && spec.kind == ApiKind::Rest {
        let note = "a REST API has no conduct that it changes yet";
        coverage.push(&id, "parity", Served::NotServed, note);
    }
    let main = compile_document(spec, &id, &read, shared, faults, &mut coverage)?;
    let mut deployments = BTreeMap::new();
    for (name, text) in &spec.deployments {
        let document = parse(spec, &id, text, faults)?;
        let read = import(spec, &id, shared, document, faults)?;
        // The report is on what the API says of itself; its other deployments differ in content, not in kind.
        let mut other = Coverage::default();
        let plan = compile_document(spec, &id, &read, shared, faults, &mut other)?;
        for field in other.not_served() {
            let pointer = format!("deployment {name}:{}", field.pointer);
            coverage.push(&id, pointer, Served::NotServed, field.note.clone());
        }
        deployments.insert(name.as_str(), plan);
    }

    let disabled = disables_default_endpoint(&read.api);
    let mut api = stages::Api::new(id.clone(), spec.kind).disable_default_endpoint(disabled);
    if spec.stage_optional
        && let Some(first) = specified.first()
    {
        api = api.default_stage(first.stage_name.clone());
    }
    let endpoint_type = endpoint_type(spec, &read.api);
    for stage in &specified {
        for fault in stage.faults(kind_of(spec.kind)) {
            let place = format!("stage {}:{}", stage.stage_name, fault.pointer);
            faults.push(GatewayFault::new(&id, place, fault.message));
        }
        survey_stage(&id, stage, &mut coverage);
        let canary = stage.canary_settings.as_ref();
        let named = stage.deployment_id.iter();
        for deployment in named.chain(canary.and_then(|canary| canary.deployment_id.as_ref())) {
            // Without any, ids are those of the service, and all stages serve the one document.
            if !deployments.is_empty() && !deployments.contains_key(deployment.as_str()) {
                let place = format!("stage {}:/deploymentId", stage.stage_name);
                let message = format!("`{deployment}` is not among the deployments");
                faults.push(GatewayFault::new(&id, place, message));
            }
        }
        let plan = stage
            .deployment_id
            .as_deref()
            .and_then(|deployment| deployments.get(deployment))
            .unwrap_or(&main);
        let mut facts = ApiStage::default();
        facts.kind = spec.kind;
        facts.account_id.clone_from(&shared.account_id);
        facts.api_id.clone_from(&id);
        facts.stage.clone_from(&stage.stage_name);
        facts.deployment_id.clone_from(&stage.deployment_id);
        facts.endpoint_type = Some(endpoint_type.clone());
        facts.variables = stage.variables.clone().into_iter().collect();
        api = api.stage(
            stage.stage_name.clone(),
            Arc::new(StagePlan {
                facts: Arc::new(facts),
                api: Arc::clone(plan),
            }),
        );
    }
    if spec.strict {
        faults.extend(not_served(&coverage));
    }
    Some(CompiledApi {
        id,
        plan: main,
        stages: api,
        disabled,
        coverage,
    })
}

const fn kind_of(kind: ApiKind) -> definition::ApiKind {
    match kind {
        ApiKind::Rest => definition::ApiKind::Rest,
        ApiKind::Http => definition::ApiKind::Http,
    }
}

fn named(stage_name: String) -> Stage {
    let mut stage = Stage::default();
    stage.stage_name = stage_name;
    stage
}

fn parse(spec: &ApiSpec, id: &str, text: &str, faults: &mut Vec<GatewayFault>) -> Option<Document> {
    let mut options = ParseOptions::default();
    if let Some(bytes) = spec.max_document_bytes {
        options = options.max_bytes(bytes);
    }
    match openapi::parse_with(text, &options) {
        Ok(document) => Some(document),
        Err(errors) => {
            faults.extend(import_faults(id, &errors));
            None
        }
    }
}

fn import(
    spec: &ApiSpec,
    id: &str,
    shared: &Shared,
    document: Document,
    faults: &mut Vec<GatewayFault>,
) -> Option<Read> {
    let mut options = ImportOptions::default()
        .kind(kind_of(spec.kind))
        .basepath(spec.base_path)
        .api_id(id)
        .account_id(&shared.account_id)
        .region(&shared.region);
    if let Some(endpoint_type) = spec.endpoint_type {
        options = options.endpoint_type(endpoint_type);
    }
    match openapi::import(&document, &options) {
        Ok(imported) => {
            for warning in &imported.warnings {
                tracing::warn!(api = id, %warning, "import");
            }
            Some(Read {
                document,
                api: imported.api,
                unknown: imported.unknown,
            })
        }
        Err(errors) => {
            faults.extend(import_faults(id, &errors));
            None
        }
    }
}

fn import_faults(id: &str, errors: &openapi::ImportErrors) -> Vec<GatewayFault> {
    errors
        .faults()
        .iter()
        .map(|fault| {
            GatewayFault::new(
                id,
                &fault.pointer,
                format_args!("{}; {}", fault.message, fault.fix),
            )
        })
        .collect()
}

/// Where a document says that its API lives.
#[derive(Default)]
struct Address {
    api_id: Option<String>,
    stage: Option<String>,
}

impl Address {
    fn of(root: &Node) -> Self {
        let server = root
            .get("servers")
            .and_then(Node::as_array)
            .and_then(<[Node]>::first);
        let url = server
            .and_then(|server| server.get("url"))
            .and_then(Node::as_str);
        let host = match url {
            Some(url) => url
                .split_once("://")
                .map(|(_, rest)| rest.split('/').next().unwrap_or(rest)),
            None => root.get("host").and_then(Node::as_str),
        };
        let stage = match server {
            Some(server) => server
                .get("variables")
                .and_then(|variables| variables.get("basePath"))
                .and_then(|base_path| base_path.get("default"))
                .and_then(Node::as_str),
            None => root.get("basePath").and_then(Node::as_str),
        };
        // Only an address of the service has its parts where an id and a stage stand.
        let api_id = host
            .and_then(|host| host.split_once(".execute-api."))
            .map(|(id, _)| id.to_owned());
        let stage = stage
            .map(|stage| stage.trim_matches('/').to_owned())
            .filter(|stage| {
                api_id.is_some()
                    && definition::check_stage_name(stage, definition::ApiKind::Rest).is_ok()
            });
        Self { api_id, stage }
    }
}

fn disables_default_endpoint(api: &Api) -> bool {
    match api {
        Api::Rest(api) => api.disable_execute_api_endpoint,
        Api::Http(api) => api.disable_execute_api_endpoint,
    }
}

fn endpoint_type(spec: &ApiSpec, api: &Api) -> String {
    match (spec.endpoint_type, api) {
        (Some(chosen), _) => chosen.to_string(),
        (None, Api::Rest(api)) => api.endpoint_configuration.endpoint_type().to_string(),
        (None, _) => "REGIONAL".to_owned(),
    }
}

fn compile_document(
    spec: &ApiSpec,
    id: &str,
    read: &Read,
    shared: &Shared,
    faults: &mut Vec<GatewayFault>,
    coverage: &mut Coverage,
) -> Option<Arc<ApiPlan>> {
    let mut unsupported: BTreeMap<String, Cow<'static, str>> = read
        .unknown
        .iter()
        .map(|pointer| (pointer.to_string(), "no such field is known".into()))
        .collect();
    let before = faults.len();
    let (routes, responses, cors, validates) = match &read.api {
        Api::Rest(api) => {
            let routes = rest_routes(
                api,
                id,
                spec.max_body_bytes,
                shared,
                faults,
                &mut unsupported,
            );
            let responses = gateway_responses(api, id, faults);
            let validates = api.request_validators.iter().any(|validator| {
                validator.validate_request_body || validator.validate_request_parameters
            });
            (routes, responses, spec.cors.clone(), validates)
        }
        Api::Http(api) => {
            let routes = http_routes(
                api,
                id,
                spec.max_body_bytes,
                shared,
                faults,
                &mut unsupported,
            );
            let cors = http_cors(api, spec, faults).or_else(|| spec.cors.clone());
            (routes, Some(GatewayResponses::default()), cors, false)
        }
    };
    let survey = Survey {
        api: id,
        kind: spec.kind,
        unsupported: &unsupported,
        validates,
    };
    coverage.extend(survey.walk(read.document.root()));
    for remark in responses.iter().flat_map(|responses| responses.remarks()) {
        let pointer = format!("gateway responses:{}", remark.at());
        coverage.push(
            id,
            pointer,
            Served::DocumentationOnly,
            remark.text().to_owned(),
        );
    }
    if faults.len() > before {
        return None;
    }
    Some(Arc::new(ApiPlan {
        kind: spec.kind,
        routes: routes?,
        responses: responses?,
        cors,
        unknown_route: spec.unknown_route,
        max_body_bytes: spec.max_body_bytes,
    }))
}

fn rest_routes(
    api: &RestApi,
    id: &str,
    max_body_bytes: u64,
    shared: &Shared,
    faults: &mut Vec<GatewayFault>,
    unsupported: &mut BTreeMap<String, Cow<'static, str>>,
) -> Option<Routes> {
    let mut routes = RestRoutes::builder();
    for resource in &api.resources {
        // The methods of one resource share what is the same for them.
        let mut shared_route = Route::new(resource.path.clone());
        shared_route.resource_id = Some(resource.id.clone());
        let shared_route = Arc::new(shared_route);
        for (verb, method) in &resource.resource_methods {
            let mut notes = Notes {
                api: id,
                faults,
                unsupported,
            };
            let Some(compiled) = integration::rest(api, method, max_body_bytes, shared, &mut notes)
            else {
                continue;
            };
            let guards = guards::rest(api, method, shared);
            let plan = MethodPlan {
                method: verb.clone(),
                route: Arc::clone(&shared_route),
                summary: compiled.summary,
                guards,
                integration: compiled.integration,
            };
            routes = routes.route(verb, &resource.path, Arc::new(plan));
        }
    }
    match routes.build() {
        Ok(routes) => Some(Routes::Rest(routes)),
        Err(errors) => {
            faults.extend(
                errors
                    .iter()
                    .map(|error| GatewayFault::new(id, error.path(), format_args!("{error}"))),
            );
            None
        }
    }
}

fn http_routes(
    api: &HttpApi,
    id: &str,
    max_body_bytes: u64,
    shared: &Shared,
    faults: &mut Vec<GatewayFault>,
    unsupported: &mut BTreeMap<String, Cow<'static, str>>,
) -> Option<Routes> {
    let mut routes = HttpRoutes::builder();
    for route in &api.routes {
        let (verb, path) = route
            .method_and_path()
            .unwrap_or(("", route.route_key.as_str()));
        let mut facts = Route::new(path);
        facts.route_key = Some(route.route_key.clone());
        let mut notes = Notes {
            api: id,
            faults,
            unsupported,
        };
        let Some(compiled) = integration::http(api, route, max_body_bytes, shared, &mut notes)
        else {
            continue;
        };
        let plan = MethodPlan {
            method: verb.to_owned(),
            route: Arc::new(facts),
            summary: compiled.summary,
            guards: guards::http(route, shared),
            integration: compiled.integration,
        };
        routes = routes.route(&route.route_key, Arc::new(plan));
    }
    match routes.build() {
        Ok(routes) => Some(Routes::Http(routes)),
        Err(errors) => {
            faults.extend(
                errors
                    .iter()
                    .map(|error| GatewayFault::new(id, error.path(), format_args!("{error}"))),
            );
            None
        }
    }
}

fn gateway_responses(
    api: &RestApi,
    id: &str,
    faults: &mut Vec<GatewayFault>,
) -> Option<GatewayResponses> {
    let mut table = GatewayResponses::builder();
    for response in &api.gateway_responses {
        let Some(kind) = response.response_type else {
            continue;
        };
        let mut config = ResponseConfig::new(kind.to_string());
        config.default_response = response.default_response.unwrap_or_default();
        config.status_code.clone_from(&response.status_code);
        config
            .response_parameters
            .clone_from(&response.response_parameters);
        config
            .response_templates
            .clone_from(&response.response_templates);
        table = table.response(config);
    }
    match table.build() {
        Ok(table) => Some(table),
        Err(error) => {
            faults.push(GatewayFault::new(
                id,
                "/x-amazon-apigateway-gateway-responses",
                error,
            ));
            None
        }
    }
}

fn http_cors(api: &HttpApi, spec: &ApiSpec, faults: &mut Vec<GatewayFault>) -> Option<CorsRules> {
    let cors = api.cors_configuration.as_ref()?;
    let mut config = CorsConfig::default();
    config.allow_origins.clone_from(&cors.allow_origins);
    config.allow_methods.clone_from(&cors.allow_methods);
    config.allow_headers.clone_from(&cors.allow_headers);
    config.expose_headers.clone_from(&cors.expose_headers);
    config.max_age = cors.max_age.map(i64::from);
    config.allow_credentials = cors.allow_credentials;
    match config
        .into_builder()
        .conduct(Conduct::HttpApi)
        .omit_vary(spec.parity == Parity::Strict)
        .build()
    {
        Ok(rules) => Some(rules),
        Err(error) => {
            faults.push(GatewayFault::new(
                &spec.id,
                "/x-amazon-apigateway-cors",
                error,
            ));
            None
        }
    }
}

fn compile_domain(domain: &DomainName, skip_auth: bool, coverage: &mut Coverage) -> Domain {
    let name = &domain.domain_name;
    let mut compiled = Domain::new(name.clone());
    let mut missing = |there: bool, field: &str, note: &'static str| {
        if there {
            let pointer = format!("domain {name}:/{field}");
            coverage.push("", pointer, Served::NotServed, note);
        }
    };
    let mutual_tls = domain.mutual_tls_authentication.is_some();
    let rules_only = domain.routing_mode == Some(RoutingMode::RoutingRuleOnly);
    let policy = domain.policy.is_some();
    missing(
        mutual_tls,
        "mutualTlsAuthentication",
        "client certificates are not asked for yet: the domain refuses every request",
    );
    missing(
        policy,
        "policy",
        "resource policies are not served yet: the domain refuses every request",
    );
    missing(
        rules_only,
        "routingMode",
        "routing rules are not served yet: the domain refuses every request",
    );
    missing(
        !domain.routing_rules.is_empty(),
        "routingRules",
        "routing rules are not served yet",
    );
    missing(
        domain.security_policy.is_some(),
        "securityPolicy",
        "the listener decides which versions of TLS it speaks",
    );
    missing(
        domain.endpoint_access_mode.is_some(),
        "endpointAccessMode",
        "endpoint types are not told apart yet",
    );
    // A door whose lock is missing stays shut: without mappings every path is refused.
    if (mutual_tls || policy) && !skip_auth || rules_only {
        return compiled;
    }
    let mappings = domain
        .base_path_mappings
        .iter()
        .cloned()
        .map(definition::ApiMapping::from)
        .chain(domain.api_mappings.iter().cloned());
    for mapping in mappings {
        let base_path = mapping.api_mapping_key.unwrap_or_default();
        let Some(api) = mapping.api_id else {
            missing(true, &format!("mapping {base_path}"), "it names no API");
            continue;
        };
        compiled = match mapping.stage {
            Some(stage) => compiled.map(base_path, api, stage),
            None => compiled.map_api(base_path, api),
        };
    }
    compiled
}

/// What is not served of a stage's own settings.
fn survey_stage(id: &str, stage: &Stage, coverage: &mut Coverage) {
    let mut missing = |there: bool, field: &str, note: &'static str| {
        if there {
            let pointer = format!("stage {}:/{field}", stage.stage_name);
            coverage.push(id, pointer, Served::NotServed, note);
        }
    };
    missing(
        stage.canary_settings.is_some(),
        "canarySettings",
        "canaries are not served yet",
    );
    missing(
        !stage.method_settings.is_empty(),
        "methodSettings",
        "throttling, caching and logging by method are not served yet",
    );
    missing(
        stage.default_route_settings.is_some(),
        "defaultRouteSettings",
        "throttling by route is not served yet",
    );
    missing(
        !stage.route_settings.is_empty(),
        "routeSettings",
        "throttling by route is not served yet",
    );
    missing(
        stage.access_log_settings.is_some(),
        "accessLogSettings",
        "access logs are not written yet",
    );
    missing(
        stage.cache_cluster_enabled,
        "cacheClusterEnabled",
        "responses are not cached yet",
    );
    missing(
        stage.tracing_enabled,
        "tracingEnabled",
        "traces are not recorded yet",
    );
    missing(
        stage.web_acl_arn.is_some(),
        "webAclArn",
        "web ACLs are not served yet",
    );
    missing(
        stage.client_certificate_id.is_some(),
        "clientCertificateId",
        "client certificates are not sent yet",
    );
}
