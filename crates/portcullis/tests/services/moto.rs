//! AWS services on this machine: moto in server mode, which checks signatures and policies.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use portcullis::integrations::Credentials;
use portcullis_testkit::installed;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with a table, a queue, a stream, a state machine, a function, two users and a role. It ends when this is dropped.
pub(crate) struct Moto {
    address: SocketAddr,
    prepared: Value,
    _server: Child,
}

impl Moto {
    /// Starts one on a free port, if it is installed.
    pub(crate) async fn start() -> Option<Self> {
        let server = installed("venv/bin/moto_server")?;
        let python = installed("venv/bin/python")?;
        let mut server = Command::new(server)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let log = server.stderr.take().expect("it has a log");
        let (told, address) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let mut told = Some(told);
            let mut lines = BufReader::new(log).lines();
            // It is read to its end: a full pipe would stop the server.
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some((_, address)) = line.split_once("Running on http://")
                    && let Some(told) = told.take()
                {
                    let _ = told.send(address.trim().to_owned());
                }
            }
        });
        let address = tokio::time::timeout(PATIENCE, address).await;
        let address = address.expect("it starts in time").expect("it says where");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/services/prepare.py");
        let prepared = Command::new(python)
            .arg(script)
            .arg(format!("http://{address}"))
            .kill_on_drop(true)
            .output()
            .await
            .expect("it starts");
        let error = String::from_utf8_lossy(&prepared.stderr);
        assert!(prepared.status.success(), "{error}");
        Some(Self {
            address: address.parse().expect("an address"),
            prepared: serde_json::from_slice(&prepared.stdout).expect("JSON"),
            _server: server,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The key id and the secret of a user.
    pub(crate) fn key(&self, user: &str) -> (&str, &str) {
        let key = &self.prepared["keys"][user];
        let text = |name: &str| key[name].as_str().expect("a text");
        (text("id"), text("secret"))
    }

    pub(crate) fn credentials(&self, user: &str) -> Credentials {
        let (id, secret) = self.key(user);
        Credentials::new(id, secret)
    }

    /// What was made: `role`, `queue`, `machine`.
    pub(crate) fn made(&self, name: &str) -> &str {
        self.prepared[name].as_str().expect("a text")
    }
}
