//! What a request costs over loopback: the CPU seconds of the server's process per 100,000 requests.
//!
//! Each server is this very program, started with `serve KIND`, or nginx; `wrk` sends for a fixed time, and the
//! server's CPU time before and after is read from `/proc`. Nothing leaves the machine, and all of it ends by itself.

pub(crate) mod cache;
pub(crate) mod limits;
mod server;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::{env, process, thread};

use anyhow::{Context, Result, bail};

pub(crate) use server::{accept, serve};

/// Seconds of load in each turn, and the turns of each server. The least counts: company only adds.
const SECONDS: u32 = 4;
const TURNS: usize = 3;
const CONNECTIONS: u32 = 32;

/// Measures all servers, and prints a table.
pub(crate) fn run() -> Result<()> {
    for program in ["wrk", "getconf"] {
        if !starts(program, "--version") {
            bail!("{program} is missing; on Debian: apt-get install {program}");
        }
    }
    let folder = env::temp_dir().join(format!("portcullis-loopback-{}", process::id()));
    fs::create_dir_all(&folder)?;
    let figures = measure_all(&folder);
    fs::remove_dir_all(&folder)?;
    print(&figures?);
    Ok(())
}

fn measure_all(folder: &PathBuf) -> Result<Vec<(&'static str, f64)>> {
    let upstream = Server::ours("hello", &[])?;
    let at = upstream.port.to_string();
    let mut servers = vec![
        ("hyper hello", Server::ours("hello", &[])?),
        ("hyper reverse proxy", Server::ours("proxy", &[&at])?),
        ("gateway, HTTP_PROXY", Server::ours("gateway", &[&at])?),
    ];
    if starts("nginx", "-v") {
        servers.push(("nginx reverse proxy", Server::nginx(&upstream, folder)?));
    } else {
        eprintln!("skipped: nginx is not installed; on Debian: apt-get install nginx-light");
    }
    in_turns(&servers)
}

/// The least of what each server takes. They take turns, so that a slow minute hits all of them; the first turn only warms up.
fn in_turns(servers: &[(&'static str, Server)]) -> Result<Vec<(&'static str, f64)>> {
    let mut least = vec![f64::MAX; servers.len()];
    for turn in 0..=TURNS {
        for ((name, server), least) in servers.iter().zip(&mut least) {
            let seconds = server.load().with_context(|| (*name).to_owned())?;
            if turn > 0 {
                *least = least.min(seconds);
            }
        }
    }
    let names = servers.iter().map(|(name, _)| *name);
    Ok(names.zip(least).collect())
}

fn print(figures: &[(&'static str, f64)]) {
    println!("| server | CPU s per 100k requests |\n|---|--:|");
    for (name, seconds) in figures {
        println!("| {name} | {seconds:.2} |");
    }
    let of = |wanted: &str| {
        let figure = figures.iter().find(|(name, _)| *name == wanted);
        figure.map(|(_, seconds)| *seconds)
    };
    let Some(ours) = of("gateway, HTTP_PROXY") else {
        return;
    };
    println!("\n| goal | seen | met |\n|---|--:|---|");
    for (peer, most) in [("hyper reverse proxy", 1.10), ("nginx reverse proxy", 1.40)] {
        if let Some(theirs) = of(peer) {
            let ratio = ours / theirs;
            let met = if ratio <= most { "yes" } else { "**no**" };
            println!("| ≤ {most:.2} × {peer} | {ratio:.2} × | {met} |");
        }
    }
}

/// A server in a process of its own, which ends with this value.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// This very program as a server. It says on which port it listens.
    fn ours(kind: &str, args: &[&str]) -> Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .args(["serve", kind])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().context("it has an output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let port = line.trim().parse();
        let server = Self {
            process,
            port: *port.as_ref().unwrap_or(&0),
        };
        port.with_context(|| format!("{kind} did not say its port"))?;
        Ok(server)
    }

    /// nginx with one worker and keep-alive to the upstream, as its manual has it.
    fn nginx(upstream: &Self, folder: &PathBuf) -> Result<Self> {
        // Whoever listens on port 0 is given a free one; it stays free for the moment that it takes.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let root = folder.display();
        let config = format!(
            "daemon off;\nmaster_process off;\nworker_processes 1;\npid {root}/pid;\nerror_log {root}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n access_log off;\n keepalive_requests 100000000;\n client_body_temp_path {root}/body;\n \
             proxy_temp_path {root}/proxy;\n fastcgi_temp_path {root}/fastcgi;\n uwsgi_temp_path {root}/uwsgi;\n \
             scgi_temp_path {root}/scgi;\n \
             upstream hello {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}\n \
             server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://hello; proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; \
             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }} }}\n}}\n",
            upstream = upstream.port,
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, config)?;
        let process = Command::new("nginx")
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { process, port })
    }

    /// One turn of load: the CPU seconds per 100,000 requests.
    fn load(&self) -> Result<f64> {
        let before = self.cpu_seconds()?;
        let load = self.wrk(SECONDS)?;
        // The last answers are on their way when wrk stops.
        thread::yield_now();
        let used = self.cpu_seconds()? - before;
        if load.others > 0.0 {
            bail!("{} answers were none that was expected", load.others);
        }
        Ok(used / load.requests * 100_000.0)
    }

    /// Sends for so many seconds, as fast as answers come.
    fn wrk(&self, seconds: u32) -> Result<Load> {
        let output = Command::new("wrk")
            .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s")])
            .args(["--timeout", "30s", "--latency"])
            .arg(format!("http://127.0.0.1:{}/pets/42", self.port))
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        Load::read(&text).with_context(|| format!("wrk said:\n{text}"))
    }

    /// User and system time of the process, and of those that it has started.
    fn cpu_seconds(&self) -> Result<f64> {
        let clock = Command::new("getconf").arg("CLK_TCK").output()?;
        let per_second: f64 = String::from_utf8_lossy(&clock.stdout).trim().parse()?;
        Ok(ticks(self.process.id())? / per_second)
    }
}

/// User and system time of a process and its children, in ticks of the clock.
fn ticks(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Fields are counted behind the name, which may hold anything: `utime` and `stime` are the 12th and 13th.
    let (_, fields) = stat.rsplit_once(')').context("a name in brackets")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |index: usize| -> Result<f64> {
        Ok(fields.get(index).context("it is short")?.parse::<f64>()?)
    };
    let mut sum = field(11)? + field(12)?;
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"))?;
    for child in children.split_whitespace() {
        sum += ticks(child.parse()?)?;
    }
    Ok(sum)
}

/// What wrk has seen.
struct Load {
    requests: f64,
    seconds: f64,
    /// Answers whose status is neither 2xx nor 3xx.
    others: f64,
    /// The time within which half of the answers came, as wrk writes it.
    median: String,
}

impl Load {
    fn read(text: &str) -> Result<Self> {
        if text.contains("Socket errors") {
            bail!("wrk met errors");
        }
        let lines = || text.lines().map(str::trim);
        let mut sums = lines().filter_map(|line| line.split_once(" requests in "));
        let (requests, rest) = sums.next().context("no sum")?;
        let seconds = rest.split(',').next().unwrap_or_default();
        let others = lines().find_map(|line| line.strip_prefix("Non-2xx or 3xx responses:"));
        let median = lines().find_map(|line| line.strip_prefix("50%"));
        let load = Self {
            requests: requests.parse()?,
            seconds: seconds.trim_end_matches('s').parse()?,
            others: others.map_or(Ok(0.0), |others| others.trim().parse())?,
            median: median.unwrap_or("–").trim().to_owned(),
        };
        if load.requests == 0.0 {
            bail!("nothing was answered");
        }
        Ok(load)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn starts(program: &str, version: &str) -> bool {
    Command::new(program)
        .arg(version)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}
