//! What a million stored responses take of memory, beyond their keys and bodies.
//!
//! Each figure is of a process of its own, so that nothing is measured in what another has left free.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG, HOST};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use portcullis_cache::http::{HttpCacheLayer, HttpCacheRules};
use portcullis_cache::{CacheLayer, CacheRules, ResponseCache};
use tower_layer::Layer;
use tower_service::Service;

use crate::measure::{of_a_process, resident};
use crate::rows::surroundings::{Body, answer};

const MILLION: u64 = 1_000_000;
const BODY: [u8; 100] = [b'x'; 100];
const AUTHORITY: &str = "api.example.com";
const MOST: f64 = 350.0;

/// Measures all, and prints a table.
pub(crate) fn run() -> Result<()> {
    println!(
        "| a million responses of 4 headers | resident bytes beyond key and body | ≤ {MOST} |"
    );
    println!("|---|--:|---|");
    for kind in ["settings", "http"] {
        let figure = of_a_process(&["cache-memory", kind])?;
        let met = if figure <= MOST { "yes" } else { "**no**" };
        println!("| portcullis, {kind} | {figure:.1} | {met} |");
    }
    Ok(())
}

/// Measures one, in this process.
pub(crate) fn of(kind: &str) -> Result<()> {
    let cache = ResponseCache::in_memory(2 << 30);
    match kind {
        "settings" => {
            let rules = CacheRules::builder()
                .ttl(Duration::from_secs(3600))
                .build()?;
            fill(&cache, &mut CacheLayer::new(&cache, rules).layer(Pets))
        }
        "http" => {
            let layer = HttpCacheLayer::new(&cache, HttpCacheRules::default());
            fill(&cache, &mut layer.layer(Pets))
        }
        _ => bail!("there is no memory of {kind}"),
    }
}

fn fill<S>(cache: &ResponseCache, service: &mut S) -> Result<()>
where
    S: Service<Request<Body>, Error = Infallible>,
{
    // What is set up once is no entry's.
    ask(service, 0)?;
    let before = resident()?;
    let mut known = 0;
    for number in 1..=MILLION {
        known += ask(service, number)?;
    }
    let size = cache.stats().size;
    if size.entries != MILLION + 1 {
        bail!("it holds {} entries", size.entries);
    }
    // Each is served once, as an entry that is of use will be.
    for number in 1..=MILLION {
        ask(service, number)?;
    }
    if cache.stats().hits != MILLION {
        bail!("{} of them are served", cache.stats().hits);
    }
    println!("{}", (resident()? - before - known as f64) / MILLION as f64);
    Ok(())
}

/// Asks for one, and says how many bytes of key and body that is.
fn ask<S>(service: &mut S, number: u64) -> Result<usize>
where
    S: Service<Request<Body>, Error = Infallible>,
{
    let target = format!("/pets/{number:020}");
    let known = AUTHORITY.len() + target.len() + BODY.len();
    let mut request = Request::new(Body::default());
    *request.uri_mut() = Uri::try_from(target)?;
    let host = HeaderValue::from_static(AUTHORITY);
    request.headers_mut().insert(HOST, host);
    answer(service, request);
    Ok(known)
}

/// Answers each target with another tag.
#[derive(Clone, Copy, Debug)]
struct Pets;

impl Service<Request<Body>> for Pets {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let number = request.uri().path().rsplit('/').next();
        let tag = format!("\"{}\"", number.unwrap_or_default());
        let mut headers = HeaderMap::with_capacity(4);
        for (name, value) in [
            (CONTENT_TYPE, "application/json"),
            (CACHE_CONTROL, "public, max-age=86400"),
            (CONTENT_LANGUAGE, "en"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(ETAG, tag);
        }
        let mut response = Response::new(Body::from(Bytes::from_static(&BODY)));
        *response.headers_mut() = headers;
        ready(Ok(response))
    }
}
