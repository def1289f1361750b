//! One deployment: what a document describes, as it is served.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::access::{self, Access};
use super::authorizers::Authorizers;
use super::document::Read;
use super::guards::Doors;
use super::keys::Keys;
use super::survey::Survey;
use super::{Notes, Shared, http, rest};
use crate::core::ApiKind;
use crate::definition::{Api, EndpointType};
use crate::gateway::api::{ApiSpec, Parity};
use crate::gateway::coverage::{Coverage, Served};
use crate::gateway::error::GatewayFault;
use crate::gateway::plan::ApiPlan;
use crate::integrations::Aws;
use crate::responses::GatewayResponses;

/// A deployment that can be served.
#[derive(Debug)]
pub(in crate::gateway) struct Compiled {
    pub(super) plan: Arc<ApiPlan>,
    pub(super) coverage: Coverage,
    /// Its default endpoint is closed.
    pub(super) disabled: bool,
    pub(super) endpoint_type: String,
}

/// Says of faults that they are of a deployment that is not the API's own document.
pub(super) fn of_other(name: &str, faults: &mut [GatewayFault]) {
    for fault in faults {
        fault.place = format!("deployment {name}:{}", fault.place);
    }
}

pub(super) fn compile(
    spec: &ApiSpec,
    read: &Read,
    shared: &Shared,
    faults: &mut Vec<GatewayFault>,
) -> Option<Compiled> {
    let mut coverage = Coverage::default();
    let mut unsupported: BTreeMap<String, Cow<'static, str>> = read
        .unknown
        .iter()
        .map(|pointer| (pointer.to_string(), "no such field is known".into()))
        .collect();
    let mut idle = BTreeMap::new();
    let before = faults.len();
    let mut notes = Notes {
        api: &spec.id,
        faults,
        unsupported: &mut unsupported,
        idle: &mut idle,
    };
    let mut compression = None;
    let mut keys_shut = None;
    let (routes, responses, cors, validates) = match &read.api {
        Api::Rest(api) => {
            if spec.http_cache.is_some() {
                let message = "a REST API has the service's own cache: set `cacheClusterEnabled` on its stages";
                notes
                    .faults
                    .push(GatewayFault::new(&spec.id, "cache", message));
            }
            let access = Access::rest(api, spec, shared, &mut notes)?;
            access::survey(&access, spec, shared, &mut coverage);
            let authorizers = Authorizers::rest(api, (&access, spec, shared), &mut notes);
            let keys = Keys::rest(api, spec, shared);
            let doors = Doors {
                spec,
                access: &access,
                authorizers: &authorizers,
                keys: Some(&keys),
            };
            keys_shut = keys.why_shut();
            let routes = rest::routes(api, spec, doors, shared, &mut notes);
            let responses = rest::responses(api, &mut notes);
            compression = rest::compression(api, &mut notes);
            let validates = api.request_validators.iter().any(|validator| {
                validator.validate_request_body || validator.validate_request_parameters
            });
            (routes, responses, spec.cors.clone(), validates)
        }
        Api::Http(api) => {
            let access = Access::http(spec, shared, &mut notes)?;
            let authorizers = Authorizers::http(api, (&access, spec, shared), &mut notes);
            let doors = Doors {
                spec,
                access: &access,
                authorizers: &authorizers,
                keys: None,
            };
            let routes = http::routes(api, spec, doors, shared, &mut notes);
            let cors = http::cors(api, spec.parity, &mut notes).or_else(|| spec.cors.clone());
            (routes, Some(GatewayResponses::default()), cors, false)
        }
    };
    let warnings = read
        .warnings
        .iter()
        .map(|warning| (warning.pointer.to_string(), warning.message.clone()))
        .collect();
    let survey = Survey {
        api: &spec.id,
        kind: spec.kind,
        document: read.document.root(),
        unsupported: &unsupported,
        idle: &idle,
        keys_shut,
        warnings: &warnings,
        validates,
        caches: spec.stages.iter().any(super::cache::is_on),
        assumes_roles: shared.aws.as_ref().is_some_and(Aws::assumes_roles),
    };
    coverage.extend(survey.walk());
    for remark in responses.iter().flat_map(GatewayResponses::remarks) {
        let pointer = format!("gateway responses:{}", remark.at());
        let note = remark.text().to_owned();
        coverage.push(&spec.id, pointer, Served::DocumentationOnly, note);
    }
    if faults.len() > before {
        return None;
    }
    let name = match &read.api {
        Api::Rest(api) => &api.name,
        Api::Http(api) => &api.name,
    };
    let plan = ApiPlan {
        kind: spec.kind,
        name: name.clone(),
        routes: routes?,
        responses: responses?,
        cors,
        unknown_route: spec.unknown_route,
        caller_headers: spec.caller_headers.clone(),
        method_override: spec.method_override
            || (spec.parity == Parity::Strict && spec.kind == ApiKind::Rest),
        max_body_bytes: spec.max_body_bytes,
        limit_headers: shared.throttles.headers,
        compression,
    };
    let (disabled, declared) = match &read.api {
        Api::Rest(api) => (
            api.disable_execute_api_endpoint,
            api.endpoint_configuration.endpoint_type(),
        ),
        Api::Http(api) => (api.disable_execute_api_endpoint, EndpointType::Regional),
    };
    Some(Compiled {
        plan: Arc::new(plan),
        coverage,
        disabled,
        endpoint_type: spec.endpoint_type.unwrap_or(declared).to_string(),
    })
}
