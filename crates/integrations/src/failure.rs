//! Failures of what stands behind a method, as refusals.

use std::error::Error;

use http::StatusCode;
use portcullis_client::{ClientError, ClientErrorKind};
use portcullis_core::{
    ApiKind, Decision, Detail, FunctionError, FunctionErrorKind, Rejection, RejectionKind,
    RequestContext,
};

use crate::body::TooLarge;
use crate::mapping::MappingFault;
use crate::uri::UriFault;

/// The name of this crate in decisions.
const LAYER: &str = "integrations";

/// Why there is no answer from behind a method.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It did not answer in time.
    Timeout,
    /// It is set up in a way that cannot work.
    Configuration(String),
    /// The client's request cannot be sent on as it is.
    BadRequest(String),
    /// A mapping needs JSON of the client, and its body is none.
    Unprocessable(String),
    /// The same, for a value of a parameter.
    NoJson(String),
    /// A parameter of an AWS service has no value, or one that it cannot have. The client is told which.
    Unmapped(String),
    /// A function's event is no JSON.
    NoEvent(String),
    /// The client's body is larger than allowed.
    TooLarge { limit: u64 },
    /// No template fits the body's media type, and it must not pass.
    MediaType,
    /// The endpoint's answer is larger than allowed.
    AnswerTooLarge { limit: u64 },
    /// The endpoint broke off in the middle of its answer.
    BrokenAnswer(String),
    /// An endpoint did not answer.
    Client(ClientError),
    /// A function could not be called.
    Function(FunctionError),
    /// A function failed, or its answer is none.
    BadReply(String),
}

impl Failure {
    /// A request needs a template that cannot be read.
    pub(crate) fn broken_template(fault: &str) -> Self {
        Self::Configuration(format!("the mapping template cannot be read: {fault}"))
    }

    /// The refusal that a client of an API of this kind gets. The cause is noted in the context.
    pub(crate) fn into_rejection(self, api: ApiKind, context: &RequestContext) -> Rejection {
        use RejectionKind::{
            ApiConfigurationError, IntegrationTimeout, MalformedRequest, RequestTooLarge,
            UnsupportedMediaType,
        };
        let (rejection, rule, cause) = match self {
            Self::Timeout => (
                Rejection::new(IntegrationTimeout),
                "timeout",
                "no answer in time".to_owned(),
            ),
            Self::Configuration(cause) => (
                Rejection::new(ApiConfigurationError),
                "configuration",
                cause,
            ),
            Self::BadRequest(cause) => (Rejection::new(MalformedRequest), "request", cause),
            Self::Unprocessable(cause) => (
                Rejection::new(MalformedRequest)
                    .with_message(format!("Could not process payload: {cause}")),
                "request body",
                cause,
            ),
            Self::NoJson(cause) => (
                Rejection::new(MalformedRequest).with_message("Invalid JSON in request body"),
                "request body",
                cause,
            ),
            Self::Unmapped(cause) => (
                Rejection::new(MalformedRequest).with_message(cause.clone()),
                "requestParameters",
                cause,
            ),
            Self::NoEvent(cause) => (
                Rejection::new(MalformedRequest)
                    .with_message("Could not parse request body into json."),
                "event",
                cause,
            ),
            Self::TooLarge { limit } => {
                let rejection = Rejection::new(RequestTooLarge)
                    .with_message(format!("HTTP content length exceeded {limit} bytes."));
                (
                    rejection,
                    "maxBodyBytes",
                    format!("more than {limit} bytes"),
                )
            }
            Self::MediaType => (
                Rejection::new(UnsupportedMediaType),
                "passthroughBehavior",
                "no template for the media type".to_owned(),
            ),
            Self::AnswerTooLarge { limit } => (
                internal(StatusCode::INTERNAL_SERVER_ERROR, api),
                "maxBodyBytes",
                format!("the answer has more than {limit} bytes"),
            ),
            Self::BrokenAnswer(cause) => (
                Rejection::new(RejectionKind::IntegrationFailure),
                "closed",
                cause,
            ),
            Self::Client(error) => return client(&error, api, context),
            Self::Function(error) => {
                let rejection = match error.kind() {
                    FunctionErrorKind::Timeout => Rejection::new(IntegrationTimeout),
                    FunctionErrorKind::Unreachable => internal(StatusCode::BAD_GATEWAY, api),
                    _ => internal(StatusCode::INTERNAL_SERVER_ERROR, api),
                };
                (rejection, "function", with_causes(&error))
            }
            Self::BadReply(cause) => (internal(StatusCode::BAD_GATEWAY, api), "reply", cause),
        };
        finish(rejection, rule, cause, api, context)
    }
}

/// A failure whose message does not say what failed. An HTTP API answers 500 to all of them.
fn internal(status: StatusCode, api: ApiKind) -> Rejection {
    let status = match api {
        ApiKind::Rest => status,
        // This is the one that becomes 500 there.
        ApiKind::Http => StatusCode::BAD_GATEWAY,
    };
    Rejection::new(RejectionKind::IntegrationFailure)
        .with_status(status)
        .with_message("Internal server error")
}

fn client(error: &ClientError, api: ApiKind, context: &RequestContext) -> Rejection {
    let cause = error.to_string();
    let (rejection, rule) = match error.kind() {
        ClientErrorKind::RequestBody => {
            if let Some(limit) = limit_passed(error) {
                return Failure::TooLarge { limit }.into_rejection(api, context);
            }
            (
                Rejection::new(RejectionKind::MalformedRequest),
                "request body",
            )
        }
        ClientErrorKind::Timeout => (Rejection::new(RejectionKind::IntegrationTimeout), "timeout"),
        // An HTTP API does not tell an address that is none from an endpoint that is away.
        kind @ (ClientErrorKind::Address | ClientErrorKind::Dns | ClientErrorKind::Refused) => {
            let rule = match kind {
                ClientErrorKind::Dns => "dns",
                ClientErrorKind::Refused => "refused",
                _ => "address",
            };
            if api == ApiKind::Http {
                (Rejection::new(RejectionKind::IntegrationFailure), rule)
            } else {
                (Rejection::new(RejectionKind::ApiConfigurationError), rule)
            }
        }
        kind => {
            let rule = match kind {
                ClientErrorKind::Tls => "tls",
                ClientErrorKind::Closed => "closed",
                ClientErrorKind::Protocol => "protocol",
                ClientErrorKind::CircuitOpen => "circuit open",
                _ => "connect",
            };
            (Rejection::new(RejectionKind::IntegrationFailure), rule)
        }
    };
    finish(rejection, rule, cause, api, context)
}

fn finish(
    rejection: Rejection,
    rule: &'static str,
    cause: String,
    api: ApiKind,
    context: &RequestContext,
) -> Rejection {
    tracing::debug!(request_id = %context.request_id(), rule, cause, "the integration failed");
    let decision = Decision::new(LAYER, rule).with("cause", cause.clone());
    context.note(Detail::IntegrationError, cause);
    rejection.for_api(api).with_decision(decision)
}

/// What an error says, and what its causes say that it does not say itself.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // The end of it may stand there already, as of the innermost cause.
        let known = said
            .rsplit(": ")
            .next()
            .is_some_and(|end| text.contains(end));
        if !known {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

/// The cap that the request's body went over, if that is what broke it.
pub(crate) fn limit_passed(error: &(dyn Error + 'static)) -> Option<u64> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(TooLarge { limit }) = error.downcast_ref() {
            return Some(*limit);
        }
        cause = error.source();
    }
    None
}

impl From<UriFault> for Failure {
    fn from(fault: UriFault) -> Self {
        match fault {
            UriFault::Escapes(_) => Self::BadRequest(fault.to_string()),
            _ => Self::Configuration(fault.to_string()),
        }
    }
}

impl From<MappingFault> for Failure {
    fn from(fault: MappingFault) -> Self {
        match fault {
            MappingFault::Forbidden(name) => {
                Self::Configuration(format!("`{name}` cannot be mapped"))
            }
            MappingFault::BadValue(name) => {
                Self::BadRequest(format!("the value for `{name}` cannot stand in a header"))
            }
            MappingFault::NoJson(cause) => Self::NoJson(cause),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

#[cfg(test)]
mod tests {
    use super::with_causes;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Said(&'static str, #[source] Option<Box<Self>>);

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let said = |text, cause: Option<Said>| Said(text, cause.map(Box::new));
        let innermost = said("nobody listens", None);
        let between = said("cannot connect: nobody listens", Some(innermost));
        let refused = said("refused: nobody listens", Some(between));
        let error = said("the function cannot be reached", Some(refused));
        assert_eq!(
            with_causes(&error),
            "the function cannot be reached: refused: nobody listens"
        );
    }
}
