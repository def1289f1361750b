//! The server: it accepts connections until it is told to stop.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto;
use portcullis_core::BoxError;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tower_service::Service;

use super::activity::Patience;
use super::builder::ServerBuilder;
use super::connection::{Accepted, serve};
use super::front::Manners;
use super::handle::{Counter, Handle, Phase, State};
use super::stream::Place;

/// A server that listens, and serves once it [runs](Self::run). See the [module's docs](super) for an example.
#[derive(Debug)]
pub struct Server {
    pub(super) listeners: Vec<TcpListener>,
    pub(super) manners: Arc<Manners>,
    pub(super) max_connections: usize,
    pub(super) patience: Patience,
    pub(super) timeouts: Timeouts,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    pub(super) handshake: Duration,
    pub(super) graceful: Duration,
    pub(super) delay: Duration,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    cut: usize,
}

impl Finished {
    /// How many connections were cut because their requests did not finish in time.
    #[must_use]
    pub const fn cut(self) -> usize {
        self.cut
    }
}

impl Server {
    /// Sets a server up.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// A hold on the server, which outlives [`run`](Self::run).
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle {
            state: Arc::clone(&self.manners.state),
        }
    }

    /// Serves until [`Handle::shutdown`], and then until the requests in flight have finished or the graceful
    /// timeout is over. Each connection gets a clone of the service, and so does each request.
    ///
    /// Dropping the future cuts all connections.
    pub async fn run<S, B>(self, service: S) -> Finished
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Self {
            listeners,
            manners,
            max_connections,
            patience,
            timeouts,
        } = self;
        let state = Arc::clone(&manners.state);
        let _cut_on_drop = CutOnDrop(Arc::clone(&state));
        let (alive, mut all_gone) = mpsc::channel::<()>(1);
        let places = Arc::new(Semaphore::new(max_connections));
        let http = Arc::new(http_builder(&manners));

        let accept = async {
            let mut next = 0;
            let mut pause = FIRST_PAUSE;
            loop {
                // The semaphore is never closed.
                let Ok(permit) = Arc::clone(&places).acquire_owned().await else {
                    return;
                };
                match accept(&listeners, &mut next).await {
                    Ok((stream, peer)) => {
                        pause = FIRST_PAUSE;
                        let place = Place {
                            _permit: permit,
                            _alive: alive.clone(),
                            _count: Counter::new(&state.connections),
                        };
                        tokio::spawn(serve(
                            Accepted {
                                stream,
                                peer,
                                place,
                            },
                            service.clone(),
                            Arc::clone(&manners),
                            Arc::clone(&http),
                            patience,
                            timeouts.handshake,
                        ));
                    }
                    Err(error) if of_the_connection(&error) => {
                        tracing::debug!(%error, "a connection was gone before it was accepted");
                    }
                    Err(error) => {
                        // Descriptors or memory have run out: to try again at once would only spin.
                        tracing::warn!(%error, ?pause, "cannot accept connections");
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(LAST_PAUSE);
                    }
                }
            }
        };
        let told = async {
            state.reached(Phase::Leaving).await;
            tracing::info!("shutting down");
            tokio::time::sleep(timeouts.delay).await;
        };
        tokio::select! {
            () = accept => {}
            () = told => {}
        }
        drop((listeners, service, alive));
        state.advance(Phase::Closing);

        let graceful = tokio::time::timeout(timeouts.graceful, all_gone.recv());
        let mut cut = 0;
        if graceful.await.is_err() {
            cut = state.connections.load(std::sync::atomic::Ordering::Relaxed);
            tracing::warn!(connections = cut, "requests did not finish in time");
            state.advance(Phase::Cutting);
            // A connection that was upgraded is its owner's, who may keep it.
            let _ = tokio::time::timeout(Duration::from_secs(1), all_gone.recv()).await;
        }
        tracing::info!("shut down");
        Finished { cut }
    }
}

struct CutOnDrop(Arc<State>);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.advance(Phase::Cutting);
    }
}

/// The next connection, of each listener in turn.
async fn accept(
    listeners: &[TcpListener],
    next: &mut usize,
) -> io::Result<(TcpStream, std::net::SocketAddr)> {
    std::future::poll_fn(|cx: &mut Context<'_>| {
        for turn in 0..listeners.len() {
            let index = (*next + turn) % listeners.len();
            if let Poll::Ready(accepted) = listeners[index].poll_accept(cx) {
                *next = index + 1;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    })
    .await
}

/// Whether only the connection that was to be accepted has failed.
fn of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

fn http_builder(manners: &Manners) -> auto::Builder<TokioExecutor> {
    // What passes our limits by not too much is answered by us, in our words; hyper cuts off what is far beyond.
    let head = manners.limits.header_bytes + manners.limits.uri_bytes;
    let buffer = head.saturating_mul(2).max(SMALLEST_BUFFER);
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .half_close(false)
        .max_buf_size(buffer)
        .header_read_timeout(None);
    http.http2()
        .max_header_list_size(u32::try_from(buffer).unwrap_or(u32::MAX));
    http
}

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_secs(1);
const SMALLEST_BUFFER: usize = 128 * 1024;
