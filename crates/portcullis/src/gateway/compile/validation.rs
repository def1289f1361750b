//! Request validators: what the requests of a method are checked for before its integration is called.

use std::collections::BTreeMap;

use super::Notes;
use crate::definition::{Method, Pointer, RestApi};
use crate::gateway::error::GatewayFault;
use crate::integrations::{Model, Models, Validator};

/// The validators of one API. Its models are compiled when a method needs them, and once.
pub(super) struct Validation<'a> {
    api: &'a RestApi,
    models: Models,
    /// By name; `None` for those that cannot be compiled, which is among the faults.
    compiled: BTreeMap<&'a str, Option<Model>>,
}

impl<'a> Validation<'a> {
    pub(super) fn new(api: &'a RestApi) -> Self {
        let schemas = api.models.iter().filter_map(|model| {
            let schema = serde_json::from_str(model.schema.as_deref()?).ok()?;
            Some((model.name.clone(), schema))
        });
        Self {
            api,
            models: Models::new(schemas),
            compiled: BTreeMap::new(),
        }
    }

    /// What checks the requests of `method`. `None` if nothing does, or if a fault was found.
    pub(super) fn validator(
        &mut self,
        method: &'a Method,
        max_body_bytes: u64,
        notes: &mut Notes<'_>,
    ) -> Option<Validator> {
        let id = method.request_validator_id.as_deref()?;
        let described = self.api.request_validator(id)?;
        let mut builder = Validator::builder().max_body_bytes(max_body_bytes);
        if described.validate_request_parameters {
            for (parameter, required) in &method.request_parameters {
                if *required {
                    builder = builder.require(parameter);
                }
            }
        }
        if described.validate_request_body {
            for (media_type, name) in &method.request_models {
                builder = builder.model(media_type, self.model(name, method, notes)?);
            }
        }
        match builder.build() {
            Ok(validator) if validator.is_empty() => None,
            Ok(validator) => Some(validator),
            Err(error) => {
                let fault = GatewayFault::new(notes.api, place(method.source.as_ref()), error);
                notes.faults.push(fault);
                None
            }
        }
    }

    fn model(&mut self, name: &'a str, method: &Method, notes: &mut Notes<'_>) -> Option<Model> {
        let compiled = self.compiled.entry(name).or_insert_with(|| {
            let compiled = self.models.model(name);
            let error = match compiled {
                Ok(model) => return Some(model),
                Err(error) => error,
            };
            let model = self.api.model(name);
            let source = model.and_then(|model| model.source.as_ref());
            let place = place(source.or(method.source.as_ref()));
            notes
                .faults
                .push(GatewayFault::new(notes.api, place, error));
            None
        });
        compiled.clone()
    }
}

fn place(source: Option<&Pointer>) -> String {
    source.map(ToString::to_string).unwrap_or_default()
}
