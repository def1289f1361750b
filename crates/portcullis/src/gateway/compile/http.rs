//! What is particular to HTTP APIs: their routes, and their CORS.

use std::sync::Arc;

use super::guards::Doors;
use super::{Notes, Shared, cache_scope, guards, integration};
use crate::core::Route;
use crate::cors::{Conduct, CorsConfig, CorsRules};
use crate::definition::HttpApi;
use crate::gateway::api::{ApiSpec, Parity};
use crate::gateway::error::GatewayFault;
use crate::gateway::http_cache::HttpCaches;
use crate::gateway::plan::{MethodPlan, Routes};
use crate::routing::HttpRoutes;

pub(super) fn routes(
    api: &HttpApi,
    spec: &ApiSpec,
    doors: Doors<'_>,
    shared: &Shared,
    notes: &mut Notes<'_>,
) -> Option<Routes> {
    let caches = http_caches(spec, shared, notes);
    let mut routes = HttpRoutes::builder();
    for (index, route) in api.routes.iter().enumerate() {
        let (verb, path) = route
            .method_and_path()
            .unwrap_or(("", route.route_key.as_str()));
        let mut facts = Route::new(path);
        facts.route_key = Some(route.route_key.clone());
        let Some(compiled) = integration::http(api, route, spec, shared, notes) else {
            continue;
        };
        let plan = MethodPlan {
            index,
            caches: None,
            http_caches: caches.clone().filter(|_| !compiled.streams),
            method: verb.to_owned(),
            route: Arc::new(facts),
            summary: compiled.summary,
            guards: guards::own(
                guards::http((verb, path), route, doors, shared, notes),
                spec,
                &route.route_key,
            ),
            integration: compiled.integration,
            callee: compiled.callee,
            streams: compiled.streams,
            variables: compiled.variables,
        };
        routes = routes.route(&route.route_key, Arc::new(plan));
    }
    let known = api.routes.iter().map(|route| route.route_key.clone());
    guards::check_own(spec, known, notes);
    match routes.build() {
        Ok(routes) => Some(Routes::Http(routes)),
        Err(errors) => {
            let faults = errors.iter();
            let faults = faults.map(|error| GatewayFault::new(notes.api, error.path(), error));
            notes.faults.extend(faults);
            None
        }
    }
}

/// The caches of an API that has some.
fn http_caches(spec: &ApiSpec, shared: &Shared, notes: &mut Notes<'_>) -> Option<Arc<HttpCaches>> {
    let rules = spec.http_cache.as_ref()?;
    let stages = spec.stages.iter().map(|stage| {
        let name = stage.stage_name.as_str();
        (name, cache_scope(&spec.id, name))
    });
    match HttpCaches::new(rules, &shared.cache, stages) {
        Ok(caches) => Some(Arc::new(caches)),
        Err(error) => {
            let place = format!("cache/{}", error.field());
            notes.faults.push(GatewayFault::new(&spec.id, place, error));
            None
        }
    }
}

/// The CORS rules that the API has of its own.
pub(super) fn cors(api: &HttpApi, parity: Parity, notes: &mut Notes<'_>) -> Option<CorsRules> {
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
        .omit_vary(parity == Parity::Strict)
        .build()
    {
        Ok(rules) => Some(rules),
        Err(error) => {
            let fault = GatewayFault::new(notes.api, "/x-amazon-apigateway-cors", error);
            notes.faults.push(fault);
            None
        }
    }
}
