//! One connection, from its acceptance to its end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use portcullis_core::{BoxError, Connection};
use tokio::net::TcpStream;
use tower_service::Service;

use super::activity::{Activity, Expired, Patience};
use super::front::{Front, Manners};
use super::handle::Phase;
use super::stream::{Place, Stream, Transport};
use super::tls;

/// A connection that has just been accepted.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) place: Place,
}

/// Serves one connection until either side ends it.
pub(super) async fn serve<S, B>(
    accepted: Accepted,
    service: S,
    manners: Arc<Manners>,
    http: Arc<auto::Builder<TokioExecutor>>,
    patience: Patience,
    handshake: Duration,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let Accepted {
        stream,
        peer,
        place,
    } = accepted;
    let state = Arc::clone(&manners.state);
    let mut facts = Connection::new(peer);
    facts.local = stream.local_addr().ok();
    // Answers are written whole; waiting for more to send would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "the connection is gone");
        return;
    }
    let transport = match &state.tls {
        None => Transport::Plain(stream),
        Some(tls) => {
            let tls = tls.live.load_full();
            let encrypted = tokio::select! {
                () = state.reached(Phase::Closing) => return,
                encrypted = tokio::time::timeout(handshake, tls.accept(stream)) => encrypted,
            };
            match encrypted {
                Ok(Ok(stream)) => {
                    facts.tls = Some(tls::facts(stream.get_ref().1));
                    Transport::Tls(Box::new(stream))
                }
                Ok(Err(error)) => {
                    match state.refusals.tell(&error) {
                        Some(untold) => {
                            tracing::info!(%peer, %error, untold, "a client was refused for its certificate");
                        }
                        None => tracing::debug!(%peer, %error, "the TLS handshake failed"),
                    }
                    return;
                }
                Err(_) => {
                    tracing::debug!(%peer, "the TLS handshake took too long");
                    return;
                }
            }
        }
    };

    let activity = Activity::new();
    let io = TokioIo::new(Stream {
        transport,
        activity: activity.clone(),
        _place: place,
    });
    let front = Front {
        inner: service,
        manners,
        connection: Arc::new(facts),
        activity: activity.clone(),
    };
    let mut http = pin!(http.serve_connection_with_upgrades(io, front));
    let mut expired = pin!(activity.expired(patience));
    let mut closing = pin!(state.reached(Phase::Closing));
    let mut cutting = pin!(state.reached(Phase::Cutting));
    let mut is_closing = false;
    loop {
        tokio::select! {
            biased;
            result = http.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%peer, error = &*error as &dyn std::error::Error, "the connection failed");
                }
                return;
            }
            what = expired.as_mut() => {
                tracing::debug!(%peer, ?what, "the connection was slow or idle for too long");
                if what == Expired::Idle {
                    // The client is told, if it still listens.
                    http.as_mut().graceful_shutdown();
                    let _ = tokio::time::timeout(FAREWELL, http.as_mut()).await;
                }
                return;
            }
            () = closing.as_mut(), if !is_closing => {
                is_closing = true;
                http.as_mut().graceful_shutdown();
            }
            () = cutting.as_mut() => return,
        }
    }
}

const FAREWELL: Duration = Duration::from_secs(1);
