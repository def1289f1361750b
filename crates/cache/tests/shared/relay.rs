//! The way to a server, which can be cut and made long.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes bytes to a server and back.
pub(crate) struct Relay {
    addr: SocketAddr,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// What the server says takes this long.
    Open(Duration),
    /// Connections end, and no new ones begin.
    Cut,
}

impl Relay {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("it is bound");
        let state = watch::Sender::new(State::Open(Duration::ZERO));
        let watched = state.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *watched.borrow() != State::Cut {
                    tokio::spawn(pass(client, server, watched.clone()));
                }
            }
        });
        Self { addr, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    pub(crate) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    pub(crate) fn open(&self) {
        self.delay(Duration::ZERO);
    }

    pub(crate) fn delay(&self, delay: Duration) {
        self.state.send_replace(State::Open(delay));
    }
}

async fn pass(client: TcpStream, server: SocketAddr, mut state: watch::Receiver<State>) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let delay = state.clone();
    let there = tokio::io::copy(&mut from_client, &mut to_server);
    let back = async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            let State::Open(delay) = *delay.borrow() else {
                return;
            };
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            if to_client.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = there => {}
        () = back => {}
        _ = state.wait_for(|state| *state == State::Cut) => {}
    }
}
