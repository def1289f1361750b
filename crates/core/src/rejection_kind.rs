//! The kinds of refusals, and what the service answers for each.

use http::StatusCode;

/// What kind of refusal a [`Rejection`](crate::Rejection) is.
///
/// The names are those of the gateway response types of Amazon API Gateway; the last few are
/// answers that the service gives outside that system, or that only this project gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// An authorizer, a policy or a scope says no.
    AccessDenied,
    /// The API is set up in a way that cannot work: an address that is none, no integration response that fits.
    ApiConfigurationError,
    /// An authorizer cannot be reached, failed, or answered with something that is no answer.
    AuthorizerConfigurationError,
    /// An authorizer could not decide.
    AuthorizerFailure,
    /// A required header, query or path parameter is missing.
    BadRequestParameters,
    /// The body does not fit its model.
    BadRequestBody,
    /// The caller's token has expired.
    ExpiredToken,
    /// What stands behind the method failed. The real status is often 502 or 500: see [`with_status`](crate::Rejection::with_status).
    IntegrationFailure,
    /// What stands behind the method did not answer in time.
    IntegrationTimeout,
    /// An API key is needed, and the one sent is missing, unknown, disabled or without a plan.
    InvalidApiKey,
    /// The signature is not the one that the key gives.
    InvalidSignature,
    /// No credentials where some are needed, or, in a REST API, no such path or method.
    MissingAuthenticationToken,
    /// The quota of a usage plan is used up.
    QuotaExceeded,
    /// The body is larger than the gateway takes.
    RequestTooLarge,
    /// No such path. A REST API answers so only where its `unknownRoute` option asks for it.
    ResourceNotFound,
    /// A rate or burst limit is reached.
    Throttled,
    /// Who the caller is was not shown, or not believed.
    Unauthorized,
    /// No mapping template fits the content type, and passing it on is not allowed.
    UnsupportedMediaType,
    /// A web ACL blocks the request.
    WafFiltered,
    /// An `Authorization` header that is no complete signature.
    IncompleteSignature,
    /// The access key or the session token of a signature is not known.
    UnrecognizedClient,
    /// No API, stage or base path belongs to the host and path, or the way in is closed.
    UnknownStage,
    /// The path is known, the method is not. Only where the `unknownRoute` option asks for it.
    MethodNotAllowed,
    /// The method's ARN with the request's path values is longer than 1,600 bytes, or the URI is too long.
    UriTooLong,
    /// The headers together are larger than the gateway takes.
    HeadersTooLarge,
    /// The request is not HTTP as it should be: a broken body, two hosts, a mapping over a body that is not JSON.
    MalformedRequest,
}

/// What is known of a kind: one row of the table below.
struct Row {
    response_type: Option<&'static str>,
    status: StatusCode,
    error_type: &'static str,
    message: Option<Wording>,
    http_status: StatusCode,
    http_message: Wording,
}

/// A message, and the JSON that says it.
#[derive(Clone, Copy)]
struct Wording {
    text: &'static str,
    json: &'static str,
}

/// The wording of a message that stands in JSON as it is.
macro_rules! wording {
    ($text:literal) => {
        wording!("message", $text)
    };
    ($member:literal, $text:literal) => {
        Wording {
            text: $text,
            json: concat!("{\"", $member, "\":\"", $text, "\"}"),
        }
    };
}

impl RejectionKind {
    /// Every kind there is.
    pub const ALL: &'static [Self] = &[
        Self::AccessDenied,
        Self::ApiConfigurationError,
        Self::AuthorizerConfigurationError,
        Self::AuthorizerFailure,
        Self::BadRequestParameters,
        Self::BadRequestBody,
        Self::ExpiredToken,
        Self::IntegrationFailure,
        Self::IntegrationTimeout,
        Self::InvalidApiKey,
        Self::InvalidSignature,
        Self::MissingAuthenticationToken,
        Self::QuotaExceeded,
        Self::RequestTooLarge,
        Self::ResourceNotFound,
        Self::Throttled,
        Self::Unauthorized,
        Self::UnsupportedMediaType,
        Self::WafFiltered,
        Self::IncompleteSignature,
        Self::UnrecognizedClient,
        Self::UnknownStage,
        Self::MethodNotAllowed,
        Self::UriTooLong,
        Self::HeadersTooLarge,
        Self::MalformedRequest,
    ];

    const fn row(self) -> Row {
        match self {
            Self::AccessDenied => Row {
                response_type: Some("ACCESS_DENIED"),
                status: StatusCode::FORBIDDEN,
                error_type: "AccessDeniedException",
                message: Some(wording!(
                    // The service capitalises the member for this one type.
                    "Message",
                    "User is not authorized to access this resource"
                )),
                http_status: StatusCode::FORBIDDEN,
                http_message: wording!("Forbidden"),
            },
            Self::ApiConfigurationError => Row {
                response_type: Some("API_CONFIGURATION_ERROR"),
                status: StatusCode::INTERNAL_SERVER_ERROR,
                error_type: "InternalServerErrorException",
                message: Some(wording!("Internal server error")),
                http_status: StatusCode::INTERNAL_SERVER_ERROR,
                http_message: wording!("Internal Server Error"),
            },
            Self::AuthorizerConfigurationError => Row {
                response_type: Some("AUTHORIZER_CONFIGURATION_ERROR"),
                status: StatusCode::INTERNAL_SERVER_ERROR,
                error_type: "AuthorizerConfigurationException",
                message: None,
                http_status: StatusCode::INTERNAL_SERVER_ERROR,
                http_message: wording!("Internal Server Error"),
            },
            Self::AuthorizerFailure => Row {
                response_type: Some("AUTHORIZER_FAILURE"),
                status: StatusCode::INTERNAL_SERVER_ERROR,
                error_type: "AuthorizerFailureException",
                message: Some(wording!("Internal server error")),
                http_status: StatusCode::INTERNAL_SERVER_ERROR,
                http_message: wording!("Internal Server Error"),
            },
            Self::BadRequestParameters => Row {
                response_type: Some("BAD_REQUEST_PARAMETERS"),
                status: StatusCode::BAD_REQUEST,
                error_type: "BadRequestException",
                message: Some(wording!("Missing required request parameters")),
                http_status: StatusCode::BAD_REQUEST,
                http_message: wording!("Bad Request"),
            },
            Self::BadRequestBody => Row {
                response_type: Some("BAD_REQUEST_BODY"),
                status: StatusCode::BAD_REQUEST,
                error_type: "BadRequestException",
                message: Some(wording!("Invalid request body")),
                http_status: StatusCode::BAD_REQUEST,
                http_message: wording!("Bad Request"),
            },
            Self::ExpiredToken => Row {
                response_type: Some("EXPIRED_TOKEN"),
                status: StatusCode::FORBIDDEN,
                error_type: "ExpiredTokenException",
                message: Some(wording!(
                    "The security token included in the request is expired"
                )),
                http_status: StatusCode::FORBIDDEN,
                http_message: wording!("Forbidden"),
            },
            Self::IntegrationFailure => Row {
                response_type: Some("INTEGRATION_FAILURE"),
                status: StatusCode::GATEWAY_TIMEOUT,
                error_type: "InternalServerErrorException",
                message: Some(wording!("Network error communicating with endpoint")),
                http_status: StatusCode::SERVICE_UNAVAILABLE,
                http_message: wording!("Service Unavailable"),
            },
            Self::IntegrationTimeout => Row {
                response_type: Some("INTEGRATION_TIMEOUT"),
                status: StatusCode::GATEWAY_TIMEOUT,
                error_type: "InternalServerErrorException",
                message: Some(wording!("Endpoint request timed out")),
                http_status: StatusCode::SERVICE_UNAVAILABLE,
                http_message: wording!("Service Unavailable"),
            },
            Self::InvalidApiKey => Row {
                response_type: Some("INVALID_API_KEY"),
                status: StatusCode::FORBIDDEN,
                error_type: "ForbiddenException",
                message: Some(wording!("Forbidden")),
                http_status: StatusCode::FORBIDDEN,
                http_message: wording!("Forbidden"),
            },
            Self::InvalidSignature => Row {
                response_type: Some("INVALID_SIGNATURE"),
                status: StatusCode::FORBIDDEN,
                error_type: "InvalidSignatureException",
                message: Some(wording!(
                    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
                )),
                http_status: StatusCode::FORBIDDEN,
                http_message: wording!("Forbidden"),
            },
            Self::MissingAuthenticationToken => Row {
                response_type: Some("MISSING_AUTHENTICATION_TOKEN"),
                status: StatusCode::FORBIDDEN,
                error_type: "MissingAuthenticationTokenException",
                message: Some(wording!("Missing Authentication Token")),
                http_status: StatusCode::NOT_FOUND,
                http_message: wording!("Not Found"),
            },
            Self::QuotaExceeded => Row {
                response_type: Some("QUOTA_EXCEEDED"),
                status: StatusCode::TOO_MANY_REQUESTS,
                error_type: "LimitExceededException",
                message: Some(wording!("Limit Exceeded")),
                http_status: StatusCode::TOO_MANY_REQUESTS,
                http_message: wording!("Too Many Requests"),
            },
            Self::RequestTooLarge => Row {
                response_type: Some("REQUEST_TOO_LARGE"),
                status: StatusCode::PAYLOAD_TOO_LARGE,
                error_type: "RequestTooLargeException",
                message: Some(wording!("HTTP content length exceeded 10485760 bytes.")),
                http_status: StatusCode::PAYLOAD_TOO_LARGE,
                http_message: wording!("Request Entity Too Large"),
            },
            Self::ResourceNotFound => Row {
                response_type: Some("RESOURCE_NOT_FOUND"),
                status: StatusCode::NOT_FOUND,
                error_type: "ResourceNotFoundException",
                message: Some(wording!("Not Found")),
                http_status: StatusCode::NOT_FOUND,
                http_message: wording!("Not Found"),
            },
            Self::Throttled => Row {
                response_type: Some("THROTTLED"),
                status: StatusCode::TOO_MANY_REQUESTS,
                error_type: "TooManyRequestsException",
                message: Some(wording!("Too Many Requests")),
                http_status: StatusCode::TOO_MANY_REQUESTS,
                http_message: wording!("Too Many Requests"),
            },
            Self::Unauthorized => Row {
                response_type: Some("UNAUTHORIZED"),
                status: StatusCode::UNAUTHORIZED,
                error_type: "UnauthorizedException",
                message: Some(wording!("Unauthorized")),
                http_status: StatusCode::UNAUTHORIZED,
                http_message: wording!("Unauthorized"),
            },
            Self::UnsupportedMediaType => Row {
                response_type: Some("UNSUPPORTED_MEDIA_TYPE"),
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                error_type: "BadRequestException",
                message: Some(wording!("Unsupported Media Type")),
                http_status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                http_message: wording!("Unsupported Media Type"),
            },
            Self::WafFiltered => Row {
                response_type: Some("WAF_FILTERED"),
                status: StatusCode::FORBIDDEN,
                error_type: "ForbiddenException",
                message: Some(wording!("Forbidden")),
                http_status: StatusCode::FORBIDDEN,
                http_message: wording!("Forbidden"),
            },
            Self::IncompleteSignature => Row {
                response_type: None,
                status: StatusCode::FORBIDDEN,
                error_type: "IncompleteSignatureException",
                message: Some(wording!(
                    "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
                )),
                http_status: StatusCode::FORBIDDEN,
                http_message: wording!("Forbidden"),
            },
            Self::UnrecognizedClient => Row {
                response_type: None,
                status: StatusCode::FORBIDDEN,
                error_type: "UnrecognizedClientException",
                message: Some(wording!(
                    "The security token included in the request is invalid."
                )),
                http_status: StatusCode::FORBIDDEN,
                http_message: wording!("Forbidden"),
            },
            Self::UnknownStage => Row {
                response_type: None,
                status: StatusCode::FORBIDDEN,
                error_type: "ForbiddenException",
                message: Some(wording!("Forbidden")),
                http_status: StatusCode::NOT_FOUND,
                http_message: wording!("Not Found"),
            },
            Self::MethodNotAllowed => Row {
                response_type: None,
                status: StatusCode::METHOD_NOT_ALLOWED,
                error_type: "MethodNotAllowedException",
                message: Some(wording!("Method Not Allowed")),
                http_status: StatusCode::METHOD_NOT_ALLOWED,
                http_message: wording!("Method Not Allowed"),
            },
            Self::UriTooLong => Row {
                response_type: None,
                status: StatusCode::URI_TOO_LONG,
                error_type: "RequestUriTooLongException",
                message: Some(wording!("Request URI too long")),
                http_status: StatusCode::URI_TOO_LONG,
                http_message: wording!("Request URI too long"),
            },
            Self::HeadersTooLarge => Row {
                response_type: None,
                status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                error_type: "RequestHeaderFieldsTooLargeException",
                message: Some(wording!("Request Header Fields Too Large")),
                http_status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                http_message: wording!("Request Header Fields Too Large"),
            },
            Self::MalformedRequest => Row {
                response_type: None,
                status: StatusCode::BAD_REQUEST,
                error_type: "BadRequestException",
                message: Some(wording!("Bad Request")),
                http_status: StatusCode::BAD_REQUEST,
                http_message: wording!("Bad Request"),
            },
        }
    }

    /// The name of the gateway response type, `ACCESS_DENIED` say; `None` for the kinds outside that system,
    /// which nobody can restyle.
    #[must_use]
    pub const fn response_type(self) -> Option<&'static str> {
        self.row().response_type
    }

    /// The kind with this gateway response type.
    #[must_use]
    pub fn from_response_type(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.response_type() == Some(name))
    }

    /// The status that the service documents for the kind. It decides whether `DEFAULT_4XX` or `DEFAULT_5XX` applies,
    /// also where the real status differs.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.row().status
    }

    /// The value of `x-amzn-ErrorType`.
    #[must_use]
    pub const fn error_type(self) -> &'static str {
        self.row().error_type
    }

    /// The message that a caller reads by default; `None` prints as `null`.
    #[must_use]
    pub const fn message(self) -> Option<&'static str> {
        match self.row().message {
            Some(wording) => Some(wording.text),
            None => None,
        }
    }

    /// The status that an HTTP API answers with.
    #[must_use]
    pub const fn http_api_status(self) -> StatusCode {
        self.row().http_status
    }

    /// The message that an HTTP API answers with.
    #[must_use]
    pub const fn http_api_message(self) -> &'static str {
        self.row().http_message.text
    }

    /// The body that says [`message`](Self::message), where there is one.
    pub(crate) const fn json(self) -> Option<&'static str> {
        match self.row().message {
            Some(wording) => Some(wording.json),
            None => None,
        }
    }

    /// The body that says [`http_api_message`](Self::http_api_message).
    pub(crate) const fn http_api_json(self) -> &'static str {
        self.row().http_message.json
    }
}

#[cfg(test)]
mod tests {
    use super::RejectionKind;

    #[test]
    fn each_response_type_is_found_by_its_name() {
        for kind in RejectionKind::ALL {
            if let Some(name) = kind.response_type() {
                assert_eq!(RejectionKind::from_response_type(name), Some(*kind));
            }
        }
        assert_eq!(RejectionKind::from_response_type("DEFAULT_4XX"), None);
    }

    #[test]
    fn the_ready_bodies_are_the_json_of_the_messages() {
        for kind in RejectionKind::ALL {
            let json = |text: &str, body: &str| {
                let body: serde_json::Map<String, serde_json::Value> =
                    serde_json::from_str(body).expect("a body is a JSON object");
                assert_eq!(body.values().collect::<Vec<_>>(), [text], "{kind:?}");
            };
            if let (Some(text), Some(body)) = (kind.message(), kind.json()) {
                json(text, body);
            }
            json(kind.http_api_message(), kind.http_api_json());
        }
    }

    #[test]
    fn nineteen_kinds_are_gateway_response_types() {
        let types = RejectionKind::ALL
            .iter()
            .filter(|kind| kind.response_type().is_some());
        assert_eq!(
            types.count(),
            19,
            "the 21 types less DEFAULT_4XX and DEFAULT_5XX"
        );
    }
}
