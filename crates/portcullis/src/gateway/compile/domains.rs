//! Custom domains with their mappings.

use crate::definition::{self, DomainName, RoutingMode};
use crate::gateway::coverage::{Coverage, Served};
use crate::stages::Domain;

pub(super) fn compile(domain: &DomainName, skip_auth: bool, coverage: &mut Coverage) -> Domain {
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
