//! Failover: two backends behind one name. One dies under load, comes back, and no client sees an error.
//!
//! `cargo run --example upstream_pool` says who answered how often.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use http::Request;
use http_body_util::BodyExt;
use portcullis::client::{Balance, Ejection, HealthCheck, UpstreamPool};
use portcullis::core::Body;
use portcullis::{ApiSpec, Gateway};
use portcullis_examples::shown;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tower::ServiceExt;

/// A backend that says its name, until the sender is dropped: then it is gone in the middle of what it does.
struct Backend {
    address: SocketAddr,
    _alive: oneshot::Sender<()>,
}

impl Backend {
    async fn start(name: &'static str, address: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener: TcpListener = socket.listen(1024)?;
        let address = listener.local_addr()?;
        let app = Router::new()
            .route("/healthz", axum::routing::get(async || "well"))
            .route(
                "/pets",
                axum::routing::get(async move || {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    name
                }),
            );
        let (alive, dead) = oneshot::channel::<()>();
        // A runtime of its own, so that its connections die with it, as with a process.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let (Ok(runtime), Ok(listener)) = (runtime, listener.into_std()) else {
                return;
            };
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else {
                    return;
                };
                tokio::select! {
                    _ = axum::serve(listener, app) => {}
                    _ = dead => {}
                }
            });
        });
        Ok(Self {
            address,
            _alive: alive,
        })
    }
}

/// A thousand requests by eight clients: who answered, and how often.
async fn load(gateway: &Gateway) -> Result<BTreeMap<String, u32>, Box<dyn Error>> {
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let gateway = gateway.clone();
            tokio::spawn(async move {
                let mut seen = BTreeMap::new();
                for _ in 0..125 {
                    let request = Request::get("/prod/pets").body(Body::empty())?;
                    let response = gateway.clone().oneshot(request).await?;
                    let status = response.status();
                    let body = response.into_body().collect().await?.to_bytes();
                    let answer = format!("{status} {}", String::from_utf8_lossy(&body));
                    *seen.entry(answer).or_insert(0) += 1;
                }
                Ok::<_, Box<dyn Error + Send + Sync>>(seen)
            })
        })
        .collect();
    let mut total = BTreeMap::new();
    for client in clients {
        for (answer, count) in client.await?.map_err(|error| error.to_string())? {
            *total.entry(answer).or_insert(0) += count;
        }
    }
    Ok(total)
}

fn report(what: &str, seen: &BTreeMap<String, u32>) {
    println!("{what}:");
    for (answer, count) in seen {
        println!("{count:6} × {answer}");
    }
    assert_eq!(seen.values().sum::<u32>(), 1000, "all were answered");
    let well = seen.keys().all(|answer| answer.starts_with("200 "));
    assert!(well, "no client sees an error");
}

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let first = Backend::start("first", anywhere).await?;
    let second = Backend::start("second", anywhere).await?;

    let mut check = HealthCheck::new("/healthz");
    check.interval_in_millis = 100;
    check.healthy_threshold = 1;
    let mut ejection = Ejection::default();
    ejection.failures = 1;
    ejection.for_millis = 200;
    let pool = UpstreamPool::builder()
        .target(format!("http://{}", first.address))
        .target(format!("http://{}", second.address))
        .balance(Balance::LeastLoaded)
        .health_check(check)
        .ejection(ejection)
        .build()?;
    let document = json!({
        "openapi": "3.0.1",
        "info": { "title": "pets", "version": "1" },
        "paths": { "/pets": { "get": {
            "responses": { "200": { "description": "the pets" } },
            "x-amazon-apigateway-integration": {
                "type": "http_proxy", "httpMethod": "GET", "uri": "http://pets.example.com/pets"
            }
        } } }
    });
    let gateway = Gateway::builder()
        .api(ApiSpec::rest(document.to_string()).stage_named("prod"))
        .upstream("http://pets.example.com", pool)
        .build()?;

    report("both are there", &load(&gateway).await?);

    // It dies while requests are on their way to it.
    let address = first.address;
    let dying = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(30)).await;
        drop(first);
    });
    report("the first dies", &load(&gateway).await?);
    dying.await?;
    report("the first is gone", &load(&gateway).await?);

    let back = Backend::start("first", address).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let seen = load(&gateway).await?;
    report("the first is back", &seen);
    assert!(seen.contains_key("200 OK first"), "and has work again");
    drop((back, second));
    Ok(())
}
