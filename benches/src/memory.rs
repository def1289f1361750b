//! What a million clients take of memory, and what ten million invented ones do.
//!
//! Each figure is of a process of its own, so that nothing is measured in what another has left free.

use std::convert::Infallible;
use std::env;
use std::process::Command;

use anyhow::{Result, bail};
use http::{HeaderName, HeaderValue, Request};
use portcullis_throttle::{Buckets, Key, Limit, Rule, ThrottleLayer};
use tower_layer::Layer;
use tower_service::Service;

use crate::measure::{of_a_process, resident};
use crate::rows::surroundings::{Body, answer};
use crate::rows::throttle::{Answer, Hello, TENANT, peer};

const MILLION: usize = 1_000_000;
const FLOOD: usize = 10 * MILLION;

/// Measures all, and prints two tables.
pub(crate) fn run() -> Result<()> {
    println!("| a million keys of 27 bytes | resident bytes a key |\n|---|--:|");
    for kind in ["portcullis", "tower_governor"] {
        let figure = of_a_process(&["memory", kind])?;
        println!("| {kind} | {figure:.1} |");
    }
    let status = Command::new(env::current_exe()?)
        .args(["memory", "flood"])
        .status()?;
    if !status.success() {
        bail!("the flood has not passed");
    }
    Ok(())
}

/// Measures one, in this process.
pub(crate) fn of(kind: &str) -> Result<()> {
    match kind {
        "portcullis" => {
            // The tables of which the whole is made do not fill evenly.
            let buckets = Buckets::new(MILLION + MILLION / 4);
            fill(&mut layer(&buckets)?.layer(Hello))
        }
        "tower_governor" => fill(&mut peer(1)),
        "flood" => flood(),
        _ => bail!("there is no memory of {kind}"),
    }
}

fn layer(buckets: &Buckets) -> Result<ThrottleLayer> {
    let rule = Rule::new("tenant", Key::header(TENANT), Limit::per_hour(1.0, 1)?);
    Ok(ThrottleLayer::builder()
        .rule(rule)
        .buckets(buckets)
        .build()?)
}

fn fill<S>(service: &mut S) -> Result<()>
where
    S: Service<Request<Body>, Response = Answer, Error = Infallible>,
{
    status(service, 0)?;
    let before = resident()?;
    for index in 1..=MILLION {
        if status(service, index)? != 200 {
            bail!("client {index} was refused");
        }
    }
    println!("{}", (resident()? - before) / MILLION as f64);
    Ok(())
}

/// Ten million clients once each, with room for one million, and one among them who has spent what it had.
fn flood() -> Result<()> {
    let buckets = Buckets::new(MILLION);
    let mut service = layer(&buckets)?.layer(Hello);
    let before = resident()?;
    let (mut admitted, mut asked, mut refused) = (0, 0, 0);
    let victim = FLOOD + 1;
    if status(&mut service, victim)? != 200 {
        bail!("it has spent nothing yet");
    }
    for index in 0..FLOOD {
        admitted += usize::from(status(&mut service, index)? == 200);
        if index % 10_000 == 0 {
            asked += 1;
            refused += usize::from(status(&mut service, victim)? == 429);
        }
    }
    println!("\n| ten million keys, room for one million | |\n|---|--:|");
    println!("| keys kept | {} |", buckets.keys());
    println!(
        "| bytes of the tables, a key | {:.1} |",
        buckets.bytes() as f64 / buckets.keys() as f64
    );
    println!(
        "| resident MB more than before | {:.1} |",
        (resident()? - before) / 1e6
    );
    println!("| invented clients that were let in | {admitted} |");
    println!(
        "| decisions by the bucket that new keys shared | {} |",
        buckets.overflowed()
    );
    println!("| times that a client who had spent all was refused | {refused} of {asked} |");
    if refused != asked {
        bail!("a flood filled the bucket of a client who was being refused");
    }
    Ok(())
}

fn status<S>(service: &mut S, client: usize) -> Result<u16>
where
    S: Service<Request<Body>, Response = Answer, Error = Infallible>,
{
    const NAME: HeaderName = TENANT;
    let mut request = Request::new(Body::default());
    let tenant = HeaderValue::try_from(format!("tenant-{client:020}"))?;
    request.headers_mut().insert(NAME, tenant);
    Ok(answer(service, request).status().as_u16())
}
