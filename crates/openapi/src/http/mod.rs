//! HTTP APIs.

mod authorizer;
mod cors;
mod integration;

use std::collections::HashSet;

use indexmap::IndexMap;
use portcullis_definition::{EndpointType, HttpApi, HttpIntegration, Route};

use crate::ids::Ids;
use crate::paths::{INTEGRATION, Operation, PathItem, VALIDATOR};
use crate::rest;
use crate::run::{At, Run};
use crate::security::AUTH;
use integration::Integrations;

const VERSION: &str = "x-amazon-apigateway-importexport-version";
const TAG_VALUE: &str = "x-amazon-apigateway-tag-value";
/// Marks the operation of the default route.
const IS_DEFAULT: &str = "isDefaultRoute";

impl<'a> Run<'a> {
    /// The document as an HTTP API.
    pub(crate) fn http_api(&mut self) -> HttpApi {
        let root = self.root.clone();
        let mut ids = Ids::default();
        let mut api = HttpApi::default();
        api.api_id.clone_from(&self.options.api_id);
        (api.name, api.version, api.description) = self.info();
        api.protocol_type = Some("HTTP".to_owned());
        api.route_selection_expression = Some("${request.method} ${request.path}".to_owned());
        self.http_root(&root, &mut api);
        let (authorizers, schemes) = self.http_authorizers(&mut ids);
        api.authorizers = authorizers;
        let inherited = self.root_access(&schemes);
        let mut integrations = Integrations::default();
        let mut keys = HashSet::new();
        for item in self.path_items() {
            for operation in &item.operations {
                let mut route = self.route(&item, operation, &mut ids);
                let access = self.access(&operation.at, &schemes, &inherited);
                route.authorization_type = access.kind;
                route.authorizer_id = access.authorizer_id;
                route.authorization_scopes = access.scopes;
                let integration = self.http_integration(&operation.at, &mut integrations, &mut ids);
                route.target = integration.map(|id| format!("integrations/{id}"));
                if !item.is_sound {
                    continue;
                }
                if !keys.insert(route.route_key.clone()) {
                    self.fault(
                        &operation.at.pointer,
                        "path/unique",
                        format!(
                            "Route with key {} already exists for this API",
                            route.route_key
                        ),
                        "paths that differ only in a slash at the end are one path",
                    );
                }
                api.routes.push(route);
            }
        }
        api.integrations = integrations.into_list();
        api
    }

    fn http_root(&mut self, root: &At<'a>, api: &mut HttpApi) {
        self.known_extensions(root, &rest::ROOT);
        for name in rest::ROOT.iter().take(rest::REST_ONLY) {
            if let Some(at) = root.get(name) {
                self.warn(
                    &at.pointer,
                    format!("{name} is not supported for HTTP APIs: it is left out"),
                );
            }
        }
        if let Some(version) = self.text(root, VERSION)
            && version != "1.0"
        {
            self.fault(
                &root.pointer.child(VERSION),
                "document/version",
                format!("the import and export version {version} is unknown"),
                "write \"1.0\"",
            );
        }
        if let Some(components) = root.get("components")
            && let Some(schemas) = components.get("schemas")
        {
            self.info_once(&schemas.pointer, "schemas have no effect on an HTTP API");
        }
        let (endpoint, disabled) = self.endpoint(EndpointType::Regional);
        api.disable_execute_api_endpoint = disabled;
        api.ip_address_type = endpoint.ip_address_type;
        api.cors_configuration = self.cors(root);
        api.tags = self.tags(root);
    }

    fn tags(&mut self, root: &At<'a>) -> IndexMap<String, String> {
        let mut tags = IndexMap::new();
        for tag in self.list(root, "tags") {
            if let Some(name) = self.some_text(&tag, "name") {
                tags.insert(name, self.text(&tag, TAG_VALUE).unwrap_or_default());
            }
        }
        tags
    }

    fn route(&mut self, item: &PathItem<'a>, operation: &Operation<'a>, ids: &mut Ids) -> Route {
        let at = &operation.at;
        self.known_extensions(at, &[AUTH, INTEGRATION, VALIDATOR]);
        if let Some(body) = at.get("requestBody") {
            self.info_once(
                &body.pointer,
                "request bodies have no effect on an HTTP API",
            );
        }
        if let Some(validator) = at.get(VALIDATOR) {
            self.warn(
                &validator.pointer,
                "HTTP APIs have no request validators: it is left out",
            );
        }
        let is_default = self.boolean(at, IS_DEFAULT).unwrap_or(false);
        let mut route = Route::default();
        route.route_key = if operation.verb == "ANY" && (is_default || item.path == "/$default") {
            "$default".to_owned()
        } else {
            format!("{} {}", operation.verb, item.path)
        };
        if item.path == "/$default" && route.route_key != "$default" {
            self.fault(
                &at.pointer,
                "path/default",
                "the default route takes every verb",
                "put the operation under x-amazon-apigateway-any-method",
            );
        }
        route.route_id = ids.id("route", &route.route_key, 7);
        route.operation_name = self.some_text(at, "operationId");
        route.source = Some(at.pointer.clone());
        route
    }
}

impl Integrations {
    fn into_list(self) -> Vec<HttpIntegration> {
        self.list
    }
}
