//! What is particular to REST APIs: their resources, and their gateway responses.

use std::sync::Arc;

use super::cache::Caches;
use super::guards::Doors;
use super::validation::Validation;
use super::{Notes, Shared, guards, integration};
use crate::core::Route;
use crate::definition::RestApi;
use crate::gateway::api::ApiSpec;
use crate::gateway::error::GatewayFault;
use crate::gateway::plan::{MethodPlan, Routes};
use crate::integrations::Compression;
use crate::responses::{GatewayResponses, ResponseConfig};
use crate::routing::RestRoutes;

pub(super) fn routes(
    api: &RestApi,
    spec: &ApiSpec,
    doors: Doors<'_>,
    shared: &Shared,
    notes: &mut Notes<'_>,
) -> Option<Routes> {
    let mut routes = RestRoutes::builder();
    let mut validation = Validation::new(api);
    let mut index = 0;
    let caches = Caches::new(api, spec, shared);
    for resource in &api.resources {
        // The methods of one resource share what is the same for them.
        let mut shared_route = Route::new(resource.path.clone());
        shared_route.resource_id = Some(resource.id.clone());
        let shared_route = Arc::new(shared_route);
        for (verb, method) in &resource.resource_methods {
            let Some(compiled) = integration::rest(api, method, spec, shared, notes) else {
                continue;
            };
            let guards = guards::rest((verb, &resource.path), method, doors, shared, notes);
            let mut guards = guards::own(guards, spec, &format!("{verb} {}", resource.path));
            // Last, as in the service: who may not call learns nothing of what a call should look like.
            if let Some(validator) = validation.validator(method, spec.max_body_bytes, notes) {
                guards = guards.with(validator);
            }
            let place = (verb.as_str(), resource.path.as_str(), resource.id.as_str());
            let plan = MethodPlan {
                index,
                caches: caches.of(place, method, compiled.streams, notes),
                http_caches: None,
                method: verb.clone(),
                route: Arc::clone(&shared_route),
                summary: compiled.summary,
                guards,
                integration: compiled.integration,
                callee: compiled.callee,
                streams: compiled.streams,
                variables: compiled.variables,
            };
            index += 1;
            routes = routes.route(verb, &resource.path, Arc::new(plan));
        }
    }
    let known = api.resources.iter().flat_map(|resource| {
        let verbs = resource.resource_methods.keys();
        verbs.map(move |verb| format!("{verb} {}", resource.path))
    });
    guards::check_own(spec, known, notes);
    match routes.build() {
        Ok(routes) => Some(Routes::Rest(routes)),
        Err(errors) => {
            let faults = errors.iter();
            let faults = faults.map(|error| GatewayFault::new(notes.api, error.path(), error));
            notes.faults.extend(faults);
            None
        }
    }
}

/// What is compressed; nothing if the API does not say from which size on.
pub(super) fn compression(api: &RestApi, notes: &mut Notes<'_>) -> Option<Compression> {
    match Compression::new(api.minimum_compression_size?) {
        Ok(compression) => Some(compression),
        Err(error) => {
            let place = "/x-amazon-apigateway-minimum-compression-size";
            let fault = GatewayFault::new(notes.api, place, error);
            notes.faults.push(fault);
            None
        }
    }
}

pub(super) fn responses(api: &RestApi, notes: &mut Notes<'_>) -> Option<GatewayResponses> {
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
            let place = "/x-amazon-apigateway-gateway-responses";
            let fault = GatewayFault::new(notes.api, place, error);
            notes.faults.push(fault);
            None
        }
    }
}
