//! From an operation to a method: parameters, bodies, responses.

use indexmap::IndexMap;
use portcullis_definition::{Method, MethodResponse, Pointer};

use super::models::{Models, Usage};
use crate::paths::{INTEGRATION, Operation, PathItem, VALIDATOR, variables};
use crate::run::{At, Run, Version};
use crate::security::AUTH;

/// The media type of a body for which the document names none.
const JSON: &str = "application/json";

impl<'a> Run<'a> {
    /// The method's parameters, bodies and responses. Who may call it, what checks it and what
    /// answers it are added by the caller.
    pub(crate) fn method(
        &mut self,
        item: &PathItem<'a>,
        operation: &Operation<'a>,
        models: &mut Models,
    ) -> Method {
        let at = &operation.at;
        self.known_extensions(at, &[AUTH, INTEGRATION, VALIDATOR]);
        let mut method = Method::default();
        method.http_method = operation.verb.to_owned();
        method.operation_name = self.some_text(at, "operationId");
        method.source = Some(at.pointer.clone());
        self.parameters(item, at, models, &mut method);
        self.request_body(at, models, &mut method);
        self.responses(at, models, &mut method);
        method
    }

    fn parameters(
        &mut self,
        item: &PathItem<'a>,
        operation: &At<'a>,
        models: &mut Models,
        method: &mut Method,
    ) {
        // The operation's own parameters replace those of the path by name and place.
        let mut declared: IndexMap<(String, String), At<'a>> = IndexMap::new();
        let own = self.list(operation, "parameters");
        for parameter in item.parameters.iter().cloned().chain(own) {
            let Some(parameter) = self.resolve(parameter) else {
                continue;
            };
            let place = self.some_text(&parameter, "in");
            let name = self.some_text(&parameter, "name");
            match (place, name) {
                (Some(place), Some(name)) => {
                    declared.insert((place, name), parameter);
                }
                (place, _) => self.fault(
                    &parameter.pointer,
                    "parameter/name",
                    "a parameter has a name and a place",
                    if place.is_some() {
                        "give it a `name`"
                    } else {
                        "say `in` what it stands"
                    },
                ),
            }
        }
        let mut names: IndexMap<String, Pointer> = IndexMap::new();
        for ((place, name), parameter) in &declared {
            let place = match place.as_str() {
                "query" => "querystring",
                "header" => "header",
                "path" => "path",
                "body" => {
                    self.body_parameter(operation, parameter, models, method);
                    continue;
                }
                other => {
                    let message = format!("parameters in '{other}' are left out");
                    self.warn(&parameter.pointer, message);
                    continue;
                }
            };
            if names
                .insert(name.clone(), parameter.pointer.clone())
                .is_some()
            {
                self.fault(
                    &parameter.pointer,
                    "parameter/unique",
                    "Parameter names must be unique across querystring, header and path",
                    format!("rename one of the parameters `{name}`"),
                );
            }
            let required = self.boolean(parameter, "required").unwrap_or(false);
            method
                .request_parameters
                .insert(format!("method.request.{place}.{name}"), required);
        }
        // What the path names and nothing declares is required all the same.
        for name in variables(&item.path) {
            method
                .request_parameters
                .entry(format!("method.request.path.{name}"))
                .or_insert(true);
        }
    }

    /// The media types of Swagger 2.0's `consumes` or `produces`.
    fn media_types(&mut self, operation: &At<'a>, key: &str) -> Vec<String> {
        let mut types = self.texts(operation, key);
        if types.is_empty() {
            let root = self.root.clone();
            types = self.texts(&root, key);
            if !self.expand(&root.pointer.child(key), types.len()) {
                types.clear();
            }
        }
        if types.is_empty() {
            types.push(JSON.to_owned());
        }
        types
    }

    /// The body of Swagger 2.0.
    fn body_parameter(
        &mut self,
        operation: &At<'a>,
        parameter: &At<'a>,
        models: &mut Models,
        method: &mut Method,
    ) {
        let Some(schema) = self.object(parameter, "schema") else {
            return;
        };
        let Some(model) = models.name_of(self, &schema, Usage::Request) else {
            return;
        };
        for media_type in self.media_types(operation, "consumes") {
            method.request_models.insert(media_type, model.clone());
        }
    }

    /// The body of OpenAPI 3.
    fn request_body(&mut self, operation: &At<'a>, models: &mut Models, method: &mut Method) {
        if self.version == Version::Swagger2 {
            return;
        }
        let Some(body) = self.object(operation, "requestBody") else {
            return;
        };
        let Some(body) = self.resolve(body) else {
            return;
        };
        method.request_models = self.content(&body, models, Usage::Request);
    }

    /// The models of a body of OpenAPI 3 by media type.
    fn content(
        &mut self,
        body: &At<'a>,
        models: &mut Models,
        usage: Usage,
    ) -> IndexMap<String, String> {
        let mut by_type = IndexMap::new();
        let Some(content) = self.object(body, "content") else {
            return by_type;
        };
        for (media_type, media) in content.members() {
            let Some(schema) = self.object(&media, "schema") else {
                continue;
            };
            if let Some(model) = models.name_of(self, &schema, usage) {
                by_type.insert(media_type.to_owned(), model);
            }
        }
        by_type
    }

    fn responses(&mut self, operation: &At<'a>, models: &mut Models, method: &mut Method) {
        let Some(responses) = self.object(operation, "responses") else {
            return;
        };
        for (status, response) in responses.members() {
            if status.starts_with("x-") {
                continue;
            }
            if status.len() != 3 || !status.bytes().all(|byte| byte.is_ascii_digit()) {
                let message = format!(
                    "the response '{status}' is left out: a method response has one status code"
                );
                self.warn(&response.pointer, message);
                continue;
            }
            let Some(response) = self.resolve(response) else {
                continue;
            };
            let mut declared = MethodResponse::default();
            declared.status_code = status.to_owned();
            if let Some(headers) = self.object(&response, "headers") {
                for (name, _) in headers.members() {
                    declared
                        .response_parameters
                        .insert(format!("method.response.header.{name}"), false);
                }
            }
            declared.response_models = self.response_models(operation, &response, models);
            method.method_responses.insert(status.to_owned(), declared);
        }
    }

    fn response_models(
        &mut self,
        operation: &At<'a>,
        response: &At<'a>,
        models: &mut Models,
    ) -> IndexMap<String, String> {
        if self.version == Version::OpenApi3 {
            return self.content(response, models, Usage::Response);
        }
        let mut by_type = IndexMap::new();
        let Some(schema) = self.object(response, "schema") else {
            return by_type;
        };
        if let Some(model) = models.name_of(self, &schema, Usage::Response) {
            for media_type in self.media_types(operation, "produces") {
                by_type.insert(media_type, model.clone());
            }
        }
        by_type
    }
}
