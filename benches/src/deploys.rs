//! What deploying an API of 1,000 routes takes, and what requests feel of it.
//!
//! The server is this very program in a process of its own (`serve deploys`): requests on one thread, deployments on another. `wrk` sends all the
//! while, once without deployments and once with one after the other. Nothing leaves the machine, and all of it ends by itself.

use std::io::{self, BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context, Result, bail};
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use portcullis::{ApiSpec, Gateway, GatewayHandle, NewDeployment};
use serde_json::{Map, Value, json};
use tower_service::Service as _;

use crate::loopback::accept;

const ROUTES: usize = 1_000;
const DEPLOYMENTS: usize = 100;
const CONNECTIONS: u32 = 16;
/// Between two deployments.
const PAUSE: Duration = Duration::from_millis(50);

/// Measures, and prints a table.
pub(crate) fn run() -> Result<()> {
    let mut server = Server::start()?;
    // The first only warms up.
    server.load(2)?;
    let quiet = server.load(6)?;
    let port = server.port;
    let load = thread::spawn(move || wrk(port, 12));
    let mut times = Vec::new();
    for _ in 0..DEPLOYMENTS {
        times.push(server.ask("deploy")?);
        thread::sleep(PAUSE);
    }
    let busy = load.join().ok().context("wrk ended")??;
    let mut promotions = Vec::new();
    for _ in 0..DEPLOYMENTS {
        promotions.push(server.ask("promote")?);
    }
    println!("| change of an API of {ROUTES} routes | median ms | longest ms |\n|---|--:|--:|");
    for (name, times) in [
        ("deploy", &mut times),
        ("promote or roll back", &mut promotions),
    ] {
        times.sort_unstable();
        let ms = |micros: Option<&u64>| micros.map_or(0.0, |micros| *micros as f64 / 1e3);
        println!(
            "| {name} | {:.2} | {:.2} |",
            ms(times.get(times.len() / 2)),
            ms(times.last())
        );
    }
    println!("\n| load | requests | failed | p50 | p99 |\n|---|--:|--:|--:|--:|");
    for (name, load) in [("without deployments", quiet), ("with a hundred", busy)] {
        println!(
            "| {name} | {} | {} | {} | {} |",
            load.requests, load.failed, load.p50, load.p99
        );
    }
    Ok(())
}

/// What `wrk` saw.
struct Load {
    requests: String,
    failed: String,
    p50: String,
    p99: String,
}

fn wrk(port: u16, seconds: u32) -> Result<Load> {
    let output = Command::new("wrk")
        .args([
            "--latency",
            "-t1",
            &format!("-c{CONNECTIONS}"),
            &format!("-d{seconds}s"),
        ])
        .arg(format!("http://127.0.0.1:{port}/prod/pets500/7"))
        .output()
        .context("wrk is missing; on Debian: apt-get install wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let behind = |name: &str| {
        let mut lines = text.lines().map(str::trim);
        let value = lines.find_map(|line| line.strip_prefix(name));
        value.map(|value| value.trim().to_owned())
    };
    let requests = text
        .lines()
        .find_map(|line| line.trim().split_once(" requests in "))
        .map(|(count, _)| count.to_owned());
    Ok(Load {
        requests: requests.with_context(|| format!("wrk said:\n{text}"))?,
        failed: behind("Non-2xx or 3xx responses:")
            .or_else(|| behind("Socket errors:"))
            .unwrap_or_else(|| "0".to_owned()),
        p50: behind("50%").unwrap_or_default(),
        p99: behind("99%").unwrap_or_default(),
    })
}

/// The server in a process of its own, which ends with this value.
struct Server {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    fn start() -> Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .args(["serve", "deploys"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let commands = process.stdin.take().context("it has an input")?;
        let stdout = process.stdout.take().context("it has an output")?;
        let mut server = Self {
            process,
            commands,
            answers: BufReader::new(stdout),
            port: 0,
        };
        server.port = u16::try_from(server.answer()?)?;
        Ok(server)
    }

    fn load(&self, seconds: u32) -> Result<Load> {
        wrk(self.port, seconds)
    }

    /// Has it make a change; the microseconds that it took.
    fn ask(&mut self, command: &str) -> Result<u64> {
        writeln!(self.commands, "{command}")?;
        self.answer()
    }

    fn answer(&mut self) -> Result<u64> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        line.trim()
            .parse()
            .with_context(|| format!("it said {line:?}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves an API of 1,000 routes until the process ends.
pub(crate) async fn serve() -> Result<()> {
    let api = ApiSpec::rest(document(0)).id("shop").stage_named("prod");
    let gateway = Gateway::builder().api(api).build()?;
    let handle = gateway.handle();
    thread::spawn(move || {
        let ended = operate(&handle);
        // Whoever started this process holds its input; when that one is gone, so is the reason to serve.
        std::process::exit(i32::from(ended.is_err()));
    });
    accept(move |_| {
        let gateway = gateway.clone();
        service_fn(move |request: Request<Incoming>| gateway.clone().call(request))
    })
    .await
}

fn operate(handle: &GatewayHandle) -> Result<()> {
    for (number, command) in io::stdin().lines().enumerate() {
        // Making the document is no part of it.
        let next = NewDeployment::new(document(number + 1));
        let made = handle.deployments("shop")?;
        // The last two take turns.
        let turn = made.get(usize::from(number % 2 == 0)).unwrap_or(&made[0]);
        let started = Instant::now();
        match &*command? {
            "deploy" => drop(handle.deploy("shop", next)?),
            "promote" => drop(handle.promote("shop", "prod", &turn.id)?),
            other => bail!("no such command: {other}"),
        }
        println!("{}", started.elapsed().as_micros());
        io::stdout().flush()?;
    }
    Ok(())
}

/// A thousand routes with a parameter and templates each, in which the release stands: none stays what it was.
fn document(release: usize) -> String {
    let mut paths = Map::new();
    for number in 0..ROUTES {
        let template = format!(
            "{{\"release\": {release}, \"route\": {number}, \"id\": \"$input.params('id')\", \"at\": \"$context.requestTime\"}}"
        );
        let operation = json!({
            "parameters": [
                { "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }
            ],
            "responses": { "200": { "description": "200 response" } },
            "x-amazon-apigateway-integration": {
                "type": "mock",
                "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
                "responses": { "default": {
                    "statusCode": "200",
                    "responseTemplates": { "application/json": template }
                } }
            }
        });
        paths.insert(format!("/pets{number}/{{id}}"), json!({ "get": operation }));
    }
    json!({
        "openapi": "3.0.1",
        "info": { "title": "shop", "version": release.to_string() },
        "paths": Value::Object(paths),
    })
    .to_string()
}
