//! Requests whose bodies are a part of their keys: they are read before anything is looked up, and go on with the same bytes.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{Request, Response};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use portcullis_core::{
    Body as CoreBody, BoxError, Decision, Live, Rejection, RejectionKind, RequestContext,
};
use tower_layer::Layer;
use tower_service::Service;

use crate::body::{CacheBody, Then};
use crate::cache::ResponseCache;
use crate::layer::{CacheLayer, Shared};
use crate::rules::CacheRules;
use crate::service::{CacheFuture, Call, serve};

/// A [`CacheLayer`] for rules with [`KeyPart::Body`](crate::KeyPart::Body): it reads the bodies of requests that may be cached, and hands the same bytes on.
///
/// It asks for a body that can be made from bytes, as axum's can. A body that does not say how long it is at most, or that is longer than
/// [the rules allow](crate::CacheRulesBuilder::max_key_body_bytes), is not read: such a request passes, and is not cached. Trailers of requests that are read
/// end here. One that breaks off is answered 400.
///
/// ```
/// use bytes::Bytes;
/// use http::{Method, Request, Response};
/// use http_body_util::Full;
/// use portcullis_cache::{BodyCacheLayer, CacheRules, KeyPart, ResponseCache};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let search = service_fn(async |request: Request<Full<Bytes>>| {
///     Ok::<_, std::convert::Infallible>(Response::new(request.into_body()))
/// });
/// let rules = CacheRules::builder()
///     .methods([Method::POST])
///     .key([KeyPart::Target, KeyPart::Body])
///     .build()?;
/// let cache = ResponseCache::in_memory(64 * 1024 * 1024);
/// let service = BodyCacheLayer::new(&cache, rules).layer(search);
/// for query in ["cats", "dogs", "cats"] {
///     service.clone().oneshot(Request::post("/search").body(query.into())?).await?;
/// }
/// assert_eq!((cache.stats().misses, cache.stats().hits), (2, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct BodyCacheLayer {
    shared: Arc<Shared>,
}

impl BodyCacheLayer {
    /// A layer over a cache, which may serve others as well.
    pub fn new(cache: &ResponseCache, rules: CacheRules) -> Self {
        CacheLayer::new(cache, rules).into()
    }

    /// The rules, which can be replaced while requests run. What is stored stays.
    #[must_use]
    pub fn rules(&self) -> &Live<CacheRules> {
        &self.shared.rules
    }

    /// The cache, to be purged and read.
    #[must_use]
    pub fn cache(&self) -> &ResponseCache {
        &self.shared.cache
    }
}

impl From<CacheLayer> for BodyCacheLayer {
    fn from(layer: CacheLayer) -> Self {
        Self {
            shared: layer.shared,
        }
    }
}

impl<S> Layer<S> for BodyCacheLayer {
    type Service = BodyCached<S>;

    fn layer(&self, inner: S) -> BodyCached<S> {
        BodyCached {
            inner,
            shared: Arc::clone(&self.shared),
        }
    }
}

/// The service of [`BodyCacheLayer`].
#[derive(Clone, Debug)]
pub struct BodyCached<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for BodyCached<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    ReqBody: Body<Data = Bytes> + From<Bytes> + Send + 'static,
    ReqBody::Error: Into<BoxError>,
    ResBody: Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Response = Response<CacheBody<ResBody>>;
    type Error = S::Error;
    type Future = BodyCacheFuture<S::Future, ResBody, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let Some((limit, room)) = self.room(&request) else {
            return BodyCacheFuture {
                state: State::Now {
                    future: serve(&self.shared, request, None, &mut self.inner),
                },
            };
        };
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let shared = Arc::clone(&self.shared);
        let served = async move {
            let (head, body) = request.into_parts();
            let read = read(body, limit).await;
            drop(room);
            let bytes = match read {
                Ok(Read::Whole(bytes) | Read::Trailed(bytes, _)) => bytes,
                // It is longer than it said.
                Ok(Read::Longer(_)) => return Ok(refuse(&head.extensions, too_large(limit))),
                Err(error) => return Ok(refuse(&head.extensions, broken(&error))),
            };
            let request = Request::from_parts(head, ReqBody::from(bytes.clone()));
            serve(&shared, request, Some(&bytes), &mut inner).await
        };
        BodyCacheFuture {
            state: State::Read {
                future: Box::pin(served),
            },
        }
    }
}

impl<S> BodyCached<S> {
    /// How much of a request's body is to be read, and leave to hold as much; none if it is not to be read.
    fn room<B: Body>(&self, request: &Request<B>) -> Option<(usize, Room)> {
        let limit = self.shared.rules.load().reads_body(request)?;
        let length = request.body().size_hint().upper()?;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= limit)?;
        Some((limit, Room::of(&self.shared.cache, length)?))
    }
}

/// Leave to hold bytes of bodies that are not complete.
struct Room {
    cache: ResponseCache,
    bytes: usize,
}

impl Room {
    fn of(cache: &ResponseCache, bytes: usize) -> Option<Self> {
        cache.reserve(bytes).then(|| Self {
            cache: cache.clone(),
            bytes,
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.cache.release(self.bytes);
    }
}

/// A request whose body has been read, if its key needs it: what [`CacheLayer::serve_read`] takes.
#[derive(Debug)]
pub struct ReadRequest {
    request: Request<CoreBody>,
    /// What the key is made of.
    body: Option<Bytes>,
}

impl CacheLayer {
    /// Reads the body of a request if its key [needs it](crate::KeyPart::Body): for what is no tower service. A longer one than the
    /// [rules allow](crate::CacheRulesBuilder::max_key_body_bytes) goes on as it came, however much of it has been read, and is not cached.
    ///
    /// # Errors
    ///
    /// The body breaks off: 400.
    pub async fn read(&self, request: Request<CoreBody>) -> Result<ReadRequest, Rejection> {
        let Shared { cache, rules } = &*self.shared;
        let limit = rules.load().reads_body(&request);
        let Some((limit, room)) = limit.and_then(|limit| {
            let declared = request.headers().get(CONTENT_LENGTH);
            let declared = declared.and_then(|length| length.to_str().ok()?.parse().ok());
            let least = declared
                .unwrap_or(0)
                .max(request.body().size_hint().lower());
            if least > limit as u64 {
                return None;
            }
            let most = request.body().size_hint().upper();
            let most = most.and_then(|most| usize::try_from(most).ok());
            let held = most.unwrap_or(limit).min(limit);
            Some((limit, Room::of(cache, held)?))
        }) else {
            return Ok(ReadRequest {
                request,
                body: None,
            });
        };
        let (head, body) = request.into_parts();
        let read = read(body, limit).await.map_err(|error| broken(&error))?;
        drop(room);
        let (body, key) = match read {
            Read::Whole(bytes) => (bytes.clone().into(), Some(bytes)),
            Read::Trailed(bytes, trailers) => {
                let frames = vec![Frame::data(bytes), trailers];
                (CacheBody::<CoreBody>::read(frames, Then::End).into(), None)
            }
            Read::Longer(body) => (body.into(), None),
        };
        Ok(ReadRequest {
            request: Request::from_parts(head, body),
            body: key,
        })
    }

    /// Serves one request that has been [read](Self::read) from the cache, or by `call`.
    pub fn serve_read<F, C, ResBody, E>(
        &self,
        read: ReadRequest,
        call: C,
    ) -> CacheFuture<F, ResBody, E>
    where
        C: FnOnce(Request<CoreBody>) -> F + Send + 'static,
        F: Future<Output = Result<Response<ResBody>, E>> + Send + 'static,
        E: Send + 'static,
        ResBody: Body<Data = Bytes> + Send + 'static,
        ResBody::Error: Into<BoxError>,
    {
        let ReadRequest { request, body } = read;
        serve(&self.shared, request, body.as_ref(), Call(call))
    }
}

/// What was read of a body.
enum Read<B> {
    Whole(Bytes),
    /// All of it, and there are trailers.
    Trailed(Bytes, Frame<Bytes>),
    /// It is longer: what came of it, and the rest.
    Longer(CacheBody<B>),
}

/// Reads a body, up to `limit` bytes and the frame that goes beyond them.
async fn read<B>(body: B, limit: usize) -> Result<Read<B>, BoxError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let mut body = Box::pin(body);
    let mut chunks: Vec<Bytes> = Vec::new();
    let mut length = 0;
    loop {
        let frame = match poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            None => return Ok(Read::Whole(joined(chunks, length))),
            Some(frame) => frame.map_err(Into::into)?,
        };
        match frame.into_data() {
            Ok(chunk) => {
                length += chunk.len();
                if !chunk.is_empty() {
                    chunks.push(chunk);
                }
                if length > limit {
                    let frames: Vec<_> = chunks.into_iter().map(Frame::data).collect();
                    return Ok(Read::Longer(CacheBody::read(frames, Then::Rest(body))));
                }
            }
            Err(trailers) => return Ok(Read::Trailed(joined(chunks, length), trailers)),
        }
    }
}

/// One piece; what came in one is not copied.
fn joined(mut chunks: Vec<Bytes>, length: usize) -> Bytes {
    if chunks.len() < 2 {
        return chunks.pop().unwrap_or_default();
    }
    let mut all = BytesMut::with_capacity(length);
    for chunk in chunks {
        all.extend_from_slice(&chunk);
    }
    all.freeze()
}

fn too_large(limit: usize) -> Rejection {
    let decision = Decision::new("cache", "body-limit").with("limit", limit as u64);
    Rejection::too_large(limit as u64).with_decision(decision)
}

fn broken(error: &BoxError) -> Rejection {
    let decision = Decision::new("cache", "broken-body").with("error", error.to_string());
    Rejection::new(RejectionKind::MalformedRequest).with_decision(decision)
}

fn refuse<B: From<Bytes>>(extensions: &http::Extensions, rejection: Rejection) -> Response<B> {
    if let Some(context) = extensions.get::<RequestContext>() {
        context.record_refusal(&rejection);
    }
    rejection.into_response()
}

pin_project! {
    /// The future of [`BodyCached`]. Requests whose bodies are not read box nothing for it.
    pub struct BodyCacheFuture<F, B, E> {
        #[pin]
        state: State<F, B, E>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B, E> {
        Now { #[pin] future: CacheFuture<F, B, E> },
        Read { future: Boxed<B, E> },
    }
}

type Boxed<B, E> = Pin<Box<dyn Future<Output = Result<Response<CacheBody<B>>, E>> + Send>>;

impl<F, B, E> Future for BodyCacheFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<CacheBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Now { future } => future.poll(cx),
            StateProjection::Read { future } => future.as_mut().poll(cx),
        }
    }
}

impl<F, B, E> fmt::Debug for BodyCacheFuture<F, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Now { .. } => "BodyCacheFuture(serving)",
            State::Read { .. } => "BodyCacheFuture(reading)",
        })
    }
}
