//! `HTTP_PROXY`: an HTTP endpoint gets the request and gives the response.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use hyper::upgrade::OnUpgrade;
use pin_project_lite::pin_project;
use portcullis_client::{Client, ClientError, ResponseBody};
use portcullis_core::{ApiKind, Body, Rejection, RequestContext, SystemClock};
use tokio::time::Instant;

use crate::body::{answer, read_in_time};
use crate::coding::decode;
use crate::config::{Settings, check_timeout};
use crate::error::ConfigError;
use crate::exchange::{Exchange, Exchanging, capped, is_to_be_peeked};
use crate::failure::Failure;
use crate::forwarded::{add_forwarded, add_x_forwarded};
use crate::headers::{self, API_ID};
use crate::integration::{IntegrationFuture, integration_service};
use crate::mapping::{Mapped, Message, ProxyHandling, RequestParameters};
use crate::target::{Address, Target, inside};
use crate::uri::{UriFault, UriTemplate, at_path, with_path, with_query};
use crate::web_socket::{self, asked_for};

/// What the parameter mapping of an HTTP API has an endpoint called by.
#[derive(Debug, Default)]
pub(crate) struct Instead {
    /// Instead of the path of its address.
    pub(crate) path: Option<String>,
    /// Instead of its own name.
    pub(crate) host: Option<HeaderValue>,
}

/// Sends requests on to an HTTP endpoint, and its answers back. Bodies stream, both ways.
///
/// See the [crate docs](crate) for an example.
#[derive(Clone, Debug)]
pub struct HttpProxy {
    shared: Arc<Shared>,
}

#[derive(Clone, Debug)]
struct Shared {
    settings: Settings,
    target: Target,
    method: Option<Method>,
    mapping: RequestParameters,
    handling: Option<ProxyHandling>,
    streams: bool,
    web_sockets: bool,
}

impl HttpProxy {
    /// A proxy to `uri`, as one in a REST API has it, that keeps the client's verb.
    ///
    /// `uri` is the whole address: the path of a request is only added where it says `{proxy}`, and the query always.
    ///
    /// # Errors
    ///
    /// If `uri` is not an `http` or `https` address.
    pub fn new(client: Client, uri: &str) -> Result<Self, ConfigError> {
        let uri =
            UriTemplate::parse(uri).map_err(|fault| ConfigError::new("/uri", fault.to_string()))?;
        let settings = Settings::new(ApiKind::Rest, Arc::new(SystemClock::new()));
        let target = Target::new(client, uri);
        let mapping = RequestParameters::default();
        Ok(Self::compiled(settings, target, None, mapping, false))
    }

    /// Waits as long for an answer; the default is 29 s.
    ///
    /// # Errors
    ///
    /// If it is less than 50 ms.
    pub fn with_timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        Arc::make_mut(&mut self.shared).settings.timeout = check_timeout(timeout)?;
        Ok(self)
    }

    /// Refuses request bodies of more than `bytes`. By default none is.
    #[must_use]
    pub fn with_max_body_bytes(mut self, bytes: u64) -> Self {
        Arc::make_mut(&mut self.shared).settings.max_request = Some(bytes);
        self
    }

    /// Lets requests for a WebSocket through, in HTTP/1.1: when the endpoint switches protocols, what client and endpoint say passes as it
    /// is, until one of them closes or both are silent for ten minutes. Timeout and caps do not count for it. By default such a request
    /// goes on as one without `Upgrade`, as in the service.
    ///
    /// The server must let go of its connections, as axum's does, and hyper's with `serve_connection_with_upgrades`.
    #[must_use]
    pub fn with_web_sockets(mut self, pass: bool) -> Self {
        Arc::make_mut(&mut self.shared).web_sockets = pass;
        self
    }

    /// Treats headers and failures as an API of this kind does.
    #[must_use]
    pub fn for_api(mut self, api: ApiKind) -> Self {
        Arc::make_mut(&mut self.shared).settings.api = api;
        self
    }

    pub(crate) fn compiled(
        settings: Settings,
        target: Target,
        method: Option<Method>,
        mapping: RequestParameters,
        streams: bool,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                target,
                method,
                mapping,
                handling: None,
                streams,
                web_sockets: false,
            }),
        }
    }

    /// Converts the bodies of requests so.
    pub(crate) fn with_handling(mut self, handling: Option<ProxyHandling>) -> Self {
        Arc::make_mut(&mut self.shared).handling = handling;
        self
    }

    /// Sends a request on. A refusal is an `Err`.
    pub fn call(&self, mut request: Request<Body>, context: &RequestContext) -> IntegrationFuture {
        let api = self.shared.settings.api;
        if let Some(client) = self.shared.web_socket(&mut request) {
            let (shared, context) = (Arc::clone(&self.shared), context.clone());
            return IntegrationFuture::boxed(async move {
                let sent = shared.upgrade(request, client, None, &context).await;
                sent.map_err(|failure| failure.into_rejection(api, &context))
            });
        }
        if self.shared.mapping.read_body() || self.shared.handling.is_some() {
            return self.read_and_call(request, context);
        }
        let refuse =
            |failure: Failure| IntegrationFuture::ready(Err(failure.into_rejection(api, context)));
        let request = match self.shared.prepare(request, None, context) {
            Ok(request) => request,
            Err(failure) => return refuse(failure),
        };
        let (shared, context) = (Arc::clone(&self.shared), context.clone());
        if is_to_be_peeked(&request) {
            return IntegrationFuture::boxed(async move {
                let sent = shared.send(request, &context).await;
                sent.map_err(|failure| failure.into_rejection(api, &context))
            });
        }
        let started = capped(request, &shared.settings, &context).and_then(|request| {
            let client = shared.target.client(&context)?;
            Ok(Exchange::new(&shared.settings, client).start(request))
        });
        match started {
            Ok(exchanging) => IntegrationFuture::boxed(Proxying {
                exchanging,
                shared,
                context,
            }),
            Err(failure) => refuse(failure),
        }
    }

    /// The same, to another path or by another name of the host.
    pub(crate) async fn call_instead(
        &self,
        mut request: Request<Body>,
        instead: Instead,
        context: &RequestContext,
    ) -> Result<Response<Body>, Rejection> {
        let shared = &self.shared;
        let sent = if let Some(client) = shared.web_socket(&mut request) {
            shared
                .upgrade(request, client, Some(instead), context)
                .await
        } else {
            match shared.prepare(request, Some(instead), context) {
                Ok(request) => shared.send(request, context).await,
                Err(failure) => Err(failure),
            }
        };
        sent.map_err(|failure| failure.into_rejection(shared.settings.api, context))
    }

    /// The same, where a value is mapped from the body, or the body is converted: it is read first.
    fn read_and_call(&self, request: Request<Body>, context: &RequestContext) -> IntegrationFuture {
        let shared = Arc::clone(&self.shared);
        let context = context.clone();
        IntegrationFuture::boxed(async move {
            let (parts, body) = request.into_parts();
            let sent = async {
                let body = read_in_time(body, &shared.settings).await?;
                let limit = shared.settings.max_request;
                let handling = shared.handling.as_ref();
                let converted = match handling {
                    Some(handling) => handling.convert(&body, &parts.headers, limit)?,
                    None => None,
                };
                let request = Request::from_parts(parts, Body::from(body));
                let mut request = shared.prepare(request, None, &context)?;
                if let Some(body) = converted {
                    request.headers_mut().remove(CONTENT_ENCODING);
                    *request.body_mut() = body.into();
                }
                shared.send(request, &context).await
            };
            let api = shared.settings.api;
            let sent = sent.await;
            sent.map_err(|failure| failure.into_rejection(api, &context))
        })
    }
}

impl Shared {
    /// Makes the endpoint's request out of the client's.
    fn prepare(
        &self,
        mut request: Request<Body>,
        instead: Option<Instead>,
        context: &RequestContext,
    ) -> Result<Request<Body>, Failure> {
        let text = self.body_text(&request)?;
        let mut message = Message::request(&request);
        message.body = text.as_deref();
        let mapped = self.mapping.evaluate(&message, context)?;
        let (path, host) = match instead {
            Some(Instead { path, host }) => (path, host),
            None => (None, None),
        };
        *request.uri_mut() = self.uri(request.uri(), &mapped, path.as_deref(), context)?;
        let http2 = request.version() == Version::HTTP_2;
        let has_body = !http_body::Body::is_end_stream(request.body())
            && (request.headers().get(CONTENT_LENGTH)).is_none_or(|length| length != "0");
        let chunked = has_body && !http2 && !request.headers().contains_key(CONTENT_LENGTH);
        let has_body = has_body && !(chunked && is_bodiless(request.method()));
        let headers = request.headers_mut();
        match self.settings.api {
            ApiKind::Rest => {
                headers::for_rest_proxy(headers, http2, has_body);
                if let Some(stage) = context.stage()
                    && let Ok(id) = HeaderValue::try_from(stage.api_id.as_str())
                {
                    headers.insert(API_ID, id);
                }
                add_x_forwarded(headers, context);
            }
            ApiKind::Http => {
                if !headers.contains_key(HOST)
                    && let Some(host) = context.host()
                    && let Ok(host) = HeaderValue::try_from(host)
                {
                    headers.insert(HOST, host);
                }
                add_forwarded(headers, context);
                headers::for_http_api(headers, http2);
            }
        }
        context.write_trace(headers);
        mapped.put_headers(headers);
        if let Some(host) = host {
            headers.insert(HOST, host);
        }
        if let Some(method) = &self.method {
            request.method_mut().clone_from(method);
        }
        Ok(request)
    }

    /// The body that values are mapped from, if any is.
    fn body_text(&self, request: &Request<Body>) -> Result<Option<String>, Failure> {
        let body = request.body().as_bytes();
        let Some(body) = body.filter(|_| self.mapping.read_body()) else {
            return Ok(None);
        };
        let body = Bytes::copy_from_slice(body);
        let body = decode(body, request.headers(), self.settings.max_request)?;
        Ok(Some(String::from_utf8_lossy(&body).into_owned()))
    }

    fn uri(
        &self,
        client: &Uri,
        mapped: &Mapped<'_>,
        path: Option<&str>,
        context: &RequestContext,
    ) -> Result<Uri, UriFault> {
        let template = match &self.target.address {
            Address::Uri(template) => template,
            Address::Inside => {
                let uri = inside(client, context)?;
                let uri = match path {
                    Some(path) => at_path(&uri, path)?,
                    None => uri,
                };
                return with_query(uri, client.query(), &mapped.query);
            }
        };
        let route = context.route();
        // An HTTP API fills path parameters in by itself, and without a gateway there is nobody to map them.
        let by_itself = self.settings.api == ApiKind::Http || route.is_none();
        let variables = context.stage().map(|stage| &stage.variables);
        let uri = template.expand(variables, |name| {
            if let Some(value) = mapped.path_value(name) {
                return Some(value);
            }
            if !by_itself {
                return None;
            }
            match route {
                Some(route) => route.parameter(name).map(Cow::Borrowed),
                None if name == "proxy" => {
                    let path = client.path();
                    Some(Cow::Borrowed(path.strip_prefix('/').unwrap_or(path)))
                }
                None => None,
            }
        })?;
        let uri = match route {
            _ if let Some(path) = path => at_path(&uri, path)?,
            Some(route)
                if self.settings.api == ApiKind::Http
                    && route.route().template == "$default"
                    && !template.has_parameters() =>
            {
                with_path(&uri, route.path())?
            }
            _ => uri,
        };
        with_query(uri, client.query(), &mapped.query)
    }

    async fn send(
        &self,
        request: Request<Body>,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let exchange = Exchange::new(&self.settings, self.target.client(context)?);
        let head = exchange.send(request, context).await?;
        self.answer(head, exchange.deadline, context)
    }

    /// The near end of a connection that asks for a WebSocket, where those pass.
    fn web_socket(&self, request: &mut Request<Body>) -> Option<OnUpgrade> {
        self.web_sockets.then(|| asked_for(request)).flatten()
    }

    /// Asks the endpoint for a WebSocket.
    async fn upgrade(
        &self,
        request: Request<Body>,
        client: OnUpgrade,
        instead: Option<Instead>,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let mut request = self.prepare(request, instead, context)?;
        web_socket::ask(request.headers_mut());
        let exchange = Exchange::new(&self.settings, self.target.client(context)?);
        let mut head = exchange.upgrade(request, context).await?;
        if head.status() != StatusCode::SWITCHING_PROTOCOLS {
            return self.answer(head, exchange.deadline, context);
        }
        let mut headers = std::mem::take(head.headers_mut());
        // What it says of this connection is said anew.
        headers.remove(CONNECTION);
        self.clean(&mut headers);
        web_socket::switch(&mut headers);
        web_socket::join(client, head);
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// Leaves of an answer's headers what is for the client.
    fn clean(&self, headers: &mut HeaderMap) {
        match self.settings.api {
            ApiKind::Rest => headers::from_rest_proxy(headers),
            ApiKind::Http => headers::from_http_api(headers),
        }
    }

    /// Makes the client's answer out of the endpoint's, which has to be complete by the deadline.
    fn answer(
        &self,
        head: Response<ResponseBody>,
        deadline: Instant,
        context: &RequestContext,
    ) -> Result<Response<Body>, Failure> {
        let deadline = (!self.streams).then_some(deadline);
        let (mut parts, body) = head.into_parts();
        let body = answer(body, self.settings.max_response, deadline, context)?;
        self.clean(&mut parts.headers);
        let mut response = Response::new(body);
        *response.status_mut() = parts.status;
        *response.headers_mut() = parts.headers;
        Ok(response)
    }
}

/// Whether a request with this verb has no body as a rule.
fn is_bodiless(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The request's trace as a header: the one that the gateway set, the client's, or a new one.
pub(crate) fn trace(headers: &http::HeaderMap, context: &RequestContext) -> HeaderValue {
    let trace = context.trace_of(headers);
    let outgoing = context.outgoing_trace();
    outgoing.as_ref().unwrap_or(trace).to_header()
}

pin_project! {
    /// The future of [`HttpProxy::call`] for a request that is on its way.
    struct Proxying<F> {
        #[pin]
        exchanging: Exchanging<F>,
        shared: Arc<Shared>,
        context: RequestContext,
    }
}

impl<F> Future for Proxying<F>
where
    F: Future<Output = Result<Response<ResponseBody>, ClientError>>,
{
    type Output = Result<Response<Body>, Rejection>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (settings, context) = (&this.shared.settings, &*this.context);
        let head = ready!(this.exchanging.as_mut().poll_head(settings, context, cx));
        let deadline = this.exchanging.deadline();
        let answered = head.and_then(|head| this.shared.answer(head, deadline, context));
        Poll::Ready(answered.map_err(|failure| failure.into_rejection(settings.api, context)))
    }
}

integration_service!(HttpProxy);
