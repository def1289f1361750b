//! Putting a document onto an API that is there already.

use std::collections::{HashMap, HashSet};

use portcullis_definition::{Api, HttpApi, HttpIntegration, Method, Pointer, Resource, RestApi};

use crate::ids::Ids;
use crate::{Fault, ImportErrors, Imported};

/// Puts an import onto an API as the service's mode `merge` does: methods and routes of the
/// import take the place of those that are there, wholly; what the import does not name stays.
/// Media types are added. The endpoint configuration and the ids of the API stay.
///
/// # Errors
///
/// A fault if the two are not of one kind, and one for each variable of a path that stands where
/// the API has another.
pub fn merge(existing: Api, imported: Imported) -> Result<Api, ImportErrors> {
    match (existing, imported.api) {
        (Api::Rest(existing), Api::Rest(new)) => {
            let merged = rest(*existing, *new, Some(imported.settings.api_key_source));
            check_variables(&merged.resources)?;
            Ok(Api::Rest(Box::new(merged)))
        }
        (Api::Http(existing), Api::Http(new)) => {
            Ok(Api::Http(Box::new(http(*existing, *new, true))))
        }
        (existing, new) => Err(other_kind(&existing, &new)),
    }
}

/// Puts an import onto an API as the service's mode `overwrite` does: everything comes from the
/// import but the endpoint configuration, the tags and the ids of what is there under both.
///
/// # Errors
///
/// A fault if the two are not of one kind.
pub fn overwrite(existing: Api, imported: Imported) -> Result<Api, ImportErrors> {
    match (existing, imported.api) {
        (Api::Rest(existing), Api::Rest(new)) => {
            Ok(Api::Rest(Box::new(rest(*existing, *new, None))))
        }
        (Api::Http(existing), Api::Http(new)) => {
            Ok(Api::Http(Box::new(http(*existing, *new, false))))
        }
        (existing, new) => Err(other_kind(&existing, &new)),
    }
}

fn other_kind(existing: &Api, new: &Api) -> ImportErrors {
    ImportErrors::new(vec![Fault {
        pointer: Pointer::root(),
        rule: "document/kind",
        message: format!(
            "the API is of kind {}, the import of kind {}",
            existing.kind(),
            new.kind()
        ),
        fix: "import the document as an API of the same kind".to_owned(),
    }])
}

/// Each parent has at most one variable child.
fn check_variables(resources: &[Resource]) -> Result<(), ImportErrors> {
    let mut by_parent: HashMap<&str, &str> = HashMap::new();
    let mut faults = Vec::new();
    for resource in resources {
        let Some((parent, part)) = resource.path.rsplit_once('/') else {
            continue;
        };
        if !part.starts_with('{') {
            continue;
        }
        if let Some(first) = by_parent.insert(parent, part) {
            faults.push(Fault {
                pointer: resource.source.clone().unwrap_or_default(),
                rule: "path/variable",
                message: format!(
                    "A sibling ({first}) of this resource already has a variable path part -- \
                     only one is allowed"
                ),
                fix: "give variables at the same place one name".to_owned(),
            });
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(ImportErrors::new(faults))
    }
}

/// `merge` says whether what is there stays, and then whether the document sets the key source.
fn rest(old: RestApi, mut new: RestApi, merge: Option<bool>) -> RestApi {
    let authorizers = adopt(
        old.authorizers.iter().map(|item| (&item.name, &item.id)),
        new.authorizers
            .iter_mut()
            .map(|item| (&item.name, &mut item.id)),
    );
    let validators = adopt(
        old.request_validators
            .iter()
            .map(|item| (&item.name, &item.id)),
        new.request_validators
            .iter_mut()
            .map(|item| (&item.name, &mut item.id)),
    );
    let resources = adopt(
        old.resources.iter().map(|item| (&item.path, &item.id)),
        new.resources
            .iter_mut()
            .map(|item| (&item.path, &mut item.id)),
    );
    for resource in &mut new.resources {
        rename(&mut resource.parent_id, &resources);
        for method in resource.resource_methods.values_mut() {
            rename_in(method, &authorizers, &validators, &resources);
        }
    }
    new.root_resource_id.clone_from(&old.root_resource_id);
    new.id = old.id;
    new.created_date = old.created_date;
    new.endpoint_configuration = old.endpoint_configuration;
    new.tags = old.tags;
    new.security_policy = new.security_policy.or(old.security_policy);
    new.endpoint_access_mode = new.endpoint_access_mode.or(old.endpoint_access_mode);
    if let Some(root) = new.resources.iter().find(|resource| resource.path == "/") {
        new.root_resource_id = Some(root.id.clone());
    }
    let Some(sets_key_source) = merge else {
        return new;
    };

    new.resources = merge_resources(old.resources, new.resources);
    new.authorizers = join(old.authorizers, new.authorizers, |item| item.name.clone());
    new.request_validators = join(old.request_validators, new.request_validators, |item| {
        item.name.clone()
    });
    new.models = join(old.models, new.models, |item| item.name.clone());
    new.gateway_responses = join(old.gateway_responses, new.gateway_responses, |item| {
        item.response_type
    });
    new.binary_media_types = join(
        old.binary_media_types,
        new.binary_media_types,
        |media_type| media_type.clone(),
    );
    new.documentation_parts
        .splice(0..0, old.documentation_parts);
    new.policy = new.policy.or(old.policy);
    new.minimum_compression_size = new
        .minimum_compression_size
        .or(old.minimum_compression_size);
    new.description = new.description.or(old.description);
    new.version = new.version.or(old.version);
    new.disable_execute_api_endpoint |= old.disable_execute_api_endpoint;
    if !sets_key_source {
        new.api_key_source = old.api_key_source;
    }
    new
}

fn http(old: HttpApi, mut new: HttpApi, merge: bool) -> HttpApi {
    let authorizers = adopt(
        old.authorizers
            .iter()
            .map(|item| (&item.name, &item.authorizer_id)),
        new.authorizers
            .iter_mut()
            .map(|item| (&item.name, &mut item.authorizer_id)),
    );
    adopt(
        old.routes
            .iter()
            .map(|item| (&item.route_key, &item.route_id)),
        new.routes
            .iter_mut()
            .map(|item| (&item.route_key, &mut item.route_id)),
    );
    for route in &mut new.routes {
        rename(&mut route.authorizer_id, &authorizers);
    }
    new.api_id = old.api_id;
    new.created_date = old.created_date;
    new.api_endpoint = old.api_endpoint;
    new.ip_address_type = old.ip_address_type.or(new.ip_address_type);
    if !merge {
        return new;
    }
    new.tags = old.tags.into_iter().chain(new.tags).collect();
    new.cors_configuration = new.cors_configuration.or(old.cors_configuration);
    new.description = new.description.or(old.description);
    new.version = new.version.or(old.version);
    new.disable_execute_api_endpoint |= old.disable_execute_api_endpoint;
    new.authorizers = join(old.authorizers, new.authorizers, |item| item.name.clone());
    free_integrations(&old.integrations, &mut new);
    new.routes = join(old.routes, new.routes, |item| item.route_key.clone());
    new.integrations = join(old.integrations, new.integrations, |item| {
        item.integration_id.clone()
    });
    let used: HashSet<_> = new
        .routes
        .iter()
        .filter_map(|route| route.integration_id())
        .collect();
    new.integrations
        .retain(|item| used.contains(item.integration_id.as_str()));
    new
}

/// Gives new integrations other ids than the old ones have: routes that stay keep theirs.
fn free_integrations(old: &[HttpIntegration], new: &mut HttpApi) {
    let taken = old.iter().map(|item| item.integration_id.clone());
    let mut ids = Ids::with(
        taken.chain(
            new.integrations
                .iter()
                .map(|item| item.integration_id.clone()),
        ),
    );
    let old: HashSet<&str> = old
        .iter()
        .map(|item| item.integration_id.as_str())
        .collect();
    let mut renamed = HashMap::new();
    for integration in &mut new.integrations {
        if old.contains(integration.integration_id.as_str()) {
            let id = ids.id("integration", &integration.integration_id, 7);
            renamed.insert(
                std::mem::replace(&mut integration.integration_id, id.clone()),
                id,
            );
        }
    }
    for route in &mut new.routes {
        if let Some(id) = route.integration_id().and_then(|id| renamed.get(id)) {
            route.target = Some(format!("integrations/{id}"));
        }
    }
}

/// The methods of the new resources take the places of the old ones.
fn merge_resources(old: Vec<Resource>, new: Vec<Resource>) -> Vec<Resource> {
    let mut merged: indexmap::IndexMap<String, Resource> = old
        .into_iter()
        .map(|resource| (resource.path.clone(), resource))
        .collect();
    for resource in new {
        match merged.get_mut(&resource.path) {
            Some(existing) => {
                existing.resource_methods.extend(resource.resource_methods);
                existing.source = resource.source;
            }
            None => {
                merged.insert(resource.path.clone(), resource);
            }
        }
    }
    merged.into_values().collect()
}

/// Old and new items, a new one in the place of the old one with the same key.
fn join<T, K: std::hash::Hash + Eq>(old: Vec<T>, new: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut joined: indexmap::IndexMap<K, T> =
        old.into_iter().map(|item| (key(&item), item)).collect();
    joined.extend(new.into_iter().map(|item| (key(&item), item)));
    joined.into_values().collect()
}

/// Gives new items the ids of the old ones with the same key. The answer is old ids by the ids
/// that the new items had.
fn adopt<'a>(
    old: impl Iterator<Item = (&'a String, &'a String)>,
    new: impl Iterator<Item = (&'a String, &'a mut String)>,
) -> HashMap<String, String> {
    let old: HashMap<&String, &String> = old.collect();
    let mut renamed = HashMap::new();
    for (key, id) in new {
        if let Some(&existing) = old.get(key) {
            renamed.insert(std::mem::replace(id, existing.clone()), existing.clone());
        }
    }
    renamed
}

fn rename(id: &mut Option<String>, renamed: &HashMap<String, String>) {
    if let Some(id) = id
        && let Some(new) = renamed.get(id)
    {
        id.clone_from(new);
    }
}

fn rename_in(
    method: &mut Method,
    authorizers: &HashMap<String, String>,
    validators: &HashMap<String, String>,
    resources: &HashMap<String, String>,
) {
    rename(&mut method.authorizer_id, authorizers);
    rename(&mut method.request_validator_id, validators);
    if let Some(integration) = &mut method.method_integration {
        // The namespace of the cache is the id of the resource unless the document named one.
        rename(&mut integration.cache_namespace, resources);
    }
}
