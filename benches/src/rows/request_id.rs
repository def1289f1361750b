//! Ids of requests, and the context that carries them.

use std::fmt::Write as _;

use http::{HeaderValue, Response};
use portcullis_core::{REQUEST_ID, RequestContext, RequestId};
use tower_http::request_id::{MakeRequestUuid, SetRequestIdLayer};
use tower_layer::Layer;

use super::surroundings::{Body, Hello, answer, bare, pet, request};
use crate::row::{Case, Goal, Who};

pub(super) fn cases() -> Vec<Case> {
    vec![header(), context()]
}

/// A new id in a header of the request.
fn header() -> Case {
    Case::new("request-id", "header")
        .row(Who::Bare, bare)
        .row(Who::Floor, || {
            with_id(|| {
                let mut text = String::with_capacity(32);
                // Sixteen bytes of a seeded generator; a table of digits would be longer and hardly cheaper.
                let _ = write!(text, "{:032x}", fastrand::u128(..));
                HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("-"))
            })
        })
        .row(Who::Portcullis, || {
            with_id(|| RequestId::generate().to_header())
        })
        .row(Who::Peer("tower-http"), || {
            let uri = pet();
            let mut service = SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid).layer(Hello);
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

fn with_id(mut id: impl FnMut() -> HeaderValue) -> impl FnMut() -> Response<Body> {
    let uri = pet();
    move || {
        let mut request = request(&uri);
        request.headers_mut().insert(REQUEST_ID, id());
        answer(&mut Hello, request)
    }
}
