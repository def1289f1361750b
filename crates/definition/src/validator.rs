//! Request validators.

use serde::{Deserialize, Serialize};

use crate::wire;

/// What of a request is checked before the integration is called.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct RequestValidator {
    /// The id, which methods name.
    #[serde(alias = "Id")]
    pub id: String,
    /// The name, which documents use.
    #[serde(alias = "Name")]
    pub name: String,
    /// Whether the body must fit its model.
    #[serde(alias = "ValidateRequestBody", deserialize_with = "wire::or_default")]
    pub validate_request_body: bool,
    /// Whether required parameters must be there.
    #[serde(
        alias = "ValidateRequestParameters",
        deserialize_with = "wire::or_default"
    )]
    pub validate_request_parameters: bool,
}
