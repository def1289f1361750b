//! The integration of a REST API's method.

use indexmap::IndexMap;
use portcullis_definition::{
    ConnectionType, Integration, IntegrationResponse, IntegrationType, Pointer, TlsConfig,
};

use super::uri;
use crate::paths::INTEGRATION;
use crate::run::{At, Run};

/// Where an integration belongs, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'p> {
    pub(crate) path: &'p str,
    pub(crate) verb: &'p str,
    /// The id of the resource, which is the cache's namespace unless the document names one.
    pub(crate) resource_id: &'p str,
}

/// The members of an integration that mean something.
const KNOWN: [&str; 20] = [
    "$ref",
    "cacheKeyParameters",
    "cacheNamespace",
    "connectionId",
    "connectionType",
    "contentHandling",
    "credentials",
    "httpMethod",
    "integrationTarget",
    "passthroughBehavior",
    "payloadFormatVersion",
    "requestParameters",
    "requestTemplates",
    "responseTransferMode",
    "responses",
    "timeoutInMillis",
    "tlsConfig",
    "type",
    "uri",
    "description",
];

impl<'a> Run<'a> {
    /// The integration of an operation.
    pub(crate) fn integration(
        &mut self,
        operation: &At<'a>,
        place: Place<'_>,
    ) -> Option<Integration> {
        let Some(at) = self.object(operation, INTEGRATION) else {
            if !operation.has(INTEGRATION) {
                let message = format!(
                    "No integration defined for method: '{}' of resource '{}'",
                    place.verb, place.path
                );
                self.warn(&operation.pointer, message);
            }
            return None;
        };
        let at = self.resolve(at)?;
        self.known(&at, &KNOWN);
        let mut integration = Integration::default();
        integration.source = Some(at.pointer.clone());
        let kind = self.integration_type(&at);
        integration.r#type = kind.unwrap_or_default();
        integration.http_method = self
            .some_text(&at, "httpMethod")
            .map(|verb| verb.to_ascii_uppercase());
        integration.uri = self.some_text(&at, "uri");
        integration.connection_type =
            self.word(&at, "connectionType", "integration/connectionType");
        integration.connection_id = self.some_text(&at, "connectionId");
        integration.integration_target = self.some_text(&at, "integrationTarget");
        integration.credentials = self.some_text(&at, "credentials");
        integration.request_parameters = self.mapping(&at, "requestParameters", place);
        integration.request_templates = self.templates(&at, "requestTemplates");
        integration.passthrough_behavior = self
            .word(
                &at,
                "passthroughBehavior",
                "integration/passthroughBehavior",
            )
            .unwrap_or_default();
        integration.content_handling =
            self.word(&at, "contentHandling", "integration/contentHandling");
        integration.timeout_in_millis = Some(self.timeout(&at, 29_000, 29_000));
        integration.cache_namespace = Some(
            self.some_text(&at, "cacheNamespace")
                .unwrap_or_else(|| place.resource_id.to_owned()),
        );
        integration.cache_key_parameters = self.texts(&at, "cacheKeyParameters");
        integration.integration_responses = self.integration_responses(&at, place);
        integration.tls_config = self.tls_config(&at);
        integration.response_transfer_mode = self.word(
            &at,
            "responseTransferMode",
            "integration/responseTransferMode",
        );
        if let Some(kind) = kind {
            self.check_integration(&at, kind, &mut integration);
        }
        self.check_request_mapping(&at, &integration.request_parameters);
        Some(integration)
    }

    fn integration_type(&mut self, at: &At<'a>) -> Option<IntegrationType> {
        if !at.has("type") {
            self.fault(
                &at.pointer,
                "integration/type",
                "Enumeration value for type must be non-empty",
                "write one of: http, http_proxy, aws, aws_proxy, mock",
            );
            return None;
        }
        self.word(at, "type", "integration/type")
    }

    fn check_integration(
        &mut self,
        at: &At<'a>,
        kind: IntegrationType,
        integration: &mut Integration,
    ) {
        if kind == IntegrationType::Mock {
            return;
        }
        match integration.http_method.as_deref() {
            None => self.fault(
                &at.pointer,
                "integration/httpMethod",
                "Enumeration value for HttpMethod must be non-empty",
                "give the integration an `httpMethod`; for a function it is POST",
            ),
            Some("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "ANY") => {}
            Some(verb) => self.fault(
                &at.pointer.child("httpMethod"),
                "integration/httpMethod",
                format!("Invalid HTTP method specified: {verb}"),
                "write GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS or ANY",
            ),
        }
        let uri_at = at.pointer.child("uri");
        let uri = integration.uri.as_deref().unwrap_or_default();
        if matches!(kind, IntegrationType::Http | IntegrationType::HttpProxy) {
            integration
                .connection_type
                .get_or_insert(ConnectionType::Internet);
            if integration.connection_type == Some(ConnectionType::VpcLink)
                && integration.connection_id.is_none()
            {
                self.fault(
                    &at.pointer,
                    "integration/connectionId",
                    "a VPC link has an id",
                    "give the integration a `connectionId`",
                );
            }
            if let Err(message) = uri::check_http(uri) {
                let fix = "write http:// or https://, a host, and a path";
                self.fault(&uri_at, "integration/uri", message, fix);
            }
            return;
        }
        if let Err(message) = uri::check_action(uri, kind == IntegrationType::AwsProxy) {
            let fix = if uri.starts_with("arn:") && uri.contains(":function:") {
                "write arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations; the ARN alone is for HTTP APIs, as which the document could be imported"
            } else {
                "write arn:aws:apigateway:REGION:SERVICE:path/… or …:action/…"
            };
            self.fault(&uri_at, "integration/uri", message, fix);
        }
        let verb = integration.http_method.as_deref();
        if kind == IntegrationType::AwsProxy && verb.is_some_and(|verb| verb != "POST") {
            self.warn(
                &at.pointer.child("httpMethod"),
                "a function is called with POST: each call of this method will fail with 500",
            );
        }
    }

    /// Milliseconds to wait: what is too short is a fault, what the service allows only on
    /// request is a warning.
    pub(crate) fn timeout(&mut self, at: &At<'a>, default: u32, most: u32) -> u32 {
        let Some(millis) = self.integer(at, "timeoutInMillis") else {
            return default;
        };
        let pointer = at.pointer.child("timeoutInMillis");
        let message = format!("Timeout should be between 50 ms and {most} ms");
        match u32::try_from(millis) {
            Ok(millis) if millis >= 50 => {
                if millis > most {
                    self.warn(&pointer, message);
                }
                millis
            }
            _ => {
                self.fault(
                    &pointer,
                    "integration/timeout",
                    message,
                    "wait for 50 ms or more",
                );
                default
            }
        }
    }

    pub(crate) fn tls_config(&mut self, at: &At<'a>) -> Option<TlsConfig> {
        let tls = self.object(at, "tlsConfig")?;
        self.known(&tls, &["insecureSkipVerification", "serverNameToVerify"]);
        let mut config = TlsConfig::default();
        config.insecure_skip_verification = self
            .boolean(&tls, "insecureSkipVerification")
            .unwrap_or(false);
        config.server_name_to_verify = self.some_text(&tls, "serverNameToVerify");
        Some(config)
    }

    /// A parameter mapping. As in the service, what is not text is left out with a warning.
    fn mapping(&mut self, at: &At<'a>, key: &str, place: Place<'_>) -> IndexMap<String, String> {
        let mut map = IndexMap::new();
        let Some(member) = self.object(at, key) else {
            return map;
        };
        for (name, value) in member.members() {
            match value.node.as_str() {
                Some(text) => {
                    map.insert(name.to_owned(), text.to_owned());
                }
                None => self.warn(
                    &value.pointer,
                    format!(
                        "Invalid format for '{key}'. Expected type string for property '{name}' \
                         of resource '{}' and method '{}' but got '{}'",
                        place.path, place.verb, value.node
                    ),
                ),
            }
        }
        map
    }

    /// Templates by media type; null counts as an empty one.
    fn templates(&mut self, at: &At<'a>, key: &str) -> IndexMap<String, String> {
        let mut map = IndexMap::new();
        let Some(member) = self.object(at, key) else {
            return map;
        };
        for (media_type, template) in member.members() {
            let text = self.text_of(&template).unwrap_or_default();
            map.insert(media_type.to_owned(), text);
        }
        map
    }

    fn check_request_mapping(&mut self, at: &At<'a>, mapping: &IndexMap<String, String>) {
        let pointer = at.pointer.child("requestParameters");
        for (name, value) in mapping {
            let target = name
                .strip_prefix("integration.request.")
                .is_some_and(|target| {
                    ["path.", "querystring.", "header."].iter().any(|place| {
                        target
                            .strip_prefix(place)
                            .is_some_and(|name| !name.is_empty())
                    })
                });
            self.check_mapping(&pointer, name, target, value, "method.request.");
        }
    }

    fn check_mapping(
        &mut self,
        pointer: &Pointer,
        name: &str,
        is_target: bool,
        value: &str,
        source: &str,
    ) {
        let is_source = [source, "context.", "stageVariables."]
            .iter()
            .any(|prefix| value.starts_with(prefix))
            || (value.len() >= 2 && value.starts_with('\'') && value.ends_with('\''));
        for (ok, kind, text) in [
            (is_target, "mapping expression parameter", name),
            (is_source, "mapping expression", value),
        ] {
            if !ok {
                self.fault(
                    &pointer.child(name),
                    "integration/mapping",
                    format!(
                        "Invalid mapping expression specified: Validation Result: warnings : [], \
                         errors : [Invalid {kind} specified: {text}]"
                    ),
                    format!(
                        "map to a parameter from {source}…, context.…, stageVariables.… or 'text'"
                    ),
                );
            }
        }
    }

    fn integration_responses(
        &mut self,
        at: &At<'a>,
        place: Place<'_>,
    ) -> IndexMap<String, IntegrationResponse> {
        let mut responses = IndexMap::new();
        let Some(member) = self.object(at, "responses") else {
            return responses;
        };
        for (pattern, response) in member.members() {
            if response.node.as_object().is_none() {
                self.fault(
                    &response.pointer,
                    "integration/response",
                    "an integration response is an object",
                    "write one with a `statusCode`",
                );
                continue;
            }
            self.known(
                &response,
                &[
                    "statusCode",
                    "responseParameters",
                    "responseTemplates",
                    "contentHandling",
                ],
            );
            let mut mapped = IntegrationResponse::default();
            if !response.has("statusCode") {
                self.fault(
                    &response.pointer,
                    "integration/response",
                    "an integration response has a status code",
                    "give it a `statusCode`",
                );
            }
            let Some(status) = self.status(&response, "statusCode", "integration/response") else {
                continue;
            };
            mapped.status_code = status.clone();
            mapped.selection_pattern = (pattern != "default").then(|| pattern.to_owned());
            mapped.response_parameters = self.mapping(&response, "responseParameters", place);
            mapped.response_templates = self.templates(&response, "responseTemplates");
            mapped.content_handling =
                self.word(&response, "contentHandling", "integration/contentHandling");
            let pointer = response.pointer.child("responseParameters");
            for (name, value) in &mapped.response_parameters {
                let target = name
                    .strip_prefix("method.response.header.")
                    .is_some_and(|name| !name.is_empty());
                self.check_mapping(&pointer, name, target, value, "integration.response.");
            }
            if responses.insert(status.clone(), mapped).is_some() {
                let message = format!(
                    "a method has one integration response for each status code: '{pattern}' \
                     takes the place of an earlier one for {status}"
                );
                self.warn(&response.pointer, message);
            }
        }
        responses
    }
}
