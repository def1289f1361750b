//! Requests that are for no stage.

use http::StatusCode;
use portcullis_core::{ApiKind, Decision, Rejection, RejectionKind};

/// Why no stage serves a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    reason: RefusalReason,
    api: ApiKind,
}

/// What was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The host belongs to no API and no domain, and the fallback has none either.
    UnknownHost,
    /// The host is that of a default endpoint which is disabled.
    EndpointDisabled,
    /// No routing rule and no base path of the domain fits.
    NoMapping,
    /// The API is private, and the request did not come from a private network.
    NotPrivate,
    /// The domain is strict, and the connection was opened to another name.
    AnotherServerName,
    /// The path names no stage of the API.
    UnknownStage,
}

impl RefusalReason {
    /// The reason as logs name it, `unknown_stage` say.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownHost => "unknown_host",
            Self::EndpointDisabled => "endpoint_disabled",
            Self::NoMapping => "no_mapping",
            Self::NotPrivate => "not_private",
            Self::AnotherServerName => "another_server_name",
            Self::UnknownStage => "unknown_stage",
        }
    }
}

impl Refusal {
    pub(crate) const fn new(reason: RefusalReason, api: ApiKind) -> Self {
        Self { reason, api }
    }

    /// What was not found.
    #[must_use]
    pub const fn reason(&self) -> RefusalReason {
        self.reason
    }

    /// Which kind of API refuses: that of the API whose stage is unknown, or REST if it is not even known which API is meant.
    #[must_use]
    pub const fn api(&self) -> ApiKind {
        self.api
    }

    /// The refusal as the client sees it: 404 `Not Found` for an unknown stage of an HTTP API, 403 `Forbidden` for everything else.
    /// Nobody can restyle it: gateway responses belong to a stage.
    #[must_use]
    pub fn to_rejection(&self) -> Rejection {
        let rejection = Rejection::new(RejectionKind::UnknownStage).for_api(self.api);
        let rejection = match self.reason {
            RefusalReason::UnknownStage => rejection,
            _ => rejection
                .with_status(StatusCode::FORBIDDEN)
                .with_message("Forbidden"),
        };
        rejection.with_decision(Decision::new("stages", self.reason.as_str()))
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        refusal.to_rejection()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reason: RefusalReason, api: ApiKind, status: u16, body: &str) {
        let rejection = Refusal::new(reason, api).to_rejection();
        assert_eq!(rejection.status(), status);
        assert_eq!(rejection.body().1, body);
        assert_eq!(
            rejection.decision().map(Decision::rule),
            Some(reason.as_str())
        );
    }

    #[test]
    fn only_an_unknown_stage_of_an_http_api_is_not_found() {
        const FORBIDDEN: &str = r#"{"message":"Forbidden"}"#;
        const NOT_FOUND: &str = r#"{"message":"Not Found"}"#;
        check(RefusalReason::UnknownStage, ApiKind::Rest, 403, FORBIDDEN);
        check(RefusalReason::UnknownStage, ApiKind::Http, 404, NOT_FOUND);
        check(
            RefusalReason::EndpointDisabled,
            ApiKind::Rest,
            403,
            FORBIDDEN,
        );
        check(
            RefusalReason::EndpointDisabled,
            ApiKind::Http,
            403,
            FORBIDDEN,
        );
        check(RefusalReason::NoMapping, ApiKind::Http, 403, FORBIDDEN);
        check(RefusalReason::NotPrivate, ApiKind::Rest, 403, FORBIDDEN);
        check(RefusalReason::UnknownHost, ApiKind::Rest, 403, FORBIDDEN);
    }
}
