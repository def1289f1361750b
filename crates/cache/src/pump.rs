//! Reads a body to its end as fast as it comes, for the store and for a client that may be slower.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use portcullis_core::BoxError;
use tokio::time::Sleep;

use crate::body::Then;
use crate::cache::{Detached, ResponseCache};
use crate::entry::Draft;
use crate::fill::Landing;

/// What has come of a body that is to be stored, within the bounds of the cache.
pub(crate) struct Collected {
    cache: ResponseCache,
    chunks: Vec<Bytes>,
    length: usize,
    limit: usize,
    reserved: usize,
}

impl Collected {
    pub(crate) const fn new(cache: ResponseCache, limit: usize) -> Self {
        Self {
            cache,
            chunks: Vec::new(),
            length: 0,
            limit,
            reserved: 0,
        }
    }

    /// Adds a chunk and says whether all of it is still within bounds.
    pub(crate) fn push(&mut self, chunk: Bytes) -> bool {
        self.length += chunk.len();
        self.chunks.push(chunk);
        self.length <= self.limit
    }

    /// From here on the bytes stay for longer than it takes to poll once, so that they count for the bound of all fills.
    fn hold(&mut self) -> bool {
        let more = self.length - self.reserved;
        if more > 0 && !self.cache.reserve(more) {
            return false;
        }
        self.reserved = self.length;
        true
    }

    /// What has come so far; the bytes are shared.
    pub(crate) fn copy(&self) -> Vec<Bytes> {
        self.chunks.clone()
    }

    pub(crate) fn take(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.chunks)
    }
}

impl Drop for Collected {
    fn drop(&mut self) {
        if self.reserved > 0 {
            self.cache.release(self.reserved);
        }
    }
}

/// What the pump and the client's body share.
struct Pipe<B> {
    state: Mutex<State<B>>,
}

struct State<B> {
    /// What the client has not read yet.
    frames: VecDeque<Frame<Bytes>>,
    /// How the body ended, once the pump has stopped.
    end: Option<Then<B>>,
    /// The client is gone.
    left: bool,
    reader: Option<Waker>,
    pump: Option<Waker>,
}

impl<B> Pipe<B> {
    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves what follows to the client, if it is still there.
    fn end(&self, end: Then<B>) {
        let (unread, reader) = {
            let mut state = self.lock();
            if state.left {
                return;
            }
            let before = state.end.is_none().then(|| state.end.replace(end));
            (before, state.reader.take())
        };
        drop(unread);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

/// The client's end of a body that is being stored.
pub(crate) struct Reader<B> {
    pipe: Arc<Pipe<B>>,
    rest: SizeHint,
}

impl<B> Reader<B> {
    /// The next frame; or what follows in place of this reader.
    pub(crate) fn poll_frame(&mut self, cx: &Context<'_>) -> Poll<Result<Frame<Bytes>, Then<B>>> {
        let mut state = self.pipe.lock();
        if let Some(frame) = state.frames.pop_front() {
            drop(state);
            if let Some(data) = frame.data_ref() {
                let read = data.remaining() as u64;
                let upper = self.rest.upper();
                let lower = self.rest.lower().saturating_sub(read);
                self.rest = SizeHint::new();
                self.rest.set_lower(lower);
                if let Some(upper) = upper {
                    self.rest.set_upper(upper.saturating_sub(read).max(lower));
                }
            }
            return Poll::Ready(Ok(frame));
        }
        if let Some(end) = state.end.take() {
            return Poll::Ready(Err(end));
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.rest
    }
}

impl<B> Drop for Reader<B> {
    fn drop(&mut self) {
        let (frames, end, pump) = {
            let mut state = self.pipe.lock();
            state.left = true;
            (
                std::mem::take(&mut state.frames),
                state.end.take(),
                state.pump.take(),
            )
        };
        drop((frames, end));
        // It learns that it goes on for the store alone.
        if let Some(pump) = pump {
            pump.wake();
        }
    }
}

/// Reads `body` to its end in a task of its own, and stores it.
///
/// The client's end is returned. Where the body turns out not to be storable, the client gets the rest of it directly.
pub(crate) fn spawn<B>(
    runtime: &tokio::runtime::Handle,
    body: Pin<Box<B>>,
    collected: Collected,
    draft: Draft,
    landing: Landing,
) -> Reader<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let pipe = Arc::new(Pipe {
        state: Mutex::new(State {
            frames: VecDeque::new(),
            end: None,
            left: false,
            reader: None,
            pump: None,
        }),
    });
    let reader = Reader {
        pipe: Arc::clone(&pipe),
        rest: body.size_hint(),
    };
    let mut pump = Pump {
        pipe,
        body: Some(body),
        collected,
        alone: None,
    };
    runtime.spawn(async move {
        match poll_fn(|cx| pump.poll(cx)).await {
            Stop::Complete => landing.store(draft.finish(&pump.collected.take())),
            Stop::Private => landing.keep_private(),
            Stop::Failed => landing.fail(),
        }
        pump.pipe.end(Then::End);
    });
    reader
}

/// Why a pump stops.
enum Stop {
    Complete,
    Private,
    Failed,
}

struct Pump<B> {
    pipe: Arc<Pipe<B>>,
    body: Option<Pin<Box<B>>>,
    collected: Collected,
    /// Leave to go on, and until when, once the client has left.
    alone: Option<(Detached, Pin<Box<Sleep>>)>,
}

impl<B> Pump<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Stop> {
        if !self.collected.hold() {
            return Poll::Ready(self.hand_back());
        }
        // A body whose frames are always ready lets others run now and then.
        for _ in 0..FRAMES_AT_ONCE {
            let Some(body) = self.body.as_mut() else {
                return Poll::Ready(Stop::Failed);
            };
            let frame = match body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(error))) => {
                    self.pipe.end(Then::Break(error.into()));
                    return Poll::Ready(Stop::Failed);
                }
                Poll::Ready(None) => return Poll::Ready(Stop::Complete),
                Poll::Pending => return self.poll_left(cx),
            };
            let chunk = frame.data_ref().cloned();
            self.hand_on(frame);
            // Trailers are not stored, nor is what is too large.
            if !chunk.is_some_and(|chunk| self.collected.push(chunk) && self.collected.hold()) {
                return Poll::Ready(self.hand_back());
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Gives a frame to the client.
    fn hand_on(&self, frame: Frame<Bytes>) {
        let reader = {
            let mut state = self.pipe.lock();
            if state.left {
                return;
            }
            state.frames.push_back(frame);
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Leaves the rest of the body to the client.
    fn hand_back(&mut self) -> Stop {
        if let Some(body) = self.body.take() {
            self.pipe.end(Then::Rest(body));
        }
        Stop::Private
    }

    /// Waits, and if the client has left, not for too long.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<Stop> {
        if self.alone.is_none() {
            {
                let mut state = self.pipe.lock();
                if !state.left {
                    state.pump = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
            let cache = &self.collected.cache;
            let Some(leave) = cache.detach() else {
                return Poll::Ready(Stop::Failed);
            };
            let sleep = tokio::time::sleep(cache.fill_timeout());
            self.alone = Some((leave, Box::pin(sleep)));
        }
        match &mut self.alone {
            Some((_, sleep)) => sleep.as_mut().poll(cx).map(|()| Stop::Failed),
            None => Poll::Pending,
        }
    }
}

impl<B> Drop for Pump<B> {
    /// A body that panics, or a runtime that shuts down, leaves nobody waiting for what will not come.
    fn drop(&mut self) {
        self.pipe.end(Then::Break(
            "the response broke off while it was stored".into(),
        ));
    }
}

const FRAMES_AT_ONCE: usize = 32;
