//! Fetches a response for whoever waits for it, and stores it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Response, response};
use http_body::{Body, Frame};
use portcullis_core::BoxError;
use tokio::runtime::Handle;

use crate::body::{CacheBody, Then};
use crate::cache::ResponseCache;
use crate::entry::{Draft, Entry};
use crate::flight::{Flight, Outcome};
use crate::key::Key;
use crate::pump::{self, Collected};
use crate::store::{Answer, Purge};

/// The duty to say what became of a fetch. One that is dropped has failed.
pub(crate) struct Landing {
    cache: ResponseCache,
    key: Key,
    epoch: u64,
    /// Absent where nobody waits.
    flight: Option<Arc<Flight>>,
}

impl Landing {
    pub(crate) fn leading(cache: &ResponseCache, key: Key, flight: Arc<Flight>) -> Self {
        Self {
            cache: cache.clone(),
            key,
            epoch: flight.epoch,
            flight: Some(flight),
        }
    }

    pub(crate) fn alone(cache: &ResponseCache, key: &[u8], epoch: u64) -> Self {
        Self {
            cache: cache.clone(),
            key: Key::from_bytes(key),
            epoch,
            flight: None,
        }
    }

    pub(crate) const fn cache(&self) -> &ResponseCache {
        &self.cache
    }

    pub(crate) const fn key(&self) -> &Key {
        &self.key
    }

    /// Takes the duty over, for whoever decides before the body has come.
    pub(crate) fn split(&mut self) -> Self {
        Self {
            cache: self.cache.clone(),
            key: self.key.clone(),
            epoch: self.epoch,
            flight: self.flight.take(),
        }
    }

    /// Stores something under another key, as of the same time. Nobody waits for it.
    pub(crate) fn aside(&self, key: Key) -> Self {
        Self {
            cache: self.cache.clone(),
            key,
            epoch: self.epoch,
            flight: None,
        }
    }

    /// Files what is fetched under another key than the one that is waited for. Those who wait look again.
    pub(crate) fn file_under(&mut self, key: Key) {
        if let Some(flight) = self.flight.take() {
            flight.land(Outcome::Private);
            self.cache.end_flight(&flight);
        }
        self.key = key;
    }

    /// Forgets what is stored under the key.
    pub(crate) fn forget(&self) {
        let purge = Purge::key(self.key.clone());
        if let Answer::Later(purged) = self.cache.store().purge(&purge)
            && let Ok(runtime) = Handle::try_current()
        {
            let timeout = self.cache.fill_timeout();
            runtime.spawn(async move { drop(tokio::time::timeout(timeout, purged).await) });
        }
    }

    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Stores an entry, and gives it to all who wait.
    pub(crate) fn store(self, entry: Entry) {
        let put = self.cache.put(&self, entry.clone());
        self.land(Outcome::Stored(entry));
        // Until it is there, who looks for it in vain finds it here.
        if let Answer::Later(put) = put
            && let Ok(runtime) = Handle::try_current()
        {
            let timeout = self.cache.fill_timeout();
            runtime.spawn(async move {
                let _ = tokio::time::timeout(timeout, put).await;
                drop(self);
            });
        }
    }

    /// Gives an entry that is stored already to all who wait.
    pub(crate) fn share(&self, entry: Entry) {
        self.land(Outcome::Stored(entry));
    }

    /// Says that the response is for its client alone.
    pub(crate) fn keep_private(self) {
        self.cache.note_private(self.key.as_bytes());
        self.land(Outcome::Private);
    }

    /// Says that there is no response to be shared, which may be otherwise for the next who asks.
    pub(crate) fn fail(self) {
        self.land(Outcome::Failed);
    }

    fn land(&self, outcome: Outcome) {
        if let Some(flight) = &self.flight {
            flight.land(outcome);
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            flight.land(Outcome::Failed);
            self.cache.end_flight(&flight);
        }
    }
}

/// What decides whether a response is stored.
pub(crate) trait Admit: Send + 'static {
    /// Looks at the head of a response, and may change what its client gets of it.
    fn admit(self, head: &mut response::Parts, landing: &mut Landing) -> Admission;
}

/// Whether a response is stored.
pub(crate) enum Admission {
    /// It is, if its body is no longer than this.
    Store { draft: Draft, limit: usize },
    /// It is for its client alone, and so will the next one be.
    Private,
    /// The origin is in trouble; somebody else may have more luck.
    Failed,
}

/// A request whose response is fetched for all who want it. It goes on if it is dropped.
pub(crate) struct Lead<F, A> {
    fetch: Option<(Pin<Box<F>>, A, Landing)>,
    go_on: fn(Pin<Box<F>>, A, Landing),
}

impl<F, A> Lead<F, A>
where
    A: Admit,
{
    pub(crate) fn new<B, E>(call: F, admit: A, landing: Landing) -> Self
    where
        F: Future<Output = Result<Response<B>, E>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self {
            fetch: Some((Box::pin(call), admit, landing)),
            go_on,
        }
    }
}

impl<F, A, B, E> Future for Lead<F, A>
where
    F: Future<Output = Result<Response<B>, E>>,
    A: Admit + Unpin,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<CacheBody<B>>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (call, _, _) = self
            .fetch
            .as_mut()
            .expect("a future is not polled after it has completed");
        let fetched = ready!(call.as_mut().poll(cx));
        let (_, admit, landing) = self.fetch.take().expect("it was there a line ago");
        Poll::Ready(match fetched {
            Ok(response) => Ok(begin(response, admit, landing, cx)),
            Err(error) => {
                landing.fail();
                Err(error)
            }
        })
    }
}

impl<F, A> Drop for Lead<F, A> {
    fn drop(&mut self) {
        if let Some((call, admit, landing)) = self.fetch.take() {
            (self.go_on)(call, admit, landing);
        }
    }
}

impl<F, A> fmt::Debug for Lead<F, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lead")
    }
}

/// Fetches a response whose client has left.
fn go_on<F, A, B, E>(call: Pin<Box<F>>, admit: A, landing: Landing)
where
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    A: Admit,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let Some(leave) = landing.cache.detach() else {
        return;
    };
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    runtime.spawn(async move {
        let timeout = landing.cache.fill_timeout();
        let response = tokio::time::timeout(timeout, call).await;
        if let Some(response) = response.ok().and_then(Result::ok) {
            let mut fetched = Some((response, admit, landing));
            let begun = poll_fn(|cx| {
                let fetched = fetched.take();
                Poll::Ready(fetched.map(|(response, admit, landing)| {
                    // A body that is still to come is read by a task of its own.
                    drop(begin(response, admit, landing, cx));
                }))
            });
            begun.await;
        }
        drop(leave);
    });
}

/// What the client gets of a response that has just been fetched. As much of its body as is there is read and, if that is all, stored at once.
pub(crate) fn begin<A, B>(
    response: Response<B>,
    admit: A,
    mut landing: Landing,
    cx: &mut Context<'_>,
) -> Response<CacheBody<B>>
where
    A: Admit,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (mut head, body) = response.into_parts();
    let (draft, limit) = match admit.admit(&mut head, &mut landing) {
        Admission::Store { draft, limit } if body.size_hint().lower() <= limit as u64 => {
            (draft, limit)
        }
        Admission::Store { .. } | Admission::Private => {
            landing.keep_private();
            return Response::from_parts(head, CacheBody::inner(body));
        }
        Admission::Failed => {
            landing.fail();
            return Response::from_parts(head, CacheBody::inner(body));
        }
    };
    let body = read(body, draft, limit, landing, cx);
    Response::from_parts(head, body)
}

fn read<B>(
    body: B,
    draft: Draft,
    limit: usize,
    landing: Landing,
    cx: &mut Context<'_>,
) -> CacheBody<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    if body.is_end_stream() {
        landing.store(draft.finish(&[]));
        return CacheBody::inner(body);
    }
    let mut body = Box::pin(body);
    let mut polled = body.as_mut().poll_frame(cx);
    // Most bodies are one chunk, which needs no list.
    if let Poll::Ready(Some(Ok(frame))) = &polled
        && let Some(chunk) = frame.data_ref()
        && chunk.len() <= limit
        && body.is_end_stream()
    {
        landing.store(draft.finish(std::slice::from_ref(chunk)));
        return chunk.clone().into();
    }
    let mut collected = Collected::new(landing.cache.clone(), limit);
    loop {
        let (last, then) = match polled {
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(chunk) => {
                    if collected.push(chunk) {
                        if !body.is_end_stream() {
                            polled = body.as_mut().poll_frame(cx);
                            continue;
                        }
                        let chunks = collected.take();
                        landing.store(draft.finish(&chunks));
                        return CacheBody::chunks(chunks);
                    }
                    landing.keep_private();
                    (None, Then::Rest(body))
                }
                // Trailers are not stored, and a response is not stored without a part of it.
                Err(trailers) => {
                    landing.keep_private();
                    (Some(trailers), Then::Rest(body))
                }
            },
            Poll::Ready(None) => {
                let chunks = collected.take();
                landing.store(draft.finish(&chunks));
                return CacheBody::chunks(chunks);
            }
            Poll::Ready(Some(Err(error))) => {
                landing.fail();
                (None, Then::Break(error.into()))
            }
            Poll::Pending => {
                let Ok(runtime) = Handle::try_current() else {
                    landing.fail();
                    return CacheBody::read(frames(collected.take()), Then::Rest(body));
                };
                let chunks = collected.copy();
                let reader = pump::spawn(&runtime, body, collected, draft, landing);
                return CacheBody::read(frames(chunks), Then::Pumped(reader));
            }
        };
        let mut frames = frames(collected.take());
        frames.extend(last);
        return CacheBody::read(frames, then);
    }
}

fn frames(chunks: Vec<Bytes>) -> Vec<Frame<Bytes>> {
    chunks.into_iter().map(Frame::data).collect()
}
