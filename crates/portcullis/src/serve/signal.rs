//! The signals by which an operator speaks to a server.

use std::io;

/// Waits until the program is asked to end: Ctrl-C, or `SIGTERM` where there is one.
///
/// ```no_run
/// # async fn run(server: portcullis::serve::Server) {
/// let handle = server.handle();
/// tokio::spawn(async move {
///     portcullis::serve::shutdown_signal().await;
///     handle.shutdown();
/// });
/// # }
/// ```
///
/// If the system does not let signals be watched, it says so in the log and waits for ever.
pub async fn shutdown_signal() {
    let interrupt = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(%error, "Ctrl-C cannot be watched");
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupt => {}
        () = terminate() => {}
    }
}

#[cfg(unix)]
async fn terminate() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be watched");
            std::future::pending().await
        }
    }
}

#[cfg(not(unix))]
async fn terminate() {
    std::future::pending().await
}

/// Watches `SIGHUP`, by which an operator asks for the configuration to be read again.
///
/// From now on the signal no longer ends the program. Where there is no such signal, none comes.
///
/// # Errors
///
/// If the system does not let the signal be watched.
pub fn hangup() -> io::Result<Hangup> {
    Ok(Hangup {
        #[cfg(unix)]
        signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?,
    })
}

/// The requests of an operator to read the configuration again; see [`hangup`].
#[derive(Debug)]
pub struct Hangup {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl Hangup {
    /// Waits for the next one. Several that come while nobody waits count as one.
    pub async fn recv(&mut self) {
        #[cfg(unix)]
        if self.signal.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }
}
