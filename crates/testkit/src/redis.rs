//! A Redis server of one's own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::wire::PATIENCE;

/// A `redis-server` on a free port of loopback, with nothing in it, which ends with its handle.
///
/// `cargo xtask test` installs the program.
#[derive(Debug)]
pub struct RedisServer {
    addr: SocketAddr,
    folder: PathBuf,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts one, and waits until it answers.
    ///
    /// # Panics
    ///
    /// If the program is not installed, or does not answer in time.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let addr = listener.local_addr().expect("a bound listener");
        drop(listener);
        let folder = std::env::temp_dir().join(format!("portcullis-redis-{}", addr.port()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut own = Self {
            addr,
            folder,
            child: None,
        };
        own.restart();
        own
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its address: `redis://127.0.0.1:…`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    /// Kills it, as if the machine were gone. What it held is lost.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it where it stands: connections stay open, and nobody answers.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        if let Some(child) = &self.child {
            let sent = Command::new("kill")
                .args([signal, &child.id().to_string()])
                .status();
            assert!(
                sent.is_ok_and(|status| status.success()),
                "the server cannot be signalled"
            );
        }
    }

    /// Starts it again on the same port, with nothing in it.
    ///
    /// # Panics
    ///
    /// If it does not answer in time.
    #[expect(clippy::disallowed_methods, reason = "a real program is waited for")]
    pub fn restart(&mut self) {
        self.kill();
        let child = Command::new("redis-server")
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &self.addr.port().to_string(),
            ])
            .args(["--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(&self.folder)
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.expect("`cargo xtask test` installs redis-server"));
        let started = Instant::now();
        while TcpStream::connect(self.addr).is_err() {
            assert!(started.elapsed() < PATIENCE, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
