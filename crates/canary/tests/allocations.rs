//! What a choice allocates: nothing, unless a client is to get a cookie or a ramp measures the request.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use portcullis_canary::{
    CanaryLayer, Forced, SigningKey, Split, SplitBuilder, Sticky, StickyCookie,
};
use portcullis_core::RequestContext;
use tower::{Layer, Service, service_fn};

fn answer(_: Request<()>) -> Ready<Result<Response<()>, Infallible>> {
    ready(Ok(Response::new(())))
}

/// The allocations of one request by a split, and how often its answer sets a cookie.
fn allocations(split: SplitBuilder, request: Request<()>) -> u64 {
    let split = split.build().expect("a split");
    let layer = CanaryLayer::new(split, [("v2", service_fn(answer))]).expect("a layer");
    let mut service = layer.layer(service_fn(answer));
    // The generator of a thread sets itself up when it is first asked.
    let _ = fastrand::u64(..);
    let counts = measure(|| {
        let mut future = pin!(service.call(request));
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(_))));
    });
    counts.count_total
}

fn request(name: HeaderName, value: &'static str) -> Request<()> {
    let mut request = Request::new(());
    let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
    *request.headers_mut() = headers;
    request
}

#[test]
fn a_choice_by_chance_allocates_nothing() {
    for percent in [0.0, 50.0, 100.0] {
        let split = Split::builder().variant("v2", percent);
        assert_eq!(allocations(split, Request::new(())), 0);
    }
}

#[test]
fn telling_the_context_allocates_nothing() {
    let mut request = Request::new(());
    RequestContext::of(&mut request);
    assert_eq!(
        allocations(Split::builder().variant("v2", 50.0), request),
        0
    );
}

#[test]
fn a_sticky_choice_allocates_nothing() {
    let user = HeaderName::from_static("x-user");
    let split = Split::builder()
        .variant("v2", 50.0)
        .sticky(Sticky::header(user.clone()));
    assert_eq!(allocations(split, request(user, "user-1")), 0);
    let split = Split::builder()
        .variant("v2", 50.0)
        .sticky(Sticky::cookie("session"));
    assert_eq!(
        allocations(split, request(header::COOKIE, "a=b; session=1")),
        0
    );
    let key = SigningKey::new([7; 32]).expect("a key");
    let own = StickyCookie::new("release").signed(key.clone());
    let value = own_value(&own);
    let split = Split::builder()
        .variant("v2", 50.0)
        .sticky(Sticky::own_cookie(own));
    assert_eq!(allocations(split, request(header::COOKIE, value)), 0);
    let forced = Forced::cookie("release").signed(key);
    let split = Split::builder().variant("v2", 50.0).forced(forced);
    assert_eq!(
        allocations(split, request(header::COOKIE, "release=v2.1.00")),
        0
    );
}

/// The cookie that a client gets.
fn own_value(own: &StickyCookie) -> &'static str {
    let sticky = Sticky::own_cookie(own.clone());
    let split = Split::builder()
        .variant("v2", 50.0)
        .sticky(sticky)
        .build()
        .expect("a split");
    let mut headers = HeaderMap::new();
    split.begin(&mut Request::new(())).decorate(&mut headers);
    let line = headers[header::SET_COOKIE]
        .to_str()
        .expect("text")
        .to_owned();
    line.leak().split(';').next().unwrap_or_default()
}
