//! What the context answers to each name below `$context`.

use std::fmt::{self, Write as _};
use std::time::UNIX_EPOCH;

use http::Version;
use serde_json::{Map, Value};

use super::RequestContext;
use crate::identity::CallerKey;
use crate::rejection::ApiKind;
use crate::value::ContextValue;
use crate::variable::{Name, Variable};

impl RequestContext {
    /// The value of a name below `$context`, as JSON; `None` if the name is unknown or nothing is known under it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value> {
        self.json(&Variable::parse(name)?)
    }

    /// The value of a variable, as JSON.
    #[must_use]
    pub fn json(&self, variable: &Variable) -> Option<Value> {
        self.value(variable, |value| value.map(|value| value.to_json()))
    }

    /// Writes the value of a variable and says whether there was one.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&self, variable: &Variable, out: &mut dyn fmt::Write) -> Result<bool, fmt::Error> {
        self.value(variable, |value| match value {
            Some(value) => write!(out, "{value}").map(|()| true),
            None => Ok(false),
        })
    }

    /// Hands the value of a variable to `read`, borrowed. Do not touch the context from within `read`.
    pub fn value<T>(
        &self,
        variable: &Variable,
        read: impl FnOnce(Option<ContextValue<'_>>) -> T,
    ) -> T {
        use ContextValue::{Flag, Json, Number, Text};
        let inner = &*self.inner;
        let stage = self.stage();
        let route = self.route();
        match &variable.name {
            Name::AccountId => read(stage.map(|stage| Text(&stage.account_id))),
            Name::ApiId => read(stage.map(|stage| Text(&stage.api_id))),
            Name::Stage => read(stage.map(|stage| Text(&stage.stage))),
            Name::DeploymentId => read(
                stage
                    .and_then(|stage| stage.deployment_id.as_deref())
                    .map(Text),
            ),
            Name::EndpointType => read(
                stage
                    .and_then(|stage| stage.endpoint_type.as_deref())
                    .map(Text),
            ),
            Name::CipherSuite => {
                let tls = self
                    .connection()
                    .and_then(|connection| connection.tls.as_ref());
                read(tls.and_then(|tls| tls.cipher_suite.as_deref()).map(Text))
            }
            Name::TlsVersion => {
                let tls = self
                    .connection()
                    .and_then(|connection| connection.tls.as_ref());
                read(tls.and_then(|tls| tls.version.as_deref()).map(Text))
            }
            Name::DomainName => read(self.host().map(Text)),
            Name::DomainPrefix => {
                let prefix = self
                    .host()
                    .map(|host| host.split('.').next().unwrap_or(host));
                read(prefix.map(Text))
            }
            Name::ExtendedRequestId => read(Some(Text(inner.extended_request_id.as_str()))),
            Name::HttpMethod => read(Some(Text(self.method().as_str()))),
            Name::Path => read(Some(Text(inner.uri.path()))),
            Name::Protocol => read(Some(Text(match inner.version {
                Version::HTTP_09 | Version::HTTP_10 => "HTTP/1.0",
                // The service prints this for HTTP/2, too.
                _ => "HTTP/1.1",
            }))),
            // In an HTTP API the two ids are one.
            Name::RequestId if stage.is_some_and(|stage| stage.kind == ApiKind::Http) => {
                read(Some(Text(inner.extended_request_id.as_str())))
            }
            Name::RequestId => read(Some(Text(inner.request_id.as_str()))),
            Name::RequestTime => read(Some(Text(&self.request_time()))),
            Name::RequestTimeEpoch => {
                let epoch = inner.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
                read(Some(Number(
                    i64::try_from(epoch.as_millis()).unwrap_or(i64::MAX),
                )))
            }
            Name::ResourceId => {
                let id = route.and_then(|route| route.route().resource_id.as_deref());
                read(id.map(Text))
            }
            Name::ResourcePath => read(route.map(|route| Text(&route.route().template))),
            Name::RouteKey => {
                let key = route.and_then(|route| route.route().route_key.as_deref());
                read(key.map(Text))
            }
            Name::XrayTraceId => read(self.trace().map(|trace| Text(trace.root()))),
            Name::IdentitySourceIp => match self.client() {
                Some(address) => read(Some(Text(&address.to_string()))),
                None => read(None),
            },
            Name::IdentityUserAgent => {
                let agent = inner
                    .user_agent
                    .as_ref()
                    .and_then(|agent| agent.to_str().ok());
                read(agent.map(Text))
            }
            Name::IdentityApiKey => read(self.api_key().and_then(CallerKey::value).map(Text)),
            Name::IdentityApiKeyId => read(self.api_key().map(|key| Text(key.id().as_str()))),
            Name::ClientCertificate(field) => {
                let certificate = self.client_certificate();
                read(certificate.map(|certificate| Text(certificate.field(*field))))
            }
            Name::Measure(measure) => read(self.measured(*measure).map(Number)),
            Name::IsCanaryRequest => read(self.open().release.is_canary().map(Flag)),
            Name::Detail(detail) => read(self.open().detail(*detail).map(|text| Text(text))),
            Name::Claim(name) => match self.claims() {
                Some(claims) => read(claims.shown(name).as_deref().map(Json)),
                None => read(None),
            },
            Name::Authorizer(name) => read(self.open().authorizer.get(&**name).map(Json)),
            Name::RequestOverride(path) => {
                read(descend(&self.open().overrides.request, path).map(Json))
            }
            Name::ResponseOverride(path) => {
                read(descend(&self.open().overrides.response, path).map(Json))
            }
            Name::ErrorMessage
            | Name::ErrorMessageString
            | Name::ErrorResponseType
            | Name::ErrorValidation => {
                let refusal = self.refusal();
                let Some(refusal) = refusal else {
                    return read(None);
                };
                match &variable.name {
                    Name::ErrorMessage => read(refusal.message().map(Text)),
                    Name::ErrorMessageString => read(Some(Text(&refusal.message_string()))),
                    Name::ErrorResponseType => read(refusal.kind().response_type().map(Text)),
                    _ => read(refusal.validation_error().map(Text)),
                }
            }
            name => {
                let open = self.open();
                let identity = &open.identity;
                let fact = match name {
                    Name::IdentityAccessKey => identity.access_key.as_deref(),
                    Name::IdentityAccountId => identity.account_id.as_deref(),
                    Name::IdentityCaller => identity.caller.as_deref(),
                    Name::IdentityUser => identity.user.as_deref(),
                    Name::IdentityUserArn => identity.user_arn.as_deref(),
                    Name::IdentityPrincipalOrgId => identity.principal_org_id.as_deref(),
                    Name::IdentityOther(name) => identity.other.get(name).map(|text| &**text),
                    _ => None,
                };
                read(fact.map(Text))
            }
        }
    }

    /// `12/Mar/2020:19:03:58 +0000`
    fn request_time(&self) -> String {
        let mut text = String::with_capacity(26);
        if let Ok(time) = jiff::Timestamp::try_from(self.inner.wall) {
            // Writing to a string cannot fail, and the format is valid.
            let _ = write!(text, "{}", time.strftime("%d/%b/%Y:%H:%M:%S +0000"));
        }
        text
    }
}

/// The member of nested objects that `path` names: `header.X-Id`. A name with dots of its own is found, too.
fn descend<'a>(map: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = map.get(path) {
        return Some(value);
    }
    let (head, tail) = path.split_once('.')?;
    descend(map.get(head)?.as_object()?, tail)
}
