//! The names below `$context`, compiled once.

use std::fmt;

use crate::client_certificate::CertificateField;

/// A number that layers measure: each answers to one or two names below `$context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Measure {
    /// The status that the client gets. (`status`)
    Status,
    /// The length of the response's body, in bytes. (`responseLength`)
    ResponseLength,
    /// From the request's arrival to the end of its response, in milliseconds. (`responseLatency`)
    ResponseLatency,
    /// Bytes that went through the gateway, both ways. (`dataProcessed`)
    DataProcessed,
    /// How long what stands behind the method took, in milliseconds. (`integrationLatency`, `integration.latency`)
    IntegrationLatency,
    /// The status of the service that ran the integration: for a function, the Lambda service's, not the function's own. (`integrationStatus`, `integration.integrationStatus`)
    IntegrationServiceStatus,
    /// The status that the integration itself gave: for a function, the one that its code returned. (`integration.status`)
    IntegrationStatus,
    /// From the connection to an integration to the last of its headers, in milliseconds. (`integration.timeToAllHeaders`)
    TimeToAllHeaders,
    /// From the connection to an integration to the first byte of its body, in milliseconds. (`integration.timeToFirstContent`)
    TimeToFirstContent,
    /// How long authentication took, in milliseconds. (`authenticate.latency`)
    AuthenticateLatency,
    /// The status that authentication came to. (`authenticate.status`)
    AuthenticateStatus,
    /// How long authorisation took, in milliseconds. (`authorize.latency`)
    AuthorizeLatency,
    /// The status that authorisation came to. (`authorize.status`)
    AuthorizeStatus,
    /// How long the authorizer took, in milliseconds. (`authorizer.latency`)
    AuthorizerLatency,
    /// The status that the authorizer came to. (`authorizer.status`)
    AuthorizerStatus,
    /// How long the authorizer's function took, in milliseconds. (`authorizer.integrationLatency`)
    AuthorizerIntegrationLatency,
    /// The status of the service that ran the authorizer's function. (`authorizer.integrationStatus`)
    AuthorizerIntegrationStatus,
    /// How long the web ACL took, in milliseconds. (`waf.latency`)
    WafLatency,
    /// The status that the web ACL came to. (`waf.status`)
    WafStatus,
}

impl Measure {
    pub(crate) const COUNT: usize = 19;
}

/// A text that layers note: each answers to one or two names below `$context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Detail {
    /// What authentication found wrong. (`authenticate.error`)
    AuthenticateError,
    /// What authorisation found wrong. (`authorize.error`)
    AuthorizeError,
    /// What the authorizer found wrong. (`authorizer.error`)
    AuthorizerError,
    /// The principal that an authorizer named. (`authorizer.principalId`)
    AuthorizerPrincipalId,
    /// The id of the call of the authorizer's function. (`authorizer.requestId`)
    AuthorizerRequestId,
    /// What the web ACL failed at. (`waf.error`)
    WafError,
    /// What the web ACL decided: `WAF_ALLOW` or `WAF_BLOCK`. (`wafResponseCode`)
    WafResponseCode,
    /// The web ACL that decided. (`webaclArn`)
    WebAclArn,
    /// What went wrong in or with the integration. (`integration.error`, `integrationErrorMessage`)
    IntegrationError,
    /// The id that the endpoint gave to the call. (`awsEndpointRequestId`, `integration.requestId`)
    EndpointRequestId,
    /// The second id that the endpoint gave, `x-amz-id-2`. (`awsEndpointRequestId2`)
    EndpointRequestId2,
    /// `BUFFERED` or `STREAMED`. (`integration.responseTransferMode`)
    ResponseTransferMode,
    /// The base path that was matched; `(none)` for the empty one. (`customDomain.basePathMatched`)
    BasePathMatched,
    /// The routing rule that was matched. (`customDomain.routingRuleIdMatched`)
    RoutingRuleIdMatched,
}

/// A name below `$context`, looked up once and answered by
/// [`RequestContext::value`](crate::RequestContext::value) without a search.
///
/// ```
/// use portcullis_core::Variable;
///
/// assert!(Variable::parse("identity.sourceIp").is_some());
/// assert!(Variable::parse("authorizer.claims.sub").is_some());
/// assert!(Variable::parse("identity.sourceip").is_none(), "names are case-sensitive");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Variable {
    pub(crate) name: Name,
    text: Box<str>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
#[expect(
    clippy::enum_variant_names,
    reason = "they are the names that the service gives"
)]
pub(crate) enum Name {
    AccountId,
    ApiId,
    CipherSuite,
    TlsVersion,
    DeploymentId,
    DomainName,
    DomainPrefix,
    EndpointType,
    ErrorMessage,
    ErrorMessageString,
    ErrorResponseType,
    ErrorValidation,
    ExtendedRequestId,
    HttpMethod,
    IdentityAccessKey,
    IdentityAccountId,
    IdentityApiKey,
    IdentityApiKeyId,
    IdentityCaller,
    IdentityUser,
    IdentityUserArn,
    IdentityPrincipalOrgId,
    IdentitySourceIp,
    IdentityUserAgent,
    IsCanaryRequest,
    Path,
    Protocol,
    RequestId,
    RequestTime,
    RequestTimeEpoch,
    ResourceId,
    ResourcePath,
    RouteKey,
    Stage,
    XrayTraceId,
    Measure(Measure),
    Detail(Detail),
    IdentityOther(&'static str),
    ClientCertificate(CertificateField),
    Claim(Box<str>),
    Authorizer(Box<str>),
    RequestOverride(Box<str>),
    ResponseOverride(Box<str>),
}

impl Variable {
    /// The variable of this name, given without `$context.`; `None` if there is none. Any name below
    /// `authorizer`, `requestOverride` and `responseOverride` is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(Self {
            name: Self::lookup(name)?,
            text: name.into(),
        })
    }

    /// The name, without `$context.`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Every name that is fixed, for documents and completion.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FIXED.iter().map(|(name, _)| *name)
    }

    fn lookup(name: &str) -> Option<Name> {
        if let Some((_, fixed)) = FIXED.iter().find(|(fixed, _)| *fixed == name) {
            return Some(fixed.clone());
        }
        let (head, tail) = name.split_once('.')?;
        if tail.is_empty() {
            return None;
        }
        match head {
            "authorizer" => Some(match tail.strip_prefix("claims.") {
                Some(claim) => Name::Claim(claim.into()),
                None => Name::Authorizer(tail.into()),
            }),
            "requestOverride" => Some(Name::RequestOverride(tail.into())),
            "responseOverride" => Some(Name::ResponseOverride(tail.into())),
            _ => None,
        }
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "$context.{}", self.text)
    }
}

const FIXED: &[(&str, Name)] = &[
    ("accountId", Name::AccountId),
    ("apiId", Name::ApiId),
    ("cipherSuite", Name::CipherSuite),
    ("tlsVersion", Name::TlsVersion),
    ("deploymentId", Name::DeploymentId),
    ("domainName", Name::DomainName),
    ("domainPrefix", Name::DomainPrefix),
    ("endpointType", Name::EndpointType),
    ("error.message", Name::ErrorMessage),
    ("error.messageString", Name::ErrorMessageString),
    ("error.responseType", Name::ErrorResponseType),
    ("error.validationErrorString", Name::ErrorValidation),
    ("extendedRequestId", Name::ExtendedRequestId),
    ("httpMethod", Name::HttpMethod),
    ("identity.accessKey", Name::IdentityAccessKey),
    ("identity.accountId", Name::IdentityAccountId),
    ("identity.apiKey", Name::IdentityApiKey),
    ("identity.apiKeyId", Name::IdentityApiKeyId),
    ("identity.caller", Name::IdentityCaller),
    ("identity.user", Name::IdentityUser),
    ("identity.userArn", Name::IdentityUserArn),
    ("identity.principalOrgId", Name::IdentityPrincipalOrgId),
    ("identity.sourceIp", Name::IdentitySourceIp),
    ("identity.userAgent", Name::IdentityUserAgent),
    ("isCanaryRequest", Name::IsCanaryRequest),
    ("path", Name::Path),
    ("protocol", Name::Protocol),
    ("requestId", Name::RequestId),
    ("requestTime", Name::RequestTime),
    ("requestTimeEpoch", Name::RequestTimeEpoch),
    ("resourceId", Name::ResourceId),
    ("resourcePath", Name::ResourcePath),
    ("routeKey", Name::RouteKey),
    ("stage", Name::Stage),
    ("xrayTraceId", Name::XrayTraceId),
    ("status", Name::Measure(Measure::Status)),
    ("responseLength", Name::Measure(Measure::ResponseLength)),
    ("responseLatency", Name::Measure(Measure::ResponseLatency)),
    ("dataProcessed", Name::Measure(Measure::DataProcessed)),
    (
        "integrationLatency",
        Name::Measure(Measure::IntegrationLatency),
    ),
    (
        "integration.latency",
        Name::Measure(Measure::IntegrationLatency),
    ),
    (
        "integrationStatus",
        Name::Measure(Measure::IntegrationServiceStatus),
    ),
    (
        "integration.integrationStatus",
        Name::Measure(Measure::IntegrationServiceStatus),
    ),
    (
        "integration.status",
        Name::Measure(Measure::IntegrationStatus),
    ),
    (
        "integration.timeToAllHeaders",
        Name::Measure(Measure::TimeToAllHeaders),
    ),
    (
        "integration.timeToFirstContent",
        Name::Measure(Measure::TimeToFirstContent),
    ),
    (
        "authenticate.latency",
        Name::Measure(Measure::AuthenticateLatency),
    ),
    (
        "authenticate.status",
        Name::Measure(Measure::AuthenticateStatus),
    ),
    (
        "authorize.latency",
        Name::Measure(Measure::AuthorizeLatency),
    ),
    ("authorize.status", Name::Measure(Measure::AuthorizeStatus)),
    (
        "authorizer.latency",
        Name::Measure(Measure::AuthorizerLatency),
    ),
    (
        "authorizer.status",
        Name::Measure(Measure::AuthorizerStatus),
    ),
    (
        "authorizer.integrationLatency",
        Name::Measure(Measure::AuthorizerIntegrationLatency),
    ),
    (
        "authorizer.integrationStatus",
        Name::Measure(Measure::AuthorizerIntegrationStatus),
    ),
    ("waf.latency", Name::Measure(Measure::WafLatency)),
    ("waf.status", Name::Measure(Measure::WafStatus)),
    (
        "authenticate.error",
        Name::Detail(Detail::AuthenticateError),
    ),
    ("authorize.error", Name::Detail(Detail::AuthorizeError)),
    ("authorizer.error", Name::Detail(Detail::AuthorizerError)),
    (
        "authorizer.principalId",
        Name::Detail(Detail::AuthorizerPrincipalId),
    ),
    (
        "authorizer.requestId",
        Name::Detail(Detail::AuthorizerRequestId),
    ),
    ("waf.error", Name::Detail(Detail::WafError)),
    ("wafResponseCode", Name::Detail(Detail::WafResponseCode)),
    ("webaclArn", Name::Detail(Detail::WebAclArn)),
    ("integration.error", Name::Detail(Detail::IntegrationError)),
    (
        "integrationErrorMessage",
        Name::Detail(Detail::IntegrationError),
    ),
    (
        "awsEndpointRequestId",
        Name::Detail(Detail::EndpointRequestId),
    ),
    (
        "integration.requestId",
        Name::Detail(Detail::EndpointRequestId),
    ),
    (
        "awsEndpointRequestId2",
        Name::Detail(Detail::EndpointRequestId2),
    ),
    (
        "integration.responseTransferMode",
        Name::Detail(Detail::ResponseTransferMode),
    ),
    (
        "customDomain.basePathMatched",
        Name::Detail(Detail::BasePathMatched),
    ),
    (
        "customDomain.routingRuleIdMatched",
        Name::Detail(Detail::RoutingRuleIdMatched),
    ),
    (
        "identity.cognitoAuthenticationProvider",
        Name::IdentityOther("cognitoAuthenticationProvider"),
    ),
    (
        "identity.cognitoAuthenticationType",
        Name::IdentityOther("cognitoAuthenticationType"),
    ),
    (
        "identity.cognitoIdentityId",
        Name::IdentityOther("cognitoIdentityId"),
    ),
    (
        "identity.cognitoIdentityPoolId",
        Name::IdentityOther("cognitoIdentityPoolId"),
    ),
    ("identity.vpcId", Name::IdentityOther("vpcId")),
    ("identity.vpceId", Name::IdentityOther("vpceId")),
    (
        "identity.clientCert.clientCertPem",
        Name::ClientCertificate(CertificateField::Pem),
    ),
    (
        "identity.clientCert.subjectDN",
        Name::ClientCertificate(CertificateField::SubjectDn),
    ),
    (
        "identity.clientCert.issuerDN",
        Name::ClientCertificate(CertificateField::IssuerDn),
    ),
    (
        "identity.clientCert.serialNumber",
        Name::ClientCertificate(CertificateField::SerialNumber),
    ),
    (
        "identity.clientCert.validity.notBefore",
        Name::ClientCertificate(CertificateField::NotBefore),
    ),
    (
        "identity.clientCert.validity.notAfter",
        Name::ClientCertificate(CertificateField::NotAfter),
    ),
];

#[cfg(test)]
mod tests {
    use super::{FIXED, Measure, Name, Variable};

    #[test]
    fn a_fixed_name_stands_for_one_variable() {
        for (name, _) in FIXED {
            assert_eq!(
                FIXED.iter().filter(|(other, _)| other == name).count(),
                1,
                "{name}"
            );
        }
    }

    #[test]
    fn the_last_measure_has_the_last_index() {
        assert_eq!(Measure::WafStatus as usize + 1, Measure::COUNT);
    }

    #[test]
    fn an_authorizer_may_name_its_values_as_it_likes() {
        assert!(matches!(
            Variable::parse("authorizer.tenant").map(|v| v.name),
            Some(Name::Authorizer(_))
        ));
        assert!(matches!(
            Variable::parse("authorizer.claims.sub").map(|v| v.name),
            Some(Name::Claim(_))
        ));
        assert!(Variable::parse("authorizer.").is_none());
        assert!(Variable::parse("nothing.like.this").is_none());
    }
}
