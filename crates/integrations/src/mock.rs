//! `MOCK`: the gateway answers by itself.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use portcullis_core::{ApiKind, Body, RequestContext, SystemClock};

use crate::body::read_in_time;
use crate::coding::decode;
use crate::config::{ResponseConfig, Settings};
use crate::error::{ConfigError, Findings};
use crate::failure::Failure;
use crate::integration::{IntegrationFuture, integration_service};
use crate::mapping::{
    BinaryTypes, Carried, ClientBody, Mapping, RequestMapping, ResponseMapping, Rule, Template,
    Templates, complete_head,
};
use crate::mock_status::mock_status;

/// Answers without a backend: the request template says a status, and the integration response of that status answers.
#[derive(Clone, Debug)]
pub struct Mock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    mapping: Mapping,
    /// The response that every request template leads to, if that is known beforehand.
    fixed: Option<Rule>,
}

impl Mock {
    /// A mock that answers `status` with `body` as JSON, in a REST API.
    ///
    /// # Errors
    ///
    /// If the status is not one from 200 to 599.
    ///
    /// ```
    /// use portcullis_integrations::Mock;
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mock = Mock::new(200, r#"{"pets":[]}"#)?;
    /// let response = mock.oneshot(http::Request::new(portcullis_core::Body::empty())).await?;
    /// assert_eq!(response.headers()["content-type"], "application/json");
    /// assert_eq!(response.body().as_bytes(), Some(&br#"{"pets":[]}"#[..]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(status: u16, body: impl Into<String>) -> Result<Self, ConfigError> {
        let json = || "application/json".to_owned();
        let mut findings = Findings::default();
        let mut response = ResponseConfig::new(status.to_string());
        response.templates = vec![(json(), body.into())];
        let request = [(json(), format!("{{\"statusCode\":{status}}}"))];
        let binary = BinaryTypes::default();
        let mapping = Mapping {
            request: RequestMapping {
                templates: Templates::compile(&request, "/requestTemplates", &mut findings),
                ..RequestMapping::default()
            },
            responses: ResponseMapping::compile(&[response], None, binary, &mut findings)?,
        };
        let settings = Settings::new(ApiKind::Rest, Arc::new(SystemClock::new()));
        Ok(Self::compiled(settings, mapping))
    }

    pub(crate) fn compiled(settings: Settings, mapping: Mapping) -> Self {
        let fixed = mapping
            .request
            .templates
            .same(mock_status)
            .and_then(|status| {
                let selected = mapping.responses.select(decimal(status, &mut [0; 20]));
                selected.ok().cloned()
            });
        Self {
            shared: Arc::new(Shared {
                fixed,
                settings,
                mapping,
            }),
        }
    }

    /// Answers a request. A refusal is an `Err`.
    pub fn call(&self, request: Request<Body>, context: &RequestContext) -> IntegrationFuture {
        let shared = &self.shared;
        let (mut asked, body) = request.into_parts();
        let answer = match shared.mapping.request.choose(&asked) {
            Err(failure) => Err(failure),
            Ok(chosen) => {
                if let (Some(rule), Some(Template::Fixed(_))) = (&shared.fixed, chosen) {
                    shared.render(rule, &mut asked, Carried::default(), context)
                } else {
                    // As a rule there is none.
                    let body = match body.as_bytes() {
                        Some([]) => ClientBody::Whole(Bytes::new()),
                        _ if shared.mapping.request.needs_body(chosen, &asked) => {
                            return self.read(asked, body, context);
                        }
                        _ => ClientBody::Unread(body),
                    };
                    shared.answer(&mut asked, chosen, body, context)
                }
            }
        };
        let api = shared.settings.api;
        IntegrationFuture::ready(answer.map_err(|failure| failure.into_rejection(api, context)))
    }

    fn read(&self, mut asked: Parts, body: Body, context: &RequestContext) -> IntegrationFuture {
        let shared = Arc::clone(&self.shared);
        let context = context.clone();
        IntegrationFuture::boxed(async move {
            let api = shared.settings.api;
            let read = read_in_time(body, &shared.settings).await;
            let limit = shared.settings.max_request;
            let read = read.and_then(|bytes| decode(bytes, &asked.headers, limit));
            let answer = read.and_then(|bytes| {
                let chosen = shared.mapping.request.choose(&asked)?;
                shared.answer(&mut asked, chosen, ClientBody::Whole(bytes), &context)
            });
            answer.map_err(|failure| failure.into_rejection(api, &context))
        })
    }
}

impl Shared {
    fn answer(
        &self,
        asked: &mut Parts,
        chosen: Option<&Template>,
        body: ClientBody,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        if matches!(chosen, Some(Template::Rendered(_))) {
            complete_head(asked, context);
        }
        let request = &self.mapping.request;
        let mapped = request.map_read(chosen, asked, body, context)?;
        let status = mapped.body.as_bytes().and_then(mock_status);
        let status = status.ok_or_else(|| {
            Failure::Configuration("the mock's request has no integer `statusCode`".to_owned())
        })?;
        let carried = mapped.carried;
        let mut digits = [0; 20];
        let rule = self
            .mapping
            .responses
            .select(decimal(status, &mut digits))?;
        self.render(rule, asked, carried, context)
    }

    fn render(
        &self,
        rule: &Rule,
        asked: &mut Parts,
        carried: Carried,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        if rule.renders(&asked.headers) {
            complete_head(asked, context);
        }
        let nothing = (&HeaderMap::new(), Bytes::new());
        self.mapping
            .responses
            .render(rule, asked, nothing, carried, context)
    }
}

/// The number in decimal, without an allocation.
fn decimal(number: i64, buffer: &mut [u8; 20]) -> &str {
    use std::io::Write;
    let mut left = &mut buffer[..];
    // Twenty bytes hold any number.
    let _ = write!(left, "{number}");
    let written = 20 - left.len();
    std::str::from_utf8(&buffer[..written]).unwrap_or_default()
}

integration_service!(Mock);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_is_written_in_full() {
        for number in [0, -1000, 200, i64::MAX, i64::MIN] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string());
        }
    }
}
