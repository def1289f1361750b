//! Functions as authorizers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header;
use portcullis_core::{
    ApiKind, Detail, Function, FunctionError, FunctionErrorKind, Invocation, Measure,
    RequestContext,
};
use serde::Deserialize;

use super::answer;
use super::authorizer::{Authorizer, AuthorizerFuture, AuthorizerRequest};
use super::event;
use super::identity::IdentitySource;
use super::reply::AuthorizerError;

/// A function as an authorizer: it gets the service's event, and its answer is read as the service reads it.
///
/// ```
/// use portcullis_auth::custom::{CustomAuthorizerLayer, EventFormat, FunctionAuthorizer};
/// use portcullis_core::{FunctionReply, Invocation};
///
/// let function = async |call: Invocation| {
///     // {"type": "TOKEN", "authorizationToken": "…", "methodArn": "arn:aws:execute-api:…"}
///     let event: serde_json::Value = serde_json::from_slice(&call.payload).unwrap();
///     Ok(FunctionReply::success(serde_json::json!({
///         "principalId": "me",
///         "policyDocument": { "Version": "2012-10-17", "Statement": [{
///             "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": event["methodArn"]
///         }] }
///     }).to_string()))
/// };
/// let layer = CustomAuthorizerLayer::from(
///     FunctionAuthorizer::new("my-authorizer", function, EventFormat::Token)
/// );
/// # let _ = layer;
/// ```
#[derive(Clone)]
pub struct FunctionAuthorizer {
    function: Arc<dyn Function>,
    target: Arc<dyn Fn(&RequestContext) -> Result<Invocation, FunctionError> + Send + Sync>,
    format: EventFormat,
    timeout: Duration,
}

/// What a function is given, and in which shape it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventFormat {
    /// A token alone: `TOKEN` authorizers of REST APIs. It answers with a policy.
    Token,
    /// The request without its body: `REQUEST` authorizers of REST APIs. It answers with a policy.
    Request,
    /// The same for HTTP APIs: payload format 1.0.
    HttpV1,
    /// Payload format 2.0 of HTTP APIs.
    HttpV2 {
        /// It answers `{"isAuthorized": true}` instead of a policy.
        simple_responses: bool,
    },
}

impl EventFormat {
    /// Which kind of API it belongs to.
    #[must_use]
    pub const fn api(self) -> ApiKind {
        match self {
            Self::Token | Self::Request => ApiKind::Rest,
            Self::HttpV1 | Self::HttpV2 { .. } => ApiKind::Http,
        }
    }

    pub(super) const fn has_simple_responses(self) -> bool {
        matches!(
            self,
            Self::HttpV2 {
                simple_responses: true
            }
        )
    }

    /// Whether values in the context keep their types.
    pub(super) const fn keeps_types(self) -> bool {
        matches!(self, Self::HttpV2 { .. })
    }

    /// How long a function may take, as in the service: 10 seconds in an HTTP API, 29 in a REST API.
    pub(super) const fn timeout(self) -> Duration {
        match self.api() {
            ApiKind::Rest => Duration::from_secs(29),
            ApiKind::Http => Duration::from_secs(10),
        }
    }
}

/// How much of what a function says of its error is looked at.
const MAX_ERROR: usize = 64 * 1024;

impl FunctionAuthorizer {
    /// Calls `function` by this name.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, function: impl Function, format: EventFormat) -> Self {
        let name = name.into();
        let target = move |_: &RequestContext| Ok(Invocation::new(Arc::clone(&name), Bytes::new()));
        Self::with_target(function, format, target)
    }

    /// Calls `function` as `target` says of a request: name, qualifier and role of the invocation, which is sent with the event as its payload.
    #[must_use]
    pub fn with_target(
        function: impl Function,
        format: EventFormat,
        target: impl Fn(&RequestContext) -> Result<Invocation, FunctionError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            function: Arc::new(function),
            target: Arc::new(target),
            format,
            timeout: format.timeout(),
        }
    }

    /// How long the function may take. Default: 10 seconds for HTTP APIs, 29 for REST APIs, as in the service.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(super) const fn format(&self) -> EventFormat {
        self.format
    }

    pub(super) const fn patience(&self) -> Duration {
        self.timeout
    }

    /// What is looked at unless sources are named: the token of a `TOKEN` authorizer.
    pub(super) fn default_sources(&self) -> Box<[IdentitySource]> {
        match self.format {
            EventFormat::Token => [IdentitySource::header(header::AUTHORIZATION)].into(),
            _ => Box::default(),
        }
    }
}

impl Authorizer for FunctionAuthorizer {
    fn authorize(&self, request: AuthorizerRequest) -> AuthorizerFuture {
        let own = self.clone();
        Box::pin(async move {
            let context = &request.context;
            let mut call = (own.target)(context).map_err(|error| unreachable(&error))?;
            call.payload = event::event(&request, own.format);
            call.timeout = Some(own.timeout);
            call.trace = context.outgoing_trace();
            let reply = own
                .function
                .invoke(call)
                .await
                .map_err(|error| unreachable(&error))?;
            context.measure(Measure::AuthorizerIntegrationStatus, reply.status.into());
            if let Some(id) = &reply.request_id {
                context.note(Detail::AuthorizerRequestId, Arc::clone(id));
            }
            if reply.function_error.is_some() {
                return Err(failed(&reply.payload, own.format));
            }
            answer::read(&reply.payload, own.format)
        })
    }
}

/// Why a function was not called. Its source may name the place, which is for the operator.
fn unreachable(error: &FunctionError) -> AuthorizerError {
    if error.kind() == FunctionErrorKind::Timeout {
        return AuthorizerError::TimedOut;
    }
    match std::error::Error::source(error) {
        Some(source) => AuthorizerError::Failed(format!("{error}: {source}")),
        None => AuthorizerError::Failed(error.to_string()),
    }
}

/// What a function that failed means. What it says may hold what it was given, so that no more than its type goes to the log.
fn failed(payload: &[u8], format: EventFormat) -> AuthorizerError {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Failure {
        error_message: Option<String>,
        error_type: Option<String>,
    }
    let failure: Failure = match payload.len() {
        ..=MAX_ERROR => serde_json::from_slice(payload).unwrap_or_default(),
        _ => Failure::default(),
    };
    let message = failure.error_message.unwrap_or_default();
    // Payload 2.0 has `isAuthorized` for that.
    if message == "Unauthorized" && !format.keeps_types() {
        return AuthorizerError::Unauthorized;
    }
    let mut why: String = failure
        .error_type
        .as_deref()
        .unwrap_or("Error")
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':'))
        .take(64)
        .collect();
    if message.to_ascii_lowercase().contains("unauthorized") {
        why.push_str(
            " (only the message `Unauthorized`, to the letter, is a 401, and only in payload 1.0)",
        );
    }
    AuthorizerError::Failed(why)
}

impl fmt::Debug for FunctionAuthorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionAuthorizer")
            .field("format", &self.format)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{AuthorizerError, EventFormat, failed};

    #[test]
    fn only_the_message_unauthorized_is_a_401_and_no_other_message_is_told() {
        let failed = |json: &str, format| failed(json.as_bytes(), format);
        let exact = r#"{"errorMessage":"Unauthorized","errorType":"Error"}"#;
        assert_eq!(
            failed(exact, EventFormat::Token),
            AuthorizerError::Unauthorized
        );
        assert_eq!(
            failed(exact, EventFormat::HttpV1),
            AuthorizerError::Unauthorized
        );
        let v2 = EventFormat::HttpV2 {
            simple_responses: true,
        };
        for (json, format) in [
            (exact, v2),
            (
                r#"{"errorMessage":"Unauthorized: token abc","errorType":"E rr\nor"}"#,
                EventFormat::Token,
            ),
            (r#"{"errorMessage":"unauthorized"}"#, EventFormat::Token),
            ("not JSON", EventFormat::Token),
            (r#"{"errorMessage":{"a":1}}"#, EventFormat::Token),
        ] {
            let error = failed(json, format);
            assert!(matches!(error, AuthorizerError::Failed(_)), "{json}");
            let text = error.to_string();
            assert!(!text.contains("abc") && !text.contains('\n'), "{text}");
        }
    }
}
