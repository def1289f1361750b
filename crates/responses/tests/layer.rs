//! The layer in axum and in plain hyper, and what every layer promises.

use std::convert::Infallible;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use portcullis_core::{Rejection, RejectionKind, RequestContext};
use portcullis_responses::{GatewayResponses, ResponseConfig, ResponsesLayer};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, ServiceExt, service_fn};

fn table(status: u16) -> GatewayResponses {
    let config = ResponseConfig::new("DEFAULT_4XX")
        .status(status)
        .header("X-Where", "context.path")
        .template("text/plain", "no: $context.error.message");
    GatewayResponses::builder()
        .response(config)
        .build()
        .expect("it is fine")
}

fn refuse<B: From<Bytes>>() -> Response<B> {
    Rejection::new(RejectionKind::Throttled).into_response()
}

async fn text<B: http_body::Body<Data = Bytes>>(response: Response<B>) -> String
where
    B::Error: std::fmt::Debug,
{
    let bytes = response
        .into_body()
        .collect()
        .await
        .expect("a whole body")
        .to_bytes();
    String::from_utf8(bytes.to_vec()).expect("it is text")
}

#[tokio::test]
async fn in_axum_refusals_are_restyled_and_answers_are_not() {
    let app = Router::new()
        .route("/refused", get(async || refuse::<axum::body::Body>()))
        .route("/fine", get(async || "fine"))
        .layer(ResponsesLayer::new(table(418)));
    let request = |path: &str| {
        Request::get(path)
            .body(axum::body::Body::empty())
            .expect("a request")
    };

    let response = app
        .clone()
        .oneshot(request("/refused"))
        .await
        .expect("it answers");
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(response.headers()["x-where"], "/refused");
    assert!(response.extensions().get::<Rejection>().is_some());
    assert_eq!(text(response).await, "no: Too Many Requests");

    let response = app
        .clone()
        .oneshot(request("/fine"))
        .await
        .expect("it answers");
    assert_eq!(text(response).await, "fine");
    // No refusal, no restyling: a 404 of the router's own is not ours.
    let response = app.oneshot(request("/unknown")).await.expect("it answers");
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn in_hyper_the_restyled_answer_is_well_framed() -> Result<(), Box<dyn std::error::Error>> {
    let service = ResponsesLayer::new(table(420)).layer(service_fn(
        async |_request: Request<hyper::body::Incoming>| {
            Ok::<_, Infallible>(refuse::<Full<Bytes>>())
        },
    ));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client comes");
        let service = TowerToHyperService::new(service);
        let connection = hyper::server::conn::http1::Builder::new();
        // The client goes away at the end of the test.
        let _ = connection
            .serve_connection(TokioIo::new(stream), service)
            .await;
    });

    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut client, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let connection = tokio::spawn(connection);
    for (method, body) in [("GET", "no: Too Many Requests"), ("HEAD", "")] {
        let request = Request::builder()
            .method(method)
            .uri("/a")
            .header("host", "h");
        let response = client
            .send_request(request.body(Empty::<Bytes>::new())?)
            .await?;
        assert_eq!(response.status(), 420);
        assert_eq!(
            response.headers()["content-length"],
            body.len().to_string().as_str()
        );
        assert_eq!(text(response).await, body);
    }
    drop(client);
    connection.await??;
    server.await?;
    Ok(())
}

#[tokio::test]
async fn a_context_that_is_there_is_used_and_none_is_made_without_need() {
    let service = service_fn(async |request: Request<()>| {
        let made = request.extensions().get::<RequestContext>().is_some();
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(made.to_string())))
    });
    let idle = ResponsesLayer::new(GatewayResponses::default()).layer(service);
    let response = idle.oneshot(Request::new(())).await.expect("it answers");
    assert_eq!(text(response).await, "false");
    let busy = ResponsesLayer::new(table(400)).layer(service);
    let response = busy.oneshot(Request::new(())).await.expect("it answers");
    assert_eq!(text(response).await, "true");
}

#[tokio::test]
async fn a_request_keeps_the_table_that_it_began_with() {
    let layer = ResponsesLayer::new(table(420));
    let handle = layer.responses().clone();
    let service = layer.layer(service_fn(move |_request: Request<()>| {
        let handle = handle.clone();
        async move {
            handle.replace(table(430));
            Ok::<_, Infallible>(refuse::<Full<Bytes>>())
        }
    }));
    let first = service
        .clone()
        .oneshot(Request::new(()))
        .await
        .expect("it answers");
    assert_eq!(first.status(), 420);
    let second = service.oneshot(Request::new(())).await.expect("it answers");
    assert_eq!(second.status(), 430);
}

#[tokio::test]
async fn errors_of_the_service_pass() {
    let failing =
        service_fn(async |_request: Request<()>| Err::<Response<Full<Bytes>>, _>("broken"));
    let service = ResponsesLayer::new(table(400)).layer(failing);
    assert_eq!(
        service.oneshot(Request::new(())).await.err(),
        Some("broken")
    );
}

#[test]
fn the_layer_can_go_anywhere() {
    fn check<T: Send + Sync + Clone + std::fmt::Debug + 'static>() {}
    check::<ResponsesLayer>();
    check::<portcullis_responses::Responses<()>>();
}
