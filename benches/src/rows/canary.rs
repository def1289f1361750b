//! The choice between two versions: by chance, and by who asks.

use std::convert::Infallible;
use std::future::Future;
use std::hash::Hasher;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderName, HeaderValue, Request, Response};
use portcullis_canary::{Canary, CanaryLayer, Split, SplitBuilder, Sticky};
use tower::steer::Steer;
use tower::util::BoxService;
use tower_layer::Layer;
use tower_service::Service;

use super::surroundings::{Body, Hello, answer, bare, pet, request};
use crate::row::{Case, Goal, Who};

const USER: HeaderName = HeaderName::from_static("x-user");

pub(super) fn cases() -> Vec<Case> {
    vec![chance(), sticky()]
}

/// A random word and a comparison.
fn chance() -> Case {
    Case::new("canary", "chance")
        .row(Who::Bare, bare)
        .row(Who::Floor, || anonymous(ByHand { pick: by_chance }))
        .row(Who::Portcullis, || anonymous(split(Split::builder())))
        .row(Who::Peer("tower-steer"), || {
            anonymous(steer(|_| by_chance(&Request::new(()))))
        })
        .goal(Goal::OverBare(60.0))
        .goal(Goal::AllocationsOverBare(0.0))
}

/// A header, a hash and a comparison.
fn sticky() -> Case {
    Case::new("canary", "sticky")
        .row(Who::Bare, || of_user(Hello))
        .row(Who::Floor, || of_user(ByHand { pick: by_user }))
        .row(Who::Portcullis, || {
            of_user(split(Split::builder().sticky(Sticky::header(USER))))
        })
        .row(Who::Peer("tower-steer"), || of_user(steer(by_user)))
        .goal(Goal::OverBare(320.0))
        .goal(Goal::AllocationsOverBare(0.0))
}

fn split(builder: SplitBuilder) -> Canary<Hello, Hello> {
    let split = builder.variant("v2", 7.5).build().expect("a split");
    let layer = CanaryLayer::new(split, [("v2", Hello)]).expect("a layer");
    layer.layer(Hello)
}

fn anonymous<S>(mut service: S) -> impl FnMut() -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let uri = pet();
    move || answer(&mut service, request(&uri))
}

fn of_user<S>(mut service: S) -> impl FnMut() -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let uri = pet();
    move || {
        let mut request = request(&uri);
        let user = HeaderValue::from_static("user-4711");
        request.headers_mut().insert(USER, user);
        answer(&mut service, request)
    }
}

fn by_chance<B>(_request: &Request<B>) -> bool {
    fastrand::u32(..) < SHARE
}

fn by_user<B>(request: &Request<B>) -> bool {
    let Some(user) = request.headers().get(USER) else {
        return by_chance(request);
    };
    // FNV-1a, the shortest hash that is the same everywhere.
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    hasher.write(user.as_bytes());
    ((hasher.finish() >> 32) as u32) < SHARE
}

struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// 7.5 % of 32 bits.
const SHARE: u32 = (u32::MAX as u64 * 75 / 1000) as u32;

/// The floor: two services and the choice, without a handle, contexts or waits.
struct ByHand {
    pick: fn(&Request<Body>) -> bool,
}

impl Service<Request<Body>> for ByHand {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<<Hello as Service<Request<Body>>>::Future>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if (self.pick)(&request) {
            Either::Canary(Hello.call(request))
        } else {
            Either::Production(Hello.call(request))
        }
    }
}

enum Either<F> {
    Production(F),
    Canary(F),
}

impl<F: Future + Unpin> Future for Either<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.get_mut() {
            Self::Production(future) | Self::Canary(future) => Pin::new(future).poll(cx),
        }
    }
}

/// The peer, over services that are boxed, as those of two types must be.
fn steer(
    pick: impl Fn(&Request<Body>) -> bool + 'static,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible> {
    let boxed = || BoxService::new(Hello);
    let picker =
        move |request: &Request<Body>, _: &[BoxService<_, _, _>]| usize::from(pick(request));
    Steer::new([boxed(), boxed()], picker)
}
