//! What a hit allocates.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{Request, Response};
use http_body_util::Full;
use portcullis_cache::{CacheLayer, CacheRules, ResponseCache};
use portcullis_core::{Body as CoreBody, RequestContext};
use tower::{Layer, Service, service_fn};

fn answer(_: Request<CoreBody>) -> Ready<Result<Response<Full<Bytes>>, Infallible>> {
    let response = Response::builder()
        .header(CONTENT_TYPE, "application/json")
        .header(ETAG, "\"1\"")
        .header(CACHE_CONTROL, "max-age=60")
        .header("x-own", "1")
        .body(Full::from(vec![b'x'; 1000]));
    ready(Ok(response.expect("a response")))
}

#[test]
fn a_hit_allocates_at_most_four_times() {
    let cache = ResponseCache::in_memory(1 << 20);
    let rules = CacheRules::builder().build().expect("the rules are good");
    let mut service = CacheLayer::new(&cache, rules).layer(service_fn(answer));
    let mut send = |request: Request<CoreBody>| {
        let mut future = pin!(service.call(request));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(future.as_mut().poll(&mut cx), Poll::Ready(Ok(_))));
    };
    let request = || {
        let mut request = Request::get("/pets?type=dog").header("host", "api.example");
        let headers = request.headers_mut().expect("headers");
        headers.insert("accept", "*/*".parse().expect("a value"));
        let mut request = request.body(CoreBody::empty()).expect("a request");
        let context = RequestContext::of(&mut request);
        // What a context sets up when it is first read is not the cache's.
        let _ = (context.identity(), context.release());
        request
    };
    // One to fill, and one to make the entry's memory shared.
    send(request());
    send(request());
    let request = request();
    let counted = measure(|| send(request)).count_total;
    assert!(counted <= 4, "{counted}");
    assert_eq!(cache.stats().hits, 2);
}
