//! Routes of HTTP APIs.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::wire;
use crate::{AuthorizationType, Pointer};

/// A route of an HTTP API, as `get-routes` gives it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Route {
    /// The id of the route.
    #[serde(alias = "RouteId")]
    pub route_id: String,
    /// `METHOD /path`, `ANY /path` or `$default`.
    #[serde(alias = "RouteKey")]
    pub route_key: String,
    /// `integrations/` and the id of the integration; without one the route has nothing to answer
    /// with.
    #[serde(alias = "Target", skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Who may call the route.
    #[serde(alias = "AuthorizationType")]
    pub authorization_type: AuthorizationType,
    /// The id of the authorizer, for `CUSTOM` and `JWT`.
    #[serde(alias = "AuthorizerId", skip_serializing_if = "Option::is_none")]
    pub authorizer_id: Option<String>,
    /// The scopes of which a token must have one.
    #[serde(
        alias = "AuthorizationScopes",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub authorization_scopes: Vec<String>,
    /// Of WebSocket APIs; HTTP APIs know no API keys.
    #[serde(
        alias = "ApiKeyRequired",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "wire::is_false"
    )]
    pub api_key_required: bool,
    /// The name of the operation: a document's `operationId`.
    #[serde(alias = "OperationName", skip_serializing_if = "Option::is_none")]
    pub operation_name: Option<String>,
    /// Whether the service made the route by itself.
    #[serde(
        alias = "ApiGatewayManaged",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "wire::is_false"
    )]
    pub api_gateway_managed: bool,
    /// Of WebSocket APIs; kept as it is.
    #[serde(
        alias = "ModelSelectionExpression",
        skip_serializing_if = "Option::is_none"
    )]
    pub model_selection_expression: Option<String>,
    /// Of WebSocket APIs; kept as it is.
    #[serde(
        alias = "RequestModels",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub request_models: IndexMap<String, String>,
    /// Of WebSocket APIs; kept as it is.
    #[serde(
        alias = "RequestParameters",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub request_parameters: IndexMap<String, serde_json::Value>,
    /// Of WebSocket APIs; kept as it is.
    #[serde(
        alias = "RouteResponseSelectionExpression",
        skip_serializing_if = "Option::is_none"
    )]
    pub route_response_selection_expression: Option<String>,
    /// Where in its document the operation stands.
    #[serde(skip)]
    pub source: Option<Pointer>,
}

impl Route {
    /// The id of the integration that `target` names.
    #[must_use]
    pub fn integration_id(&self) -> Option<&str> {
        let target = self.target.as_deref()?;
        Some(target.strip_prefix("integrations/").unwrap_or(target))
    }

    /// The verb and the path of the route key; `None` for `$default`.
    #[must_use]
    pub fn method_and_path(&self) -> Option<(&str, &str)> {
        self.route_key.split_once(' ')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(route: serde_json::Value, integration: Option<&str>, split: Option<(&str, &str)>) {
        let route: Route = serde_json::from_value(route).unwrap();
        assert_eq!(route.integration_id(), integration);
        assert_eq!(route.method_and_path(), split);
    }

    #[test]
    fn target_names_the_integration_with_or_without_its_prefix() {
        check(
            serde_json::json!({"target": "integrations/abc"}),
            Some("abc"),
            None,
        );
        check(serde_json::json!({"Target": "abc"}), Some("abc"), None);
    }

    #[test]
    fn route_key_splits_into_verb_and_path() {
        check(
            serde_json::json!({"routeKey": "GET /p/{id}"}),
            None,
            Some(("GET", "/p/{id}")),
        );
        check(serde_json::json!({"RouteKey": "$default"}), None, None);
    }
}
