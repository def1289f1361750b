//! Several targets behind one name.

mod balance;
mod builder;
mod circuit;
mod config;
mod health;
mod lease;
mod member;
mod probe;
mod retry;
mod shared;
mod status;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response};
use portcullis_core::Body;
use rustls::pki_types::ServerName;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tower_service::Service;

use crate::client::{Client, HttpProtocol};
use crate::error::{ClientError, ClientErrorKind};
use crate::response::ResponseBody;
use crate::upstreams::{Target, without_user};
use probe::Running;
use shared::Shared;

pub use balance::Balance;
pub use builder::{UpstreamPoolBuilder, UpstreamPoolError};
pub use config::{CircuitBreaker, Ejection, HealthCheck, Retries, UpstreamPoolConfig};
pub(crate) use lease::Lease;
pub use status::TargetStatus;

/// Several targets that do the same, of which each request goes to one.
///
/// Targets that fail get no more requests for a while, requests that may be sent again are, and a circuit breaker answers at once
/// where nothing else helps. Clones share targets and connections.
///
/// A pool is a [`Service`] of its own, and stands for an origin in [`Upstreams`](crate::Upstreams).
///
/// ```
/// use portcullis_client::{Balance, CircuitBreaker, HealthCheck, UpstreamPool};
/// use portcullis_core::Body;
/// # use portcullis_testkit::{HyperServer, Recorder, request};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = HyperServer::start(Recorder::new(|_| request::answer(200, "pets"))).await;
/// # let alive = server.url("");
/// let pool = UpstreamPool::builder()
///     .target("http://127.0.0.1:1") // where nobody listens
///     .target(alive)
///     .balance(Balance::LeastLoaded)
///     .health_check(HealthCheck::new("/healthz"))
///     .circuit_breaker(CircuitBreaker::default())
///     .build()?;
/// for _ in 0..10 {
///     let request = http::Request::get("/pets").body(Body::empty())?;
///     let response = pool.clone().oneshot(request).await?;
///     assert_eq!(response.status(), 200);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct UpstreamPool {
    inner: Arc<Inner>,
}

/// What ends with the last handle, though requests may still be on their way.
struct Inner {
    shared: Arc<Shared>,
    response_timeout: Option<Duration>,
    check_path: Option<PathAndQuery>,
    checks: Mutex<Option<AbortHandle>>,
    config: UpstreamPoolConfig,
    /// The connections are the pool's own, and not those of a client that it was given.
    own_client: bool,
}

/// A configuration whose fields have been looked at.
struct Checked {
    targets: Vec<Target>,
    connect_timeout: Option<Duration>,
    response_timeout: Option<Duration>,
    check_path: Option<PathAndQuery>,
}

/// How a caller wants a request to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    pub(crate) verify: bool,
    pub(crate) protocol: HttpProtocol,
    /// The name that certificates must have instead of their hosts'.
    pub(crate) server_name: Option<ServerName<'static>>,
    /// When the caller gives up.
    pub(crate) until: Option<Instant>,
    /// The request asks for another protocol.
    pub(crate) upgrading: bool,
}

impl UpstreamPool {
    /// Starts to describe a pool.
    pub fn builder() -> UpstreamPoolBuilder {
        UpstreamPoolConfig::default().into_builder()
    }

    fn from_checked(checked: Checked, config: UpstreamPoolConfig, client: Option<Client>) -> Self {
        let own_client = client.is_none();
        let client = client.unwrap_or_default();
        let pool = Self {
            inner: Arc::new(Inner {
                shared: Arc::new(Shared::new(&checked, &config, &client)),
                response_timeout: checked.response_timeout,
                check_path: checked.check_path,
                checks: Mutex::new(None),
                config,
                own_client,
            }),
        };
        pool.inner.keep_checking();
        pool
    }

    /// The configuration that it was built from.
    #[must_use]
    pub fn config(&self) -> &UpstreamPoolConfig {
        &self.inner.config
    }

    /// How its targets are at the moment, for metrics and pages.
    #[must_use]
    pub fn targets(&self) -> Vec<TargetStatus> {
        self.inner.shared.status()
    }

    /// Whether the other pool would do the same: it is this one, or has the same configuration and connections of its own, too.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
            || self.inner.own_client
                && other.inner.own_client
                && self.inner.config == other.inner.config
    }

    /// Sends a request to one of the targets. If its URI has an origin, the target reads that as the `Host`.
    ///
    /// # Errors
    ///
    /// If no target answered. [`ClientError::kind`] says why the last one that was asked did not.
    pub fn send(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<ResponseBody>, ClientError>> + Send + use<> {
        let manner = Manner {
            verify: true,
            protocol: HttpProtocol::Auto,
            server_name: None,
            until: None,
            upgrading: false,
        };
        self.clone().send_so(request, manner)
    }

    pub(crate) async fn send_so(
        self,
        mut request: Request<Body>,
        manner: Manner,
    ) -> Result<Response<ResponseBody>, ClientError> {
        self.inner.keep_checking();
        if let Some(meant) = request.uri().authority()
            && let Ok(host) = HeaderValue::try_from(without_user(meant))
        {
            request.headers_mut().entry(HOST).or_insert(host);
        }
        let shared = &self.inner.shared;
        let mut tried = Vec::new();
        loop {
            let spare = shared.retrier.as_ref().and_then(|retrier| {
                let retries = u32::try_from(tried.len()).unwrap_or(u32::MAX);
                Some((retrier, retrier.spare(&request, retries)?))
            });
            let lease = shared.lease(&tried, manner.until)?;
            let index = lease.index();
            let error = match self.attempt(lease, request, &manner).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            let Some((retrier, again)) = spare else {
                return Err(error);
            };
            if !retrier.may_retry(&error) {
                return Err(error);
            }
            let target = shared.members()[index].target();
            tracing::debug!(%target, %error, "a request is sent again");
            tried.push(index);
            request = again;
        }
    }

    /// Sends a request to the target that it has a lease of.
    async fn attempt(
        &self,
        mut lease: Lease,
        mut request: Request<Body>,
        manner: &Manner,
    ) -> Result<Response<ResponseBody>, ClientError> {
        let shared = &self.inner.shared;
        let path = request.uri().path_and_query().cloned();
        let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let target = shared.members()[lease.index()].target();
        *request.uri_mut() = target
            .at(path)
            .map_err(|error| ClientError::new(ClientErrorKind::Address, error))?;
        let transport = shared.transport(manner.verify);
        let mut transport = transport.named(manner.server_name.as_ref());
        if shared.protocol() == HttpProtocol::Auto {
            transport = transport.speaking(manner.protocol);
        }
        let sent = transport.send_direct(request, manner.upgrading);
        let sent = match self.inner.response_timeout {
            None => sent.await,
            Some(timeout) => match tokio::time::timeout(timeout, sent).await {
                Ok(sent) => sent,
                Err(elapsed) => Err(ClientError::new(ClientErrorKind::Timeout, elapsed)),
            },
        };
        match sent {
            Ok(response) => {
                lease.answered(response.status());
                Ok(response.map(|body| body.with_lease(lease)))
            }
            Err(error) => {
                match error.kind() {
                    ClientErrorKind::Address | ClientErrorKind::RequestBody => lease.excuse(),
                    _ => lease.fail(),
                }
                Err(error)
            }
        }
    }
}

impl Inner {
    /// Sees to it that the targets are checked, if that is wanted and there is a runtime to do it in.
    fn keep_checking(&self) {
        let (Some(check), Some(path)) = (&self.config.health, &self.check_path) else {
            return;
        };
        if self.shared.probing.load(Ordering::Relaxed) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.shared.probing.swap(true, Ordering::Relaxed) {
            let running = Running::new(Arc::clone(&self.shared));
            let checking = probe::run(running, check.clone(), path.clone());
            *checks = Some(runtime.spawn(checking).abort_handle());
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let checks = self.checks.get_mut();
        if let Some(checks) = checks.unwrap_or_else(PoisonError::into_inner) {
            checks.abort();
        }
    }
}

impl Service<Request<Body>> for UpstreamPool {
    type Response = Response<ResponseBody>;
    type Error = ClientError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ClientError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl fmt::Debug for UpstreamPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamPool")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}
