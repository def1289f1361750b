//! Custom domains with their mappings and routing rules.

use std::sync::Arc;

use serde_json::Value;

use super::objects::{self, DOCUMENTATION, ENFORCED, not_served};
use crate::auth::mtls::{ClientCertLayer, Truststore};
use crate::core::TrustedProxies;
use crate::definition::{self, DomainName, RoutingMode, RoutingRule};
use crate::gateway::builder::GatewayBuilder;
use crate::gateway::coverage::{Coverage, Served};
use crate::gateway::error::GatewayFault;
use crate::gateway::mutual_tls::{Asking, MutualTls};
use crate::stages::{Domain, HostMap, Rule};

pub(super) fn compile(
    domain: &DomainName,
    skip_auth: bool,
    faults: &mut Vec<GatewayFault>,
    coverage: &mut Coverage,
) -> Domain {
    survey(domain, coverage);
    let strict = domain.endpoint_access_mode.as_deref() == Some("STRICT");
    let mut compiled = Domain::new(domain.domain_name.clone()).strict_server_name(strict);
    let mutual_tls = domain.mutual_tls_authentication.is_some() && truststore(domain).is_none();
    // A door whose lock is missing stays shut: without mappings and rules every path is refused.
    if (mutual_tls || domain.policy.is_some()) && !skip_auth {
        return compiled;
    }
    let mode = mode(domain);
    if mode != RoutingMode::ApiMappingOnly {
        for (index, rule) in domain.routing_rules.iter().enumerate() {
            match compile_rule(rule) {
                Ok(rule) => compiled = compiled.rule(rule),
                Err((field, message)) => {
                    let name = &domain.domain_name;
                    let place = format!("domain {name}:/routingRules/{index}{field}");
                    faults.push(GatewayFault::new("", place, message));
                }
            }
        }
    }
    if mode == RoutingMode::RoutingRuleOnly {
        return compiled;
    }
    for mapping in mappings(domain) {
        let base_path = mapping.api_mapping_key.unwrap_or_default();
        let Some(api) = mapping.api_id else {
            let pointer = format!("domain {}:/mapping {base_path}", domain.domain_name);
            coverage.push("", pointer, Served::NotServed, "it names no API");
            continue;
        };
        compiled = match mapping.stage {
            Some(stage) => compiled.map(base_path, api, stage),
            None => compiled.map_api(base_path, api),
        };
    }
    compiled
}

fn mode(domain: &DomainName) -> RoutingMode {
    domain.routing_mode.unwrap_or_default()
}

fn mappings(domain: &DomainName) -> impl Iterator<Item = definition::ApiMapping> + '_ {
    domain
        .base_path_mappings
        .iter()
        .cloned()
        .map(definition::ApiMapping::from)
        .chain(domain.api_mappings.iter().cloned())
}

/// A rule, or which of its fields is missing or of no use, and what to write.
fn compile_rule(rule: &RoutingRule) -> Result<Rule, (&'static str, &'static str)> {
    let priority = rule.priority;
    let priority = priority.ok_or(("/priority", "is missing; rules are tried by priority"))?;
    let [action] = &*rule.actions else {
        return Err(("/actions", "a rule has one action: `invokeApi`"));
    };
    let invoke = action.invoke_api.as_ref();
    let invoke = invoke.ok_or(("/actions/0", "the action of a rule is `invokeApi`"))?;
    let (Some(api), Some(stage)) = (&invoke.api_id, &invoke.stage) else {
        return Err((
            "/actions/0/invokeApi",
            "must name an API and a stage: `apiId` and `stage`",
        ));
    };
    let mut compiled = Rule::new(priority, api, stage).strip_base_path(invoke.strip_base_path);
    if let Some(id) = &rule.routing_rule_id {
        compiled = compiled.id(id);
    }
    for condition in &rule.conditions {
        if condition.match_headers.is_none() && condition.match_base_paths.is_none() {
            return Err((
                "/conditions",
                "a condition has `matchHeaders` or `matchBasePaths`",
            ));
        }
        if let Some(headers) = &condition.match_headers {
            let pairs = headers.any_of.iter();
            let pairs = pairs.map(|pair| pair.header.clone().zip(pair.value_glob.clone()));
            let pairs: Option<Vec<_>> = pairs.collect();
            let pairs = pairs.ok_or((
                "/conditions",
                "a header of a condition needs `header` and `valueGlob`",
            ))?;
            compiled = compiled.when_any_header(pairs);
        }
        if let Some(paths) = &condition.match_base_paths {
            compiled = compiled.when_any_base_path(&paths.any_of);
        }
    }
    Ok(compiled)
}

/// The path of the truststore of a domain that asks clients for certificates, if it is one.
pub(in crate::gateway) fn truststore(domain: &DomainName) -> Option<&str> {
    let mutual_tls = domain.mutual_tls_authentication.as_ref()?;
    let path = mutual_tls.truststore_uri.as_deref()?;
    (!path.is_empty() && !path.contains("://")).then_some(path)
}

/// What domains ask of clients; nothing if none does and no proxy passes certificates on.
pub(super) fn mutual_tls(
    source: &GatewayBuilder,
    faults: &mut Vec<GatewayFault>,
) -> Option<MutualTls> {
    let header = source.client_certificate_header.as_ref();
    let layer = || {
        let layer = ClientCertLayer::new().clock(Arc::clone(&source.clock));
        match header {
            Some(header) => layer.from_proxies(source.trusted_proxies.clone(), header.clone()),
            None => layer,
        }
    };
    let mut domains = HostMap::new();
    for domain in &source.domains {
        let own = truststore(domain)
            .filter(|_| !source.skip_auth)
            .map(|path| {
                Truststore::from_file(path).map_err(|error| {
                    let place = format!(
                        "domain {}:/mutualTlsAuthentication/truststoreUri",
                        domain.domain_name
                    );
                    faults.push(GatewayFault::new("", place, error));
                })
            });
        let layer = match own {
            Some(Ok(truststore)) => Some(layer().truststore(truststore)),
            Some(Err(())) | None => None,
        };
        let asking = Asking {
            domain: domain.domain_name.clone(),
            layer,
        };
        // A name that can be no host is a fault elsewhere.
        domains.insert(&domain.domain_name, asking);
    }
    if header.is_none() && domains.values().all(|asking| asking.layer.is_none()) {
        return None;
    }
    Some(MutualTls {
        domains,
        elsewhere: header.map(|_| layer().optional()),
        proxies: match header {
            Some(_) => source.trusted_proxies.clone(),
            None => TrustedProxies::default(),
        },
    })
}

/// What becomes of the domain's own settings.
fn survey(domain: &DomainName, coverage: &mut Coverage) {
    let name = format!("domain {}", domain.domain_name);
    let fate = |member: &str, value: &Value| match member {
        "basePathMappings" | "apiMappings" if mode(domain) == RoutingMode::RoutingRuleOnly => (
            Served::DocumentationOnly,
            "mappings are not looked at while `routingMode` is `ROUTING_RULE_ONLY`",
        ),
        "mutualTlsAuthentication" if truststore(domain).is_some() => (
            Served::Enforced,
            "the API's own endpoint asks for no certificate: close it by disableExecuteApiEndpoint",
        ),
        "mutualTlsAuthentication" => not_served(
            "`truststoreUri` must be the path of a PEM file here: the domain refuses every request",
        ),
        "policy" => {
            not_served("resource policies are not served yet: the domain refuses every request")
        }
        "routingRules" if mode(domain) == RoutingMode::ApiMappingOnly => (
            Served::DocumentationOnly,
            "rules are not looked at while `routingMode` is `API_MAPPING_ONLY`, which it is unless it says otherwise",
        ),
        "domainName" | "basePathMappings" | "apiMappings" | "routingMode" | "routingRules" => {
            ENFORCED
        }
        "securityPolicy" => match value.as_str() {
            Some("TLS_1_2") => (
                Served::Enforced,
                "the listener speaks TLS 1.2 and 1.3 alone",
            ),
            _ => not_served("the listener speaks TLS 1.2 and 1.3, with suites of its own choice"),
        },
        "endpointAccessMode" => match value.as_str() {
            Some("BASIC") => ENFORCED,
            Some("STRICT") => (
                Served::Enforced,
                "an encrypted connection must have been opened to the host that the request names; one in the clear says none",
            ),
            _ => not_served("it must be `BASIC` or `STRICT`"),
        },
        // Where the domain and its certificate are kept.
        _ => DOCUMENTATION,
    };
    objects::survey("", &name, domain, fate, coverage);
    let mapped = !domain.base_path_mappings.is_empty() || !domain.api_mappings.is_empty();
    match mode(domain) {
        RoutingMode::ApiMappingOnly if !domain.routing_rules.is_empty() => coverage.warn(
            "",
            format_args!("{name}:/routingRules"),
            "nobody looks at them: set `routingMode` to `ROUTING_RULE_ONLY` or `ROUTING_RULE_THEN_API_MAPPING`",
        ),
        RoutingMode::RoutingRuleOnly if mapped => coverage.warn(
            "",
            format_args!("{name}:/routingMode"),
            "`ROUTING_RULE_ONLY` leaves the domain's mappings aside: for both, set it to `ROUTING_RULE_THEN_API_MAPPING`",
        ),
        _ => {}
    }
}
