//! A key among 100,000, each request with another one: what most of it costs is memory that is not in a cache.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::task::{Context, Poll};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use http::{HeaderName, HeaderValue, Request, Response};
use portcullis_auth::api_key::{ApiKey, ApiKeyLayer, MemoryKeys};
use portcullis_core::{ApiKeyId, CallerKey, RequestContext};
use tower_layer::Layer;
use tower_service::Service;

use super::surroundings::{Body, Hello, answer, pet, request};
use crate::row::{Case, Goal, Who};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const KEYS: usize = 100_000;

pub(super) fn cases() -> Vec<Case> {
    let case = Case::new("api-key", "100k")
        .row(Who::Bare, || keyed(Hello))
        .row(Who::Floor, || keyed(ByHand::over(Hello)))
        .row(Who::Portcullis, || {
            let keys = (0..KEYS).map(|index| ApiKey::new(format!("key-{index}"), &value(index)));
            keyed(ApiKeyLayer::new(MemoryKeys::new(keys)).layer(Hello))
        })
        .goal(Goal::TimesFloorInTime(1.5))
        .goal(Goal::AllocationsOverBare(0.0));
    vec![case]
}

/// Forty characters, as the service makes them.
fn value(index: usize) -> String {
    format!("{:040}", index * 7_919)
}

fn keyed<S>(mut service: S) -> impl FnMut() -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let uri = pet();
    let values: Vec<HeaderValue> = (0..KEYS)
        .map(|index| value(index).parse().expect("a header value"))
        .collect();
    let mut next = 0;
    move || {
        // A step that has no factor in common with their number visits all of them.
        next = (next + 61_803) % KEYS;
        let mut request = request(&uri);
        RequestContext::of(&mut request);
        let headers = request.headers_mut();
        headers.insert(X_API_KEY, values[next].clone());
        answer(&mut service, request)
    }
}

/// The floor: a header, a hash by the same library, a map, a comparison, and the fact in the context.
#[derive(Clone)]
struct ByHand<S> {
    inner: S,
    keys: Arc<HashMap<[u8; 32], ApiKeyId, BuildHasherDefault<Part>>>,
}

/// Takes the beginning of a hash for the hash.
#[derive(Default)]
struct Part(u64);

impl Hasher for Part {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }
}

impl<S> ByHand<S> {
    fn over(inner: S) -> Self {
        let keys = (0..KEYS).map(|index| (hash(value(index).as_bytes()), format!("key-{index}")));
        let keys = keys.map(|(hash, id)| (hash, ApiKeyId::new(id))).collect();
        Self {
            inner,
            keys: Arc::new(keys),
        }
    }
}

fn hash(value: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, value);
    digest.as_ref().try_into().expect("32 bytes")
}

impl<S> Service<Request<Body>> for ByHand<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Future,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        let value = request.headers().get(X_API_KEY).expect("it is there");
        let hash = hash(value.as_bytes());
        let (known, id) = self.keys.get_key_value(&hash).expect("it is known");
        assert!(verify_slices_are_equal(known, &hash).is_ok());
        let context = request.extensions().get::<RequestContext>();
        let key = CallerKey::new(id.clone()).with_value(value.clone());
        context.expect("it is there").set_api_key(key);
        self.inner.call(request)
    }
}
