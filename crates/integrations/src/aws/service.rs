//! `AWS` with a service behind it: an action or a path, signed.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, Uri};
use portcullis_core::{ApiKind, Body, RequestContext, TRACE_ID};
use tokio::time::Instant;

use super::client::Aws;
use super::exchange::Exchange;
use super::identity::CallAs;
use super::uri::{Call, ServiceUri};
use crate::answering::{self, Answering};
use crate::body::{answer, read_in_time};
use crate::config::Settings;
use crate::failure::Failure;
use crate::forwarded;
use crate::http_backend::own_headers;
use crate::http_proxy::trace;
use crate::integration::{IntegrationFuture, integration_service};
use crate::mapping::{Mapped, Mapping, Reply, complete_head};
use crate::uri::{with_encoded_path, with_query};

/// The header that names an action.
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// The type of a body whose type nobody says.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Calls an action or a path of an AWS service with a request of its own, and answers with a response of its own.
///
/// It is made by [`IntegrationConfig::compile`](crate::IntegrationConfig::compile).
#[derive(Clone, Debug)]
pub struct AwsService {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    aws: Aws,
    identity: CallAs,
    uri: ServiceUri,
    method: Option<Method>,
    mapping: Mapping,
}

impl AwsService {
    pub(crate) fn compiled(
        settings: Settings,
        (aws, identity): (Aws, CallAs),
        (uri, method): (ServiceUri, Option<Method>),
        mapping: Mapping,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                aws,
                identity,
                uri,
                method,
                mapping,
            }),
        }
    }

    /// Calls the service. A refusal is an `Err`.
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
        let body = read_in_time(mapped.body, &self.settings).await?;
        let request = self.request(&asked, &mapped.parameters, body, context)?;
        let deadline = Instant::now() + self.settings.timeout;
        let exchange = Exchange {
            settings: &self.settings,
            aws: &self.aws,
            identity: &self.identity,
            deadline,
        };
        let response = exchange.send(request, &self.uri.endpoint, context).await?;
        let (parts, body) = response.into_parts();
        let reply = Reply {
            outcome: parts.status.as_str(),
            headers: parts.headers,
            body: answer(body, self.settings.max_response, Some(deadline), context)?,
        };
        let responses = &self.mapping.responses;
        let response = responses.answer(&asked, reply, mapped.carried, &self.settings, context);
        let mut response = response.await?;
        let trace = trace(&asked.headers, context);
        response.headers_mut().insert(TRACE_ID, trace);
        Ok(response)
    }
}

impl Shared {
    /// The service's request, not signed yet.
    fn request(
        &self,
        asked: &Parts,
        parameters: &Mapped<'_>,
        body: Bytes,
        context: &RequestContext,
    ) -> Result<Request<Bytes>, Failure> {
        let variables = context.stage().map(|stage| &stage.variables);
        let parameter = |name: &str| parameters.path_value(name);
        let mut headers = own_headers(asked, context);
        // Who the client is, is nothing that the service asks for.
        for name in [forwarded::FOR, forwarded::PORT, forwarded::PROTO] {
            headers.remove(name);
        }
        let uri: Uri = match &self.uri.call {
            Call::Path(template) => {
                if body.is_empty() {
                    headers.remove(CONTENT_TYPE);
                } else {
                    headers.entry(CONTENT_TYPE).or_insert(JSON);
                }
                with_encoded_path(template.expand(variables, parameter)?)?
            }
            Call::Action(action) => {
                let action = action.named(variables, parameter)?;
                if let Some((target, json)) = action.target {
                    let target = HeaderValue::try_from(target)
                        .map_err(|_| Failure::Configuration("the action is none".to_owned()))?;
                    headers.insert(TARGET, target);
                    headers.insert(CONTENT_TYPE, HeaderValue::from_static(json));
                }
                let mut target = "/".to_owned();
                if !action.query.is_empty() {
                    target.push('?');
                    target.push_str(&action.query);
                }
                self.aws
                    .uri(&self.uri.endpoint, &target)
                    .map_err(|error| Failure::Configuration(error.to_string()))?
            }
        };
        parameters.put_headers(&mut headers);
        let mut request = Request::new(body);
        let method = self.method.as_ref().unwrap_or(&asked.method);
        request.method_mut().clone_from(method);
        *request.uri_mut() = with_query(uri, None, &parameters.query)?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

integration_service!(AwsService);
