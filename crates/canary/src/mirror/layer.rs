//! The layer, and its service.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Extensions, HeaderName, HeaderValue, Method, Request, Response};
use pin_project_lite::pin_project;
use portcullis_core::{Body, BoxError, Clock, SystemClock};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tower_layer::Layer;
use tower_service::Service;

use super::body::{Answer, MirrorBody, Tap};
use super::comparison::Comparison;
use super::report::{MirrorHandle, Tally};
use super::shadow::{Course, Shadow, is_safe};
use crate::error::ConfigError;
use crate::weights::{Point, Share};

/// Sends copies of requests to another version, and compares its answers with those of the service that it surrounds. Nobody is served by the other version.
///
/// The request itself waits for nothing: its body is copied as the service reads it, its answer as the client does, and the rest goes on in a task of its own. No more copies
/// are under way than the queue holds; those beyond are counted and not made. Only requests that change nothing (`GET`, `HEAD`, `OPTIONS`) are copied, unless more methods are named.
///
/// Around a [`Canary`](crate::Canary), or as its production, it says whether a version is worth a share of the traffic:
///
/// ```
/// use portcullis_canary::{Comparison, MirrorLayer};
/// # use axum::{Router, routing::get};
///
/// # let (old, new) = (Router::new().route("/pets", get(async || "cat")), Router::new());
/// let mirror = MirrorLayer::builder()
///     .share(10.0)
///     .compare(Comparison::new().ignore_path("/servedAt")?)
///     .build(new)?;
/// let handle = mirror.handle();
/// let app: Router = old.layer(mirror);
/// println!("{}", handle.report()); // 0.00 % of 0 differ …
/// # let _ = app;
/// # Ok::<(), portcullis_canary::ConfigError>(())
/// ```
#[must_use]
pub struct MirrorLayer<C> {
    shared: Arc<Shared<C>>,
}

struct Shared<C> {
    service: C,
    course: Arc<Course>,
    share: Share,
    methods: Vec<Method>,
    /// One for each copy that is under way, from the request to the comparison.
    places: Arc<Semaphore>,
    mark: Option<HeaderName>,
    extensions: Option<Arc<Extend>>,
    chance: Option<Arc<Chance>>,
    clock: Arc<dyn Clock>,
}

/// What a copy has of its request's extensions.
type Extend = dyn Fn(&Extensions) -> Extensions + Send + Sync;

type Chance = dyn Fn() -> u64 + Send + Sync;

impl MirrorLayer<()> {
    /// Begins a layer.
    pub fn builder() -> MirrorLayerBuilder {
        MirrorLayerBuilder::default()
    }
}

impl<C> MirrorLayer<C> {
    /// The same mirror with another service behind it: a newer version, say. Counts, samples and the copies that are under way are shared.
    pub fn to<D>(&self, service: D) -> MirrorLayer<D> {
        let shared = &*self.shared;
        MirrorLayer {
            shared: Arc::new(Shared {
                service,
                course: Arc::clone(&shared.course),
                share: shared.share,
                methods: shared.methods.clone(),
                places: Arc::clone(&shared.places),
                mark: shared.mark.clone(),
                extensions: shared.extensions.clone(),
                chance: shared.chance.clone(),
                clock: Arc::clone(&shared.clock),
            }),
        }
    }

    /// What comes of it.
    #[must_use]
    pub fn handle(&self) -> MirrorHandle {
        MirrorHandle {
            tally: Arc::clone(&self.shared.course.tally),
        }
    }
}

impl<C> Clone for MirrorLayer<C> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S, C> Layer<S> for MirrorLayer<C> {
    type Service = Mirror<S, C>;

    fn layer(&self, inner: S) -> Mirror<S, C> {
        Mirror {
            inner,
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<C> fmt::Debug for MirrorLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MirrorLayer")
            .field("share", &self.shared.share)
            .finish_non_exhaustive()
    }
}

/// Collects what a [`MirrorLayer`] goes by.
#[derive(Clone)]
#[must_use]
pub struct MirrorLayerBuilder {
    share: f64,
    methods: Vec<Method>,
    max_body: usize,
    concurrency: usize,
    queue: usize,
    timeout: Duration,
    samples: usize,
    comparison: Comparison,
    mark: Option<HeaderName>,
    extensions: Option<Arc<Extend>>,
    chance: Option<Arc<Chance>>,
    clock: Option<Arc<dyn Clock>>,
}

impl Default for MirrorLayerBuilder {
    fn default() -> Self {
        Self {
            share: 100.0,
            methods: Vec::new(),
            max_body: 64 * 1024,
            concurrency: 16,
            queue: 64,
            timeout: Duration::from_secs(10),
            samples: 32,
            comparison: Comparison::new(),
            mark: None,
            extensions: None,
            chance: None,
            clock: None,
        }
    }
}

impl MirrorLayerBuilder {
    /// Of how many requests a copy is made, in percent: by default all that may be copied.
    pub const fn share(mut self, percent: f64) -> Self {
        self.share = percent;
        self
    }

    /// Copies requests of this method as well. What they do is done twice then.
    pub fn method(mut self, method: Method) -> Self {
        self.methods.push(method);
        self
    }

    /// How long the bodies of requests and answers may be, in bytes: 64 KiB by default. Longer ones pass, and are not compared.
    pub const fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// How many copies the other version gets at once: 16 by default.
    pub const fn concurrency(mut self, copies: usize) -> Self {
        self.concurrency = copies;
        self
    }

    /// How many more may wait, for their turn, their body or production's answer: 64 by default.
    pub const fn queue(mut self, copies: usize) -> Self {
        self.queue = copies;
        self
    }

    /// How long each is waited for: the request's body, the other version's answer, production's. 10 seconds by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many pairs that differ are kept to be looked at: 32 by default.
    pub const fn samples(mut self, samples: usize) -> Self {
        self.samples = samples;
        self
    }

    /// What is compared.
    pub fn compare(mut self, comparison: Comparison) -> Self {
        self.comparison = comparison;
        self
    }

    /// Tells the other version, by `mirror` in this header, that nobody waits for its answer.
    pub fn mark(mut self, name: HeaderName) -> Self {
        self.mark = Some(name);
        self
    }

    /// Gives each copy what `take` makes of its request's extensions. By default a copy has none of them: its request's context is not to learn from it.
    pub fn extensions(
        mut self,
        take: impl Fn(&Extensions) -> Extensions + Send + Sync + 'static,
    ) -> Self {
        self.extensions = Some(Arc::new(take));
        self
    }

    /// Takes chance from here: 64 uniform bits at each call.
    pub fn chance(mut self, chance: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.chance = Some(Arc::new(chance));
        self
    }

    /// Takes the time from here.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// A layer that sends the copies to `service`.
    ///
    /// # Errors
    ///
    /// If the share is none, or there is room for no copy.
    pub fn build<C>(self, service: C) -> Result<MirrorLayer<C>, ConfigError> {
        let share = Share::new("mirror.share", self.share)?;
        let most = Semaphore::MAX_PERMITS / 2;
        for (field, given, least) in [
            ("mirror.concurrency", self.concurrency, 1),
            ("mirror.queue", self.queue, 0),
        ] {
            if !(least..=most).contains(&given) {
                let problem = format!("{given} is no number of copies; give {least} to {most}");
                return Err(ConfigError::new(field, problem));
            }
        }
        let course = Course {
            tally: Arc::new(Tally::new(self.samples)),
            comparison: self.comparison,
            running: Arc::new(Semaphore::new(self.concurrency)),
            timeout: self.timeout,
            max_body: self.max_body,
        };
        Ok(MirrorLayer {
            shared: Arc::new(Shared {
                service,
                course: Arc::new(course),
                share,
                methods: self.methods,
                places: Arc::new(Semaphore::new(self.concurrency + self.queue)),
                mark: self.mark,
                extensions: self.extensions,
                chance: self.chance,
                clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock::new())),
            }),
        })
    }
}

impl fmt::Debug for MirrorLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MirrorLayerBuilder")
            .field("share", &self.share)
            .field("methods", &self.methods)
            .field("max_body", &self.max_body)
            .field("concurrency", &self.concurrency)
            .field("queue", &self.queue)
            .field("timeout", &self.timeout)
            .field("comparison", &self.comparison)
            .finish_non_exhaustive()
    }
}

/// The service of [`MirrorLayer`].
pub struct Mirror<S, C> {
    inner: S,
    shared: Arc<Shared<C>>,
}

impl<S: Clone, C> Clone for Mirror<S, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<C> Shared<C> {
    /// Whether a copy of this request is to be made.
    fn wants(&self, method: &Method) -> bool {
        let random = || match &self.chance {
            None => fastrand::u64(..),
            Some(chance) => chance(),
        };
        (is_safe(method) || self.methods.contains(method))
            && self.share.has(Point::of((random() >> 32) as u32))
    }

    /// The copy of a request without its body, if there is room for it, and where the request's body and answer are to be copied to.
    fn copy<B>(&self, request: &Request<B>) -> Option<Copies> {
        if !self.wants(request.method()) {
            return None;
        }
        let tally = &self.course.tally;
        let place = Arc::clone(&self.places).try_acquire_owned();
        let (Ok(place), Ok(runtime)) = (place, Handle::try_current()) else {
            tally.dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        tally.mirrored.fetch_add(1, Ordering::Relaxed);
        // Extensions are the request's own: its context must not learn from the copy.
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = request.method().clone();
        head.uri = request.uri().clone();
        head.version = request.version();
        head.headers = request.headers().clone();
        if let Some(take) = &self.extensions {
            head.extensions = take(request.extensions());
        }
        if let Some(mark) = &self.mark {
            head.headers
                .insert(mark, HeaderValue::from_static("mirror"));
        }
        let (tap, body) = Tap::request(self.course.max_body);
        let (answered, live) = oneshot::channel();
        let shadow = Shadow {
            course: Arc::clone(&self.course),
            place,
            head,
            body,
            live,
            at: self.clock.wall(),
        };
        Some(Copies {
            shadow,
            runtime,
            tap,
            answered,
        })
    }
}

struct Copies {
    shadow: Shadow,
    runtime: Handle,
    tap: Box<Tap>,
    answered: oneshot::Sender<Answer>,
}

impl<S, C, ReqBody, ResBody, MirroredBody> Service<Request<ReqBody>> for Mirror<S, C>
where
    S: Service<Request<MirrorBody<ReqBody>>, Response = Response<ResBody>>,
    C: Service<Request<Body>, Response = Response<MirroredBody>> + Clone + Send + 'static,
    C::Future: Send,
    C::Error: Send,
    ReqBody: http_body::Body<Data = Bytes>,
    ResBody: http_body::Body<Data = Bytes>,
    MirroredBody: http_body::Body + Send + 'static,
    MirroredBody::Data: Send,
    MirroredBody::Error: Into<BoxError>,
{
    type Response = Response<MirrorBody<ResBody>>;
    type Error = S::Error;
    type Future = MirrorFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let Some(copies) = self.shared.copy(&request) else {
            return MirrorFuture {
                inner: self.inner.call(request.map(MirrorBody::plain)),
                answered: None,
                max_body: 0,
            };
        };
        let service = self.shared.service.clone();
        copies.runtime.spawn(copies.shadow.run(service));
        let request = request.map(|body| MirrorBody::tapped(body, copies.tap));
        MirrorFuture {
            inner: self.inner.call(request),
            answered: Some(copies.answered),
            max_body: self.shared.course.max_body,
        }
    }
}

pin_project! {
    /// The future of [`Mirror`].
    pub struct MirrorFuture<F> {
        #[pin]
        inner: F,
        answered: Option<oneshot::Sender<Answer>>,
        max_body: usize,
    }
}

impl<F, ResBody, E> Future for MirrorFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: http_body::Body<Data = Bytes>,
{
    type Output = Result<Response<MirrorBody<ResBody>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?;
        let Some(sender) = this.answered.take() else {
            return Poll::Ready(Ok(response.map(MirrorBody::plain)));
        };
        let (head, body) = response.into_parts();
        let tap = Tap::answer(*this.max_body, sender, head.status, head.headers.clone());
        let body = MirrorBody::tapped(body, tap);
        Poll::Ready(Ok(Response::from_parts(head, body)))
    }
}

impl<S: fmt::Debug, C> fmt::Debug for Mirror<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mirror")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for MirrorFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MirrorFuture")
    }
}
