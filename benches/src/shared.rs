//! What a decision costs that several machines share: a Redis on this machine, 64 requests in flight.

use std::convert::Infallible;
use std::fs;
use std::future::Future;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{env, thread};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body_util::Full;
use portcullis_core::{Clock, SystemClock};
use portcullis_redis::Redis;
use portcullis_throttle::{Key, Limit, Rule, SharedBuckets, ThrottleLayer, WhenAway};
use redis::aio::ConnectionManager;
use tower::{Layer, ServiceExt, service_fn};

const IN_FLIGHT: usize = 64;
const EACH: usize = 400;
const TURNS: usize = 7;
const TENANTS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(20);
const TENANT: HeaderName = HeaderName::from_static("x-tenant");

/// The floor: a bucket as one number, in a script that does nothing else.
const SCRIPT: &str = "\
local time = redis.call('TIME')
local now = (tonumber(time[1]) - 1700000000) * 1000000 + tonumber(time[2])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + tonumber(ARGV[1])
local over = full - now - tonumber(ARGV[2])
if over > 0 then return {1, math.ceil(over)} end
redis.call('SET', KEYS[1], string.format('%.3f', full), 'PX', math.ceil((full - now) / 1000) + 1000)
return {0, math.ceil(full - now)}";

/// Measures all, and prints a table.
pub(crate) fn run() -> Result<()> {
    let server = Server::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(&server))
}

async fn measure(server: &Server) -> Result<()> {
    let client = redis::Client::open(server.url())?;
    let manager = ConnectionManager::new(client).await?;
    let script = Arc::new(redis::Script::new(SCRIPT));
    let bare = |index: usize| {
        let (mut manager, script) = (manager.clone(), Arc::clone(&script));
        async move {
            let mut invocation = script.prepare_invoke();
            invocation.key(format!("bare:{}", index % TENANTS));
            invocation.arg(1).arg(10_000_000);
            let reply: Vec<i64> = invocation.invoke_async(&mut manager).await?;
            anyhow::Ok(reply[0] == 0)
        }
    };
    let one = ThrottleLayer::builder()
        .shared(buckets(server)?)
        .rule(tenants()?);
    let one = one.build()?;
    let two = ThrottleLayer::builder()
        .shared(buckets(server)?)
        .rule(tenants()?);
    let two = two
        .rule(Rule::new("everybody", Key::shared(), limit()?))
        .build()?;
    let lease = buckets(server)?.lease(200)?;
    let leased = ThrottleLayer::builder()
        .shared(lease.clone())
        .rule(Rule::new("leased", Key::header(TENANT), limit()?))
        .build()?;
    let ping = |_: usize| {
        let mut manager = manager.clone();
        async move {
            let reply: String = redis::cmd("PING").query_async(&mut manager).await?;
            anyhow::Ok(reply == "PONG")
        }
    };
    let mut least = [f64::MAX; 5];
    // They take turns, so that a slow second hits all of them. The first turn only warms up.
    for turn in 0..=TURNS {
        let seen = [
            micros(ping).await?,
            micros(bare).await?,
            micros(|index| decide(&one, index)).await?,
            micros(|index| decide(&two, index)).await?,
            micros(|index| decide(&leased, index % 4)).await?,
        ];
        if turn > 0 {
            for (least, seen) in least.iter_mut().zip(seen) {
                *least = least.min(seen);
            }
        }
    }
    let [ping, bare, one, two, local] = least;
    println!("| {IN_FLIGHT} in flight | µs a decision |\n|---|--:|");
    println!("| PING | {ping:.2} |");
    println!("| a script by hand, one bucket | {bare:.2} |");
    println!("| portcullis-throttle, one rule | {one:.2} |");
    println!("| portcullis-throttle, two rules | {two:.2} |");
    println!("| portcullis-throttle, leases of 200 | {local:.2} |");
    let decisions = ((TURNS + 1) * IN_FLIGHT * EACH) as f64;
    let asked = lease.asked() as f64 / decisions;
    println!("\n| goal | seen | met |\n|---|--:|---|");
    let word = |met| if met { "yes" } else { "**no**" };
    let ratio = one / bare;
    println!(
        "| ≤ 1.1 × the script by hand | {ratio:.2} × | {} |",
        word(ratio <= 1.1)
    );
    println!(
        "| ≤ 0.02 questions for a leased decision | {asked:.4} | {} |",
        word(asked <= 0.02)
    );
    Ok(())
}

fn limit() -> Result<Limit> {
    Ok(Limit::per_second(1_000_000.0, 10_000_000)?)
}

fn tenants() -> Result<Rule> {
    Ok(Rule::new("tenant", Key::header(TENANT), limit()?))
}

fn buckets(server: &Server) -> Result<SharedBuckets> {
    let redis = Redis::builder(server.url()).deadline(PATIENCE).build()?;
    Ok(SharedBuckets::new(redis, WhenAway::Closed)?.deadline(PATIENCE))
}

async fn decide(layer: &ThrottleLayer, index: usize) -> Result<bool> {
    let tenant = format!("tenant-{}", index % TENANTS);
    let request = Request::get("/").header(TENANT, tenant).body(())?;
    let hello = service_fn(async |_request: Request<()>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("hello")))
    });
    let answer = layer.layer(hello).oneshot(request).await?;
    Ok(answer.status() == 200)
}

/// The microseconds that each of many took, a stated number of them at a time.
async fn micros<F>(once: impl Fn(usize) -> F) -> Result<f64>
where
    F: Future<Output = Result<bool>>,
{
    let clock = SystemClock::new();
    let start = clock.now();
    let one_after_another = (0..IN_FLIGHT).map(|lane| {
        let once = &once;
        async move {
            for index in 0..EACH {
                if !once(lane * EACH + index).await? {
                    bail!("refused");
                }
                // A request of a real server has waited for its socket.
                tokio::task::yield_now().await;
            }
            Ok(())
        }
    });
    futures_util::future::try_join_all(one_after_another).await?;
    let passed = clock.now() - start;
    Ok(passed.as_secs_f64() * 1e6 / (IN_FLIGHT * EACH) as f64)
}

/// A `redis-server` on a free port, which ends with this value.
struct Server {
    process: Child,
    port: u16,
    folder: PathBuf,
}

impl Server {
    fn start() -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = env::temp_dir().join(format!("portcullis-benches-redis-{port}"));
        fs::create_dir_all(&folder)?;
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(&folder)
            .stdout(Stdio::null())
            .spawn()
            .context("redis-server is missing; on Debian: apt-get install redis-server")?;
        let server = Self {
            process,
            port,
            folder,
        };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(server);
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("redis-server does not answer");
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
