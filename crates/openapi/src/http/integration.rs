//! The integrations of an HTTP API.

use std::collections::HashMap;

use indexmap::IndexMap;
use portcullis_definition::{ConnectionType, HttpIntegration, IntegrationType};

use crate::Node;
use crate::ids::Ids;
use crate::paths::INTEGRATION;
use crate::run::{At, Run};

/// The integrations so far. Routes that refer to one definition share it.
#[derive(Debug, Default)]
pub(crate) struct Integrations {
    pub(crate) list: Vec<HttpIntegration>,
    by_reference: HashMap<String, Option<String>>,
}

/// The members of an integration that mean something.
const KNOWN: [&str; 18] = [
    "connectionId",
    "connectionType",
    "contentHandling",
    "credentials",
    "description",
    "httpMethod",
    "integrationSubtype",
    "passthroughBehavior",
    "payloadFormatVersion",
    "requestParameters",
    "requestTemplates",
    "responseParameters",
    "responses",
    "timeoutInMillis",
    "tlsConfig",
    "type",
    "uri",
    "cacheKeyParameters",
];

impl<'a> Run<'a> {
    /// The id of the operation's integration.
    pub(crate) fn http_integration(
        &mut self,
        operation: &At<'a>,
        integrations: &mut Integrations,
        ids: &mut Ids,
    ) -> Option<String> {
        let Some(at) = self.object(operation, INTEGRATION) else {
            if !operation.has(INTEGRATION) {
                self.warn(&operation.pointer, "the route has no integration");
            }
            return None;
        };
        let Some(reference) = at.node.get("$ref").and_then(Node::as_str) else {
            return self.add_integration(&at, integrations, ids);
        };
        if let Some(id) = integrations.by_reference.get(reference) {
            return id.clone();
        }
        let id = match self.resolve(at.clone()) {
            Some(at) => self.add_integration(&at, integrations, ids),
            None => None,
        };
        integrations
            .by_reference
            .insert(reference.to_owned(), id.clone());
        id
    }

    fn add_integration(
        &mut self,
        at: &At<'a>,
        integrations: &mut Integrations,
        ids: &mut Ids,
    ) -> Option<String> {
        self.known(at, &KNOWN);
        if !at.has("type") {
            self.fault(
                &at.pointer,
                "integration/type",
                "Enumeration value for type must be non-empty",
                "write http_proxy or aws_proxy",
            );
            return None;
        }
        let kind = self.word::<IntegrationType>(at, "type", "integration/type")?;
        if !kind.is_proxy() {
            let pointer = at.pointer.child("type");
            let message = format!(
                "integrations of type {kind} are not supported for HTTP APIs: the route has none"
            );
            self.warn(&pointer, message);
            return None;
        }
        let mut integration = HttpIntegration::default();
        integration.integration_id = ids.id("integration", at.pointer.as_str(), 7);
        integration.integration_type = kind;
        integration.integration_subtype = self.some_text(at, "integrationSubtype");
        integration.integration_method = self
            .some_text(at, "httpMethod")
            .map(|verb| verb.to_ascii_uppercase());
        integration.integration_uri = self.some_text(at, "uri");
        integration.connection_type = self.word(at, "connectionType", "integration/connectionType");
        integration.connection_id = self.some_text(at, "connectionId");
        integration.credentials_arn = self.some_text(at, "credentials");
        integration.description = self.some_text(at, "description");
        integration.request_parameters = self.text_map(at, "requestParameters");
        integration.response_parameters = self.response_mappings(at);
        integration.timeout_in_millis = Some(self.timeout(at, 30_000, 30_000));
        integration.tls_config = self.tls_config(at);
        integration.payload_format_version = Some(self.payload_version(at, kind));
        integration.source = Some(at.pointer.clone());
        self.check_http_integration(at, &mut integration);
        let id = integration.integration_id.clone();
        integrations.list.push(integration);
        Some(id)
    }

    fn payload_version(&mut self, at: &At<'a>, kind: IntegrationType) -> String {
        let Some(version) = self.some_text(at, "payloadFormatVersion") else {
            if kind == IntegrationType::AwsProxy {
                self.warn(
                    &at.pointer,
                    "the integration has no payloadFormatVersion: 1.0 is taken",
                );
            }
            return "1.0".to_owned();
        };
        // YAML reads 1.0 and 2.0 as numbers, whose text may have lost the zero.
        match version.as_str() {
            "1" | "1.0" => "1.0".to_owned(),
            "2" | "2.0" => "2.0".to_owned(),
            other => {
                self.fault(
                    &at.pointer.child("payloadFormatVersion"),
                    "integration/payload",
                    format!("`{other}` is no payload format version"),
                    "write \"1.0\" or \"2.0\"",
                );
                "1.0".to_owned()
            }
        }
    }

    fn check_http_integration(&mut self, at: &At<'a>, integration: &mut HttpIntegration) {
        if integration.integration_type == IntegrationType::HttpProxy {
            integration
                .connection_type
                .get_or_insert(ConnectionType::Internet);
            integration
                .integration_method
                .get_or_insert_with(|| "ANY".to_owned());
        }
        let is_link = integration.connection_type == Some(ConnectionType::VpcLink);
        if is_link && integration.connection_id.is_none() {
            self.fault(
                &at.pointer,
                "integration/connectionId",
                "a VPC link has an id",
                "give the integration a `connectionId`",
            );
        }
        let pointer = at.pointer.child("uri");
        match integration.integration_uri.as_deref() {
            None if integration.integration_subtype.is_none() => self.fault(
                &at.pointer,
                "integration/uri",
                "an integration has a URI or a subtype",
                "give it a `uri`",
            ),
            Some(uri) if integration.integration_type == IntegrationType::HttpProxy && !is_link => {
                if let Err(message) = crate::rest::check_http(uri) {
                    let fix = "write http:// or https://, a host, and a path";
                    self.fault(&pointer, "integration/uri", message, fix);
                }
            }
            _ => {}
        }
        if integration.integration_subtype.is_none() {
            for name in integration.request_parameters.keys() {
                self.check_http_target(&at.pointer.child("requestParameters").child(name), name);
            }
        }
    }

    /// Parameter mapping of responses by status code. Documents have it under
    /// `responseParameters`, or status by status under `responses`.
    fn response_mappings(&mut self, at: &At<'a>) -> IndexMap<String, IndexMap<String, String>> {
        let mut mappings = IndexMap::new();
        if let Some(member) = self.object(at, "responseParameters") {
            for (status, _) in member.members() {
                let mapping = self.text_map(&member, status);
                mappings.insert(status.to_owned(), mapping);
            }
        }
        if let Some(member) = self.object(at, "responses") {
            for (status, response) in member.members() {
                let mapping = self.text_map(&response, "responseParameters");
                if !mapping.is_empty() {
                    mappings.insert(status.to_owned(), mapping);
                }
            }
        }
        for (status, mapping) in &mappings {
            let pointer = at.pointer.child("responseParameters").child(status);
            let in_range = status
                .parse::<u16>()
                .is_ok_and(|code| (200..=599).contains(&code));
            if !in_range {
                self.fault(
                    &pointer,
                    "integration/mapping",
                    format!("`{status}` is no status code from 200 to 599"),
                    "map responses by their status code",
                );
            }
            for name in mapping.keys() {
                if name != "overwrite:statuscode" {
                    self.check_http_target(&pointer.child(name), name);
                }
            }
        }
        mappings
    }

    fn check_http_target(&mut self, pointer: &portcullis_definition::Pointer, name: &str) {
        let is_target = name == "overwrite:path"
            || name.split_once(':').is_some_and(|(action, target)| {
                let named = ["header.", "querystring."].iter().any(|place| {
                    target
                        .strip_prefix(place)
                        .is_some_and(|name| !name.is_empty())
                });
                matches!(action, "append" | "overwrite" | "remove") && named
            });
        if !is_target {
            self.fault(
                pointer,
                "integration/mapping",
                format!("Invalid mapping expression specified: {name}"),
                "write append:, overwrite: or remove:, then header.NAME or querystring.NAME",
            );
        }
    }
}
