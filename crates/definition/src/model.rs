//! Models: JSON schemas of bodies.

use serde::{Deserialize, Serialize};

use crate::Pointer;

/// A model of a REST API, as `get-models` gives it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Model {
    /// The id of the model.
    #[serde(
        alias = "Id",
        alias = "modelId",
        alias = "ModelId",
        skip_serializing_if = "Option::is_none"
    )]
    pub id: Option<String>,
    /// The name, by which methods and other models refer to it.
    #[serde(alias = "Name")]
    pub name: String,
    /// What the model is for.
    #[serde(alias = "Description", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The schema, JSON Schema draft 4 as text.
    #[serde(alias = "Schema", skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The media type that the model is for.
    #[serde(alias = "ContentType", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Where in its document the schema stands.
    #[serde(skip)]
    pub source: Option<Pointer>,
}
