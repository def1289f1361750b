//! `HTTP`: an HTTP endpoint with mapped requests and responses.

use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::request::Parts;
use http::{Method, Request, Response, Uri};
use portcullis_core::{ApiKind, Body, RequestContext, TRACE_ID};

use crate::answering::{self, Answering};
use crate::body::answer;
use crate::config::Settings;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::forwarded;
use crate::headers::API_ID;
use crate::http_proxy::trace;
use crate::integration::{IntegrationFuture, integration_service};
use crate::mapping::{Mapped, Mapping, Reply, complete_head};
use crate::target::Target;
use crate::uri::{UriFault, with_query};

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
    mapping: Mapping,
}

impl HttpBackend {
    pub(crate) fn compiled(
        settings: Settings,
        (target, method): (Target, Option<Method>),
        mapping: Mapping,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                target,
                method,
                mapping,
            }),
        }
    }

    /// Calls the endpoint. A refusal is an `Err`.
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
        let request = &self.mapping.request;
        let mapped = request.map(&asked, body, &self.settings, context).await?;
        let mut request = Request::new(mapped.body);
        *request.version_mut() = asked.version;
        let method = self.method.as_ref().unwrap_or(&asked.method);
        request.method_mut().clone_from(method);
        *request.uri_mut() = self.uri(&mapped.parameters, context)?;
        *request.headers_mut() = own_headers(&asked, context);
        mapped.parameters.put_headers(request.headers_mut());

        let exchange = Exchange::new(&self.settings, self.target.client(context)?);
        let (parts, body) = exchange.send(request, context).await?.into_parts();
        let trace = trace(&parts.headers, context);
        let reply = Reply {
            outcome: parts.status.as_str(),
            headers: parts.headers,
            body: answer(
                body,
                self.settings.max_response,
                Some(exchange.deadline),
                context,
            )?,
        };
        let responses = &self.mapping.responses;
        let response = responses.answer(&asked, reply, mapped.carried, &self.settings, context);
        let mut response = response.await?;
        response.headers_mut().insert(TRACE_ID, trace);
        Ok(response)
    }
}

impl Shared {
    fn uri(&self, parameters: &Mapped<'_>, context: &RequestContext) -> Result<Uri, Failure> {
        let variables = context.stage().map(|stage| &stage.variables);
        // An integration without a template has no way here: `HTTP` is of REST APIs, which give addresses.
        let template = self.target.address.template();
        let template = template.ok_or_else(|| UriFault::NotAnAddress(String::new()))?;
        let uri = template.expand(variables, |name| parameters.path_value(name))?;
        Ok(with_query(uri, None, &parameters.query)?)
    }
}

/// What a backend gets by default: the service's own headers and, of the client's, the type of its body.
pub(crate) fn own_headers(asked: &Parts, context: &RequestContext) -> HeaderMap {
    let _ = context.trace_of(&asked.headers);
    let mut headers = HeaderMap::with_capacity(12);
    context.write_trace(&mut headers);
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
    let bodiless = matches!(asked.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let of_the_body = (!bodiless).then_some(CONTENT_TYPE);
    let told = [forwarded::FOR, forwarded::PORT, forwarded::PROTO];
    for name in told.into_iter().chain(of_the_body) {
        if let Some(value) = asked.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers
}

integration_service!(HttpBackend);
