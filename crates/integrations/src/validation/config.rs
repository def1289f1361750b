//! The plain configuration, as a file has it.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use portcullis_core::Mode;
use serde::Deserialize;
use serde_json::Value;

use super::model::{Model, Models};
use super::validator::Validator;
use crate::error::ConfigError;

/// What requests are checked for, as a file has it, under the names that Amazon API Gateway gives the fields.
///
/// ```
/// use portcullis_integrations::{Validator, ValidatorConfig};
///
/// let config: ValidatorConfig = serde_json::from_str(
///     r#"{
///         "requestParameters": { "method.request.header.X-Version": true },
///         "requestModels": { "application/json": "Pet" },
///         "models": { "Pet": { "type": "object", "required": ["name"] } }
///     }"#,
/// )?;
/// let validator = Validator::try_from(config)?;
/// # let _ = validator;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ValidatorConfig {
    /// Parameters as [`ValidatorBuilder::require`](super::ValidatorBuilder::require) takes them, and whether a request must have them.
    pub request_parameters: IndexMap<String, bool>,
    /// The name of a model for each media type; `$default` stands for all others.
    pub request_models: IndexMap<String, String>,
    /// The models, JSON schemas of draft 4, by name.
    pub models: BTreeMap<String, Value>,
    /// See [`ValidatorBuilder::max_body_bytes`](super::ValidatorBuilder::max_body_bytes).
    pub max_body_bytes: Option<u64>,
    /// `enforce`, `observe` or `disabled`.
    pub mode: Mode,
}

impl TryFrom<ValidatorConfig> for Validator {
    type Error = ConfigError;

    fn try_from(config: ValidatorConfig) -> Result<Self, ConfigError> {
        let mut builder = Self::builder().mode(config.mode);
        if let Some(bytes) = config.max_body_bytes {
            builder = builder.max_body_bytes(bytes);
        }
        for (parameter, required) in config.request_parameters {
            if required {
                builder = builder.require(parameter);
            }
        }
        let models = Models::new(config.models);
        let mut compiled: BTreeMap<String, Model> = BTreeMap::new();
        for (media_type, name) in config.request_models {
            let model = match compiled.get(&name) {
                Some(model) => model.clone(),
                None => models.model(&name)?,
            };
            compiled.insert(name, model.clone());
            builder = builder.model(media_type, model);
        }
        builder.build()
    }
}
