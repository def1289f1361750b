//! Examples of functions and services, started as their header comments say and called over their sockets.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use portcullis_testkit::installed;
use portcullis_testkit::wire::{self, Answer};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// How long an example may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// An example that listens. It ends when this is dropped.
struct Running {
    address: SocketAddr,
    child: Child,
    /// The process group of a script, whose children end with it.
    group: Option<u32>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            let group = format!("-{group}");
            let mut kill = std::process::Command::new("kill");
            let _ = kill.args(["-TERM", "--", &group]).status();
        }
    }
}

/// The example as `cargo test` has built it beside this test.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let profile = test.parent().and_then(Path::parent).expect("target/debug");
    let example = profile.join("examples").join(name);
    let shown = example.display();
    assert!(
        example.exists(),
        "{shown} is missing: cargo build --examples"
    );
    example
}

impl Running {
    async fn start(name: &str) -> Self {
        Self::run(&mut Command::new(built(name))).await
    }

    /// With a DynamoDB, if one is installed.
    async fn with_dynamodb(name: &str) -> Option<Self> {
        installed("venv/bin/moto_server")?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("with_dynamodb.sh");
        let mut command = Command::new(script);
        command.arg(name).env("EXAMPLE_COMMAND", built(name));
        command.process_group(0);
        let mut running = Self::run(&mut command).await;
        running.group = running.child.id();
        Some(running)
    }

    async fn run(command: &mut Command) -> Self {
        let mut child = command
            .env("LISTEN", "127.0.0.1:0")
            .env_remove("FUNCTION_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let listening = async {
            while let Some(line) = lines.next_line().await.expect("text") {
                if let Some(address) = line.strip_prefix("listening on http://") {
                    return address.parse().expect("an address");
                }
            }
            panic!("it ended without listening");
        };
        let address = tokio::time::timeout(PATIENCE, listening).await;
        // What else it prints is read, so that it never waits for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            address: address.expect("it listens in time"),
            child,
            group: None,
        }
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let (host, length) = (self.address, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        wire::send(self.address, request).await
    }
}

const PET: &str = r#"{"id": "7", "name": "Rex"}"#;

/// A pet is made, found, and not found.
async fn keeps_pets(running: &Running) {
    let none = running.send("GET", "/pets/7", "").await;
    assert_eq!(none.status, 404, "{}", none.text());
    let made = running.send("POST", "/pets", PET).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let found = running.send("GET", "/pets/7", "").await;
    assert_eq!(found.status, 200, "{}", found.text());
    assert_eq!(found.json(), json!({"id": "7", "name": "Rex"}));
}

#[tokio::test]
async fn a_function_keeps_pets_in_memory() {
    let running = Running::start("function_dynamodb").await;
    keeps_pets(&running).await;
    assert_eq!(running.send("POST", "/pets", "{}").await.status, 400);
}

#[cfg(unix)]
#[tokio::test]
async fn a_function_keeps_pets_in_dynamodb() {
    if let Some(running) = Running::with_dynamodb("function_dynamodb").await {
        keeps_pets(&running).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn templates_keep_pets_in_dynamodb() {
    if let Some(running) = Running::with_dynamodb("direct_dynamodb").await {
        keeps_pets(&running).await;
        let odd = r#"{"id": "8", "name": "O'Rex \"the\" <great>"}"#;
        assert_eq!(running.send("POST", "/pets", odd).await.status, 201);
        let found = running.send("GET", "/pets/8", "").await.json();
        assert_eq!(found["name"], "O'Rex \"the\" <great>");
        // DynamoDB takes no key without a value.
        let refused = running.send("POST", "/pets", "{}").await;
        assert_eq!(refused.status, 502, "{}", refused.text());
    }
}

#[tokio::test]
async fn a_function_of_lambda_http_runs_behind_its_export() {
    let running = Running::start("lambda_http").await;
    let made = running.send("POST", "/pets", PET).await;
    assert_eq!(
        (made.status, made.header("location")),
        (201, Some("/pets/7"))
    );
    let found = running.send("GET", "/pets/7", "").await;
    assert_eq!(found.json(), json!({"id": "7", "name": "Rex"}));
    // It fails, which is not the client's to know.
    let failed = running.send("POST", "/pets", "no JSON").await;
    assert_eq!(failed.status, 502);
}

#[tokio::test]
async fn a_function_elsewhere_answers_and_fails() {
    let running = Running::start("remote_function").await;
    let found = running.send("GET", "/pets/7", "").await;
    assert_eq!(found.json(), json!({"id": "7", "name": "Rex"}));
    assert_eq!(running.send("GET", "/pets/none", "").await.status, 502);
}

#[tokio::test]
async fn json_goes_to_soap_and_comes_back() {
    let running = Running::start("soap").await;
    let order = r#"{"items": ["nuts & bolts", "a < b"]}"#;
    let taken = running.send("POST", "/orders", order).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert_eq!(taken.header("content-type"), Some("application/json"));
    assert_eq!(taken.json(), json!({"id": "42", "price": 2.5}));
    let refused = running.send("POST", "/orders", r#"{"items": []}"#).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json(), json!({"message": "an order has items"}));
}
