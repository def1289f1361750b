//! `AWS`: a function with mapped requests and responses.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, Response};
use portcullis_core::{Body, Invocation, RequestContext, TRACE_ID};
use serde_json::Value;

use super::proxy::call_in_time;
use super::{FunctionUri, Functions};
use crate::body::read_request;
use crate::config::Settings;
use crate::failure::Failure;
use crate::headers::INVOCATION_TYPE;
use crate::http_proxy::trace;
use crate::integration::{IntegrationFuture, integration_service};
use crate::mock::needs_engine;
use crate::parameters::{Message, RequestMapping};
use crate::response::Responses;
use crate::template::{Passthrough, RequestBody, Template, Templates};

/// Calls a function with an event of the definition's making, and answers with a response of its own. Which one, the
/// `errorMessage` of the function decides; without an error it is the default one.
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
    function: FunctionUri,
    mapping: RequestMapping,
    templates: Templates,
    passthrough: Passthrough,
    responses: Responses,
}

impl LambdaAction {
    pub(crate) fn compiled(
        settings: Settings,
        (functions, function): (Functions, FunctionUri),
        mapping: RequestMapping,
        (templates, passthrough): (Templates, Passthrough),
        responses: Responses,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                functions,
                function,
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
            let answer = shared.answer(request, &context).await;
            answer.map_err(|failure| failure.into_rejection(shared.settings.api, &context))
        })
    }
}

impl Shared {
    async fn answer(
        &self,
        request: Request<Body>,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let replacement = match self
            .templates
            .request(request.headers().get(CONTENT_TYPE), self.passthrough)
        {
            RequestBody::Replace(Template::Static(text)) => Some(text.clone()),
            RequestBody::Replace(Template::Engine) => return Err(needs_engine()),
            RequestBody::Refuse => return Err(Failure::MediaType),
            RequestBody::Pass => None,
        };
        let mapped = self.mapping.evaluate(&Message::request(&request), context)?;
        let asynchronous = mapped
            .headers
            .iter()
            .any(|(name, value)| *name == INVOCATION_TYPE && value == "Event");
        let variables = context.stage().map(|stage| &stage.variables);
        let named = self.function.resolve(variables)?;
        let (parts, body) = request.into_parts();
        let payload = match replacement {
            Some(text) => text,
            None => read_request(body, self.settings.max_request).await?,
        };
        let mut call = Invocation::new(named.name, event(payload)?);
        call.qualifier = named.qualifier;
        call.asynchronous = asynchronous;
        call.timeout = Some(self.settings.timeout);
        let reply = call_in_time(&self.functions, call, &self.settings, context).await?;

        let failed = reply.function_error.is_some();
        let message = if failed { error_message(&reply.payload) } else { String::new() };
        let rule = self.responses.select(&message)?;
        let payload = if asynchronous { Bytes::new() } else { reply.payload };
        let head = parts.method == Method::HEAD;
        let body = match rule.template(parts.headers.get(ACCEPT)) {
            Some(Template::Engine) => return Err(needs_engine()),
            _ if head => Body::empty(),
            Some(Template::Static(text)) => text.clone().into(),
            None => payload.into(),
        };
        // A function's reply has no headers but those of the service that ran it.
        let mut endpoint = HeaderMap::new();
        endpoint.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut headers = rule.headers(&endpoint, context)?;
        headers.insert(TRACE_ID, trace(&parts.headers, context));
        let mut response = Response::new(body);
        *response.status_mut() = rule.status();
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// The event: nothing stands for an empty object, and what is no JSON cannot be sent.
fn event(payload: Bytes) -> Result<Bytes, Failure> {
    if payload.iter().all(u8::is_ascii_whitespace) {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(&payload) {
        Ok(_) => Ok(payload),
        Err(_) => Err(Failure::BadRequest("Could not parse request body into json.".to_owned())),
    }
}

/// What a function says that went wrong.
fn error_message(payload: &[u8]) -> String {
    let error: Value = serde_json::from_slice(payload).unwrap_or_default();
    error["errorMessage"].as_str().unwrap_or_default().to_owned()
}

integration_service!(LambdaAction);
