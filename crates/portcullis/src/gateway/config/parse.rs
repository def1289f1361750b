//! From a tree to a configuration.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde_json::Value;

use super::again::Found;
use super::backends::{credentials, function};
use super::callers::{caller_headers, introspection};
use super::canary::canary;
use super::endpoints::{deprecations, edge};
use super::keys;
use super::reader::{Object, Reader};
use super::upstreams::upstreams;
use super::{AccountConfig, ApiConfig, GatewayConfig, TlsFiles, issuers, observe, shared, traces};
use crate::auth::credentials::PrincipalConfig;
use crate::core::{ApiKind, ForwardingHeader, Mode};
use crate::cors::{CorsConfig, CorsRules};
use crate::definition::{self, EndpointType, Pointer, Stage};
use crate::gateway::api::{Parity, UnknownRoute};
use crate::openapi::BasePath;
use crate::throttle::Headers;

const KINDS: &[(&str, ApiKind)] = &[("rest", ApiKind::Rest), ("http", ApiKind::Http)];
const ENDPOINT_TYPES: &[(&str, EndpointType)] = &[
    ("EDGE", EndpointType::Edge),
    ("REGIONAL", EndpointType::Regional),
    ("PRIVATE", EndpointType::Private),
];
const BASE_PATHS: &[(&str, BasePath)] = &[
    ("ignore", BasePath::Ignore),
    ("prepend", BasePath::Prepend),
    ("split", BasePath::Split),
];
const PARITIES: &[(&str, Parity)] = &[("safe", Parity::Safe), ("strict", Parity::Strict)];
const UNKNOWN_ROUTES: &[(&str, UnknownRoute)] = &[
    ("as-service", UnknownRoute::AsService),
    ("not-found", UnknownRoute::NotFound),
];
const LIMIT_MODES: &[(&str, Mode)] = &[("enforce", Mode::Enforce), ("observe", Mode::Observe)];
const FORWARDING_HEADERS: &[(&str, ForwardingHeader)] = &[
    ("x-forwarded-for", ForwardingHeader::XForwardedFor),
    ("forwarded", ForwardingHeader::Forwarded),
];

pub(super) const NO_SIGNATURES: &str =
    "must be how many signatures are remembered, one at least; leave it out to remember none";
pub(super) const NO_DEPLOYMENTS: &str =
    "must be how many deployments of each API are kept, one at least";

pub(super) fn gateway(tree: &Value, reader: &mut Reader) -> Option<GatewayConfig> {
    const FIELDS: &[&str] = &[
        "listen",
        "tls",
        "region",
        "accountId",
        "apis",
        "usagePlans",
        "apiKeys",
        "apiKeyFile",
        "quotaFile",
        "state",
        "keptDeployments",
        "limitHeaders",
        "accessLogs",
        "accessLog",
        "executionLogs",
        "metrics",
        "emf",
        "limitMode",
        "redis",
        "sharedLimits",
        "domainNames",
        "functions",
        "upstreams",
        "vpcLinks",
        "issuers",
        "credentials",
        "assumeRoles",
        "awsEndpoint",
        "account",
        "cache",
        "principals",
        "honourExpires",
        "replayGuard",
        "vpcEndpoints",
        "trustedProxies",
        "forwardingHeader",
        "edge",
        "clientCertificateHeader",
        "traces",
        "strict",
        "dangerouslySkipAuth",
    ];
    for version in ["openapi", "swagger"] {
        if tree.get(version).is_some() {
            reader.fault(
                format!("/{version}"),
                "this is an API's definition and no configuration; name its file as the `definition` of one of the `apis`",
            );
            return None;
        }
    }
    let object = reader.object(tree, "", FIELDS)?;
    let mut config = GatewayConfig {
        listen: listen(object, reader),
        region: reader.text(object, "region").map(str::to_owned),
        account_id: reader.text(object, "accountId").map(str::to_owned),
        trusted_proxies: reader.parsed(
            object,
            "trustedProxies",
            "an address or a network, like `10.0.0.0/8`",
            network,
        ),
        forwarding_header: reader
            .word(object, "forwardingHeader", FORWARDING_HEADERS)
            .unwrap_or_default(),
        assume_roles: reader.flag(object, "assumeRoles").unwrap_or_default(),
        aws_endpoint: reader.text(object, "awsEndpoint").map(str::to_owned),
        honour_expires: reader.flag(object, "honourExpires").unwrap_or_default(),
        replay_guard: reader.number(object, "replayGuard"),
        strict: reader.flag(object, "strict").unwrap_or_default(),
        dangerously_skip_auth: reader
            .flag(object, "dangerouslySkipAuth")
            .unwrap_or_default(),
        ..GatewayConfig::default()
    };
    if let Some(tls) = object.get("tls") {
        let path = object.at("tls");
        if let Some(tls) = reader.object(tls, &path, &["certificate", "key"]) {
            let certificate = reader.needed(tls, "certificate").map(PathBuf::from);
            let key = reader.needed(tls, "key").map(PathBuf::from);
            config.tls = certificate
                .zip(key)
                .map(|(certificate, key)| TlsFiles { certificate, key });
        }
    }
    if object.get("apis").is_none() {
        reader.fault("/apis", "is missing; there must be a list of APIs");
    }
    for (path, item) in reader.list(object, "apis") {
        config.apis.extend(api(item, &path, reader));
    }
    config.usage_plans = reader.service_list(object, "usagePlans");
    config.api_keys = reader.checked_list(object, "apiKeys", keys::check);
    config.client_certificate_header = reader
        .header(object, "clientCertificateHeader")
        .map(|name| name.as_str().to_owned());
    config.api_key_file = reader.text(object, "apiKeyFile").map(PathBuf::from);
    config.quota_file = reader.text(object, "quotaFile").map(PathBuf::from);
    config.state_file = state(object, reader);
    config.kept_deployments = reader.number(object, "keptDeployments");
    for (name, number, message) in [
        ("replayGuard", config.replay_guard, NO_SIGNATURES),
        ("keptDeployments", config.kept_deployments, NO_DEPLOYMENTS),
    ] {
        if number == Some(0) {
            reader.fault(object.at(name), message);
        }
    }
    if let Some(headers) = object.get("limitHeaders") {
        let path = object.at("limitHeaders");
        const FIELDS: &[&str] = &["retryAfter", "rateLimit", "xRateLimit"];
        if let Some(headers) = reader.object(headers, &path, FIELDS) {
            let mut flag = |name| reader.flag(headers, name).unwrap_or_default();
            config.limit_headers = Headers::new()
                .retry_after(flag("retryAfter"))
                .rate_limit(flag("rateLimit"))
                .x_rate_limit(flag("xRateLimit"));
        }
    }
    observe::read(object, &mut config, reader);
    config.cache = super::cache::parse(object, reader);
    config.limit_mode = reader
        .word(object, "limitMode", LIMIT_MODES)
        .unwrap_or_default();
    config.redis = shared::redis(object, reader);
    config.shared_limits = shared::limits(object, reader);
    config.domain_names = reader.service_list(object, "domainNames");
    config.principals = reader.checked_list(object, "principals", principal);
    config.vpc_endpoints = reader.service_list(object, "vpcEndpoints");
    for (name, path, item) in reader.map(object, "functions") {
        if let Some(function) = function(item, &path, reader) {
            config.functions.insert(name.to_owned(), function);
        }
    }
    config.upstreams = upstreams(object, "upstreams", reader);
    config.vpc_links = upstreams(object, "vpcLinks", reader);
    for (name, path, item) in reader.map(object, "issuers") {
        let own = issuers::issuer(name, item, &path, reader);
        config.issuers.extend(own.map(|own| (name.to_owned(), own)));
    }
    config.edge = edge(object, reader);
    config.credentials = credentials(object, reader);
    config.account = account(object, reader);
    config.traces = traces::parse(object, reader);
    Some(config)
}

/// Where the state is kept.
fn state(object: Object<'_>, reader: &mut Reader) -> Option<PathBuf> {
    let path = object.at("state");
    let state = reader.object(object.get("state")?, &path, &["file"])?;
    reader.needed(state, "file").map(PathBuf::from)
}

/// One address, or a list of them.
fn listen(object: Object<'_>, reader: &mut Reader) -> Vec<String> {
    let items = match object.get("listen") {
        None => return Vec::new(),
        Some(Value::Array(_)) => reader.list(object, "listen"),
        Some(one) => vec![(object.at("listen"), one)],
    };
    let mut addresses = Vec::new();
    for (path, item) in items {
        match item.as_str() {
            Some(address) if is_address(address) => addresses.push(address.to_owned()),
            _ => {
                let message = format!("{item} is no address; write one like `127.0.0.1:8080`");
                reader.fault(path, message);
            }
        }
    }
    addresses
}

fn is_address(text: &str) -> bool {
    match text.rsplit_once(':') {
        Some((host, port)) => !host.is_empty() && port.parse::<u16>().is_ok(),
        None => false,
    }
}

/// A single address stands for a network of one.
fn network(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(address)
}

fn api(item: &Value, path: &str, reader: &mut Reader) -> Option<ApiConfig> {
    const FIELDS: &[&str] = &[
        "id",
        "kind",
        "definition",
        "import",
        "endpointType",
        "deployments",
        "stages",
        "canaries",
        "cors",
        "cache",
        "parity",
        "strict",
        "unknownRoute",
        "methodOverride",
        "webSockets",
        "maxBodyBytes",
        "maxDocumentBytes",
        "stageOptional",
        "deprecations",
        "introspection",
        "callerHeaders",
    ];
    let object = reader.object(item, path, FIELDS)?;
    let id = reader.needed(object, "id").map(str::to_owned);
    let definition = reader.needed(object, "definition").map(PathBuf::from);
    let kind = reader.word(object, "kind", KINDS).unwrap_or_default();
    let mut config = ApiConfig {
        kind,
        endpoint_type: reader.word(object, "endpointType", ENDPOINT_TYPES),
        cors: object.get("cors").and_then(|value| {
            reader.checked(value, &object.at("cors"), cors, |own| check_cors(&own))
        }),
        cache: super::http_cache::parse(object, kind, reader),
        parity: reader.word(object, "parity", PARITIES).unwrap_or_default(),
        strict: reader.flag(object, "strict").unwrap_or_default(),
        unknown_route: reader
            .word(object, "unknownRoute", UNKNOWN_ROUTES)
            .unwrap_or_default(),
        method_override: reader.flag(object, "methodOverride").unwrap_or_default(),
        web_sockets: reader.flag(object, "webSockets"),
        max_body_bytes: reader.number(object, "maxBodyBytes"),
        max_document_bytes: reader
            .number(object, "maxDocumentBytes")
            .and_then(|bytes| usize::try_from(bytes).ok()),
        stage_optional: reader.flag(object, "stageOptional").unwrap_or_default(),
        ..ApiConfig::default()
    };
    if let Some(import) = object.get("import") {
        let path = object.at("import");
        if let Some(import) = reader.object(import, &path, &["basepath"]) {
            config.base_path = reader
                .word(import, "basepath", BASE_PATHS)
                .unwrap_or_default();
        }
    }
    let mut deployments = BTreeMap::new();
    for (name, path, item) in reader.map(object, "deployments") {
        if let Some(deployment) = reader.object(item, &path, &["definition"])
            && let Some(definition) = reader.needed(deployment, "definition")
        {
            deployments.insert(name.to_owned(), PathBuf::from(definition));
        }
    }
    config.deployments = deployments;
    for (stage, path, item) in reader.map(object, "canaries") {
        let rules = canary(item, &path, reader);
        config
            .canaries
            .extend(rules.map(|rules| (stage.to_owned(), rules)));
    }
    let kind = match config.kind {
        ApiKind::Rest => definition::ApiKind::Rest,
        ApiKind::Http => definition::ApiKind::Http,
    };
    config.stages = reader.checked_list(object, "stages", |stage: &Stage| {
        let faults = stage.faults(kind).into_iter();
        let faults: Vec<_> = faults.map(|fault| (fault.pointer, fault.message)).collect();
        match faults.is_empty() {
            true => Ok(()),
            false => Err(faults),
        }
    });
    config.deprecations = deprecations(object, reader);
    config.introspection = introspection(object, reader);
    config.caller_headers = caller_headers(object, reader);
    config.id = id?;
    config.definition = definition?;
    Some(config)
}

fn cors(value: &Value, path: &str, reader: &mut Reader) -> Option<CorsConfig> {
    const FIELDS: &[&str] = &[
        "allowOrigins",
        "allowMethods",
        "allowHeaders",
        "exposeHeaders",
        "maxAge",
        "allowCredentials",
        "allowPrivateNetwork",
    ];
    let cors = reader.object(value, path, FIELDS)?;
    let mut config = CorsConfig::default();
    config.allow_origins = reader.texts(cors, "allowOrigins");
    config.allow_methods = reader.texts(cors, "allowMethods");
    config.allow_headers = reader.texts(cors, "allowHeaders");
    config.expose_headers = reader.texts(cors, "exposeHeaders");
    config.max_age = reader.integer(cors, "maxAge");
    config.allow_credentials = reader.flag(cors, "allowCredentials").unwrap_or_default();
    config.allow_private_network = reader.flag(cors, "allowPrivateNetwork").unwrap_or_default();
    Some(config)
}

/// The first thing that is wrong with them, at the item of the field that it is about.
fn check_cors(config: &CorsConfig) -> Result<(), Vec<Found>> {
    let Err(error) = CorsRules::try_from(config.clone()) else {
        return Ok(());
    };
    let list = match error.field() {
        "allowOrigins" => &config.allow_origins,
        "allowMethods" => &config.allow_methods,
        "allowHeaders" => &config.allow_headers,
        "exposeHeaders" => &config.expose_headers,
        _ => &Vec::new(),
    };
    let field = Pointer::root().child(error.field());
    let item = list.iter().position(|item| *item == error.value());
    let place = item.map_or_else(|| field.clone(), |index| field.child(index));
    Err(vec![(place, error.problem())])
}

/// What is wrong with who signs requests.
fn principal(principal: &PrincipalConfig) -> Result<(), Vec<Found>> {
    match principal.credentials() {
        Ok(_) => Ok(()),
        Err(error) => {
            let message = format!("{}; {}", error.problem(), error.fix());
            Err(vec![(super::build::pointer(error.field()), message)])
        }
    }
}

fn account(object: Object<'_>, reader: &mut Reader) -> Option<AccountConfig> {
    let path = object.at("account");
    let account = reader.object(object.get("account")?, &path, &["throttle"])?;
    let throttle_path = account.at("throttle");
    let throttle = account.get("throttle")?;
    let throttle = reader.object(throttle, &throttle_path, &["rateLimit", "burstLimit"])?;
    Some(AccountConfig {
        rate_limit: reader.decimal(throttle, "rateLimit"),
        burst_limit: reader.number(throttle, "burstLimit"),
    })
}
