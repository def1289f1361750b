//! Gateway responses: what a REST API answers instead of the integration.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::Pointer;
use crate::wire::{self, wire_enum};

wire_enum! {
    /// The 21 types of gateway response.
    #[derive(Hash)]
    #[non_exhaustive]
    pub enum GatewayResponseType {
        /// An authorizer or a policy refuses.
        AccessDenied = "ACCESS_DENIED",
        /// The definition cannot be served: a bad endpoint address, no fitting response.
        ApiConfigurationError = "API_CONFIGURATION_ERROR",
        /// The authorizer cannot be reached, fails, or answers nonsense.
        AuthorizerConfigurationError = "AUTHORIZER_CONFIGURATION_ERROR",
        /// The authorizer failed to authenticate.
        AuthorizerFailure = "AUTHORIZER_FAILURE",
        /// A required parameter is missing.
        BadRequestParameters = "BAD_REQUEST_PARAMETERS",
        /// The body does not fit its model.
        BadRequestBody = "BAD_REQUEST_BODY",
        /// What every 4xx type falls back on that is not set.
        Default4xx = "DEFAULT_4XX",
        /// What every 5xx type falls back on that is not set.
        Default5xx = "DEFAULT_5XX",
        /// The token has expired.
        ExpiredToken = "EXPIRED_TOKEN",
        /// The endpoint failed.
        IntegrationFailure = "INTEGRATION_FAILURE",
        /// The endpoint did not answer in time.
        IntegrationTimeout = "INTEGRATION_TIMEOUT",
        /// The API key is missing, unknown or without a plan.
        InvalidApiKey = "INVALID_API_KEY",
        /// The signature is wrong.
        InvalidSignature = "INVALID_SIGNATURE",
        /// There are no credentials, or no such path or verb.
        MissingAuthenticationToken = "MISSING_AUTHENTICATION_TOKEN",
        /// The quota of the plan is used up.
        QuotaExceeded = "QUOTA_EXCEEDED",
        /// The body is too large.
        RequestTooLarge = "REQUEST_TOO_LARGE",
        /// The resource is missing after all checks passed.
        ResourceNotFound = "RESOURCE_NOT_FOUND",
        /// A rate limit is exceeded.
        Throttled = "THROTTLED",
        /// The identity is missing, or the authorizer does not accept it.
        Unauthorized = "UNAUTHORIZED",
        /// The media type has no template.
        UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE",
        /// A web ACL blocks the request.
        WafFiltered = "WAF_FILTERED",
    }
}

impl GatewayResponseType {
    /// The status code that the type has if nothing sets another; `None` for the two defaults,
    /// which keep the status of the error.
    #[must_use]
    pub fn default_status(self) -> Option<u16> {
        match self {
            Self::BadRequestParameters | Self::BadRequestBody => Some(400),
            Self::Unauthorized => Some(401),
            Self::AccessDenied
            | Self::ExpiredToken
            | Self::InvalidApiKey
            | Self::InvalidSignature
            | Self::MissingAuthenticationToken
            | Self::WafFiltered => Some(403),
            Self::ResourceNotFound => Some(404),
            Self::RequestTooLarge => Some(413),
            Self::UnsupportedMediaType => Some(415),
            Self::QuotaExceeded | Self::Throttled => Some(429),
            Self::ApiConfigurationError
            | Self::AuthorizerConfigurationError
            | Self::AuthorizerFailure => Some(500),
            Self::IntegrationFailure | Self::IntegrationTimeout => Some(504),
            Self::Default4xx | Self::Default5xx => None,
        }
    }

    /// The type that this one falls back on if it is not set; `None` for the two defaults.
    #[must_use]
    pub fn fallback(self) -> Option<Self> {
        match self.default_status()? {
            400..500 => Some(Self::Default4xx),
            _ => Some(Self::Default5xx),
        }
    }
}

/// A gateway response, as `get-gateway-responses` gives it. What is unset has the built-in value of
/// its type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct GatewayResponse {
    /// Which type this is; a map of responses may say it by its key instead.
    #[serde(alias = "ResponseType", skip_serializing_if = "Option::is_none")]
    pub response_type: Option<GatewayResponseType>,
    /// The status code, three digits.
    #[serde(
        alias = "StatusCode",
        deserialize_with = "wire::optional_status",
        skip_serializing_if = "Option::is_none"
    )]
    pub status_code: Option<String>,
    /// What is set on the response: `gatewayresponse.header.name` to where its value comes from.
    #[serde(
        alias = "ResponseParameters",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub response_parameters: IndexMap<String, String>,
    /// Body templates by media type; they know substitution only.
    #[serde(
        alias = "ResponseTemplates",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub response_templates: IndexMap<String, String>,
    /// Whether the service made the response by itself.
    #[serde(alias = "DefaultResponse", skip_serializing_if = "Option::is_none")]
    pub default_response: Option<bool>,
    /// Where in its document the response stands.
    #[serde(skip)]
    pub source: Option<Pointer>,
}

impl GatewayResponse {
    /// The template of every built-in response, for `application/json`.
    pub const DEFAULT_TEMPLATE: &'static str = r#"{"message":$context.error.messageString}"#;

    /// The response of this type if an API does not set it.
    #[must_use]
    pub fn built_in(kind: GatewayResponseType) -> Self {
        let mut response = Self {
            response_type: Some(kind),
            ..Self::default()
        }
        .completed();
        response.default_response = Some(true);
        response
    }

    /// This response with the built-in value in each part that it leaves out.
    #[must_use]
    pub fn completed(&self) -> Self {
        let mut response = self.clone();
        if response.status_code.is_none() {
            let status = response
                .response_type
                .and_then(GatewayResponseType::default_status);
            response.status_code = status.map(|status| status.to_string());
        }
        if response.response_templates.is_empty() {
            response
                .response_templates
                .insert("application/json".into(), Self::DEFAULT_TEMPLATE.into());
        }
        response.default_response = Some(response.default_response.unwrap_or(false));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_21_types_and_their_names_read_back() {
        assert_eq!(GatewayResponseType::ALL.len(), 21);
        for &kind in GatewayResponseType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
    }

    #[test]
    fn each_type_falls_back_by_the_class_of_its_status() {
        assert_eq!(
            GatewayResponseType::Unauthorized.fallback(),
            Some(GatewayResponseType::Default4xx)
        );
        assert_eq!(
            GatewayResponseType::IntegrationFailure.fallback(),
            Some(GatewayResponseType::Default5xx)
        );
        assert_eq!(GatewayResponseType::Default4xx.fallback(), None);
    }

    #[test]
    fn a_response_that_sets_its_status_keeps_the_built_in_template() {
        let response = GatewayResponse {
            response_type: Some(GatewayResponseType::Throttled),
            status_code: Some("444".into()),
            ..GatewayResponse::default()
        };
        let completed = response.completed();
        assert_eq!(completed.status_code.as_deref(), Some("444"));
        assert_eq!(
            completed.response_templates["application/json"],
            GatewayResponse::DEFAULT_TEMPLATE
        );
        assert_eq!(completed.default_response, Some(false));
    }
}
