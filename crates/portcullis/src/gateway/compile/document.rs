//! Reading the document of an API.

use super::{Shared, kind_of};
use crate::definition::{self, Api, Pointer};
use crate::gateway::api::ApiSpec;
use crate::gateway::error::GatewayFault;
use crate::openapi::{self, Document, ImportOptions, Node, ParseOptions, Warning};

/// A document, and the API that it describes.
pub(super) struct Read {
    pub(super) document: Document,
    pub(super) api: Api,
    /// Fields of the service's own objects that it does not have.
    pub(super) unknown: Vec<Pointer>,
    /// What the import had to say of fields that it took.
    pub(super) warnings: Vec<Warning>,
}

pub(super) fn parse(
    spec: &ApiSpec,
    text: &str,
    faults: &mut Vec<GatewayFault>,
) -> Option<Document> {
    let mut options = ParseOptions::default();
    if let Some(bytes) = spec.max_document_bytes {
        options = options.max_bytes(bytes);
    }
    match openapi::parse_with(text, &options) {
        Ok(document) => Some(document),
        Err(errors) => {
            faults.extend(import_faults(&spec.id, &errors));
            None
        }
    }
}

pub(super) fn import(
    spec: &ApiSpec,
    document: Document,
    shared: &Shared,
    faults: &mut Vec<GatewayFault>,
) -> Option<Read> {
    let mut options = ImportOptions::default()
        .kind(kind_of(spec.kind))
        .basepath(spec.base_path)
        .api_id(&spec.id)
        .account_id(&shared.account_id)
        .region(&shared.region);
    if let Some(endpoint_type) = spec.endpoint_type {
        options = options.endpoint_type(endpoint_type);
    }
    match openapi::import(&document, &options) {
        Ok(imported) => {
            for warning in &imported.warnings {
                tracing::warn!(api = spec.id, %warning, "import");
            }
            Some(Read {
                document,
                api: imported.api,
                unknown: imported.unknown,
                warnings: imported.warnings,
            })
        }
        Err(errors) => {
            faults.extend(import_faults(&spec.id, &errors));
            None
        }
    }
}

fn import_faults(id: &str, errors: &openapi::ImportErrors) -> Vec<GatewayFault> {
    errors
        .faults()
        .iter()
        .map(|fault| {
            GatewayFault::new(
                id,
                &fault.pointer,
                format_args!("{} [{}]: {}", fault.message, fault.rule, fault.fix),
            )
        })
        .collect()
}

/// Where a document says that its API lives.
#[derive(Default)]
pub(super) struct Address {
    pub(super) api_id: Option<String>,
    pub(super) region: Option<String>,
    pub(super) stage: Option<String>,
}

impl Address {
    pub(super) fn of(root: &Node) -> Self {
        let server = root
            .get("servers")
            .and_then(Node::as_array)
            .and_then(<[Node]>::first);
        let url = server
            .and_then(|server| server.get("url"))
            .and_then(Node::as_str);
        let host = match url {
            Some(url) => url
                .split_once("://")
                .map(|(_, rest)| rest.split('/').next().unwrap_or(rest)),
            None => root.get("host").and_then(Node::as_str),
        };
        let stage = match server {
            Some(server) => server
                .get("variables")
                .and_then(|variables| variables.get("basePath"))
                .and_then(|base_path| base_path.get("default"))
                .and_then(Node::as_str),
            None => root.get("basePath").and_then(Node::as_str),
        };
        // Only an address of the service has its parts where an id and a stage stand.
        let (api_id, region) = host
            .and_then(|host| host.split_once(".execute-api."))
            .map(|(id, rest)| (id.to_owned(), rest.split('.').next().map(str::to_owned)))
            .unzip();
        let stage = stage
            .map(|stage| stage.trim_matches('/').to_owned())
            .filter(|stage| {
                api_id.is_some()
                    && definition::check_stage_name(stage, definition::ApiKind::Rest).is_ok()
            });
        Self {
            api_id,
            region: region.flatten(),
            stage,
        }
    }
}
