//! A limit of how many requests are served at once.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use foldhash::quality::RandomState;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use portcullis_core::{ConfigError, Decision, Head, Mode, Rejection, RejectionKind};
use tower_layer::Layer;
use tower_service::Service;

use crate::buckets::Buckets;
use crate::key::{Key, KeyWriter};

/// Limits how many requests of the same [`Key`] are served at once. The others are answered 429; none waits.
///
/// A request counts until its response's body has ended, or is dropped. That is why this layer has a body of its own, [`ConcurrencyBody`].
///
/// ```
/// use portcullis_throttle::{ConcurrencyLayer, Key};
///
/// let layer = ConcurrencyLayer::new("uploads", Key::client_address(), 4)?;
/// assert_eq!(layer.in_flight(), 0);
/// # Ok::<(), portcullis_throttle::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct ConcurrencyLayer {
    shared: Arc<Shared>,
    mode: Mode,
}

struct Shared {
    name: Box<str>,
    key: Key,
    most: u32,
    hasher: RandomState,
    /// As many as there are requests in flight, at most.
    counts: [Mutex<HashMap<u64, u32>>; SHARDS],
}

const SHARDS: usize = 16;

impl ConcurrencyLayer {
    /// At most `most` requests of the same `key` at once.
    ///
    /// # Errors
    ///
    /// If `most` is 0.
    pub fn new(name: &str, key: impl Into<Key>, most: u32) -> Result<Self, ConfigError> {
        if most == 0 {
            let fix = "give at least 1";
            return Err(ConfigError::new("most", most, "lets nothing pass", fix));
        }
        Ok(Self {
            shared: Arc::new(Shared {
                name: name.into(),
                key: key.into(),
                most,
                hasher: RandomState::default(),
                counts: Default::default(),
            }),
            mode: Mode::Enforce,
        })
    }

    /// Whether refusals are carried out. Requests that pass only because of [`Mode::Observe`] are not counted.
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The number of requests that are being served.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        let counts = self.shared.counts.iter();
        counts
            .map(|counts| {
                let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
                counts.values().map(|count| u64::from(*count)).sum::<u64>()
            })
            .sum()
    }
}

impl Shared {
    /// A permit for a request with this head, if there is one left.
    fn permit(self: &Arc<Self>, head: &Head<'_>) -> Option<Permit> {
        let mut key = KeyWriter::new(self.hasher.build_hasher());
        self.key.write(head, &mut key);
        let id = Buckets::id(&key.into_hasher());
        let mut counts = self.counts(id);
        let count = counts.entry(id).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Permit {
            shared: Arc::clone(self),
            id,
        })
    }

    fn counts(&self, id: u64) -> std::sync::MutexGuard<'_, HashMap<u64, u32>> {
        self.counts[id as usize % SHARDS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn refusal(&self) -> Rejection {
        let decision = Decision::new("throttle", self.name.to_string())
            .with("concurrent", i64::from(self.most));
        Rejection::new(RejectionKind::Throttled).with_decision(decision)
    }
}

/// What a request in flight holds.
struct Permit {
    shared: Arc<Shared>,
    id: u64,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.shared.counts(self.id);
        if let Some(count) = counts.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.id);
            }
        }
    }
}

impl fmt::Debug for ConcurrencyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLayer")
            .field("name", &self.shared.name)
            .field("key", &self.shared.key)
            .field("most", &self.shared.most)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for ConcurrencyLayer {
    type Service = Concurrency<S>;

    fn layer(&self, inner: S) -> Concurrency<S> {
        Concurrency {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service of [`ConcurrencyLayer`].
#[derive(Clone, Debug)]
pub struct Concurrency<S> {
    inner: S,
    layer: ConcurrencyLayer,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Concurrency<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = Response<ConcurrencyBody<ResBody>>;
    type Error = S::Error;
    type Future = ConcurrencyFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let ConcurrencyLayer { shared, mode } = &self.layer;
        let mut permit = None;
        if *mode != Mode::Disabled {
            permit = shared.permit(&Head::of(&request));
            if permit.is_none()
                && let Some(rejection) = shared.refusal().settle(*mode, &mut request)
            {
                return ConcurrencyFuture::Refused {
                    rejection: Some(rejection),
                };
            }
        }
        ConcurrencyFuture::Called {
            inner: self.inner.call(request),
            permit,
        }
    }
}

pin_project! {
    /// The future of [`Concurrency`].
    #[project = Projection]
    #[expect(clippy::exhaustive_enums, reason = "nobody else makes one")]
    pub enum ConcurrencyFuture<F> {
        #[doc(hidden)]
        Called { #[pin] inner: F, permit: Option<Permit> },
        #[doc(hidden)]
        Refused { rejection: Option<Rejection> },
    }
}

impl<F, B, E> Future for ConcurrencyFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: From<Bytes>,
{
    type Output = Result<Response<ConcurrencyBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projection::Called { inner, permit } => {
                let answer = ready!(inner.poll(cx));
                let permit = permit.take();
                Poll::Ready(
                    answer.map(|response| response.map(|inner| ConcurrencyBody { inner, permit })),
                )
            }
            Projection::Refused { rejection } => {
                let rejection = rejection.take();
                let rejection = rejection.expect("a future is not polled after it has completed");
                Poll::Ready(Ok(rejection.into_response()))
            }
        }
    }
}

impl<F> fmt::Debug for ConcurrencyFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConcurrencyFuture")
    }
}

pin_project! {
    /// A response's body, which holds the request's place until it ends.
    pub struct ConcurrencyBody<B> {
        #[pin]
        inner: B,
        permit: Option<Permit>,
    }
}

impl<B: Body> Body for ConcurrencyBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            *this.permit = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: From<Bytes>> From<Bytes> for ConcurrencyBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self {
            inner: bytes.into(),
            permit: None,
        }
    }
}

impl<B: fmt::Debug> fmt::Debug for ConcurrencyBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConcurrencyBody").field(&self.inner).finish()
    }
}
