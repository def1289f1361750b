//! Parameter mapping of HTTP APIs: proxies whose requests and responses are changed on their way.

mod expression;
mod request;
mod response;
mod service;

use std::sync::Arc;

use http::{Request, Response};
use portcullis_core::{ApiKind, Body, RequestContext};

use self::request::RequestChanges;
use self::response::ResponseChanges;
use crate::body::{read_in_time, read_reply};
use crate::config::{IntegrationConfig, IntegrationKind, Settings};
use crate::error::{Conduct, ConfigError, Findings};
use crate::failure::Failure;
use crate::function::FunctionProxy;
use crate::http_proxy::{HttpProxy, Instead};
use crate::integration::{IntegrationFuture, integration_service};

pub(crate) use self::service::Action as ServiceAction;
pub use self::service::ServiceProxy;

/// A proxy of an HTTP API with parameter mapping: headers, query parameters and the path of its requests, headers and the status of
/// its responses are changed.
///
/// It is made by [`IntegrationConfig::compile`](crate::IntegrationConfig::compile).
#[derive(Clone, Debug)]
pub struct MappedProxy {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    request: RequestChanges,
    response: ResponseChanges,
    proxy: Proxy,
}

/// What is behind the mapping.
#[derive(Debug)]
pub(crate) enum Proxy {
    Http(HttpProxy),
    Function(FunctionProxy),
    Service(ServiceProxy),
}

impl From<HttpProxy> for Proxy {
    fn from(proxy: HttpProxy) -> Self {
        Self::Http(proxy)
    }
}

impl From<FunctionProxy> for Proxy {
    fn from(proxy: FunctionProxy) -> Self {
        Self::Function(proxy)
    }
}

impl From<ServiceProxy> for Proxy {
    fn from(proxy: ServiceProxy) -> Self {
        Self::Service(proxy)
    }
}

impl MappedProxy {
    /// Puts the mapping that `config` describes round a proxy.
    pub(crate) fn compiled(
        config: &IntegrationConfig,
        settings: Settings,
        proxy: impl Into<Proxy>,
        findings: &mut Findings,
    ) -> Result<Self, ConfigError> {
        let proxy = proxy.into();
        let request = match proxy {
            // Its parameters are those of the action.
            Proxy::Service(_) => RequestChanges::default(),
            _ => RequestChanges::compile(&config.request_parameters)?,
        };
        if request.changes_path() && matches!(proxy, Proxy::Function(_)) {
            findings.add(
                "/requestParameters/overwrite:path",
                "another path in a function's event",
                Conduct::Ignore,
            );
        }
        Ok(Self {
            shared: Arc::new(Shared {
                settings,
                request,
                response: ResponseChanges::compile(&config.response_parameters)?,
                proxy,
            }),
        })
    }

    pub(crate) fn kind(&self) -> IntegrationKind {
        match self.shared.proxy {
            Proxy::Http(_) => IntegrationKind::HttpProxy,
            Proxy::Function(_) | Proxy::Service(_) => IntegrationKind::AwsProxy,
        }
    }

    /// Changes the request, sends it on, and changes the response. A refusal is an `Err`.
    pub fn call(&self, request: Request<Body>, context: &RequestContext) -> IntegrationFuture {
        let shared = Arc::clone(&self.shared);
        let context = context.clone();
        IntegrationFuture::boxed(async move {
            let rejected = |failure: Failure| failure.into_rejection(ApiKind::Http, &context);
            let changed = shared.change_request(request, &context).await;
            let (request, instead) = changed.map_err(rejected)?;
            // What a response is made of may be said of the request as it came.
            let answered = match &shared.proxy {
                Proxy::Http(proxy) => proxy.call_instead(request, instead, &context).await,
                Proxy::Function(proxy) => proxy.call(request, &context).await,
                Proxy::Service(proxy) => proxy.call(request, &context).await,
            }?;
            let changed = shared.change_response(answered, &context).await;
            changed.map_err(rejected)
        })
    }
}

impl Shared {
    async fn change_request(
        &self,
        request: Request<Body>,
        context: &RequestContext,
    ) -> Result<(Request<Body>, Instead), Failure> {
        let (mut parts, mut body) = request.into_parts();
        let mut read = None;
        if self.request.read_body() {
            let bytes = read_in_time(body, &self.settings).await?;
            read = Some(bytes.clone());
            body = bytes.into();
        }
        let instead = self.request.apply(&mut parts, read.as_deref(), context)?;
        Ok((Request::from_parts(parts, body), instead))
    }

    async fn change_response(
        &self,
        response: Response<Body>,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let Some(changes) = self.response.of(response.status()) else {
            return Ok(response);
        };
        let (mut parts, mut body) = response.into_parts();
        let mut read = None;
        if changes.read_body() {
            let bytes = read_reply(body, self.settings.max_response).await?;
            read = Some(bytes.clone());
            body = bytes.into();
        }
        changes.apply(&mut parts, read.as_deref(), context)?;
        Ok(Response::from_parts(parts, body))
    }
}

integration_service!(MappedProxy);
