//! The layer in axum and in plain hyper, and what every layer promises.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::OriginalUri;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use portcullis_core::{ApiKind, ApiStage, Rejection, RequestContext};
use portcullis_stages::{Api, Domain, Fallback, Resolver, StageVariables, Stages, StagesLayer};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, ServiceExt, service_fn};

fn resolver(stage: &str) -> Resolver<Arc<ApiStage>> {
    let variables = StageVariables::new([("color", "blue")]).expect("it is fine");
    Resolver::builder("eu-west-1")
        .api(Api::new("rest1", ApiKind::Rest).plain_stage(stage, variables.clone()))
        .api(
            Api::new("http1", ApiKind::Http)
                .plain_stage("dev", variables)
                .host("http.test"),
        )
        .domain(
            Domain::new("deep.test")
                .map("orders", "rest1", stage)
                .map("a/b", "rest1", stage),
        )
        .fallback(Fallback::Api("rest1".into()))
        .build()
        .expect("it is fine")
}

/// Answers with what the layer found.
fn report<B>(mut request: Request<B>) -> String {
    let context = RequestContext::of(&mut request).clone();
    let stage = context.stage().expect("the layer found a stage");
    let base_path = context.get("customDomain.basePathMatched");
    let (api, name, color) = (&stage.api_id, &stage.stage, &stage.variables["color"]);
    let (new, old) = (request.uri(), context.uri());
    format!("{api} {name} {color} {base_path:?} {new} {old}")
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

async fn ask(
    service: Stages<
        impl Clone + tower::Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible>,
    >,
    host: &str,
    uri: &str,
) -> Response<Full<Bytes>> {
    let request = Request::get(uri)
        .header("host", host)
        .body(())
        .expect("it is a request");
    match service.oneshot(request).await {
        Ok(response) => response,
    }
}

fn reporting() -> Stages<
    impl Clone + tower::Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible>,
> {
    StagesLayer::new(resolver("prod")).layer(service_fn(async |request: Request<()>| {
        Ok::<_, Infallible>(Response::new(Full::from(report(request))))
    }))
}

#[tokio::test]
async fn the_path_below_the_stage_goes_on_and_the_context_keeps_the_whole() {
    let service = reporting();
    for (host, uri, expected) in [
        (
            "localhost:80",
            "/prod/pets?a=b",
            "rest1 prod blue None /pets?a=b /prod/pets?a=b",
        ),
        ("localhost", "/prod?a", "rest1 prod blue None /?a /prod?a"),
        ("http.test", "/dev/x", "http1 dev blue None /x /dev/x"),
        (
            "deep.test",
            "/a/b/c%2Fd",
            r#"rest1 prod blue Some(String("a/b")) /c%2Fd /a/b/c%2Fd"#,
        ),
        (
            "deep.test",
            "/ordersandmore",
            r#"rest1 prod blue Some(String("orders")) /andmore /ordersandmore"#,
        ),
        (
            "x",
            "http://http.test/dev/x",
            "http1 dev blue None http://http.test/x http://http.test/dev/x",
        ),
    ] {
        assert_eq!(
            text(ask(service.clone(), host, uri).await).await,
            expected,
            "{host} {uri}"
        );
    }
}

#[tokio::test]
async fn an_unknown_stage_is_refused_as_its_kind_of_api_refuses() {
    for (host, uri, status, body) in [
        ("localhost", "/x", 403, r#"{"message":"Forbidden"}"#),
        ("http.test", "/x", 404, r#"{"message":"Not Found"}"#),
        ("deep.test", "/x", 403, r#"{"message":"Forbidden"}"#),
    ] {
        let response = ask(reporting(), host, uri).await;
        assert_eq!(response.status(), status, "{host} {uri}");
        assert!(response.extensions().get::<Rejection>().is_some());
        assert_eq!(text(response).await, body);
    }
}

#[tokio::test]
async fn a_replaced_resolver_serves_the_next_request() {
    let layer = StagesLayer::new(resolver("prod"));
    let service = layer.layer(service_fn(async |request: Request<()>| {
        Ok::<_, Infallible>(Response::new(Full::from(report(request))))
    }));
    assert_eq!(
        ask(service.clone(), "localhost", "/blue").await.status(),
        403
    );
    layer.resolver().replace(resolver("blue"));
    assert_eq!(ask(service, "localhost", "/blue").await.status(), 200);
}

#[tokio::test]
async fn in_axum_it_stands_outside_the_router() {
    let router = Router::new()
        .route(
            "/pets",
            get(async |OriginalUri(uri): OriginalUri| uri.to_string()),
        )
        .route("/prod/pets", get(async || "not here"));
    let app = StagesLayer::new(resolver("prod")).layer(router);
    let request = |path: &str| {
        Request::get(path)
            .body(axum::body::Body::empty())
            .expect("a request")
    };
    let response = app
        .clone()
        .oneshot(request("/prod/pets"))
        .await
        .expect("it answers");
    assert_eq!(text(response).await, "/pets");
    let response = app.oneshot(request("/pets")).await.expect("it answers");
    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn in_hyper_the_host_header_decides() -> Result<(), Box<dyn std::error::Error>> {
    let service = StagesLayer::new(resolver("prod")).layer(service_fn(
        async |request: Request<hyper::body::Incoming>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(report(request))))
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
    for (host, path, status) in [
        (
            "rest1.execute-api.eu-west-1.amazonaws.com",
            "//prod//pets",
            200,
        ),
        ("HTTP.test:8080", "/dev/pets", 200),
        ("http.test", "/prod/pets", 404),
    ] {
        let request = Request::get(path)
            .header("host", host)
            .body(Empty::<Bytes>::new())?;
        let response = client.send_request(request).await?;
        assert_eq!(response.status(), status, "{host}{path}");
        text(response).await;
    }
    drop(client);
    connection.await??;
    server.await?;
    Ok(())
}

#[tokio::test]
async fn errors_of_the_service_pass() {
    let failing =
        service_fn(async |_request: Request<()>| Err::<Response<Full<Bytes>>, _>("broken"));
    let service = StagesLayer::new(resolver("prod")).layer(failing);
    let request = Request::get("/prod").body(()).expect("it is a request");
    assert_eq!(service.oneshot(request).await.err(), Some("broken"));
}

#[test]
fn the_layer_can_go_anywhere() {
    fn check<T: Send + Sync + Clone + std::fmt::Debug + 'static>() {}
    check::<StagesLayer>();
    check::<Stages<()>>();
}
