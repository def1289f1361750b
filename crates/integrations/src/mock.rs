//! `MOCK`: the gateway answers by itself.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, Response};
use portcullis_core::{ApiKind, Body, RequestContext, SystemClock};

use crate::body::read_in_time;
use crate::config::{ResponseConfig, Settings};
use crate::error::{ConfigError, Findings};
use crate::failure::Failure;
use crate::integration::{IntegrationFuture, integration_service};
use crate::mock_status::mock_status;
use crate::response::{Responses, Rule};
use crate::template::{Passthrough, RequestBody, Template, Templates};

/// Answers without a backend: the request template says a status, and the integration response of that status answers.
#[derive(Clone, Debug)]
pub struct Mock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    templates: Templates,
    passthrough: Passthrough,
    responses: Responses,
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
        Ok(Self::compiled(
            Settings::new(ApiKind::Rest, Arc::new(SystemClock::new())),
            Templates::compile(&request, "/requestTemplates", &mut findings),
            Passthrough::WhenNoMatch,
            Responses::compile(&[response], None, &mut findings)?,
        ))
    }

    pub(crate) fn compiled(
        settings: Settings,
        templates: Templates,
        passthrough: Passthrough,
        responses: Responses,
    ) -> Self {
        let fixed = templates.same(mock_status).and_then(|status| {
            responses
                .select(decimal(status, &mut [0; 20]))
                .ok()
                .cloned()
        });
        Self {
            shared: Arc::new(Shared {
                fixed,
                settings,
                templates,
                passthrough,
                responses,
            }),
        }
    }

    /// Answers a request. A refusal is an `Err`.
    pub fn call(&self, request: Request<Body>, context: &RequestContext) -> IntegrationFuture {
        let shared = &self.shared;
        let api = shared.settings.api;
        let content_type = request.headers().get(CONTENT_TYPE);
        let text = match shared.templates.request(content_type, shared.passthrough) {
            RequestBody::Replace(Template::Static(text)) => match &shared.fixed {
                Some(rule) => {
                    let head = request.method() == Method::HEAD;
                    let answer = Shared::render(rule, request.headers(), head, context);
                    let answer = answer.map_err(|failure| failure.into_rejection(api, context));
                    return IntegrationFuture::ready(answer);
                }
                None => Ok(text.clone()),
            },
            RequestBody::Replace(Template::Engine) => Err(needs_engine()),
            RequestBody::Refuse => Err(Failure::MediaType),
            // The client's own body says the status. As a rule it is in memory or there is none.
            RequestBody::Pass => match request.body().as_bytes() {
                Some(text) => Ok(Bytes::copy_from_slice(text)),
                None => return self.read(request, context),
            },
        };
        let head = request.method() == Method::HEAD;
        let answer = text.and_then(|text| shared.answer(&text, request.headers(), head, context));
        IntegrationFuture::ready(answer.map_err(|failure| failure.into_rejection(api, context)))
    }

    fn read(&self, request: Request<Body>, context: &RequestContext) -> IntegrationFuture {
        let shared = Arc::clone(&self.shared);
        let context = context.clone();
        IntegrationFuture::boxed(async move {
            let api = shared.settings.api;
            let (parts, body) = request.into_parts();
            let head = parts.method == Method::HEAD;
            let read = read_in_time(body, &shared.settings).await;
            read.and_then(|text| shared.answer(&text, &parts.headers, head, &context))
                .map_err(|failure| failure.into_rejection(api, &context))
        })
    }
}

impl Shared {
    fn answer(
        &self,
        request: &[u8],
        headers: &HeaderMap,
        head: bool,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let status = mock_status(request).ok_or_else(|| {
            Failure::Configuration("the mock's request has no integer `statusCode`".to_owned())
        })?;
        let mut digits = [0; 20];
        let rule = self.responses.select(decimal(status, &mut digits))?;
        Self::render(rule, headers, head, context)
    }

    fn render(
        rule: &Rule,
        headers: &HeaderMap,
        head: bool,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let body = match rule.template_for(headers) {
            None => Bytes::new(),
            Some(Template::Static(text)) => text.clone(),
            Some(Template::Engine) => return Err(needs_engine()),
        };
        let mut response = Response::new(if head { Body::empty() } else { body.into() });
        *response.status_mut() = rule.status();
        *response.headers_mut() = rule.headers(&HeaderMap::new(), context)?;
        Ok(response)
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

pub(crate) fn needs_engine() -> Failure {
    Failure::Configuration("the mapping template needs an engine".to_owned())
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
