//! Custom domains with their mappings.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::objects::{self, DOCUMENTATION, ENFORCED, not_served};
use crate::auth::mtls::{ClientCertLayer, Truststore};
use crate::core::TrustedProxies;
use crate::definition::{self, DomainName, RoutingMode};
use crate::gateway::builder::GatewayBuilder;
use crate::gateway::coverage::{Coverage, Served};
use crate::gateway::error::GatewayFault;
use crate::gateway::mutual_tls::{MutualTls, normal};
use crate::stages::Domain;

pub(super) fn compile(domain: &DomainName, skip_auth: bool, coverage: &mut Coverage) -> Domain {
    survey(domain, coverage);
    let mut compiled = Domain::new(domain.domain_name.clone());
    let mutual_tls = domain.mutual_tls_authentication.is_some() && truststore(domain).is_none();
    let rules_only = domain.routing_mode == Some(RoutingMode::RoutingRuleOnly);
    let policy = domain.policy.is_some();
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
    let mut domains = HashMap::new();
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
        let asks = match own {
            Some(Ok(truststore)) => Some(layer().truststore(truststore)),
            Some(Err(())) | None => None,
        };
        domains.insert(normal(&domain.domain_name), asks);
    }
    if header.is_none() && domains.values().all(Option::is_none) {
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
        "domainName" | "basePathMappings" | "apiMappings" => ENFORCED,
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
        "routingMode" => match value.as_str() {
            Some("API_MAPPING_ONLY") => ENFORCED,
            Some("ROUTING_RULE_ONLY") => {
                not_served("routing rules are not served yet: the domain refuses every request")
            }
            _ => not_served("routing rules are not served yet: only mappings are looked at"),
        },
        "routingRules" => not_served("routing rules are not served yet"),
        "securityPolicy" => match value.as_str() {
            Some("TLS_1_2") => (
                Served::Enforced,
                "the listener speaks TLS 1.2 and 1.3 alone",
            ),
            _ => not_served("the listener speaks TLS 1.2 and 1.3, with suites of its own choice"),
        },
        "endpointAccessMode" => not_served("endpoint types are not told apart yet"),
        // Where the domain and its certificate are kept.
        _ => DOCUMENTATION,
    };
    objects::survey("", &name, domain, fate, coverage);
}
