//! Ids of requests, and the context that carries them.

use std::hint::black_box;

use http::{HeaderValue, Response};
use portcullis_core::{REQUEST_ID, RequestContext, RequestId};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_layer::Layer;

use super::surroundings::{Body, Hello, answer, bare, pet, request};
use crate::row::{Case, Goal, Who};

pub(super) fn cases() -> Vec<Case> {
    vec![value(), both_ways(), context()]
}

/// A new id, as the value of a header. The peer has no such function: its layer also puts it into the request.
fn value() -> Case {
    Case::new("request-id", "value")
        .row(Who::Bare, bare)
        .row(Who::Floor, || beside(by_hand))
        .row(Who::Portcullis, || {
            beside(|| RequestId::generate().to_header())
        })
        .row(Who::Peer("tower-http"), || {
            let uri = pet();
            let mut service = SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid).layer(Hello);
            move || answer(&mut service, request(&uri))
        })
        .goal(Goal::TimesPeerOverBare("tower-http", 0.25))
        .goal(Goal::AllocationsOverBare(2.0))
}

/// The same in the request to the service and in the answer to the client.
fn both_ways() -> Case {
    Case::new("request-id", "both-ways")
        .row(Who::Bare, bare)
        .row(Who::Floor, || {
            with_id(|| {
                let id = by_hand();
                (id.clone(), id)
            })
        })
        .row(Who::Portcullis, || {
            with_id(|| {
                let id = RequestId::generate();
                (id.to_header(), id.to_header())
            })
        })
        .row(Who::Peer("tower-http"), || {
            let uri = pet();
            let propagate = PropagateRequestIdLayer::new(REQUEST_ID);
            let set = SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid);
            let mut service = set.layer(propagate.layer(Hello));
            move || answer(&mut service, request(&uri))
        })
        .goal(Goal::TimesPeerOverBare("tower-http", 0.25))
        .goal(Goal::AllocationsOverBare(2.0))
}

/// The context of a request: the one extension of all layers.
fn context() -> Case {
    Case::new("request-id", "context")
        .row(Who::Bare, bare)
        .row(Who::Floor, || {
            let uri = pet();
            move || {
                let mut request = request(&uri);
                request.extensions_mut().insert(RequestId::generate());
                answer(&mut Hello, request)
            }
        })
        .row(Who::Portcullis, || {
            let uri = pet();
            move || {
                let mut request = request(&uri);
                RequestContext::of(&mut request);
                answer(&mut Hello, request)
            }
        })
}

/// Makes an id, throws it away, and calls the service.
fn beside(mut id: impl FnMut() -> HeaderValue) -> impl FnMut() -> Response<Body> {
    let uri = pet();
    move || {
        drop(black_box(id()));
        answer(&mut Hello, request(&uri))
    }
}

fn with_id(mut id: impl FnMut() -> (HeaderValue, HeaderValue)) -> impl FnMut() -> Response<Body> {
    let uri = pet();
    move || {
        let (there, back) = id();
        let mut request = request(&uri);
        request.headers_mut().insert(REQUEST_ID, there);
        let mut response = answer(&mut Hello, request);
        response.headers_mut().insert(REQUEST_ID, back);
        response
    }
}

/// 128 random bits as digits, with the formatting of the standard library.
fn by_hand() -> HeaderValue {
    let text = format!("{:032x}", fastrand::u128(..));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("-"))
}
