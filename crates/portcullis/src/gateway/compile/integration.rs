//! Integrations, from a definition to something that can be called.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::{Notes, Shared};
use crate::core::ApiKind;
use crate::definition::{
    self, ConnectionType, HttpApi, IntegrationType, Method, PassthroughBehavior, Pointer,
    ResponseTransferMode, RestApi, Route,
};
use crate::gateway::api::{ApiSpec, MAX_BODY_BYTES};
use crate::gateway::error::GatewayFault;
use crate::gateway::traces;
use crate::integrations::{
    Backends, Conduct, ContentHandling, Integration, IntegrationConfig, IntegrationKind,
    Passthrough, PayloadFormat, ResponseConfig,
};
use crate::observe::trace::Callee;
use crate::stages::StageTemplate;

/// An integration, and what it is in words.
pub(super) struct Compiled {
    pub(super) summary: String,
    pub(super) integration: Integration,
    /// Whom it calls, as traces name it.
    pub(super) callee: Option<Callee>,
    /// Whether its responses pass as they come.
    pub(super) streams: bool,
    /// The stage variables in its address.
    pub(super) variables: Vec<String>,
}

/// What stands behind a method of a REST API. `None` if it cannot be built, which is then among the faults.
pub(super) fn rest(
    api: &RestApi,
    method: &Method,
    spec: &ApiSpec,
    shared: &Shared,
    notes: &mut Notes<'_>,
) -> Option<Compiled> {
    let Some(described) = &method.method_integration else {
        return Some(nothing(
            ApiKind::Rest,
            method.source.as_ref(),
            shared,
            notes,
        ));
    };
    let mut config = IntegrationConfig::new(kind(described.r#type), ApiKind::Rest);
    config.method.clone_from(&described.http_method);
    config.uri.clone_from(&described.uri);
    config.credentials.clone_from(&described.credentials);
    config.vpc_link = vpc_link(described.connection_type, described.connection_id.as_ref());
    config.link_target.clone_from(&described.integration_target);
    config.request_parameters = pairs(&described.request_parameters);
    config.request_templates = pairs(&described.request_templates);
    config.passthrough = match described.passthrough_behavior {
        PassthroughBehavior::WhenNoTemplates => Passthrough::WhenNoTemplates,
        PassthroughBehavior::Never => Passthrough::Never,
        _ => Passthrough::WhenNoMatch,
    };
    config.content_handling = described.content_handling.and_then(content_handling);
    config.responses = described
        .integration_responses
        .values()
        .map(|response| {
            let mut own = ResponseConfig::new(response.status_code.clone());
            own.pattern.clone_from(&response.selection_pattern);
            own.parameters = pairs(&response.response_parameters);
            own.templates = pairs(&response.response_templates);
            own.content_handling = response.content_handling.and_then(content_handling);
            own
        })
        .collect();
    if !method.method_responses.is_empty() {
        let statuses = method.method_responses.keys();
        config.declared_statuses =
            Some(statuses.filter_map(|status| status.parse().ok()).collect());
    }
    config.timeout = timeout(described.timeout_in_millis);
    config
        .binary_media_types
        .clone_from(&api.binary_media_types);
    if let Some(tls) = &described.tls_config {
        config.insecure_skip_verification = tls.insecure_skip_verification;
        config
            .server_name_to_verify
            .clone_from(&tls.server_name_to_verify);
    }
    config.streams_response =
        described.response_transfer_mode == Some(ResponseTransferMode::Stream);
    finish(config, spec, described.source.as_ref(), shared, notes)
}

/// What stands behind a route of an HTTP API.
pub(super) fn http(
    api: &HttpApi,
    route: &Route,
    spec: &ApiSpec,
    shared: &Shared,
    notes: &mut Notes<'_>,
) -> Option<Compiled> {
    let described = route.integration_id().and_then(|id| api.integration(id));
    let Some(described) = described else {
        return Some(nothing(ApiKind::Http, route.source.as_ref(), shared, notes));
    };
    let mut config = IntegrationConfig::new(kind(described.integration_type), ApiKind::Http);
    config.method.clone_from(&described.integration_method);
    config.uri.clone_from(&described.integration_uri);
    config.credentials.clone_from(&described.credentials_arn);
    config.subtype.clone_from(&described.integration_subtype);
    config.vpc_link = vpc_link(described.connection_type, described.connection_id.as_ref());
    config.request_parameters = pairs(&described.request_parameters);
    config.response_parameters = described
        .response_parameters
        .iter()
        .map(|(status, mapping)| (status.clone(), pairs(mapping)))
        .collect();
    config.payload_format = described.payload_format_version.as_deref().map(|version| {
        if version == "2.0" {
            PayloadFormat::V2
        } else {
            PayloadFormat::V1
        }
    });
    config.timeout = timeout(described.timeout_in_millis);
    if let Some(tls) = &described.tls_config {
        config.insecure_skip_verification = tls.insecure_skip_verification;
        config
            .server_name_to_verify
            .clone_from(&tls.server_name_to_verify);
    }
    finish(config, spec, described.source.as_ref(), shared, notes)
}

fn finish(
    mut config: IntegrationConfig,
    spec: &ApiSpec,
    source: Option<&Pointer>,
    shared: &Shared,
    notes: &mut Notes<'_>,
) -> Option<Compiled> {
    config.max_request_bytes = Some(spec.max_body_bytes);
    let max_response_bytes = spec.max_body_bytes.max(MAX_BODY_BYTES);
    config.max_response_bytes = (!config.streams_response).then_some(max_response_bytes);
    config.web_sockets = spec.passes_web_sockets();
    let place = source.map(Pointer::as_str).unwrap_or_default();
    let mut backends = Backends::new(shared.client.clone(), shared.functions.clone());
    backends.clock = shared.clock.clone();
    backends.aws.clone_from(&shared.aws);
    backends.vpc_links = Arc::clone(&shared.vpc_links);
    match config.compile(&backends) {
        Ok(compiled) => {
            for missing in compiled.unsupported {
                let conduct = match missing.conduct {
                    Conduct::RefuseAll => "every request is answered 500",
                    Conduct::RefuseWhenNeeded => "a request that comes to it is answered 500",
                    _ => "requests are served without it",
                };
                let note = format!("not served yet: {}; {conduct}", missing.what);
                let pointer = format!("{place}{}", missing.field);
                notes.unsupported.insert(pointer, note.into());
            }
            Some(Compiled {
                summary: summary(&config),
                integration: compiled.integration,
                callee: traces::callee(&config),
                streams: config.streams_response,
                variables: variables(&config),
            })
        }
        Err(error) => {
            let pointer = format!("{place}{}", error.field());
            notes
                .faults
                .push(GatewayFault::new(notes.api, pointer, error.problem()));
            None
        }
    }
}

/// A method without an integration: the service answers 500.
fn nothing(
    api: ApiKind,
    source: Option<&Pointer>,
    _shared: &Shared,
    notes: &mut Notes<'_>,
) -> Compiled {
    if let Some(source) = source {
        let note = "there is no integration; every request is answered 500";
        notes.unsupported.insert(source.to_string(), note.into());
    }
    Compiled {
        summary: "nothing (500)".to_owned(),
        integration: Integration::from(crate::integrations::Unserved::because(
            api,
            "there is no integration",
        )),
        callee: None,
        streams: false,
        variables: Vec::new(),
    }
}

/// The stage variables without which the address of an integration is none.
fn variables(config: &IntegrationConfig) -> Vec<String> {
    let address = config.uri.as_deref().map(StageTemplate::parse);
    let Some(Ok(address)) = address else {
        return Vec::new();
    };
    address.names().map(str::to_owned).collect()
}

fn summary(config: &IntegrationConfig) -> String {
    let kind = match config.kind {
        IntegrationKind::Mock => return "MOCK".to_owned(),
        IntegrationKind::Http => "HTTP",
        IntegrationKind::HttpProxy => "HTTP_PROXY",
        IntegrationKind::Aws => "AWS",
        IntegrationKind::AwsProxy => "AWS_PROXY",
        _ => "?",
    };
    if let Some(subtype) = &config.subtype {
        return format!("{kind} {subtype}");
    }
    let uri = config.uri.as_deref().unwrap_or_default();
    // Of a function's URI its name is what a person looks for.
    let target = match uri.split_once(":function:") {
        Some((_, name)) => name.strip_suffix("/invocations").unwrap_or(name),
        None => uri,
    };
    let method = config
        .method
        .as_deref()
        .filter(|_| kind.starts_with("HTTP"));
    match method {
        Some(method) => format!("{kind} {method} {target}"),
        None => format!("{kind} {target}"),
    }
}

const fn kind(described: IntegrationType) -> IntegrationKind {
    match described {
        IntegrationType::Http => IntegrationKind::Http,
        IntegrationType::HttpProxy => IntegrationKind::HttpProxy,
        IntegrationType::Aws => IntegrationKind::Aws,
        IntegrationType::AwsProxy => IntegrationKind::AwsProxy,
        _ => IntegrationKind::Mock,
    }
}

fn vpc_link(connection: Option<ConnectionType>, id: Option<&String>) -> Option<String> {
    (connection == Some(ConnectionType::VpcLink)).then(|| id.cloned().unwrap_or_default())
}

const fn content_handling(described: definition::ContentHandling) -> Option<ContentHandling> {
    match described {
        definition::ContentHandling::ConvertToBinary => Some(ContentHandling::ToBinary),
        definition::ContentHandling::ConvertToText => Some(ContentHandling::ToText),
        _ => None,
    }
}

fn timeout(millis: Option<u32>) -> Option<Duration> {
    millis.map(|millis| Duration::from_millis(millis.into()))
}

fn pairs(map: &IndexMap<String, String>) -> Vec<(String, String)> {
    map.iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
