//! How a server is set up.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::{Clock, SystemClock, TrustedProxies};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;

use super::activity::Patience;
use super::check::HeadLimits;
use super::error::{BindError, TlsError};
use super::front::Manners;
use super::handle::{LiveTls, State};
use super::server::{Server, Timeouts};
use super::tls::{Loaded, TlsConfig};

/// Sets a [`Server`] up. See the [module's docs](super) for an example.
#[derive(Debug)]
#[must_use]
pub struct ServerBuilder {
    listen: Vec<Listen>,
    tls: Option<(TlsConfig, Loaded)>,
    header_read_timeout: Duration,
    idle_timeout: Duration,
    handshake_timeout: Duration,
    graceful_timeout: Duration,
    shutdown_delay: Duration,
    max_connections: usize,
    limits: HeadLimits,
    health_path: Option<String>,
    trusted_proxies: TrustedProxies,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
enum Listen {
    Address(String),
    Tokio(TcpListener),
    Std(std::net::TcpListener),
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            listen: Vec::new(),
            tls: None,
            header_read_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(310),
            handshake_timeout: Duration::from_secs(10),
            graceful_timeout: Duration::from_secs(30),
            shutdown_delay: Duration::ZERO,
            max_connections: 10_000,
            limits: HeadLimits {
                header_bytes: 10_240,
                uri_bytes: 10_240,
            },
            health_path: None,
            trusted_proxies: TrustedProxies::default(),
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Listens on an address such as `127.0.0.1:8080`, `[::]:8080` or `localhost:8080`, too; a name stands for the
    /// first of its addresses that can be had. Port 0 is one that the system chooses.
    pub fn listen(mut self, address: impl fmt::Display) -> Self {
        self.listen.push(Listen::Address(address.to_string()));
        self
    }

    /// Listens on what is listening already, too.
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.listen.push(Listen::Tokio(listener));
        self
    }

    /// Listens on what is listening already, too: a socket that a supervisor handed over, say.
    pub fn std_listener(mut self, listener: std::net::TcpListener) -> Self {
        self.listen.push(Listen::Std(listener));
        self
    }

    /// Encrypts all connections, by TLS 1.2 or 1.3, and offers h2 and HTTP/1.1.
    ///
    /// # Errors
    ///
    /// If certificate and key cannot be read or do not belong together.
    pub fn tls(mut self, config: TlsConfig) -> Result<Self, TlsError> {
        let loaded = config.load()?;
        self.tls = Some((config, loaded));
        Ok(self)
    }

    /// How long the head of a request may take, from the opening of its connection or from its first byte.
    /// 10 seconds unless set.
    pub const fn header_read_timeout(mut self, timeout: Duration) -> Self {
        self.header_read_timeout = timeout;
        self
    }

    /// How long a connection may be idle between requests. 310 seconds unless set, as in the service; keep it longer than
    /// that of a balancer in front.
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How long a TLS handshake may take. 10 seconds unless set.
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// How long requests in flight may take to finish after a shutdown; then they are cut. 30 seconds unless set.
    pub const fn graceful_timeout(mut self, timeout: Duration) -> Self {
        self.graceful_timeout = timeout;
        self
    }

    /// For how long a shutdown only says so at the health path while all else goes on, so that a balancer can send
    /// new requests elsewhere first. Not at all unless set.
    pub const fn shutdown_delay(mut self, delay: Duration) -> Self {
        self.shutdown_delay = delay;
        self
    }

    /// How many connections may be open; at least one. Others wait in the system's backlog. 10,000 unless set.
    pub fn max_connections(mut self, max: usize) -> Self {
        self.max_connections = max.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// How many bytes all headers of a request may have together, with four for each line. 10,240 unless set, as in the service;
    /// 431 beyond.
    pub const fn max_header_bytes(mut self, bytes: usize) -> Self {
        self.limits.header_bytes = bytes;
        self
    }

    /// How many bytes path and query may have together. 10,240 unless set, as in the service; 414 beyond. (65,534 is the
    /// most that can be had.)
    pub const fn max_uri_bytes(mut self, bytes: usize) -> Self {
        self.limits.uri_bytes = bytes;
        self
    }

    /// Answers `GET` and `HEAD` of this path with the server's health: 200 `{"status":"ok"}`, or 503 while it shuts down. No
    /// path unless set.
    pub fn health_path(mut self, path: impl Into<String>) -> Self {
        self.health_path = Some(path.into());
        self
    }

    /// The proxies whose word about the client's address is believed. None unless set.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.trusted_proxies = proxies;
        self
    }

    /// The clock that dates requests. Timeouts are the runtime's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Opens the addresses. Clients can connect from now on; they are served once [`Server::run`] is called.
    ///
    /// # Errors
    ///
    /// The first address that cannot be listened on; and if there is none.
    pub async fn bind(self) -> Result<Server, BindError> {
        if self.listen.is_empty() {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "no address was given");
            return Err(BindError::new("", error));
        }
        let mut listeners = Vec::with_capacity(self.listen.len());
        let mut local_addrs = Vec::with_capacity(self.listen.len());
        for listen in self.listen {
            let (name, opened) = match listen {
                Listen::Address(address) => {
                    let opened = open(&address).await;
                    (address, opened)
                }
                Listen::Tokio(listener) => ("a listener".to_owned(), Ok(listener)),
                Listen::Std(listener) => (
                    "a listener".to_owned(),
                    listener
                        .set_nonblocking(true)
                        .and_then(|()| TcpListener::from_std(listener)),
                ),
            };
            let listener = opened.map_err(|error| BindError::new(&name, error))?;
            let local = listener
                .local_addr()
                .map_err(|error| BindError::new(&name, error))?;
            local_addrs.push(local);
            listeners.push(listener);
        }
        let tls = self
            .tls
            .map(|(source, loaded)| LiveTls::new(source, loaded));
        for address in &local_addrs {
            tracing::info!(%address, tls = tls.is_some(), "listening");
        }
        let state = Arc::new(State::new(local_addrs, tls));
        Ok(Server {
            listeners,
            manners: Arc::new(Manners {
                limits: self.limits,
                health_path: self.health_path,
                trusted_proxies: self.trusted_proxies,
                clock: self.clock,
                state,
            }),
            max_connections: self.max_connections,
            patience: Patience {
                head: self.header_read_timeout,
                idle: self.idle_timeout,
            },
            timeouts: Timeouts {
                handshake: self.handshake_timeout,
                graceful: self.graceful_timeout,
                delay: self.shutdown_delay,
            },
        })
    }
}

async fn open(address: &str) -> io::Result<TcpListener> {
    let mut last = None;
    for address in tokio::net::lookup_host(address).await? {
        match listen_on(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, "the name stands for no address")
    }))
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // So that a restart need not wait for old connections; elsewhere it would let others take the address.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What the system holds for connections that wait to be accepted; it may take less.
const BACKLOG: u32 = 4096;
