//! What can go wrong with a request to somewhere else.

use std::error::Error;
use std::fmt;
use std::io;

use portcullis_core::BoxError;
use rustls::pki_types::InvalidDnsNameError;

use crate::connector::ConnectFailure;

/// Why a request got no answer.
#[derive(Debug)]
pub struct ClientError {
    kind: ClientErrorKind,
    source: BoxError,
}

/// The ways in which a request can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientErrorKind {
    /// The URI names no `http` or `https` endpoint.
    Address,
    /// The host's name does not resolve.
    Dns,
    /// Nobody listens there.
    Refused,
    /// The connection could not be made for another reason: no route, no permission, reset at once.
    Connect,
    /// The connection could not be encrypted: an unknown authority, another host's certificate, no TLS at all.
    Tls,
    /// The connection was not made in time, or a target of a pool did not answer in the time that the pool gives it.
    Timeout,
    /// The connection was closed or reset before the answer was there.
    Closed,
    /// What came back is not HTTP.
    Protocol,
    /// The request's own body failed. [`source`](Error::source) is the error that it failed with.
    RequestBody,
    /// The request was not sent: the circuits of all targets of its pool are open.
    CircuitOpen,
}

impl ClientError {
    pub(crate) fn new(kind: ClientErrorKind, source: impl Into<BoxError>) -> Self {
        Self {
            kind,
            source: source.into(),
        }
    }

    /// A connection that could not be made.
    pub(crate) fn from_connect(error: BoxError) -> Self {
        // Whatever fails between the connection and the first byte of HTTP is the handshake.
        let kind = classify(&*error, ClientErrorKind::Tls);
        Self::new(kind, error)
    }

    /// A connection that was there, and failed.
    pub(crate) fn from_hyper(error: hyper::Error) -> Self {
        let kind = classify(&error, ClientErrorKind::Protocol);
        Self::new(kind, error)
    }

    /// Which kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> ClientErrorKind {
        self.kind
    }
}

/// Looks through the causes for the one that says most. Without any that says something, it is the `unknown` kind.
fn classify(error: &(dyn Error + 'static), unknown: ClientErrorKind) -> ClientErrorKind {
    let mut cause = Some(error);
    let mut kind = unknown;
    while let Some(error) = cause {
        if let Some(failure) = error.downcast_ref::<ConnectFailure>() {
            return failure.kind();
        }
        // Such a name is not even asked for.
        if error.is::<InvalidDnsNameError>() {
            return ClientErrorKind::Dns;
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            // The innermost knows: a request is cancelled because something came that is not HTTP, say.
            kind = if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
                ClientErrorKind::Closed
            } else if error.is_timeout() {
                ClientErrorKind::Timeout
            } else {
                unknown
            };
        }
        if let Some(error) = error.downcast_ref::<io::Error>()
            && unknown != ClientErrorKind::Tls
            && is_end(error.kind())
        {
            kind = ClientErrorKind::Closed;
        }
        cause = error.source();
    }
    kind
}

fn is_end(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof,
    };
    matches!(
        kind,
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof
    )
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ClientErrorKind::Address => "not an address of an HTTP endpoint",
            ClientErrorKind::Dns => "the host's name does not resolve",
            ClientErrorKind::Refused => "the connection was refused",
            ClientErrorKind::Connect => "the connection could not be made",
            ClientErrorKind::Tls => "the connection could not be encrypted",
            ClientErrorKind::Timeout => "no connection or no answer in time",
            ClientErrorKind::Closed => "the connection was closed before the answer was there",
            ClientErrorKind::Protocol => "what came back is not HTTP",
            ClientErrorKind::RequestBody => "the request's body failed",
            ClientErrorKind::CircuitOpen => "the request was not sent",
        })?;
        // The innermost cause says most, and the ones between repeat each other.
        let mut cause: &(dyn Error + 'static) = &*self.source;
        while let Some(next) = cause.source() {
            cause = next;
        }
        write!(f, ": {cause}")
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// A client that cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("client: {0}")]
pub struct ClientConfigError(pub(crate) String);
