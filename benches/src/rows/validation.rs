//! Request validation: what it costs beyond parsing the body.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use portcullis::integrations::{Model, ValidationLayer, Validator};
use serde_json::{Value, json};
use tower_layer::Layer;
use tower_service::Service;

use super::surroundings::{Body, Hello, answer, pet, request_with};
use crate::row::{Case, Goal, Who};

pub(super) fn cases() -> Vec<Case> {
    vec![order(), parameters()]
}

/// An order of four pets against a model with types, lengths, a pattern and choices.
fn order() -> Case {
    Case::new("validation", "order")
        .row(Who::Bare, || ordered(Hello))
        .row(Who::Floor, || ordered(Parse { inner: Hello }))
        .row(Who::Portcullis, || {
            let model = Model::new("Order", schema()).expect("the schema is one");
            let validator = Validator::builder().model("application/json", model);
            ordered(ValidationLayer::new(validator.build().expect("one model")).layer(Hello))
        })
        .goal(Goal::TimesFloorOverBare(1.2))
}

/// A required header and nothing to read.
fn parameters() -> Case {
    Case::new("validation", "parameters")
        .row(Who::Bare, || ordered(Hello))
        .row(Who::Portcullis, || {
            let validator = Validator::builder().require("method.request.header.user-agent");
            ordered(ValidationLayer::new(validator.build().expect("a header")).layer(Hello))
        })
        .goal(Goal::AllocationsOverBare(0.0))
}

fn ordered<S>(mut service: S) -> impl FnMut() -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let uri = pet();
    let order = Bytes::from(body().to_string());
    move || {
        let mut request = request_with(Method::POST, &uri);
        *request.body_mut() = Full::new(order.clone());
        answer(&mut service, request)
    }
}

/// About 750 bytes.
fn body() -> Value {
    let pet = |name: &str, kind: &str, price: f64| {
        json!({
            "id": 173_521, "name": name, "kind": kind, "price": price,
            "tags": ["house-trained", "friendly", "vaccinated"],
            "owner": { "name": "Ada Lovelace", "email": "ada@example.com", "city": "London" }
        })
    };
    json!({
        "orderId": "3f1c2a9e-5b7d",
        "pets": [pet("Rex", "dog", 129.5), pet("Tom", "cat", 80.0), pet("Bubbles", "fish", 3.25), pet("Lassie", "dog", 999.0)]
    })
}

fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["orderId", "pets"],
        "additionalProperties": false,
        "properties": {
            "orderId": { "type": "string", "pattern": "^[0-9a-f-]{8,40}$" },
            "pets": { "type": "array", "minItems": 1, "items": {
                "type": "object",
                "required": ["id", "name", "kind", "price"],
                "properties": {
                    "id": { "type": "integer", "minimum": 1 },
                    "name": { "type": "string", "minLength": 1, "maxLength": 64 },
                    "kind": { "type": "string", "enum": ["dog", "cat", "fish"] },
                    "price": { "type": "number", "minimum": 0 },
                    "tags": { "type": "array", "items": { "type": "string" } },
                    "owner": { "type": "object", "required": ["name"], "properties": {
                        "name": { "type": "string" }, "email": { "type": "string", "format": "email" }, "city": { "type": "string" }
                    } }
                }
            } }
        }
    })
}

/// The floor: the body becomes a tree, and nobody looks at it.
#[derive(Clone, Debug)]
struct Parse<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Parse<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        let bytes = bytes_of(&request);
        let value: Value = serde_json::from_slice(&bytes).expect("the body is JSON");
        std::hint::black_box(&value);
        self.inner.call(request)
    }
}

/// What is in a body in memory.
fn bytes_of(request: &Request<Body>) -> Bytes {
    let mut body = request.body().clone();
    let frame = std::pin::Pin::new(&mut body);
    match http_body::Body::poll_frame(frame, &mut Context::from_waker(std::task::Waker::noop())) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        _ => Bytes::new(),
    }
}
