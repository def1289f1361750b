//! A response from a cache, over loopback: CPU seconds per 100,000 hits, beside quick_cache by hand, nginx and Varnish.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;
use std::{env, fs, process};

use anyhow::{Result, bail};
use hyper_util::service::TowerToHyperService;
use portcullis_cache::http::{HttpCacheLayer, HttpCacheRules};
use portcullis_cache::{CacheLayer, CacheRules, ResponseCache};
use tower_layer::Layer as _;

use super::{Server, in_turns, server, starts};
use crate::rows::cache::{ByHand, Conduct, Pet};

const BY_HAND: &str = "hyper + quick_cache by hand";
const OURS: &str = "portcullis, by settings";
const NGINX: &str = "nginx proxy_cache";
const VARNISH: &str = "Varnish";

/// Measures all servers, and prints two tables.
pub(crate) fn run() -> Result<()> {
    for program in ["wrk", "getconf"] {
        if !starts(program, "--version") {
            bail!("{program} is missing; on Debian: apt-get install {program}");
        }
    }
    let folder = env::temp_dir().join(format!("portcullis-cache-loopback-{}", process::id()));
    fs::create_dir_all(&folder)?;
    let figures = measure(&folder);
    fs::remove_dir_all(&folder)?;
    let figures = figures?;
    println!("| server | CPU s per 100k hits |\n|---|--:|");
    for (name, seconds) in &figures {
        println!("| {name} | {seconds:.3} |");
    }
    let of = |wanted: &str| {
        let figure = figures.iter().find(|(name, _)| *name == wanted);
        figure.map(|(_, seconds)| *seconds)
    };
    println!("\n| goal | seen | met |\n|---|--:|---|");
    for (peer, most) in [(BY_HAND, 1.15), (NGINX, 0.65), (VARNISH, 0.3)] {
        if let (Some(ours), Some(theirs)) = (of(OURS), of(peer)) {
            let ratio = ours / theirs;
            let met = if ratio <= most { "yes" } else { "**no**" };
            println!("| ≤ {most:.2} × {peer} | {ratio:.2} × | {met} |");
        }
    }
    Ok(())
}

fn measure(folder: &Path) -> Result<Vec<(&'static str, f64)>> {
    let origin = Server::ours("cached", &["nothing"])?;
    let mut servers = vec![
        (
            "hyper, without a cache",
            Server::ours("cached", &["nothing"])?,
        ),
        (BY_HAND, Server::ours("cached", &["by-hand"])?),
        (OURS, Server::ours("cached", &["settings"])?),
        (
            "hyper + quick_cache by hand, with `Age` and `Cache-Status`",
            Server::ours("cached", &["by-hand-http"])?,
        ),
        (
            "portcullis, by RFC 9111",
            Server::ours("cached", &["http"])?,
        ),
    ];
    if starts("nginx", "-v") {
        servers.push((NGINX, nginx(origin.port, folder)?));
    } else {
        eprintln!("skipped: nginx is not installed; on Debian: apt-get install nginx-light");
    }
    if starts("varnishd", "-V") {
        servers.push((VARNISH, varnish(origin.port, folder)?));
    } else {
        eprintln!("skipped: Varnish is not installed; on Debian: apt-get install varnish");
    }
    // The first turn fills the caches.
    in_turns(&servers)
}

/// nginx with one worker, and a cache as its manual has it, in memory as far as the page cache goes.
fn nginx(origin: u16, folder: &Path) -> Result<Server> {
    let port = free_port()?;
    let root = folder.display();
    let config = format!(
        "daemon off;\nmaster_process off;\nworker_processes 1;\npid {root}/pid;\nerror_log {root}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n access_log off;\n keepalive_requests 100000000;\n sendfile on;\n tcp_nopush on;\n open_file_cache max=1000;\n \
         client_body_temp_path {root}/body;\n proxy_temp_path {root}/proxy;\n fastcgi_temp_path {root}/fastcgi;\n \
         uwsgi_temp_path {root}/uwsgi;\n scgi_temp_path {root}/scgi;\n \
         proxy_cache_path {root}/cache keys_zone=pets:10m max_size=64m inactive=1h use_temp_path=off;\n \
         server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{origin}; proxy_cache pets; \
         proxy_cache_valid 200 1h; proxy_cache_lock on; }} }}\n}}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, config)?;
    let mut nginx = Command::new("nginx");
    nginx.arg("-p").arg(folder).arg("-c").arg(&file);
    started(nginx, port)
}

/// Varnish as its package starts it, but for its place.
fn varnish(origin: u16, folder: &Path) -> Result<Server> {
    let port = free_port()?;
    let mut varnish = Command::new("varnishd");
    varnish
        .args(["-F", "-j", "none", "-s", "malloc,64m", "-t", "3600"])
        .args(["-a", &format!("127.0.0.1:{port}")])
        .args(["-b", &format!("127.0.0.1:{origin}")])
        .arg("-n")
        .arg(folder.join("varnish"));
    started(varnish, port)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Starts a program, and waits until it listens.
fn started(mut command: Command, port: u16) -> Result<Server> {
    let process: Child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let server = Server { process, port };
    for _ in 0..200 {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(server);
        }
        thread::sleep(Duration::from_millis(50));
    }
    bail!("{command:?} does not listen")
}

/// The same service behind each of the caches.
pub(super) async fn serve(how: &str) -> Result<()> {
    let cache = ResponseCache::in_memory(64 * 1024 * 1024);
    match how {
        "nothing" => server::listen(|_| TowerToHyperService::new(Pet)).await,
        "by-hand" => {
            let by_hand = ByHand::over(Pet, Conduct::Settings);
            server::listen(move |_| TowerToHyperService::new(by_hand.clone())).await
        }
        "by-hand-http" => {
            let by_hand = ByHand::over(Pet, Conduct::Http);
            server::listen(move |_| TowerToHyperService::new(by_hand.clone())).await
        }
        "settings" => {
            let rules = CacheRules::builder()
                .ttl(Duration::from_secs(3600))
                .build()?;
            let layer = CacheLayer::new(&cache, rules);
            server::listen(move |_| TowerToHyperService::new(layer.layer(Pet))).await
        }
        "http" => {
            let layer = HttpCacheLayer::new(&cache, HttpCacheRules::default());
            server::listen(move |_| TowerToHyperService::new(layer.layer(Pet))).await
        }
        _ => bail!("no such cache: {how}"),
    }
}
