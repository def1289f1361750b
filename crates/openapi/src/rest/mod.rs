//! REST APIs.

mod authorizer;
mod gateway_responses;
mod integration;
mod models;
mod operation;
mod tree;
mod uri;

use indexmap::IndexMap;
use portcullis_definition::{
    ApiKeySource, EndpointConfiguration, EndpointType, Policy, RequestValidator, RestApi,
};

use crate::ids::Ids;
use crate::import::Settings;
use crate::paths::{PathItem, VALIDATOR};
use crate::run::{At, Run};
use integration::Place;
use models::Models;
use tree::Tree;
pub(crate) use uri::check_http;

const API_KEY_SOURCE: &str = "x-amazon-apigateway-api-key-source";
const BINARY_MEDIA_TYPES: &str = "x-amazon-apigateway-binary-media-types";
const GATEWAY_RESPONSES: &str = "x-amazon-apigateway-gateway-responses";
const MINIMUM_COMPRESSION_SIZE: &str = "x-amazon-apigateway-minimum-compression-size";
const POLICY: &str = "x-amazon-apigateway-policy";
const VALIDATORS: &str = "x-amazon-apigateway-request-validators";

/// The extensions that the root of a document may have, of either kind of API: one document can
/// be imported as both. The first [`REST_ONLY`] mean nothing to an HTTP API.
pub(crate) const ROOT: [&str; 12] = [
    API_KEY_SOURCE,
    BINARY_MEDIA_TYPES,
    MINIMUM_COMPRESSION_SIZE,
    POLICY,
    VALIDATOR,
    VALIDATORS,
    GATEWAY_RESPONSES,
    "x-amazon-apigateway-cors",
    "x-amazon-apigateway-documentation",
    "x-amazon-apigateway-endpoint-configuration",
    "x-amazon-apigateway-importexport-version",
    "x-amazon-apigateway-tag-value",
];

/// How many of [`ROOT`] are for REST APIs alone.
pub(crate) const REST_ONLY: usize = 7;

/// The largest threshold of compression, in bytes.
const MAX_COMPRESSION_SIZE: i64 = 10_485_760;

impl<'a> Run<'a> {
    /// The document as a REST API.
    pub(crate) fn rest_api(&mut self, settings: &mut Settings) -> RestApi {
        let root = self.root.clone();
        let mut ids = Ids::default();
        let mut api = RestApi::default();
        api.id.clone_from(&self.options.api_id);
        (api.name, api.version, api.description) = self.info();
        self.root_settings(&root, &mut api, settings);
        api.documentation_parts = self.documentation();
        api.gateway_responses = self.gateway_responses();

        let validators = self.validators(&mut ids, &mut api);
        let default_validator = self.validator(&root, &validators);
        let (authorizers, schemes) = self.authorizers(&mut ids);
        api.authorizers = authorizers;
        let inherited = self.root_access(&schemes);
        let mut models = Models::collect(self);
        let mut tree = Tree::new(&mut ids);
        for item in self.path_items() {
            let resource_id = self.resource(&item, &mut tree, &mut ids);
            for operation in &item.operations {
                let mut method = self.method(&item, operation, &mut models);
                let access = self.access(&operation.at, &schemes, &inherited);
                method.authorization_type = access.kind;
                method.authorizer_id = access.authorizer_id;
                method.authorization_scopes = access.scopes;
                method.api_key_required = access.api_key;
                method.request_validator_id = if operation.at.has(VALIDATOR) {
                    self.validator(&operation.at, &validators)
                } else {
                    default_validator.clone()
                };
                let place = Place {
                    path: &item.path,
                    verb: operation.verb,
                    resource_id: resource_id.as_deref().unwrap_or_default(),
                };
                method.method_integration = self.integration(&operation.at, place);
                if resource_id.is_none() {
                    continue;
                }
                let Ok(resource) = tree.at(&item.path, &item.at.pointer, &mut ids) else {
                    continue;
                };
                let earlier = resource
                    .resource_methods
                    .insert(operation.verb.to_owned(), method);
                if earlier.is_some() {
                    self.fault(
                        &operation.at.pointer,
                        "path/unique",
                        format!(
                            "there are two operations for {} {}",
                            operation.verb, item.path
                        ),
                        "paths that differ only in a slash at the end are one path",
                    );
                }
            }
        }
        api.resources = tree.into_resources();
        api.root_resource_id = api.resources.first().map(|root| root.id.clone());
        api.models = models.into_list();
        api
    }

    /// The id of the resource at the path, if there can be one.
    fn resource(&mut self, item: &PathItem<'a>, tree: &mut Tree, ids: &mut Ids) -> Option<String> {
        if !item.is_sound {
            return None;
        }
        match tree.at(&item.path, &item.at.pointer, ids) {
            Ok(resource) => Some(resource.id.clone()),
            Err(sibling) => {
                self.fault(
                    &item.at.pointer,
                    "path/variable",
                    format!(
                        "A sibling ({}) of this resource already has a variable path part -- only \
                         one is allowed",
                        sibling.first
                    ),
                    "give variables at the same place one name",
                );
                None
            }
        }
    }

    fn root_settings(&mut self, root: &At<'a>, api: &mut RestApi, settings: &mut Settings) {
        self.known_extensions(root, &ROOT);
        settings.api_key_source = root.has(API_KEY_SOURCE);
        api.api_key_source = self
            .word::<ApiKeySource>(root, API_KEY_SOURCE, "api/api-key-source")
            .unwrap_or_default();
        api.binary_media_types = self.texts(root, BINARY_MEDIA_TYPES);
        if let Some(size) = self.integer(root, MINIMUM_COMPRESSION_SIZE) {
            if (0..=MAX_COMPRESSION_SIZE).contains(&size) {
                api.minimum_compression_size = u64::try_from(size).ok();
            } else {
                self.fault(
                    &root.pointer.child(MINIMUM_COMPRESSION_SIZE),
                    "api/compression",
                    "Invalid minimum compression size, must be between 0 and 10485760",
                    "write a number of bytes in this range, or leave it out",
                );
            }
        }
        api.policy = self.policy(root);
        (api.endpoint_configuration, api.disable_execute_api_endpoint) =
            self.endpoint(EndpointType::Edge);
    }

    fn policy(&mut self, root: &At<'a>) -> Option<Policy> {
        let at = root.get(POLICY)?;
        let policy = serde_json::to_value(at.node)
            .and_then(serde_json::from_value::<Policy>)
            .inspect_err(|error| {
                self.fault(
                    &at.pointer,
                    "api/policy",
                    format!("Invalid policy document: {error}"),
                    "write the policy as an object",
                );
            })
            .ok()?;
        let options = self.options;
        let arn = format!(
            "arn:{}:execute-api:{}:{}:{}",
            options.partition, options.region, options.account_id, options.api_id
        );
        Some(policy.expanded(&arn))
    }

    /// How the API is reached, and whether its own endpoint is off. OpenAPI 3 says it in a
    /// server, Swagger 2.0 at the root.
    pub(crate) fn endpoint(&mut self, default: EndpointType) -> (EndpointConfiguration, bool) {
        const EXTENSION: &str = "x-amazon-apigateway-endpoint-configuration";
        let root = self.root.clone();
        let mut disabled = false;
        let mut endpoint = EndpointConfiguration::default();
        let servers = self.list(&root, "servers");
        for at in servers.iter().chain([&root]) {
            let Some(at) = self.object(at, EXTENSION) else {
                continue;
            };
            self.known(
                &at,
                &[
                    "disableExecuteApiEndpoint",
                    "ipAddressType",
                    "types",
                    "vpcEndpointIds",
                ],
            );
            disabled |= self
                .boolean(&at, "disableExecuteApiEndpoint")
                .unwrap_or(false);
            endpoint
                .vpc_endpoint_ids
                .extend(self.texts(&at, "vpcEndpointIds"));
            if let Some(kind) = self.some_text(&at, "ipAddressType") {
                endpoint.ip_address_type = Some(kind);
            }
            for word in self.texts(&at, "types") {
                match word.parse() {
                    Ok(kind) => endpoint.types.push(kind),
                    Err(error) => self.fault(
                        &at.pointer.child("types"),
                        "api/endpoint",
                        error.to_string(),
                        "write one of: EDGE, REGIONAL, PRIVATE",
                    ),
                }
            }
        }
        if endpoint.types.len() > 1 {
            self.fault(
                &root.pointer,
                "api/endpoint",
                "Cannot create an api with multiple Endpoint Types.",
                "name one endpoint type",
            );
        }
        if let Some(kind) = self.options.endpoint_type {
            endpoint.types = vec![kind];
        } else if endpoint.types.is_empty() {
            endpoint.types.push(default);
        }
        endpoint.ip_address_type.get_or_insert_with(|| {
            let private = endpoint.types.contains(&EndpointType::Private);
            if private { "dualstack" } else { "ipv4" }.to_owned()
        });
        (endpoint, disabled)
    }

    /// The request validators, which go into the API; the answer is their ids by name.
    fn validators(&mut self, ids: &mut Ids, api: &mut RestApi) -> IndexMap<String, String> {
        let root = self.root.clone();
        let mut by_name = IndexMap::new();
        let Some(section) = self.object(&root, VALIDATORS) else {
            return by_name;
        };
        for (name, at) in section.members() {
            self.known(&at, &["validateRequestBody", "validateRequestParameters"]);
            let mut validator = RequestValidator::default();
            validator.id = ids.id("validator", name, 6);
            validator.name = name.to_owned();
            validator.validate_request_body =
                self.boolean(&at, "validateRequestBody").unwrap_or(false);
            validator.validate_request_parameters = self
                .boolean(&at, "validateRequestParameters")
                .unwrap_or(false);
            by_name.insert(name.to_owned(), validator.id.clone());
            api.request_validators.push(validator);
        }
        by_name
    }

    /// The id of the request validator that the document or the operation names.
    fn validator(&mut self, at: &At<'a>, by_name: &IndexMap<String, String>) -> Option<String> {
        let name = self.some_text(at, VALIDATOR)?;
        let id = by_name.get(&name).cloned();
        if id.is_none() {
            self.fault(
                &at.pointer.child(VALIDATOR),
                "validator/unknown",
                "Invalid Request Validator identifier specified",
                format!("define `{name}` under {VALIDATORS}, or name one that is there"),
            );
        }
        id
    }
}
