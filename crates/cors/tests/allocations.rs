//! What the layer allocates by itself: nothing, but for the headers of preflights.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use bytes::Bytes;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::Full;
use portcullis_cors::{CorsLayer, CorsRules};
use tower::{Layer, Service, service_fn};

type Answer = Result<Response<Full<Bytes>>, Infallible>;

fn answer(_: Request<()>) -> Ready<Answer> {
    let mut response = Response::new(Full::default());
    *response.headers_mut() = HeaderMap::with_capacity(6);
    ready(Ok(response))
}

/// The allocations of one request whose answer is ready at once, from the call until the answer is dropped.
fn allocations<S>(mut service: S, request: Request<()>) -> u64
where
    S: Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible>,
{
    // The first load of rules in a thread sets up the thread's own record of what it reads.
    drop(portcullis_core::Live::new(()).load());
    let counts = measure(|| {
        let mut future = pin!(service.call(request));
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(_))));
    });
    counts.count_total
}

fn layer() -> CorsLayer {
    let rules = CorsRules::builder()
        .allow_origins(["https://app.example", "https://*.sub.example"])
        .allow_methods(["PUT", "DELETE"])
        .allow_headers(["x-a", "x-b"])
        .expose_headers(["x-c"])
        .max_age_seconds(600)
        .allow_credentials(true);
    CorsLayer::new(rules.build().expect("the rules are good"))
}

fn request(method: Method, origin: Option<&str>) -> Request<()> {
    let mut request = Request::new(());
    if let Some(origin) = origin {
        // A server's header values are parts of its buffer; such are shared, and their clones allocate nothing.
        let buffer = Bytes::from(format!("Origin: {origin}"));
        let value = HeaderValue::from_maybe_shared(buffer.slice(8..)).expect("a value");
        drop(value.clone());
        request.headers_mut().insert(ORIGIN, value);
    }
    if method == Method::OPTIONS {
        let put = HeaderValue::from_static("PUT");
        request
            .headers_mut()
            .insert(ACCESS_CONTROL_REQUEST_METHOD, put);
    }
    *request.method_mut() = method;
    request
}

#[test]
fn real_requests_cost_no_allocation() {
    for origin in [
        None,
        Some("https://app.example"),
        Some("https://a.sub.example"),
        Some("https://evil.example"),
    ] {
        let bare = allocations(service_fn(answer), request(Method::GET, origin));
        let layered = allocations(
            layer().layer(service_fn(answer)),
            request(Method::GET, origin),
        );
        assert_eq!(layered, bare, "{origin:?}");
    }
}

#[test]
fn a_preflight_costs_at_most_three_allocations() {
    for origin in ["https://app.example", "https://evil.example"] {
        let counted = allocations(
            layer().layer(service_fn(answer)),
            request(Method::OPTIONS, Some(origin)),
        );
        assert!(counted <= 3, "{origin}: {counted}");
    }
}
