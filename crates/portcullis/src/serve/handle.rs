//! What an operator does to a server that runs.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use portcullis_core::Live;
use tokio::sync::watch;

use super::error::TlsError;
use super::refusals::Refusals;
use super::tls::{Loaded, TlsConfig};

/// How far a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Serving,
    /// Shutdown was asked for; the health path says so, and all else goes on.
    Leaving,
    /// Nothing is accepted, and what is in flight may finish.
    Closing,
    /// What is left is cut.
    Cutting,
}

#[derive(Debug)]
pub(super) struct State {
    phase: watch::Sender<Phase>,
    pub(super) connections: Arc<AtomicUsize>,
    pub(super) tls: Option<LiveTls>,
    pub(super) local_addrs: Vec<SocketAddr>,
    pub(super) refusals: Refusals,
}

#[derive(Debug)]
pub(super) struct LiveTls {
    source: Mutex<TlsConfig>,
    pub(super) live: Live<Loaded>,
}

impl LiveTls {
    pub(super) fn new(source: TlsConfig, loaded: Loaded) -> Self {
        Self {
            source: Mutex::new(source),
            live: Live::new(loaded),
        }
    }

    fn replace(&self, new: Option<TlsConfig>) -> Result<(), TlsError> {
        // Held while files are read, so that of two reloads the later one wins.
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let new = new.unwrap_or_else(|| source.clone());
        self.live.replace(new.load()?);
        *source = new;
        tracing::info!("certificate loaded");
        Ok(())
    }
}

impl State {
    pub(super) fn new(local_addrs: Vec<SocketAddr>, tls: Option<LiveTls>) -> Self {
        Self {
            phase: watch::Sender::new(Phase::Serving),
            connections: Arc::default(),
            tls,
            local_addrs,
            refusals: Refusals::default(),
        }
    }

    pub(super) fn is_serving(&self) -> bool {
        *self.phase.borrow() == Phase::Serving
    }

    /// Goes on to `phase`; never back.
    pub(super) fn advance(&self, phase: Phase) {
        self.phase.send_if_modified(|current| {
            let later = phase > *current;
            if later {
                *current = phase;
            }
            later
        });
    }

    /// Waits until the server is at least as far as `phase`.
    pub(super) async fn reached(&self, phase: Phase) {
        let mut watch = self.phase.subscribe();
        // The sender is in `self`: it cannot go away in between.
        let _ = watch.wait_for(|current| *current >= phase).await;
    }
}

/// One connection in a count.
#[derive(Debug)]
pub(super) struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub(super) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A hold on a server: what it listens on, how it ends, how its certificate changes. Clones hold the same one.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) state: Arc<State>,
}

impl Handle {
    /// The addresses that the server listens on, in the order in which they were asked for; ports are the real ones.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.state.local_addrs
    }

    /// Asks the server to end; [`Server::run`](super::Server::run) returns when it has. Later calls change nothing.
    pub fn shutdown(&self) {
        self.state.advance(Phase::Leaving);
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.state.tls.is_some()
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Reads the certificate and its key again. New connections get it; open ones keep what they have. A server without
    /// TLS has nothing to read.
    ///
    /// # Errors
    ///
    /// If they cannot be read or do not belong together. The certificate in use stays.
    pub fn reload_tls(&self) -> Result<(), TlsError> {
        match &self.state.tls {
            Some(tls) => tls.replace(None),
            None => Ok(()),
        }
    }

    /// Takes another certificate and key, which later reloads read again.
    ///
    /// # Errors
    ///
    /// If they cannot be read, do not belong together, or the server was built without TLS. The certificate in use stays.
    pub fn replace_tls(&self, config: TlsConfig) -> Result<(), TlsError> {
        self.tls()?.replace(Some(config))
    }

    fn tls(&self) -> Result<&LiveTls, TlsError> {
        self.state
            .tls
            .as_ref()
            .ok_or_else(|| TlsError::new("the server was built without TLS"))
    }
}
