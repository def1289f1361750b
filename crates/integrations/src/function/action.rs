//! `AWS` with a function behind it: what it is given and what the client gets are mapped.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Request, Response};
use portcullis_core::{ApiKind, Body, FunctionReply, REQUEST_ID, RequestContext, TRACE_ID};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::answering::{self, Answering};
use crate::aws::CallAs;
use crate::body::read_in_time;
use crate::config::Settings;
use crate::failure::Failure;
use crate::function::proxy::FunctionCall;
use crate::function::{FunctionUri, Functions};
use crate::headers::{FUNCTION_ERROR, INVOCATION_TYPE};
use crate::http_proxy::trace;
use crate::integration::{IntegrationFuture, integration_service};
use crate::mapping::{Mapping, Reply, complete_head};

/// Calls a function with a body of its own, and answers by the integration response that its error message selects.
///
/// It is made by [`IntegrationConfig::compile`](crate::IntegrationConfig::compile).
#[derive(Clone, Debug)]
pub struct LambdaAction {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    functions: Functions,
    uri: FunctionUri,
    identity: CallAs,
    mapping: Mapping,
}

impl LambdaAction {
    pub(crate) fn compiled(
        settings: Settings,
        (functions, uri, identity): (Functions, FunctionUri, CallAs),
        mapping: Mapping,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                functions,
                uri,
                identity,
                mapping,
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
        let (mut asked, body) = request.into_parts();
        complete_head(&mut asked, context);
        let trace = trace(&asked.headers, context);
        let request = &self.mapping.request;
        let mapped = request.map(&asked, body, &self.settings, context).await?;
        let variables = context.stage().map(|stage| &stage.variables);
        let target = self.uri.expand(variables)?;
        let asynchronous = mapped
            .parameters
            .headers
            .iter()
            .any(|(name, value)| *name == INVOCATION_TYPE && value == "Event");
        let payload = event(read_in_time(mapped.body, &self.settings).await?)?;
        let call = FunctionCall {
            settings: &self.settings,
            function: &self.functions,
            identity: &self.identity,
        };
        let given = call.send(target, payload, asynchronous, context).await?;
        let reply = Reply {
            outcome: &error_message(&given),
            headers: headers(&given),
            body: given.payload.clone().into(),
        };
        let responses = &self.mapping.responses;
        let response = responses.answer(&asked, reply, mapped.carried, &self.settings, context);
        let mut response = response.await?;
        response.headers_mut().insert(TRACE_ID, trace);
        Ok(response)
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The event. Where there is nothing a function gets an empty object, and what is not JSON cannot be sent to it.
fn event(payload: Bytes) -> Result<Bytes, Failure> {
    if payload.iter().all(u8::is_ascii_whitespace) {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<IgnoredAny>(&payload) {
        Ok(_) => Ok(payload),
        Err(error) => Err(Failure::NoEvent(format!(
            "the body is not JSON, as a function's event must be: {error}"
        ))),
    }
}

/// The headers of the service's answer that are known of it, for mappings to read.
pub(super) fn headers(reply: &FunctionReply) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, JSON)]);
    for (name, value) in [
        (FUNCTION_ERROR, &reply.function_error),
        (REQUEST_ID, &reply.request_id),
    ] {
        if let Some(value) = value
            && let Ok(value) = HeaderValue::try_from(&**value)
        {
            headers.insert(name, value);
        }
    }
    headers
}

/// What patterns are matched against: the message of a function's error, and nothing when it did not fail.
fn error_message(reply: &FunctionReply) -> Cow<'_, str> {
    #[derive(Deserialize)]
    struct Described {
        #[serde(rename = "errorMessage")]
        message: String,
    }
    if reply.function_error.is_none() {
        return Cow::Borrowed("");
    }
    match serde_json::from_slice::<Described>(&reply.payload) {
        Ok(described) => Cow::Owned(described.message),
        Err(_) => String::from_utf8_lossy(&reply.payload),
    }
}

integration_service!(LambdaAction);
