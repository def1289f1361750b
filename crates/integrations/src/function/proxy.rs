//! `AWS_PROXY`: a function gets the request as an event, and its reply is the response.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use portcullis_core::{
    ApiKind, Body, Detail, Function, FunctionError, FunctionErrorKind, FunctionReply, Invocation,
    Measure, RequestContext, SystemClock, TRACE_ID,
};
use tokio::time::Instant;

use crate::answering::{self, Answering};
use crate::aws::CallAs;
use crate::body::{TooLarge, cap, read_in_time};
use crate::coding::decode_known;
use crate::config::{Settings, check_timeout};
use crate::error::ConfigError;
use crate::failure::Failure;
use crate::forwarded::add_x_forwarded;
use crate::function::event::{self, add_host};
use crate::function::http_service::HttpFunction;
use crate::function::registry::Callee;
use crate::function::reply::{response_v1, response_v2};
use crate::function::{
    FunctionTarget, FunctionUri, Functions, action, event_v1, event_v2, stream_reply,
};
use crate::headers::strip_hop_by_hop;
use crate::http_proxy::trace;
use crate::integration::{IntegrationFuture, integration_service};
use crate::mapping::BinaryTypes;

/// The shape of a function's event and reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PayloadFormat {
    /// 1.0
    #[default]
    V1,
    /// 2.0, of HTTP APIs only.
    V2,
}

/// Calls a function with the whole request, and answers with what it gives back.
///
/// See the [crate docs](crate) for an example.
#[derive(Clone, Debug)]
pub struct FunctionProxy {
    shared: Arc<Shared>,
}

#[derive(Clone, Debug)]
struct Shared {
    settings: Settings,
    functions: Functions,
    uri: FunctionUri,
    identity: CallAs,
    format: PayloadFormat,
    binary: BinaryTypes,
    /// A mapping names a header that none may set: each call fails.
    forbidden: bool,
    /// The function's answer is sent while it comes.
    streams: bool,
}

impl FunctionProxy {
    /// A proxy to the function that `uri` names, in payload 1.0, with the API kind's own timeout.
    ///
    /// # Errors
    ///
    /// If `uri` is neither an integration URI of a function nor a function's ARN.
    pub fn new(functions: Functions, uri: &str, api: ApiKind) -> Result<Self, ConfigError> {
        let function = FunctionUri::parse(uri)
            .ok_or_else(|| ConfigError::new("/uri", format!("`{uri}` names no function")))?;
        let settings = Settings::new(api, Arc::new(SystemClock::new()));
        let format = (PayloadFormat::V1, Vec::new());
        let target = (functions, function, CallAs::Gateway);
        Ok(Self::compiled(settings, target, format, false))
    }

    /// Uses this payload format. REST APIs have 1.0 only; with 2.0 what is here behaves as one of an HTTP API.
    #[must_use]
    pub fn with_payload_format(mut self, format: PayloadFormat) -> Self {
        let shared = Arc::make_mut(&mut self.shared);
        shared.format = format;
        if format == PayloadFormat::V2 {
            shared.settings.api = ApiKind::Http;
        }
        self
    }

    /// Sends the answer to the client while it comes: the function is called for a stream, which begins with the head of the response as
    /// JSON and eight zeros. An integration URI that ends in `response-streaming-invocations` says so by itself.
    #[must_use]
    pub fn with_response_stream(mut self) -> Self {
        Arc::make_mut(&mut self.shared).streams = true;
        self
    }

    /// Waits as long for the function.
    ///
    /// # Errors
    ///
    /// If it is less than 50 ms.
    pub fn with_timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        Arc::make_mut(&mut self.shared).settings.timeout = check_timeout(timeout)?;
        Ok(self)
    }

    pub(crate) fn compiled(
        settings: Settings,
        (functions, uri, identity): (Functions, FunctionUri, CallAs),
        (format, binary): (PayloadFormat, Vec<String>),
        forbidden: bool,
    ) -> Self {
        let streams = uri.streams();
        Self {
            shared: Arc::new(Shared {
                streams,
                settings,
                functions,
                uri,
                identity,
                format,
                binary: BinaryTypes::new(binary),
                forbidden,
            }),
        }
    }

    /// Calls the function. A refusal is an `Err`.
    pub fn call(&self, request: Request<Body>, context: &RequestContext) -> IntegrationFuture {
        answering::call(&self.shared, request, context)
    }
}

impl Answering for Shared {
    fn api(&self) -> ApiKind {
        self.settings.api
    }

    async fn answer(
        &self,
        request: Request<Body>,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        if self.forbidden {
            let cause = "a header is mapped that cannot be".to_owned();
            return Err(Failure::Configuration(cause));
        }
        let target = self
            .uri
            .expand(context.stage().map(|stage| &stage.variables))?;
        let (mut parts, body) = request.into_parts();
        context.write_trace(&mut parts.headers);
        let trace = trace(&parts.headers, context);
        let head = parts.method == Method::HEAD;
        let callee = self.functions.find(&target).map_err(Failure::Function)?;
        let mut response = match callee {
            Callee::Service(service) => self.serve(&*service, parts, body, context).await?,
            Callee::Events {
                function,
                qualifier,
            } => {
                let target = FunctionTarget {
                    qualifier,
                    ..target
                };
                self.invoke((&*function, target), parts, body, context)
                    .await?
            }
        };
        if self.settings.api == ApiKind::Rest {
            response.headers_mut().insert(TRACE_ID, trace);
        }
        if head {
            *response.body_mut() = Body::empty();
        }
        Ok(response)
    }
}

impl Shared {
    /// Hands the request itself to a service in this process.
    async fn serve(
        &self,
        service: &dyn HttpFunction,
        mut parts: Parts,
        body: Body,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let too_large = |TooLarge { limit }| Failure::TooLarge { limit };
        let body = cap(body, self.settings.max_request).map_err(too_large)?;
        strip_hop_by_hop(&mut parts.headers, parts.version == Version::HTTP_2);
        if self.settings.api == ApiKind::Rest {
            add_x_forwarded(&mut parts.headers, context);
        }
        parts.uri = without_stage(&parts, context);
        let record = context.call_record();
        let body = match &record {
            Some(record) => {
                record.sent(&parts.uri, &parts.headers);
                record.request_body().of(body)
            }
            None => body,
        };
        let called = service.call(Request::from_parts(parts, body));
        let started = self.settings.clock.now();
        let called = tokio::time::timeout(self.settings.timeout, called).await;
        measure(&self.settings, started, context);
        let mut response = match called {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(Failure::BadReply(error.to_string())),
            Err(_) => return Err(Failure::Timeout),
        };
        let status = i64::from(response.status().as_u16());
        context.measure(Measure::IntegrationStatus, status);
        if let Some(record) = record {
            record.answered(response.headers());
            response = response.map(|body| record.response_body().of(body));
        }
        strip_hop_by_hop(response.headers_mut(), false);
        if http_body::Body::size_hint(response.body())
            .exact()
            .is_none()
        {
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        Ok(response)
    }

    async fn invoke(
        &self,
        (function, target): (&dyn Function, FunctionTarget),
        mut parts: Parts,
        body: Body,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let mut body = read_in_time(body, &self.settings).await?;
        let api = self.settings.api;
        if api == ApiKind::Rest {
            // The header stays in the event, as in the service's.
            body = decode_known(body, &parts.headers, self.settings.max_request)?;
        }
        add_x_forwarded(&mut parts.headers, context);
        add_host(&mut parts, context);
        let payload = match self.format {
            PayloadFormat::V1 => event_v1::event(&parts, &body, context, (api, &self.binary)),
            PayloadFormat::V2 => event_v2::event(&parts, &body, context),
        };
        let payload = payload.map_err(|error| Failure::Configuration(error.to_string()))?;
        let call = FunctionCall {
            settings: &self.settings,
            function,
            identity: &self.identity,
        };
        if self.streams {
            return call.stream(target, payload, context).await;
        }
        let reply = call.send(target, payload, false, context).await?;
        if let Some(kind) = &reply.function_error {
            return Err(Failure::BadReply(format!("the function failed ({kind})")));
        }
        let response = match self.format {
            PayloadFormat::V1 => {
                let accept = parts.headers.get(ACCEPT);
                let decodes = api == ApiKind::Http || self.binary.accepted(accept);
                response_v1(&reply.payload, api, decodes)
            }
            PayloadFormat::V2 => response_v2(&reply.payload),
        };
        let response = response.map_err(Failure::BadReply)?;
        let status = i64::from(response.status().as_u16());
        context.measure(Measure::IntegrationStatus, status);
        Ok(response)
    }
}

/// The target of a request, without stage or base path.
fn without_stage(parts: &Parts, context: &RequestContext) -> Uri {
    if context.route().is_none() {
        return parts.uri.clone();
    }
    let mut target = event::path(parts, context);
    if let Some(query) = parts.uri.query() {
        target.push('?');
        target.push_str(query);
    }
    target.parse().unwrap_or_else(|_| parts.uri.clone())
}

/// Where the service would call a function, as its logs say it.
fn address(target: &FunctionTarget) -> String {
    let arn = target.arn.as_deref().unwrap_or(&target.name);
    let region = arn.split(':').nth(3);
    let host = match region {
        Some(region) => format!("lambda.{region}.amazonaws.com"),
        None => "lambda.amazonaws.com".to_owned(),
    };
    let qualifier = target.qualifier.as_deref();
    let qualifier = qualifier.map_or_else(String::new, |qualifier| format!(":{qualifier}"));
    format!("https://{host}/2015-03-31/functions/{arn}{qualifier}/invocations")
}

/// One call of a function, and what bounds it.
pub(crate) struct FunctionCall<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) function: &'a dyn Function,
    pub(crate) identity: &'a CallAs,
}

impl FunctionCall<'_> {
    /// Waits for the whole reply.
    pub(crate) async fn send(
        &self,
        target: FunctionTarget,
        payload: Bytes,
        asynchronous: bool,
        context: &RequestContext,
    ) -> Result<FunctionReply, Failure> {
        let mut invocation = self.invocation(target, payload, context)?;
        invocation.asynchronous = asynchronous;
        let started = self.settings.clock.now();
        let reply = self.in_time(self.function.invoke(invocation)).await;
        measure(self.settings, started, context);
        let reply = reply?;
        note(reply.status, reply.request_id.as_ref(), context);
        if let Some(record) = context.call_record() {
            record.answered(&action::headers(&reply));
            record.response_body().add(&reply.payload);
        }
        if reply.payload.len() > MAX_REPLY {
            return Err(Failure::BadReply(format!(
                "the reply has more than {MAX_REPLY} bytes"
            )));
        }
        Ok(reply)
    }

    /// Waits for the head of the response, whose body comes as the function writes it.
    async fn stream(
        &self,
        target: FunctionTarget,
        payload: Bytes,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let invocation = self.invocation(target, payload, context)?;
        let started = self.settings.clock.now();
        let deadline = Instant::now() + self.settings.timeout;
        let invoked = self.function.invoke_with_response_stream(invocation);
        let stream = self.in_time(invoked).await;
        measure(self.settings, started, context);
        let stream = stream?;
        note(stream.status, stream.request_id.as_ref(), context);
        if let Some(kind) = &stream.function_error {
            return Err(Failure::BadReply(format!("the function failed ({kind})")));
        }
        let response = tokio::time::timeout_at(deadline, stream_reply::response(stream.body)).await;
        measure(self.settings, started, context);
        let mut response = match response {
            Ok(response) => response.map_err(Failure::BadReply)?,
            Err(_) => return Err(Failure::Timeout),
        };
        if let Some(record) = context.call_record() {
            record.answered(response.headers());
            response = response.map(|body| record.response_body().of(body));
        }
        let status = i64::from(response.status().as_u16());
        context.measure(Measure::IntegrationStatus, status);
        Ok(response)
    }

    fn invocation(
        &self,
        target: FunctionTarget,
        payload: Bytes,
        context: &RequestContext,
    ) -> Result<Invocation, Failure> {
        let role = self
            .identity
            .role(context.stage().map(|stage| &stage.variables))?;
        if let Some(record) = context.call_record() {
            record.sent(address(&target), &HeaderMap::new());
            record.request_body().add(&payload);
        }
        let mut invocation = Invocation::new(target.name, payload);
        invocation.qualifier = target.qualifier;
        invocation.arn = target.arn;
        invocation.role = role.map(Into::into);
        invocation.signer = matches!(self.identity, CallAs::Caller).then(|| context.clone());
        invocation.timeout = Some(self.settings.timeout);
        invocation.trace = context.outgoing_trace();
        Ok(invocation)
    }

    async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, FunctionError>>,
    ) -> Result<T, Failure> {
        let called = tokio::time::timeout(self.settings.timeout, call).await;
        let late = |_| Err(FunctionError::new(FunctionErrorKind::Timeout));
        called.unwrap_or_else(late).map_err(Failure::Function)
    }
}

/// How long the call took so far.
fn measure(settings: &Settings, started: std::time::Instant, context: &RequestContext) {
    let waited = settings.clock.now().saturating_duration_since(started);
    let waited = i64::try_from(waited.as_millis()).unwrap_or(i64::MAX);
    context.measure(Measure::IntegrationLatency, waited);
}

/// What the service that runs the function said of the call.
fn note(status: u16, request_id: Option<&Arc<str>>, context: &RequestContext) {
    context.measure(Measure::IntegrationServiceStatus, i64::from(status));
    if let Some(id) = request_id {
        context.note(Detail::EndpointRequestId, Arc::clone(id));
    }
}

/// The most that the service takes from a function, in bytes.
const MAX_REPLY: usize = 6_291_556;

integration_service!(FunctionProxy);
