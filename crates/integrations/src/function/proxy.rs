//! `AWS_PROXY`: a function that gets the request as an event and gives the response.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use portcullis_core::{
    ApiKind, Body, Detail, Function, FunctionReply, Invocation, Measure, Rejection, RequestContext,
    SystemClock, TRACE_ID,
};

use super::registry::{Attached, Handler};
use super::target::Named;
use super::{FunctionUri, Functions, event_v1, event_v2, reply_v1, reply_v2};
use crate::error::ConfigError;
use crate::body::{cap, read_request};
use crate::config::Settings;
use crate::failure::Failure;
use crate::http_proxy::trace;
use crate::integration::{IntegrationFuture, integration_service};
use crate::template::media_type;

/// The shape of the event that a function gets, and of its reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PayloadFormat {
    /// Format 1.0, the one of REST APIs.
    #[default]
    V1,
    /// Format 2.0, which HTTP APIs have besides.
    V2,
}

/// Calls a function with the request as an event, and answers with its reply.
///
/// It is made by [`IntegrationConfig::compile`](crate::IntegrationConfig::compile).
#[derive(Clone, Debug)]
pub struct FunctionProxy {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    functions: Functions,
    function: FunctionUri,
    format: PayloadFormat,
    binary: Vec<String>,
    /// A mapping names a header that may not be mapped. Mappings are ignored here, but that fails each call.
    forbidden: bool,
}

impl FunctionProxy {
    /// Calls the function that `uri` names (an invocation URI, a function's ARN or its name) by payload format 1.0, with the
    /// timeout that APIs of this kind have by default and no cap on bodies.
    ///
    /// # Errors
    ///
    /// If `uri` names no function.
    pub fn new(functions: Functions, uri: &str, api: ApiKind) -> Result<Self, ConfigError> {
        let function = FunctionUri::parse(uri).ok_or_else(|| {
            ConfigError::new("/uri", format!("`{uri}` does not name a function"))
        })?;
        let settings = Settings::new(api, Arc::new(SystemClock::new()));
        let format = (PayloadFormat::V1, Vec::new());
        Ok(Self::compiled(settings, functions, function, format, false))
    }

    pub(crate) fn compiled(
        settings: Settings,
        functions: Functions,
        function: FunctionUri,
        (format, binary): (PayloadFormat, Vec<String>),
        forbidden: bool,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                functions,
                function,
                format,
                binary,
                forbidden,
            }),
        }
    }

    /// Calls the function. A refusal is an `Err`.
    pub fn call(&self, request: Request<Body>, context: &RequestContext) -> IntegrationFuture {
        let api = self.shared.settings.api;
        let refuse = |failure: Failure| failure.into_rejection(api, context);
        let named = match self.shared.named(context) {
            Ok(named) => named,
            Err(failure) => return IntegrationFuture::ready(Err(refuse(failure))),
        };
        let shared = Arc::clone(&self.shared);
        let context = context.clone();
        IntegrationFuture::boxed(async move {
            let attached = shared.functions.get(&named.name, named.qualifier.as_deref());
            let answer = match attached {
                Some(Attached::Service(handler)) => {
                    let handler = handler.clone();
                    shared.serve(&handler, request).await
                }
                _ => shared.invoke(named, request, &context).await,
            };
            answer.map_err(|failure| -> Rejection { failure.into_rejection(api, &context) })
        })
    }
}

impl Shared {
    fn named(&self, context: &RequestContext) -> Result<Named, Failure> {
        if self.forbidden {
            let cause = "a mapping names a header that cannot be mapped".to_owned();
            return Err(Failure::Configuration(cause));
        }
        let variables = context.stage().map(|stage| &stage.variables);
        Ok(self.function.resolve(variables)?)
    }

    /// Hands the request itself to a handler in this process. Its body streams.
    async fn serve(
        &self,
        handler: &Handler,
        request: Request<Body>,
    ) -> Result<Response<Body>, Failure> {
        let (parts, body) = request.into_parts();
        let body = cap(body, self.settings.max_request)
            .map_err(|error| Failure::TooLarge { limit: error.limit })?;
        let call = handler.call(Request::from_parts(parts, body));
        match tokio::time::timeout(self.settings.timeout, call).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Failure::BadReply(format!("the handler failed: {error}"))),
            Err(_) => Err(Failure::Timeout),
        }
    }

    async fn invoke(
        &self,
        named: Named,
        request: Request<Body>,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let (parts, body) = request.into_parts();
        let body = read_request(body, self.settings.max_request).await?;
        let http_api = self.settings.api == ApiKind::Http;
        let event = match self.format {
            PayloadFormat::V1 => {
                let binary = self.is_binary(parts.headers.get(CONTENT_TYPE));
                event_v1(&parts, &body, binary, http_api, context)
            }
            PayloadFormat::V2 => event_v2(&parts, &body, context),
        };
        let mut call = Invocation::new(named.name, event);
        call.qualifier = named.qualifier;
        call.timeout = Some(self.settings.timeout);
        let payload = invoke(&self.functions, call, &self.settings, context).await?;
        let mut response = match self.format {
            PayloadFormat::V1 => {
                let accepts = self.is_binary(first_accepted(&parts).as_ref());
                reply_v1(&payload, http_api || accepts)?
            }
            PayloadFormat::V2 => reply_v2(&payload)?,
        };
        context.measure(Measure::IntegrationStatus, response.status().as_u16().into());
        if !http_api {
            let trace = trace(&parts.headers, context);
            response.headers_mut().insert(TRACE_ID, trace);
        }
        Ok(response)
    }

    fn is_binary(&self, content_type: Option<&HeaderValue>) -> bool {
        let Some(media_type) = media_type(content_type) else {
            return self.binary.iter().any(|binary| binary == "*/*");
        };
        self.binary.iter().any(|binary| match binary.strip_suffix("/*") {
            Some("*") => true,
            Some(family) => media_type
                .split('/')
                .next()
                .is_some_and(|own| own.eq_ignore_ascii_case(family)),
            None => media_type.eq_ignore_ascii_case(binary),
        })
    }
}

/// The first type that a client accepts, which alone decides.
fn first_accepted(parts: &http::request::Parts) -> Option<HeaderValue> {
    let accept = parts.headers.get(ACCEPT)?.to_str().ok()?;
    HeaderValue::from_str(accept.split(',').next()?.trim()).ok()
}

/// Calls a function, and notes what came of it. A function's own failure is no reply here.
async fn invoke(
    functions: &Functions,
    call: Invocation,
    settings: &Settings,
    context: &RequestContext,
) -> Result<Bytes, Failure> {
    let reply = call_in_time(functions, call, settings, context).await?;
    match reply.function_error {
        None => Ok(reply.payload),
        Some(kind) => Err(Failure::BadReply(format!("the function failed: {kind}"))),
    }
}

/// Calls a function within the integration's timeout.
pub(super) async fn call_in_time(
    functions: &Functions,
    call: Invocation,
    settings: &Settings,
    context: &RequestContext,
) -> Result<FunctionReply, Failure> {
    let reply = tokio::time::timeout(settings.timeout, functions.invoke(call))
        .await
        .map_err(|_| Failure::Timeout)?
        .map_err(Failure::Function)?;
    context.measure(Measure::IntegrationServiceStatus, reply.status.into());
    if let Some(id) = &reply.request_id {
        context.note(Detail::EndpointRequestId, Arc::clone(id));
    }
    Ok(reply)
}

integration_service!(FunctionProxy);
