//! WebSockets: the requests that ask for one, and the tunnel that comes of it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use http::{Method, Request, Response, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use portcullis_client::ResponseBody;
use portcullis_core::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::time::Instant;

/// A tunnel through which nothing passes for so long is closed, as the service closes its WebSockets.
const IDLE: Duration = Duration::from_secs(600);

const WEB_SOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// The near end of the connection, if the request asks for a WebSocket (RFC 6455, 4.1) and the server can let go of it.
pub(crate) fn asked_for(request: &mut Request<Body>) -> Option<OnUpgrade> {
    let asks = request.version() == Version::HTTP_11
        && *request.method() == Method::GET
        && is_web_socket(request.headers())
        && http_body::Body::is_end_stream(request.body());
    if !asks {
        return None;
    }
    request.extensions_mut().remove::<OnUpgrade>()
}

/// Whether a head switches to a WebSocket, or asks for one.
pub(crate) fn is_web_socket(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket") && has_token(headers, &CONNECTION, "upgrade")
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let lines = headers.get_all(name).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// Lets a request ask for a WebSocket. The client that sends it adds `Connection`.
pub(crate) fn ask(headers: &mut HeaderMap) {
    headers.insert(UPGRADE, WEB_SOCKET);
}

/// Lets an answer switch to a WebSocket.
pub(crate) fn switch(headers: &mut HeaderMap) {
    headers.insert(UPGRADE, WEB_SOCKET);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
}

/// Joins both ends once the client has been told.
pub(crate) fn join(client: OnUpgrade, mut endpoint: Response<ResponseBody>) {
    tokio::spawn(async move {
        let far = hyper::upgrade::on(&mut endpoint);
        // While the tunnel lasts, the request counts as one in flight.
        let _body = endpoint.into_body();
        let (near, far) = match tokio::try_join!(client, far) {
            Ok(ends) => ends,
            Err(error) => {
                tracing::debug!(%error, "a WebSocket came to nothing");
                return;
            }
        };
        let seen = LastSeen::default();
        let mut near = Watched::new(TokioIo::new(near), &seen);
        let mut far = Watched::new(TokioIo::new(far), &seen);
        tokio::select! {
            ended = copy_bidirectional(&mut near, &mut far) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a WebSocket broke off");
                }
            }
            () = seen.idle_for(IDLE) => {
                tracing::debug!("a WebSocket was idle for too long");
            }
        }
    });
}

/// When something last came through.
#[derive(Clone, Debug)]
struct LastSeen(Arc<Mutex<Instant>>);

impl Default for LastSeen {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }
}

impl LastSeen {
    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn get(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nothing has come for so long.
    async fn idle_for(&self, idle: Duration) {
        loop {
            let last = self.get();
            tokio::time::sleep_until(last + idle).await;
            if self.get() == last {
                return;
            }
        }
    }
}

/// One end, which notes when something comes from it.
struct Watched<T> {
    io: T,
    seen: LastSeen,
}

impl<T> Watched<T> {
    fn new(io: T, seen: &LastSeen) -> Self {
        Self {
            io,
            seen: seen.clone(),
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.seen.now();
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_both_headers_ask_for_a_web_socket() {
        for (upgrade, connection, asks) in [
            ("websocket", "upgrade", true),
            ("WebSocket", "keep-alive, Upgrade", true),
            ("h2c, websocket", "Upgrade", true),
            ("h2c", "Upgrade", false),
            ("websocket", "keep-alive", false),
            ("websockets", "upgrade", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(UPGRADE, HeaderValue::from_static(upgrade));
            headers.insert(CONNECTION, HeaderValue::from_static(connection));
            assert_eq!(is_web_socket(&headers), asks, "{upgrade} {connection}");
        }
        assert!(!is_web_socket(&HeaderMap::new()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_is_idle_when_nothing_came_from_either_end() {
        let seen = LastSeen::default();
        let (near, mut client) = tokio::io::duplex(8);
        let mut near = Watched::new(near, &seen);
        let started = Instant::now();
        let talk = async {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            tokio::time::sleep(Duration::from_secs(500)).await;
            client.write_all(b"ping").await.expect("room for it");
            let mut read = [0; 4];
            near.read_exact(&mut read).await.expect("it comes");
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = talk => {}
            () = seen.idle_for(IDLE) => {}
        }
        assert_eq!(started.elapsed(), Duration::from_secs(1100));
    }
}
