//! What a request costs in allocations; more than stated here is a regression.

use std::convert::Infallible;
use std::task::{Context, Poll, Waker};
use std::{future::Future, pin::pin};

use allocation_counter::measure;
use http::{Request, Response};
use portcullis::core::Body;
use portcullis::{ApiSpec, Gateway};
use serde_json::json;
use tower::{Service, service_fn};

fn gateway() -> Gateway {
    let document = json!({ "openapi": "3.0.1", "info": { "title": "t", "version": "1" }, "paths": {
        "/pets/{id}": { "get": {
            "responses": { "200": { "description": "200 response" } },
            "x-amazon-apigateway-integration": {
                "type": "mock",
                "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
                "responses": { "default": { "statusCode": "200", "responseTemplates": { "application/json": "{}" } } }
            }
        } }
    } });
    let api = ApiSpec::rest(document.to_string())
        .id("a")
        .stage_named("prod");
    Gateway::builder()
        .api(api)
        .build()
        .expect("a good definition")
}

fn request() -> Request<Body> {
    Request::get("/prod/pets/7")
        .header("host", "api.example.com")
        .header("user-agent", "test")
        .body(Body::empty())
        .expect("a request")
}

/// The allocations of one call, the request's own not counted. The future must be ready at once.
fn allocations<S>(service: &mut S) -> u64
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let mut call = |request: Request<Body>| {
        let response = match pin!(service.call(request)).poll(&mut cx) {
            Poll::Ready(Ok(response)) => response,
            Poll::Pending => panic!("a mock answers at once"),
        };
        assert_eq!(response.status(), 200);
    };
    // What is made once per thread is not part of a request's cost.
    call(request());
    let request = request();
    measure(|| call(request)).count_total
}

#[test]
fn a_mock_route_costs_at_most_eight_allocations_more_than_a_bare_answer() {
    let mut bare = service_fn(|_request: Request<Body>| {
        let response = Response::builder()
            .header("content-type", "application/json")
            .body(Body::from("{}"));
        std::future::ready(Ok::<_, Infallible>(response.expect("a response")))
    });
    let bare = allocations(&mut bare);
    let composed = allocations(&mut gateway());
    assert!(
        composed <= bare + 8,
        "{composed} allocations, {bare} of them the bare answer's"
    );
    eprintln!("bare {bare}, composed {composed}");
}
