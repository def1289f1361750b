//! `HTTP`: an HTTP endpoint with mapped requests and responses.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request, Response};
use portcullis_core::{Body, RequestContext, TRACE_ID};
use tokio::time::Instant;

use crate::body::answer;
use crate::config::{Settings, Target};
use crate::failure::Failure;
use crate::forwarded::{self, add_x_forwarded};
use crate::headers::API_ID;
use crate::http_proxy::{Exchange, trace};
use crate::integration::{IntegrationFuture, integration_service};
use crate::mock::needs_engine;
use crate::parameters::{Message, RequestMapping};
use crate::response::Responses;
use crate::template::{Passthrough, RequestBody, Template, Templates};
use crate::uri::with_query;

/// Calls an HTTP endpoint with a request of its own, and answers with a response of its own.
///
/// It is made by [`IntegrationConfig::compile`](crate::IntegrationConfig::compile).
#[derive(Clone, Debug)]
pub struct HttpBackend {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    target: Target,
    method: Option<Method>,
    mapping: RequestMapping,
    templates: Templates,
    passthrough: Passthrough,
    responses: Responses,
}

/// What of the client's request the response is made with.
struct Asked {
    accept: Option<HeaderValue>,
    head: bool,
}

impl HttpBackend {
    pub(crate) fn compiled(
        settings: Settings,
        (target, method): (Target, Option<Method>),
        mapping: RequestMapping,
        (templates, passthrough): (Templates, Passthrough),
        responses: Responses,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                target,
                method,
                mapping,
                templates,
                passthrough,
                responses,
            }),
        }
    }

    /// Calls the endpoint. A refusal is an `Err`.
    pub fn call(&self, request: Request<Body>, context: &RequestContext) -> IntegrationFuture {
        let api = self.shared.settings.api;
        let asked = Asked {
            accept: request.headers().get(ACCEPT).cloned(),
            head: request.method() == Method::HEAD,
        };
        match self.shared.prepare(request, context) {
            Ok(request) => {
                let shared = Arc::clone(&self.shared);
                let context = context.clone();
                IntegrationFuture::boxed(async move {
                    let sent = shared.send(request, asked, &context).await;
                    sent.map_err(|failure| failure.into_rejection(api, &context))
                })
            }
            Err(failure) => IntegrationFuture::ready(Err(failure.into_rejection(api, context))),
        }
    }
}

impl Shared {
    fn prepare(
        &self,
        mut request: Request<Body>,
        context: &RequestContext,
    ) -> Result<Request<Body>, Failure> {
        let content_type = request.headers().get(CONTENT_TYPE);
        let body = self.templates.request(content_type, self.passthrough);
        let replacement = match body {
            RequestBody::Replace(Template::Static(text)) => Some(text.clone()),
            RequestBody::Replace(Template::Engine) => return Err(needs_engine()),
            RequestBody::Refuse => return Err(Failure::MediaType),
            RequestBody::Pass => None,
        };
        let mapped = self
            .mapping
            .evaluate(&Message::request(&request), context)?;
        let variables = context.stage().map(|stage| &stage.variables);
        let uri = self.target.uri.expand(variables, |name| {
            let value = mapped.path.iter().rev().find(|(own, _)| *own == name);
            value.map(|(_, value)| Cow::Borrowed(&**value))
        })?;
        *request.uri_mut() = with_query(uri, None, &mapped.query)?;

        let own = std::mem::take(request.headers_mut());
        let headers = request.headers_mut();
        headers.insert(TRACE_ID, trace(&own, context));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(stage) = context.stage() {
            let id = stage.api_id.as_str();
            if let Ok(id) = HeaderValue::try_from(id) {
                headers.insert(API_ID, id);
            }
            if let Ok(agent) = HeaderValue::try_from(format!("AmazonAPIGateway_{id}")) {
                headers.insert(USER_AGENT, agent);
            }
        }
        if let Some(chain) = own.get(forwarded::FOR) {
            headers.insert(forwarded::FOR, chain.clone());
        }
        add_x_forwarded(headers, context);
        if !matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS
        ) && let Some(content_type) = own.get(CONTENT_TYPE)
        {
            request
                .headers_mut()
                .insert(CONTENT_TYPE, content_type.clone());
        }
        for (name, value) in mapped.headers {
            request.headers_mut().insert(name, value);
        }
        if let Some(method) = &self.method {
            request.method_mut().clone_from(method);
        }
        if let Some(text) = replacement {
            *request.body_mut() = text.into();
        }
        Ok(request)
    }

    async fn send(
        &self,
        request: Request<Body>,
        asked: Asked,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let exchange = Exchange {
            settings: &self.settings,
            client: &self.target.client,
            deadline: Instant::now() + self.settings.timeout,
        };
        let (parts, body) = exchange.send(request, context).await?.into_parts();
        let rule = self.responses.select(parts.status.as_str())?;
        let body = match rule.template(asked.accept.as_ref()) {
            Some(Template::Engine) => return Err(needs_engine()),
            Some(Template::Static(text)) if !asked.head => text.clone().into(),
            Some(Template::Static(_)) => Body::empty(),
            None => answer(body, self.settings.max_response, Some(exchange.deadline))?,
        };
        let mut headers: HeaderMap = rule.headers(&parts.headers, context)?;
        headers.insert(TRACE_ID, trace(&parts.headers, context));
        let mut response = Response::new(body);
        *response.status_mut() = rule.status();
        *response.headers_mut() = headers;
        Ok(response)
    }
}

integration_service!(HttpBackend);
