//! `AWS` with a function behind it: what it is given and what the client gets are mapped.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response};
use portcullis_core::{Body, FunctionReply, RequestContext, TRACE_ID};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::body::read_in_time;
use crate::config::Settings;
use crate::failure::Failure;
use crate::function::proxy::FunctionCall;
use crate::function::{FunctionUri, Functions};
use crate::headers::INVOCATION_TYPE;
use crate::http_proxy::trace;
use crate::integration::{IntegrationFuture, integration_service};
use crate::mock::needs_engine;
use crate::parameters::{Message, RequestMapping};
use crate::response::Responses;
use crate::template::{Passthrough, RequestBody, Template, Templates};

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
    mapping: RequestMapping,
    templates: Templates,
    passthrough: Passthrough,
    responses: Responses,
}

impl LambdaAction {
    pub(crate) fn compiled(
        settings: Settings,
        (functions, uri): (Functions, FunctionUri),
        mapping: RequestMapping,
        (templates, passthrough): (Templates, Passthrough),
        responses: Responses,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                functions,
                uri,
                mapping,
                templates,
                passthrough,
                responses,
            }),
        }
    }

    /// Calls the function. A refusal is an `Err`.
    pub fn call(&self, request: Request<Body>, context: &RequestContext) -> IntegrationFuture {
        let shared = Arc::clone(&self.shared);
        let context = context.clone();
        IntegrationFuture::boxed(async move {
            let api = shared.settings.api;
            let answered = shared.answer(request, &context).await;
            answered.map_err(|failure| failure.into_rejection(api, &context))
        })
    }
}

impl Shared {
    async fn answer(
        &self,
        request: Request<Body>,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let content_type = request.headers().get(CONTENT_TYPE);
        let template = match self.templates.request(content_type, self.passthrough) {
            RequestBody::Replace(Template::Static(text)) => Some(text.clone()),
            RequestBody::Replace(Template::Engine) => return Err(needs_engine()),
            RequestBody::Refuse => return Err(Failure::MediaType),
            RequestBody::Pass => None,
        };
        let mapped = self
            .mapping
            .evaluate(&Message::request(&request), context)?;
        let variables = context.stage().map(|stage| &stage.variables);
        let target = self.uri.expand(variables)?;
        let asynchronous = mapped
            .headers
            .iter()
            .any(|(name, value)| *name == INVOCATION_TYPE && value == "Event");
        let (parts, body) = request.into_parts();
        let trace = trace(&parts.headers, context);
        let payload = match template {
            Some(text) => text,
            None => read_in_time(body, &self.settings).await?,
        };
        let payload = event(payload)?;
        let call = FunctionCall {
            settings: &self.settings,
            functions: &self.functions,
        };
        let reply = call.send(target, payload, asynchronous, context).await?;
        let rule = self.responses.select(&error_message(&reply))?;
        let body = match rule.template(parts.headers.get(ACCEPT)) {
            Some(Template::Engine) => return Err(needs_engine()),
            Some(Template::Static(text)) => text.clone(),
            None => reply.payload,
        };
        let mut headers = rule.headers(&HeaderMap::new(), context)?;
        headers.insert(TRACE_ID, trace);
        let head = parts.method == Method::HEAD;
        let mut response = Response::new(if head { Body::empty() } else { body.into() });
        *response.status_mut() = rule.status();
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// The event. Where there is nothing a function gets an empty object, and what is not JSON cannot be sent to it.
fn event(payload: Bytes) -> Result<Bytes, Failure> {
    if payload.iter().all(u8::is_ascii_whitespace) {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<IgnoredAny>(&payload) {
        Ok(_) => Ok(payload),
        Err(error) => Err(Failure::BadRequest(format!(
            "the body is not JSON, as a function's event must be: {error}"
        ))),
    }
}

/// What patterns are matched against: the message of a function's error, and nothing when it did not fail.
fn error_message(reply: &FunctionReply) -> String {
    #[derive(Deserialize)]
    struct Described {
        #[serde(rename = "errorMessage")]
        message: String,
    }
    if reply.function_error.is_none() {
        return String::new();
    }
    match serde_json::from_slice::<Described>(&reply.payload) {
        Ok(described) => described.message,
        Err(_) => String::from_utf8_lossy(&reply.payload).into_owned(),
    }
}

integration_service!(LambdaAction);
