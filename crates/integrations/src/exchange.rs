//! One request to an HTTP endpoint, and what bounds it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Extensions, Request, Response, StatusCode, Version};
use pin_project_lite::pin_project;
use portcullis_client::{Client, ClientError, ClientErrorKind, ResponseBody};
use portcullis_core::{Body, Measure, RequestContext};
use tokio::time::{Instant, Sleep};

use crate::body::{TooLarge, cap, peek};
use crate::config::Settings;
use crate::failure::{Failure, limit_passed};
use crate::headers;
use crate::web_socket::is_web_socket;

/// One request to an HTTP endpoint.
pub(crate) struct Exchange<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) client: &'a Client,
    pub(crate) deadline: Instant,
}

impl<'a> Exchange<'a> {
    /// One that begins now.
    pub(crate) fn new(settings: &'a Settings, client: &'a Client) -> Self {
        Self {
            settings,
            client,
            deadline: Instant::now() + settings.timeout,
        }
    }

    /// Sends, and waits for the head of the answer.
    pub(crate) async fn send(
        &self,
        request: Request<Body>,
        context: &RequestContext,
    ) -> Result<Response<ResponseBody>, Failure> {
        let started = self.settings.clock.now();
        let sending = async {
            let mut request = capped(request, self.settings, context)?;
            if is_to_be_peeked(&request) {
                request = peeked(request).await?;
            }
            self.client
                .send_until(request, self.deadline.into_std())
                .await
                .map_err(not_sent)
        };
        let sent = tokio::time::timeout_at(self.deadline, sending).await;
        let sent = sent.unwrap_or(Err(Failure::Timeout));
        head(sent, started, self.settings, context)
    }

    /// Sends a request that asks for a WebSocket, and waits for the head of the answer, which may switch to one.
    pub(crate) async fn upgrade(
        &self,
        mut request: Request<Body>,
        context: &RequestContext,
    ) -> Result<Response<ResponseBody>, Failure> {
        let started = self.settings.clock.now();
        *request.extensions_mut() = Extensions::new();
        let sending = self.client.send_upgrade(request, self.deadline.into_std());
        let sent = match tokio::time::timeout_at(self.deadline, sending).await {
            Ok(sent) => sent.map_err(not_sent),
            Err(_) => Err(Failure::Timeout),
        };
        if let Ok(response) = &sent
            && response.status() == StatusCode::SWITCHING_PROTOCOLS
            && is_web_socket(response.headers())
        {
            note(
                started,
                StatusCode::SWITCHING_PROTOCOLS,
                self.settings,
                context,
            );
            return sent;
        }
        head(sent, started, self.settings, context)
    }

    /// Sends a request that is [`capped`] and not [to be peeked](is_to_be_peeked).
    pub(crate) fn start(
        &self,
        request: Request<Body>,
    ) -> Exchanging<impl Future<Output = Result<Response<ResponseBody>, ClientError>> + use<>> {
        Exchanging {
            started: self.settings.clock.now(),
            sent: self.client.send_until(request, self.deadline.into_std()),
            deadline: self.deadline,
            sleep: None,
        }
    }
}

/// Sees to it that a body has no more bytes than it may have, and that what goes out is written down where somebody asks for that.
pub(crate) fn capped(
    mut request: Request<Body>,
    settings: &Settings,
    context: &RequestContext,
) -> Result<Request<Body>, Failure> {
    let body = std::mem::take(request.body_mut());
    let mut body = cap(body, settings.max_request)
        .map_err(|TooLarge { limit }| Failure::TooLarge { limit })?;
    if let Some(record) = context.call_record() {
        record.sent(request.uri(), request.headers());
        body = record.request_body().of(body);
    }
    *request.body_mut() = body;
    // They are the server's own.
    *request.extensions_mut() = Extensions::new();
    Ok(request)
}

/// A chunked request may have no body at all, which is to be known before it is sent. Over HTTP/2 that is known, and a stream
/// may well wait for the answer before it says anything.
pub(crate) fn is_to_be_peeked(request: &Request<Body>) -> bool {
    request.version() != Version::HTTP_2
        && http_body::Body::size_hint(request.body()).exact().is_none()
}

async fn peeked(mut request: Request<Body>) -> Result<Request<Body>, Failure> {
    let body = std::mem::take(request.body_mut());
    *request.body_mut() = peek(body)
        .await
        .map_err(|error| match limit_passed(&*error) {
            Some(limit) => Failure::TooLarge { limit },
            None => Failure::BadRequest(format!("the body is broken: {error}")),
        })?;
    Ok(request)
}

fn not_sent(error: ClientError) -> Failure {
    match error.kind() {
        ClientErrorKind::Timeout => Failure::Timeout,
        _ => Failure::Client(error),
    }
}

/// Checks the head of an answer, and notes how it went.
fn head(
    sent: Result<Response<ResponseBody>, Failure>,
    started: std::time::Instant,
    settings: &Settings,
    context: &RequestContext,
) -> Result<Response<ResponseBody>, Failure> {
    let mut response = match sent {
        Ok(response) => response,
        Err(failure) => {
            waited(started, settings, context);
            return Err(failure);
        }
    };
    if let Some(record) = context.call_record() {
        record.answered(response.headers());
    }
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        waited(started, settings, context);
        let cause = "it switches protocols, which nobody asked for";
        return Err(Failure::BrokenAnswer(cause.to_owned()));
    }
    if let Err(cause) = headers::take_framing(response.headers_mut()) {
        waited(started, settings, context);
        return Err(Failure::BrokenAnswer(cause));
    }
    note(started, response.status(), settings, context);
    Ok(response)
}

/// Notes an answer.
fn note(
    started: std::time::Instant,
    status: StatusCode,
    settings: &Settings,
    context: &RequestContext,
) {
    let waited = waited(started, settings, context);
    context.measure(Measure::TimeToAllHeaders, waited);
    let status = i64::from(status.as_u16());
    context.measure(Measure::IntegrationStatus, status);
    context.measure(Measure::IntegrationServiceStatus, status);
}

/// Notes how long it took until there was an answer, or none.
fn waited(started: std::time::Instant, settings: &Settings, context: &RequestContext) -> i64 {
    let waited = settings.clock.now().saturating_duration_since(started);
    let waited = i64::try_from(waited.as_millis()).unwrap_or(i64::MAX);
    context.measure(Measure::IntegrationLatency, waited);
    waited
}

pin_project! {
    /// A request that is on its way.
    ///
    /// It lies in memory for as long as the endpoint takes, once for each request, so it does not hold the request, as the
    /// future of [`Exchange::send`] does.
    pub(crate) struct Exchanging<F> {
        #[pin]
        sent: F,
        // Made when there is something to wait for: outside a runtime there is no timer.
        #[pin]
        sleep: Option<Sleep>,
        deadline: Instant,
        started: std::time::Instant,
    }
}

impl<F> Exchanging<F>
where
    F: Future<Output = Result<Response<ResponseBody>, ClientError>>,
{
    /// Waits for the head of the answer.
    pub(crate) fn poll_head(
        self: Pin<&mut Self>,
        settings: &Settings,
        context: &RequestContext,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<ResponseBody>, Failure>> {
        let mut this = self.project();
        let sent = match this.sent.poll(cx) {
            Poll::Ready(sent) => sent.map_err(not_sent),
            Poll::Pending => {
                if this.sleep.is_none() {
                    let sleep = tokio::time::sleep_until(*this.deadline);
                    this.sleep.set(Some(sleep));
                }
                if let Some(sleep) = this.sleep.as_pin_mut() {
                    ready!(sleep.poll(cx));
                }
                Err(Failure::Timeout)
            }
        };
        Poll::Ready(head(sent, *this.started, settings, context))
    }

    /// When the answer has to be complete.
    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }
}
