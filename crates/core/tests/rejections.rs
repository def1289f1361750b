//! What a client gets for each kind of refusal, byte for byte.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use portcullis_core::{ApiKind, Body, ERROR_TYPE, Rejection, RejectionKind};

use RejectionKind as Kind;

/// A kind; its type among the gateway responses; what a REST API answers: status, `x-amzn-ErrorType`, body; what an HTTP API answers: status,
/// message.
type Row = (
    Kind,
    Option<&'static str>,
    (u16, &'static str, &'static str),
    (u16, &'static str),
);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    (Kind::AccessDenied, Some("ACCESS_DENIED"),
        (403, "AccessDeniedException", r#"{"Message":"User is not authorized to access this resource"}"#), (403, "Forbidden")),
    (Kind::ApiConfigurationError, Some("API_CONFIGURATION_ERROR"),
        (500, "InternalServerErrorException", r#"{"message":"Internal server error"}"#), (500, "Internal Server Error")),
    (Kind::AuthorizerConfigurationError, Some("AUTHORIZER_CONFIGURATION_ERROR"),
        (500, "AuthorizerConfigurationException", r#"{"message":null}"#), (500, "Internal Server Error")),
    (Kind::AuthorizerFailure, Some("AUTHORIZER_FAILURE"),
        (500, "AuthorizerFailureException", r#"{"message":"Internal server error"}"#), (500, "Internal Server Error")),
    (Kind::BadRequestParameters, Some("BAD_REQUEST_PARAMETERS"),
        (400, "BadRequestException", r#"{"message":"Missing required request parameters"}"#), (400, "Bad Request")),
    (Kind::BadRequestBody, Some("BAD_REQUEST_BODY"),
        (400, "BadRequestException", r#"{"message":"Invalid request body"}"#), (400, "Bad Request")),
    (Kind::ExpiredToken, Some("EXPIRED_TOKEN"),
        (403, "ExpiredTokenException", r#"{"message":"The security token included in the request is expired"}"#), (403, "Forbidden")),
    (Kind::IntegrationFailure, Some("INTEGRATION_FAILURE"),
        (504, "InternalServerErrorException", r#"{"message":"Network error communicating with endpoint"}"#), (503, "Service Unavailable")),
    (Kind::IntegrationTimeout, Some("INTEGRATION_TIMEOUT"),
        (504, "InternalServerErrorException", r#"{"message":"Endpoint request timed out"}"#), (503, "Service Unavailable")),
    (Kind::InvalidApiKey, Some("INVALID_API_KEY"),
        (403, "ForbiddenException", r#"{"message":"Forbidden"}"#), (403, "Forbidden")),
    (Kind::InvalidSignature, Some("INVALID_SIGNATURE"),
        (403, "InvalidSignatureException", r#"{"message":"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."}"#), (403, "Forbidden")),
    (Kind::MissingAuthenticationToken, Some("MISSING_AUTHENTICATION_TOKEN"),
        (403, "MissingAuthenticationTokenException", r#"{"message":"Missing Authentication Token"}"#), (404, "Not Found")),
    (Kind::QuotaExceeded, Some("QUOTA_EXCEEDED"),
        (429, "LimitExceededException", r#"{"message":"Limit Exceeded"}"#), (429, "Too Many Requests")),
    (Kind::RequestTooLarge, Some("REQUEST_TOO_LARGE"),
        (413, "RequestTooLargeException", "HTTP content length exceeded 10485760 bytes."), (413, "Request Entity Too Large")),
    (Kind::ResourceNotFound, Some("RESOURCE_NOT_FOUND"),
        (404, "ResourceNotFoundException", r#"{"message":"Not Found"}"#), (404, "Not Found")),
    (Kind::Throttled, Some("THROTTLED"),
        (429, "TooManyRequestsException", r#"{"message":"Too Many Requests"}"#), (429, "Too Many Requests")),
    (Kind::Unauthorized, Some("UNAUTHORIZED"),
        (401, "UnauthorizedException", r#"{"message":"Unauthorized"}"#), (401, "Unauthorized")),
    (Kind::UnsupportedMediaType, Some("UNSUPPORTED_MEDIA_TYPE"),
        (415, "BadRequestException", r#"{"message":"Unsupported Media Type"}"#), (415, "Unsupported Media Type")),
    (Kind::WafFiltered, Some("WAF_FILTERED"),
        (403, "ForbiddenException", r#"{"message":"Forbidden"}"#), (403, "Forbidden")),
    (Kind::IncompleteSignature, None,
        (403, "IncompleteSignatureException", r#"{"message":"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."}"#), (403, "Forbidden")),
    (Kind::UnrecognizedClient, None,
        (403, "UnrecognizedClientException", r#"{"message":"The security token included in the request is invalid."}"#), (403, "Forbidden")),
    (Kind::UnknownStage, None,
        (403, "ForbiddenException", r#"{"message":"Forbidden"}"#), (404, "Not Found")),
    (Kind::MethodNotAllowed, None,
        (405, "MethodNotAllowedException", r#"{"message":"Method Not Allowed"}"#), (405, "Method Not Allowed")),
    (Kind::UriTooLong, None,
        (414, "RequestUriTooLongException", r#"{"message":"Request URI too long"}"#), (414, "Request URI too long")),
    (Kind::HeadersTooLarge, None,
        (431, "RequestHeaderFieldsTooLargeException", r#"{"message":"Request Header Fields Too Large"}"#), (431, "Request Header Fields Too Large")),
    (Kind::MalformedRequest, None,
        (400, "BadRequestException", r#"{"message":"Bad Request"}"#), (400, "Bad Request")),
];

#[track_caller]
fn check(rejection: Rejection, status: u16, error_type: Option<&str>, body: &str) {
    let kind = rejection.kind();
    let response = rejection.into_response::<Body>();
    assert_eq!(response.status(), status, "{kind:?}");
    let header = response.headers().get(ERROR_TYPE);
    let header = header.map(|value| value.to_str().expect("text"));
    assert_eq!(header, error_type, "{kind:?}");
    assert_eq!(response.headers()[CONTENT_LENGTH], *body.len().to_string());
    let content_type = if body.starts_with('{') {
        "application/json"
    } else {
        "text/plain"
    };
    assert_eq!(response.headers()[CONTENT_TYPE], content_type, "{kind:?}");
    let sent = response.body().as_bytes().expect("a whole body");
    assert_eq!(String::from_utf8_lossy(sent), body, "{kind:?}");
    let carried = response.extensions().get::<Rejection>();
    assert_eq!(carried.map(Rejection::kind), Some(kind));
}

#[test]
fn each_kind_is_answered_as_the_service_answers() {
    for (kind, response_type, (status, error_type, body), (http_status, message)) in TABLE {
        assert_eq!(kind.response_type(), *response_type, "{kind:?}");
        check(Rejection::new(*kind), *status, Some(error_type), body);
        let http = Rejection::new(*kind).for_api(ApiKind::Http);
        let body = format!(r#"{{"message":"{message}"}}"#);
        check(http, *http_status, None, &body);
    }
}

#[test]
fn the_table_has_every_kind() {
    let listed: Vec<_> = TABLE.iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(listed, RejectionKind::ALL);
}
