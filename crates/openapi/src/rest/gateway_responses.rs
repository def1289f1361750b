//! The gateway responses of a document.

use indexmap::IndexMap;
use portcullis_definition::{GatewayResponse, GatewayResponseType};

use crate::run::{At, Run};

const GATEWAY_RESPONSES: &str = "x-amazon-apigateway-gateway-responses";

/// The types in the order in which the service's message lists them.
const LISTED: &str = "REQUEST_TOO_LARGE, RESOURCE_NOT_FOUND, AUTHORIZER_CONFIGURATION_ERROR, \
    MISSING_AUTHENTICATION_TOKEN, BAD_REQUEST_BODY, INVALID_SIGNATURE, INVALID_API_KEY, \
    BAD_REQUEST_PARAMETERS, AUTHORIZER_FAILURE, UNAUTHORIZED, INTEGRATION_TIMEOUT, \
    ACCESS_DENIED, DEFAULT_4XX, DEFAULT_5XX, WAF_FILTERED, QUOTA_EXCEEDED, THROTTLED, \
    API_CONFIGURATION_ERROR, UNSUPPORTED_MEDIA_TYPE, INTEGRATION_FAILURE, EXPIRED_TOKEN";

impl<'a> Run<'a> {
    /// What the document sets.
    pub(crate) fn gateway_responses(&mut self) -> Vec<GatewayResponse> {
        let root = self.root.clone();
        let Some(section) = self.object(&root, GATEWAY_RESPONSES) else {
            return Vec::new();
        };
        let mut responses = Vec::new();
        for (name, at) in section.members() {
            let Ok(kind) = name.parse::<GatewayResponseType>() else {
                self.fault(
                    &at.pointer,
                    "gateway-response/type",
                    format!(
                        "1 validation error detected: Value '{name}' at 'responseType' failed to \
                         satisfy constraint: Member must satisfy enum value set: [{LISTED}]"
                    ),
                    "use one of these types",
                );
                continue;
            };
            self.known(
                &at,
                &["statusCode", "responseParameters", "responseTemplates"],
            );
            let mut response = GatewayResponse::default();
            response.response_type = Some(kind);
            response.status_code = self.status(&at, "statusCode", "gateway-response/status");
            response.response_parameters = self.non_empty(&at, "responseParameters");
            response.response_templates = self.non_empty(&at, "responseTemplates");
            response.source = Some(at.pointer.clone());
            for name in response.response_parameters.keys() {
                let target = name.strip_prefix("gatewayresponse.").is_some_and(|target| {
                    ["header.", "path.", "querystring."].iter().any(|place| {
                        target
                            .strip_prefix(place)
                            .is_some_and(|name| !name.is_empty())
                    })
                });
                if !target {
                    self.fault(
                        &at.pointer.child("responseParameters").child(name),
                        "gateway-response/parameter",
                        "Invalid parameter name specified",
                        "write gatewayresponse.header. and a name",
                    );
                }
            }
            responses.push(response);
        }
        responses
    }

    fn non_empty(&mut self, at: &At<'a>, key: &str) -> IndexMap<String, String> {
        let map = self.text_map(at, key);
        let Some(member) = at.get(key) else {
            return map;
        };
        for (name, value) in member.members() {
            let is_empty = map.get(name).is_none_or(String::is_empty);
            if is_empty && value.node.as_object().is_none() && value.node.as_array().is_none() {
                self.fault(
                    &value.pointer,
                    "gateway-response/empty",
                    format!("Invalid null or empty value in {key}"),
                    "write a value, or take the entry out",
                );
            }
        }
        map
    }
}
