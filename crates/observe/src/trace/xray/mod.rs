//! Segments for AWS X-Ray.

mod segment;

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use super::recording::Recording;
use crate::error::ConfigError;
use crate::exchange::Exchange;

/// The daemon of AWS X-Ray, or a collector of OpenTelemetry with its `awsxray` receiver: it gets a segment for each request that is recorded.
///
/// Segments go out by UDP from a socket that does not block: a daemon that is away slows no request. What is lost is [counted](Self::dropped), as far as the system
/// knows of it, and said in the log once a minute.
///
/// ```
/// use portcullis_observe::trace::{Traces, XrayDaemon};
///
/// let daemon = XrayDaemon::new("127.0.0.1:2000")?;
/// let traces = Traces::builder("orders").xray(daemon.clone()).build();
/// assert_eq!(daemon.dropped(), 0);
/// # let _ = traces;
/// # Ok::<(), portcullis_observe::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct XrayDaemon {
    shared: Arc<Shared>,
}

struct Shared {
    socket: UdpSocket,
    address: SocketAddr,
    sent: AtomicU64,
    dropped: AtomicU64,
    /// The minute in which it was said last that segments are lost.
    said: AtomicU64,
}

/// What each datagram begins with.
const HEADER: &[u8] = b"{\"format\":\"json\",\"version\":1}\n";
/// The daemon takes no more, with the header.
const MAX_DATAGRAM: usize = 64 * 1000;

impl XrayDaemon {
    /// The daemon at this address, `127.0.0.1:2000` as a rule, or what stands behind `udp:` where both of its addresses are given, as `AWS_XRAY_DAEMON_ADDRESS` may have them. A name is looked up once.
    ///
    /// # Errors
    ///
    /// If it is no address, or if there is no socket to send from.
    pub fn new(address: &str) -> Result<Self, ConfigError> {
        let fault = |problem: String| ConfigError::new("X-Ray daemon", address, problem);
        let udp = udp_part(address).ok_or_else(|| {
            fault("has no part that begins with `udp:`, which segments are sent to".to_owned())
        })?;
        match udp.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {}
            _ => {
                let problem = "is no address with a port; write one like `127.0.0.1:2000`, or `tcp:127.0.0.1:2000 udp:127.0.0.1:2000`";
                return Err(fault(problem.to_owned()));
            }
        }
        let found = udp
            .to_socket_addrs()
            .map_err(|error| fault(format!("cannot be looked up: {error}")))?
            .next();
        let Some(address) = found else {
            return Err(fault("is a name without an address".to_owned()));
        };
        let failed = |error: io::Error| fault(format!("cannot be sent to: {error}"));
        let own: SocketAddr = if address.is_ipv4() {
            ([0, 0, 0, 0], 0).into()
        } else {
            ([0u16; 8], 0).into()
        };
        let socket = UdpSocket::bind(own).map_err(failed)?;
        socket.connect(address).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        Ok(Self {
            shared: Arc::new(Shared {
                socket,
                address,
                sent: AtomicU64::new(0),
                dropped: AtomicU64::new(0),
                said: AtomicU64::new(0),
            }),
        })
    }

    /// How many segments were sent, and not known to be lost.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// How many segments were lost: the daemon is away, or the system's buffer is full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn send(&self, recording: &Recording, exchange: &Exchange<'_>) {
        let mut datagram = Vec::with_capacity(1024);
        datagram.extend_from_slice(HEADER);
        let segment = segment::of(recording, exchange);
        let written = serde_json::to_writer(&mut datagram, &segment).map_err(io::Error::from);
        let shared = &*self.shared;
        let sent = written.and_then(|()| match datagram.len() {
            ..=MAX_DATAGRAM => shared.send(&datagram),
            _ => Err(io::Error::other("the segment is too long")),
        });
        match sent {
            Ok(None) => {}
            Ok(Some(error)) => shared.complain(&error, exchange),
            Err(error) => {
                shared.dropped.fetch_add(1, Ordering::Relaxed);
                shared.complain(&error, exchange);
            }
        }
    }
}

impl Shared {
    /// Sends a segment. A daemon that is away is learned of only with the one after: the answer is why an earlier one was lost.
    fn send(&self, datagram: &[u8]) -> io::Result<Option<io::Error>> {
        let refused = match self.socket.send(datagram) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.sent.fetch_sub(1, Ordering::Relaxed);
                self.dropped.fetch_add(1, Ordering::Relaxed);
                self.socket.send(datagram)?;
                Some(error)
            }
            sent => sent.map(|_| None)?,
        };
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok(refused)
    }

    /// Says in the log that segments are lost, once a minute.
    fn complain(&self, error: &io::Error, exchange: &Exchange<'_>) {
        // By the clock of requests, so that nobody has to read another.
        let now = exchange.context().received() + exchange.latency();
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        // The minutes count from one: none has been said in minute zero.
        let minute = since.as_secs() / 60 + 1;
        if self.said.swap(minute, Ordering::Relaxed) != minute {
            let dropped = self.dropped.load(Ordering::Relaxed);
            tracing::warn!(%error, dropped, daemon = %self.address, "segments for X-Ray are lost");
        }
    }
}

/// Of `tcp:127.0.0.1:2000 udp:127.0.0.1:2001` the second.
fn udp_part(address: &str) -> Option<&str> {
    let mut parts = address.split_whitespace();
    let is_named = |part: &str| part.starts_with("udp:") || part.starts_with("tcp:");
    if parts.clone().any(is_named) {
        parts.find_map(|part| part.strip_prefix("udp:"))
    } else {
        Some(address.trim())
    }
}

impl fmt::Debug for XrayDaemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XrayDaemon")
            .field("address", &self.shared.address)
            .field("sent", &self.sent())
            .field("dropped", &self.dropped())
            .finish()
    }
}
