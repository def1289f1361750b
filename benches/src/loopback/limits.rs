//! What is let in of ten times a limit: the answers that wrk counts beside what the limit allows.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::routing::get;
use http::StatusCode;
use portcullis_throttle::{ClientAddress, Limit, Rule, ThrottleLayer};
use tower::buffer::BufferLayer;
use tower::limit::RateLimitLayer;
use tower::{BoxError, ServiceBuilder};
use tower_governor::GovernorLayer;
use tower_governor::governor::GovernorConfigBuilder;

use super::{Server, server, starts};

const SECONDS: u32 = 10;

/// Measures all servers, and prints a table.
pub(crate) fn run() -> Result<()> {
    if !starts("wrk", "--version") {
        bail!("wrk is missing; on Debian: apt-get install wrk");
    }
    // How much more than the limit is sent is for wrk to say, which sends as fast as answers come.
    let pace = limited("nothing", 1, 1)?.wrk(3)?;
    let rate = (pace.requests / pace.seconds / 10.0) as u32;
    println!(
        "The limit: {rate} a second, burst {rate}, for each client. wrk sends for {SECONDS} s over one address.\n"
    );
    println!(
        "| on axum | requests | let in | rate × time + burst | difference | half answered within |"
    );
    println!("|---|--:|--:|--:|--:|--:|");
    for how in [
        "portcullis-throttle",
        "tower_governor",
        "tower RateLimitLayer",
    ] {
        let load = limited(how, rate, rate)?.wrk(SECONDS)?;
        let admitted = load.requests - load.others;
        let allowed = f64::from(rate) * load.seconds + f64::from(rate);
        println!(
            "| {how} | {} | {admitted} | {allowed:.0} | {:+.2} % | {} |",
            load.requests,
            (admitted / allowed - 1.0) * 100.0,
            load.median,
        );
    }
    Ok(())
}

fn limited(how: &str, rate: u32, burst: u32) -> Result<Server> {
    Server::ours("limited", &[how, &rate.to_string(), &burst.to_string()])
}

/// The same service under each of the limits.
pub(super) async fn serve(how: &str, rate: u32, burst: u32) -> Result<()> {
    let app = Router::new().route("/pets/{id}", get(async || "hello"));
    let app = match how {
        "nothing" => app,
        "portcullis-throttle" => {
            let client = ClientAddress::new().peer(|head| {
                let peer = head.extensions().get();
                peer.map(
                    |axum::extract::ConnectInfo(peer): &axum::extract::ConnectInfo<SocketAddr>| {
                        peer.ip()
                    },
                )
            });
            let limit = Limit::per_second(rate.into(), burst)?;
            app.layer(ThrottleLayer::new(Rule::new("per-client", client, limit)))
        }
        "tower_governor" => {
            let config = GovernorConfigBuilder::default()
                .period(Duration::from_secs(1) / rate)
                .burst_size(burst)
                .finish();
            app.layer(GovernorLayer::new(config.context("neither is zero")?))
        }
        // It cannot be cloned, so a queue stands before it; what waits there is not refused.
        "tower RateLimitLayer" => app.layer(
            ServiceBuilder::new()
                .layer(HandleErrorLayer::new(async |_: BoxError| {
                    StatusCode::INTERNAL_SERVER_ERROR
                }))
                .layer(BufferLayer::new(1024))
                .layer(RateLimitLayer::new(rate.into(), Duration::from_secs(1))),
        ),
        _ => bail!("no such limit: {how}"),
    };
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    server::end_with_starter();
    axum::serve(server::listener().await?, app).await?;
    Ok(())
}
