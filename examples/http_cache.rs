//! A cache by RFC 9111, before an axum app or before any other origin.
//!
//! `cargo run --example http_cache`, then
//!
//! ```text
//! curl -i localhost:3000/time                              # cache-status: Portcullis; fwd=uri-miss; stored
//! curl -i localhost:3000/time                              # cache-status: Portcullis; hit; ttl=9, and the same time
//! curl -i localhost:3000/time -H 'cache-control: no-cache' # fwd=request: the client insists
//! curl -i localhost:3000/time -r 0-3                       # 206, cut out of what is stored
//! curl -i localhost:3000/hello -H 'accept-language: de'    # a response for each language
//! curl -i localhost:3000/time -X POST                      # whoever changes something ...
//! curl -i localhost:3000/time                              # ... makes what is stored invalid
//! ```
//!
//! `cargo run --example http_cache http://localhost:8000` stands before that origin instead. `CACHE_RULES` takes rules as a file would have them:
//! `CACHE_RULES='{"staleWhenDisconnected": 60}'`. `LISTEN` is another address.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::SystemTime;

use axum::Router;
use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::routing::get;
use http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, ETAG, VARY};
use http::{HeaderMap, Request, StatusCode, Uri};
use portcullis::cache::ResponseCache;
use portcullis::cache::http::{HttpCacheConfig, HttpCacheLayer, HttpCacheRules};
use portcullis::client::{Client, ClientError};
use portcullis::core::{Clock, SystemClock};
use portcullis_examples::{listener, shown};
use tower::{ServiceBuilder, service_fn};

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let cache = ResponseCache::in_memory(256 * 1024 * 1024);
    let layer = HttpCacheLayer::new(&cache, rules()?);
    let app = match env::args().nth(1) {
        None => app().layer(layer),
        Some(origin) => before(&origin, layer)?,
    };
    let listener = listener("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

fn rules() -> Result<HttpCacheRules, Box<dyn Error>> {
    let Ok(text) = env::var("CACHE_RULES") else {
        return Ok(HttpCacheRules::default());
    };
    let config: HttpCacheConfig =
        serde_json::from_str(&text).map_err(|error| format!("CACHE_RULES: {error}"))?;
    let rules = HttpCacheRules::try_from(config);
    rules.map_err(|error| format!("CACHE_RULES: {error}").into())
}

fn app() -> Router {
    Router::new()
        .route("/time", get(time).post(async || "set\n"))
        .route("/hello", get(hello))
}

/// Fresh for ten seconds; for ten more it is served while the next one is fetched.
async fn time() -> Result<([(http::HeaderName, String); 2], String), StatusCode> {
    let since = SystemClock::new()
        .wall()
        .duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?
        .as_secs();
    let headers = [
        (
            CACHE_CONTROL,
            "max-age=10, stale-while-revalidate=10".to_owned(),
        ),
        (ETAG, format!("\"{seconds}\"")),
    ];
    Ok((headers, format!("{seconds} seconds after 1970\n")))
}

async fn hello(headers: HeaderMap) -> ([(http::HeaderName, &'static str); 2], &'static str) {
    let german = headers
        .get(ACCEPT_LANGUAGE)
        .is_some_and(|value| value.as_bytes().starts_with(b"de"));
    let text = if german { "Guten Tag\n" } else { "Good day\n" };
    (
        [(CACHE_CONTROL, "max-age=60"), (VARY, "Accept-Language")],
        text,
    )
}

/// The cache before another origin.
fn before(origin: &str, layer: HttpCacheLayer) -> Result<Router, Box<dyn Error>> {
    let client = Client::builder().build()?;
    let parts = origin.parse().map(Uri::into_parts).unwrap_or_default();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
        let fault = format!("`{origin}` is no origin: give it as in http://localhost:8000");
        return Err(fault.into());
    };
    let proxy = service_fn(move |mut request: Request<Body>| {
        let client = client.clone();
        let mut parts = request.uri().clone().into_parts();
        parts.scheme = Some(scheme.clone());
        parts.authority = Some(authority.clone());
        async move {
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
            client.send(request.map(portcullis::core::Body::new)).await
        }
    });
    // Errors come through the cache, which may have something to serve in their place.
    let service = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(async |error: ClientError| {
            (StatusCode::BAD_GATEWAY, format!("{error}\n"))
        }))
        .layer(layer)
        .service(proxy);
    Ok(Router::new().fallback_service(service))
}
