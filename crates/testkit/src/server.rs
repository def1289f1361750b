//! Any tower service on a free port of loopback.

use std::{error::Error, net::SocketAddr, pin::pin};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};
use tower_service::Service;

use crate::wire::PATIENCE;

/// A server on a free port of loopback that speaks HTTP/1.1 and, with prior knowledge, HTTP/2.
///
/// Dropped, it takes no more connections and lets those that are open finish what they are at.
#[derive(Debug)]
pub struct HyperServer {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    accepting: JoinHandle<()>,
}

impl HyperServer {
    /// Starts to serve; the port is open when this returns. Must run in a tokio runtime.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub async fn start<S, B>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let listener = match TcpListener::bind(("127.0.0.1", 0)).await {
            Ok(listener) => listener,
            Err(error) => panic!("no port of loopback is free: {error}"),
        };
        let addr = match listener.local_addr() {
            Ok(addr) => addr,
            Err(error) => panic!("the port has no address: {error}"),
        };
        let (stop, stopped) = oneshot::channel();
        let accepting = tokio::spawn(accept(listener, service, stopped));
        Self {
            addr,
            stop: Some(stop),
            accepting,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A URL of it: `http://127.0.0.1:<port>` and `path`, which begins with a slash or is empty.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Takes no more connections, and returns when those that were open have ended.
    ///
    /// # Panics
    ///
    /// If one is still open after [`PATIENCE`].
    pub async fn shutdown(mut self) {
        drop(self.stop.take());
        let ended = timeout(PATIENCE, &mut self.accepting).await;
        assert!(
            ended.is_ok(),
            "a connection is still open after {PATIENCE:?}"
        );
    }
}

async fn accept<S, B>(listener: TcpListener, service: S, stopped: oneshot::Receiver<()>)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let graceful = GracefulShutdown::new();
    let mut stopped = pin!(stopped);
    loop {
        let accepted = tokio::select! {
            biased;
            // Also ready when the sender is dropped.
            _ = &mut stopped => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        // Tests count packets' worth of bytes, never time: what is written goes out at once.
        let _ = stream.set_nodelay(true);
        let watcher = graceful.watcher();
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            // A client that goes away is what many tests are about.
            let _ = watcher.watch(connection.into_owned()).await;
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

#[cfg(test)]
mod tests {
    use tokio::sync::Notify;

    use super::*;
    use crate::{
        Recorder, request,
        wire::{self, Connection},
    };
    use std::sync::Arc;

    const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    #[tokio::test]
    async fn two_servers_have_two_ports() {
        let one = HyperServer::start(Recorder::new(|_| request::answer(200, "one"))).await;
        let two = HyperServer::start(Recorder::new(|_| request::answer(200, "two"))).await;
        assert_ne!(one.addr(), two.addr());
        assert_eq!(one.url("/a"), format!("http://{}/a", one.addr()));
        assert_eq!(
            Connection::open(two.addr())
                .await
                .exchange(GET)
                .await
                .text(),
            "two"
        );
    }

    #[tokio::test]
    async fn a_connection_is_kept_alive() {
        let recorder = Recorder::new(|_| request::answer(200, "ok"));
        let server = HyperServer::start(recorder.clone()).await;
        let mut connection = Connection::open(server.addr()).await;
        for _ in 0..2 {
            assert_eq!(connection.exchange(GET).await.status, 200);
        }
        assert_eq!(recorder.count(), 2);
    }

    #[tokio::test]
    async fn it_speaks_http2_with_prior_knowledge() {
        let server = HyperServer::start(Recorder::new(|_| request::answer(200, ""))).await;
        let mut connection = Connection::open(server.addr()).await;
        connection
            .write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .await;
        // The answer to the preface begins with a SETTINGS frame, which is type 4.
        assert_eq!(connection.read(5).await[3..5], [4, 0]);
    }

    #[tokio::test]
    async fn shutdown_lets_a_request_in_flight_finish() {
        let (started, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let service = {
            let (started, go) = (Arc::clone(&started), Arc::clone(&go));
            tower::service_fn(move |_request| {
                let (started, go) = (Arc::clone(&started), Arc::clone(&go));
                async move {
                    started.notify_one();
                    go.notified().await;
                    Ok::<_, std::convert::Infallible>(request::answer(200, "finished"))
                }
            })
        };
        let server = HyperServer::start(service).await;
        let addr = server.addr();
        let client = tokio::spawn(async move { wire::send(addr, GET).await });
        started.notified().await;

        let stopping = tokio::spawn(server.shutdown());
        go.notify_one();
        // The connection is closed after the answer, though the client asked to keep it.
        assert_eq!(client.await.unwrap().text(), "finished");
        stopping.await.unwrap();
        assert!(tokio::net::TcpStream::connect(addr).await.is_err());
    }

    #[tokio::test]
    async fn a_dropped_server_takes_no_more_connections() {
        let server = HyperServer::start(Recorder::new(|_| request::answer(200, ""))).await;
        let addr = server.addr();
        let mut idle = Connection::open(addr).await;
        assert_eq!(idle.exchange(GET).await.status, 200);
        drop(server);
        assert!(idle.read_to_end().await.is_empty());
        assert!(tokio::net::TcpStream::connect(addr).await.is_err());
    }
}
