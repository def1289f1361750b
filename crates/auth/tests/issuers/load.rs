//! A real issuer that is discovered, rotated and killed while requests come.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::{Router, body::Body, routing::get};
use http::Request;
use portcullis_auth::jwt::{Issuer, JwtLayer};
use portcullis_core::ManualClock;
use portcullis_testkit::installed;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tower::ServiceExt;

struct Server {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Server {
    /// `None` if it is not installed.
    async fn start() -> Option<Self> {
        let folder = installed("issuer/node_modules")?;
        let folder = folder.parent().expect("it has one").to_owned();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/issuers/issuer.mjs");
        // Modules are found from where a script is.
        let copy = folder.join(format!("issuer-{}.mjs", std::process::id()));
        std::fs::copy(script, &copy).expect("the script is copied");
        let mut child = Command::new("node")
            .arg(&copy)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts");
        let input = child.stdin.take().expect("it is piped");
        let output = child.stdout.take().expect("it is piped");
        let mut output = BufReader::new(output).lines();
        let url = answer(&mut output).await;
        std::fs::remove_file(copy).expect("the copy is there");
        Some(Self {
            child,
            input,
            output,
            url: url.as_str().expect("an address").to_owned(),
        })
    }

    async fn tell(&mut self, command: &Value) -> Value {
        let line = format!("{command}\n");
        self.input
            .write_all(line.as_bytes())
            .await
            .expect("it listens");
        answer(&mut self.output).await
    }

    async fn key(&mut self, algorithm: &str, kid: &str) {
        self.tell(&json!({ "command": "key", "algorithm": algorithm, "kid": kid }))
            .await;
    }

    async fn tokens(&mut self, kid: &str, count: usize) -> Vec<String> {
        let tokens = self
            .tell(&json!({ "command": "tokens", "kid": kid, "count": count }))
            .await;
        serde_json::from_value(tokens).expect("tokens")
    }
}

async fn answer(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
    let line = line.expect("it answers in time").expect("it runs");
    serde_json::from_str(&line.expect("it says something")).expect("JSON")
}

/// Requests that come all the time, each with the next token of a pool.
struct Load {
    tokens: Arc<Mutex<Vec<String>>>,
    served: Arc<AtomicUsize>,
    refused: Arc<Mutex<Vec<u16>>>,
    ended: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(app: &Router) -> Self {
        let mut load = Self {
            tokens: Arc::default(),
            served: Arc::default(),
            refused: Arc::default(),
            ended: Arc::default(),
            tasks: Vec::new(),
        };
        for start in 0..8 {
            let (app, tokens) = (app.clone(), Arc::clone(&load.tokens));
            let (served, refused) = (Arc::clone(&load.served), Arc::clone(&load.refused));
            let ended = Arc::clone(&load.ended);
            load.tasks.push(tokio::spawn(async move {
                let mut next = start;
                while !ended.load(Ordering::Relaxed) {
                    next += 1;
                    let token = {
                        let tokens = tokens.lock().expect("nobody panics");
                        tokens.get(next % tokens.len().max(1)).cloned()
                    };
                    let Some(token) = token else {
                        tokio::task::yield_now().await;
                        continue;
                    };
                    match status(&app, &token).await {
                        200 => drop(served.fetch_add(1, Ordering::Relaxed)),
                        other => refused.lock().expect("nobody panics").push(other),
                    }
                    tokio::task::yield_now().await;
                }
            }));
        }
        load
    }

    fn add(&self, tokens: Vec<String>) {
        self.tokens.lock().expect("nobody panics").extend(tokens);
    }

    /// Waits until so many more have been served, none of them wrongly refused.
    async fn check(&self, what: &str) {
        let before = self.served.load(Ordering::Relaxed);
        let served = async {
            while self.served.load(Ordering::Relaxed) < before + 3000 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let served = tokio::time::timeout(Duration::from_secs(60), served).await;
        let refused = self.refused.lock().expect("nobody panics");
        assert!(refused.is_empty(), "{what}: {refused:?}");
        assert!(served.is_ok(), "{what}: requests are served");
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn status(app: &Router, token: &str) -> u16 {
    let request = Request::get("/pets")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty())
        .expect("a request");
    let response = app.clone().oneshot(request).await;
    response.expect("it never fails").status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_wrongly_refused_while_an_issuer_is_discovered_rotated_and_killed() {
    let Some(mut server) = Server::start().await else {
        return;
    };
    server.key("RS256", "one").await;
    let clock = ManualClock::default();
    let issuer = Issuer::discover(&server.url)
        .expect("an address")
        .clock(clock.clone())
        .audience("pets");
    let layer = JwtLayer::new(issuer.clone()).require_scopes(["pets:read"]);
    let app = Router::new()
        .route("/pets", get(async || "cat, dog"))
        .layer(layer);
    let load = Load::start(&app);

    load.add(server.tokens("one", 200).await);
    load.check("after it was discovered").await;
    assert_eq!(issuer.key_stats().fetches, 1);

    server.key("ES256", "two").await;
    load.add(server.tokens("two", 200).await);
    load.check("after a key was added").await;
    server.key("EdDSA", "three").await;
    load.add(server.tokens("three", 200).await);
    load.check("after another was added").await;
    assert_eq!(issuer.key_stats().keys, 3);
    assert_eq!(
        issuer.key_stats().fetches,
        3,
        "one for each key that was new"
    );

    // These nobody has seen when the issuer dies.
    let unseen = server.tokens("two", 200).await;
    server.child.kill().await.expect("it ran");
    load.add(unseen);
    load.check("after it was killed").await;
    // Its keys should have been renewed long ago.
    for _ in 0..4 {
        clock.advance(Duration::from_secs(60 * 60));
        load.check("with stale keys").await;
    }
    assert!(issuer.key_stats().away);
    assert_eq!(issuer.key_stats().keys, 3);
}
