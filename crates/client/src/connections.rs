//! The open connections of one origin, and the requests that wait for one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Request;
use hyper::client::conn::{http1, http2};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::body::Outgoing;
use crate::sending::Sent;

/// What is open, and who waits for it.
pub(crate) struct Connections {
    idle_timeout: Duration,
    max_idle: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Connections of HTTP/1.1 that nobody uses. The one used last is at the end, and is used next.
    idle: Vec<Idle>,
    /// The connection of HTTP/2, which all requests share.
    http2: Option<Shared>,
    /// Requests that take the first connection that becomes free.
    waiting: VecDeque<oneshot::Sender<Open>>,
    /// One request is making the connection that all will share.
    connecting: bool,
}

struct Idle {
    sender: http1::SendRequest<Outgoing>,
    since: Instant,
}

/// The near end of an open connection.
pub(crate) enum Open {
    Http1(http1::SendRequest<Outgoing>),
    Http2(Shared),
}

/// A connection of HTTP/2.
#[derive(Clone)]
pub(crate) struct Shared {
    sender: http2::SendRequest<Outgoing>,
    /// How many answers came by it.
    answers: Arc<AtomicUsize>,
}

impl Shared {
    pub(crate) fn new(sender: http2::SendRequest<Outgoing>) -> Self {
        Self {
            sender,
            answers: Arc::default(),
        }
    }

    fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends a request. If that comes to nothing because its caller has waited in vain, and no other answer came meanwhile either, no
    /// more requests are sent by this connection: nobody may be there any more.
    pub(crate) async fn send(
        &mut self,
        request: Request<Outgoing>,
        connections: &Connections,
    ) -> Sent {
        let mut waiting = Waiting {
            answers: Arc::clone(&self.answers),
            before: self.answers.load(Ordering::Relaxed),
            since: Instant::now(),
            answered: false,
            connections,
        };
        let sent = self.sender.try_send_request(request).await;
        waiting.answered = true;
        if sent.is_ok() {
            self.answers.fetch_add(1, Ordering::Relaxed);
        }
        sent
    }
}

struct Waiting<'c> {
    answers: Arc<AtomicUsize>,
    before: usize,
    since: Instant,
    answered: bool,
    connections: &'c Connections,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.answered
            && self.answers.load(Ordering::Relaxed) == self.before
            && self.since.elapsed() >= LEAST_PATIENCE
        {
            self.connections.part_from(&self.answers);
        }
    }
}

/// Who leaves sooner has not waited.
const LEAST_PATIENCE: Duration = Duration::from_millis(50);

/// What a request does that found no connection.
pub(crate) enum Turn {
    /// By now there is one.
    Use(Open),
    /// It makes a connection, or takes one that becomes free meanwhile.
    Connect(oneshot::Receiver<Open>),
    /// Another request is making the connection that this one will share.
    Wait(oneshot::Receiver<Open>),
}

impl Connections {
    pub(crate) fn new(idle_timeout: Duration, max_idle: usize) -> Self {
        Self {
            idle_timeout,
            max_idle,
            state: Mutex::default(),
        }
    }

    /// An open connection, if there is one.
    pub(crate) fn take(&self) -> Option<Open> {
        self.state().take(self.idle_timeout)
    }

    /// What to do without one. Where all requests will share one, only one of them connects: it says so by
    /// [`connected`](Self::connected), whatever comes of it.
    pub(crate) fn turn(&self, sharing: bool) -> Turn {
        let mut state = self.state();
        if let Some(open) = state.take(self.idle_timeout) {
            return Turn::Use(open);
        }
        while state
            .waiting
            .front()
            .is_some_and(oneshot::Sender::is_closed)
        {
            state.waiting.pop_front();
        }
        let (sender, free) = oneshot::channel();
        state.waiting.push_back(sender);
        if sharing && state.connecting {
            return Turn::Wait(free);
        }
        state.connecting = sharing;
        Turn::Connect(free)
    }

    /// The one request that connects is through. Those that still wait take another turn.
    pub(crate) fn connected(&self) {
        let mut state = self.state();
        state.connecting = false;
        state.waiting.clear();
    }

    /// Makes this connection the one that all requests share, unless there is one already. Returns the one that it is.
    pub(crate) fn share(&self, shared: Shared) -> Shared {
        let mut state = self.state();
        if let Some(first) = &state.http2
            && !first.is_closed()
        {
            return first.clone();
        }
        state.http2 = Some(shared.clone());
        for waiting in state.waiting.drain(..) {
            // Who does not wait any more needs no connection.
            let _ = waiting.send(Open::Http2(shared.clone()));
        }
        shared
    }

    /// Shares this connection no longer. The requests that it has go on.
    #[cold]
    fn part_from(&self, answers: &Arc<AtomicUsize>) {
        let mut state = self.state();
        state
            .http2
            .take_if(|shared| Arc::ptr_eq(&shared.answers, answers));
    }

    /// Hands a connection to the request that has waited longest, or keeps it.
    pub(crate) fn put(&self, sender: http1::SendRequest<Outgoing>) {
        let mut open = Open::Http1(sender);
        let mut state = self.state();
        while let Some(waiting) = state.waiting.pop_front() {
            match waiting.send(open) {
                Ok(()) => return,
                Err(back) => open = back,
            }
        }
        if let Open::Http1(sender) = open
            && state.idle.len() < self.max_idle
        {
            let since = Instant::now();
            state.idle.push(Idle { sender, since });
        }
    }

    /// Closes what was not used for long. Whether anything is left.
    pub(crate) fn close_idle(&self) -> bool {
        let mut state = self.state();
        state.drop_unusable(self.idle_timeout);
        state.http2.is_some() || !state.idle.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave the lists half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, idle_timeout: Duration) -> Option<Open> {
        if let Some(sender) = &self.http2
            && !sender.is_closed()
        {
            return Some(Open::Http2(sender.clone()));
        }
        let idle = self.idle.last()?;
        if !idle.is_usable(Instant::now(), idle_timeout) {
            self.drop_unusable(idle_timeout);
        }
        self.idle.pop().map(|idle| Open::Http1(idle.sender))
    }

    #[cold]
    fn drop_unusable(&mut self, idle_timeout: Duration) {
        let now = Instant::now();
        self.idle.retain(|idle| idle.is_usable(now, idle_timeout));
        self.http2.take_if(|sender| sender.is_closed());
    }
}

impl Idle {
    fn is_usable(&self, now: Instant, timeout: Duration) -> bool {
        self.sender.is_ready() && now.saturating_duration_since(self.since) < timeout
    }
}
