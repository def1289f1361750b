//! The layer round services: what passes, what does not change, and what happens over time.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use portcullis_core::{ApiKind, Rejection, RejectionKind};
use portcullis_cors::{Check, CorsLayer, CorsRules, CorsRulesBuilder};
use tokio::sync::oneshot;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_test::mock;

const APP: &str = "https://app.example";

fn builder() -> CorsRulesBuilder {
    CorsRules::builder().allow_origins([APP])
}

fn layer() -> CorsLayer {
    CorsLayer::new(builder().build().expect("the rules are good"))
}

fn request(origin: &str) -> Request<&'static str> {
    let request = Request::get("/path?query").header("origin", origin);
    request.body("request").expect("a request")
}

fn preflight(origin: &str) -> Request<&'static str> {
    let request = Request::options("/").header("origin", origin);
    let request = request.header("access-control-request-method", "PUT");
    request.body("").expect("a request")
}

async fn echo(request: Request<&'static str>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = StatusCode::ACCEPTED;
    response.extensions_mut().insert(head.uri);
    response.headers_mut().extend(head.headers);
    Ok(response)
}

#[tokio::test]
async fn a_request_passes_through_unchanged() {
    let response = layer()
        .layer(service_fn(echo))
        .oneshot(request(APP))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.headers()["origin"], APP);
    assert_eq!(response.headers().len(), 3, "{:?}", response.headers());
    assert_eq!(
        response.extensions().get::<http::Uri>().unwrap(),
        "/path?query"
    );
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "request"
    );
}

#[tokio::test]
async fn a_preflight_has_an_empty_body_and_no_other_headers() {
    let response = layer()
        .layer(service_fn(echo))
        .oneshot(preflight(APP))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(response.headers().len(), 2, "{:?}", response.headers());
    assert!(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
}

#[tokio::test]
async fn a_mirror_tells_what_is_asked_for() {
    let rules = builder()
        .mirror_methods()
        .mirror_headers()
        .allow_credentials(true);
    let layer = CorsLayer::new(rules.build().unwrap());
    let mut request = preflight(APP);
    let headers = request.headers_mut();
    headers.append(
        "access-control-request-headers",
        HeaderValue::from_static("x-a,authorization"),
    );
    let response = layer
        .layer(service_fn(echo))
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(response.headers()["access-control-allow-methods"], "PUT");
    assert_eq!(
        response.headers()["access-control-allow-headers"],
        "x-a,authorization"
    );
}

#[tokio::test]
async fn every_refusal_can_be_read_by_the_page() {
    for kind in RejectionKind::ALL {
        for api in [ApiKind::Rest, ApiKind::Http] {
            let service = layer().layer(service_fn(async |_: Request<&'static str>| {
                let refused = Rejection::new(*kind)
                    .for_api(api)
                    .into_response::<Full<Bytes>>();
                Ok::<_, Infallible>(refused)
            }));
            let response = service.oneshot(request(APP)).await.unwrap();
            let expected = Rejection::new(*kind).for_api(api);
            assert_eq!(response.status(), expected.status(), "{kind:?}");
            assert_eq!(
                response.headers()["access-control-allow-origin"],
                APP,
                "{kind:?}"
            );
            assert_eq!(response.headers()["vary"], "Origin", "{kind:?}");
            let kept = response
                .extensions()
                .get::<Rejection>()
                .expect("the rejection stays");
            assert_eq!(kept.kind(), *kind);
        }
    }
}

#[tokio::test]
async fn an_error_of_the_service_stays_what_it_is() {
    let failing = service_fn(async |_: Request<&'static str>| {
        Err::<Response<Full<Bytes>>, std::num::ParseIntError>("x".parse::<u8>().unwrap_err())
    });
    let error: std::num::ParseIntError = layer()
        .layer(failing)
        .oneshot(request(APP))
        .await
        .unwrap_err();
    assert_eq!(error, "x".parse::<u8>().unwrap_err());
}

#[tokio::test]
async fn back_pressure_passes() {
    let (mut service, mut handle) =
        mock::spawn_layer::<Request<&'static str>, Response<Full<Bytes>>, _>(layer());
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
}

#[tokio::test]
async fn all_services_of_a_layer_share_its_rules() {
    let layer = layer();
    let early = layer.layer(service_fn(echo));
    let clone = layer.clone().layer(service_fn(echo));
    layer.replace(
        CorsRules::builder()
            .allow_origins(["https://new.example"])
            .build()
            .unwrap(),
    );
    for service in [early.clone(), early, clone] {
        let old = service.clone().oneshot(request(APP)).await.unwrap();
        assert!(!old.headers().contains_key("access-control-allow-origin"));
        let new = service
            .oneshot(request("https://new.example"))
            .await
            .unwrap();
        assert!(new.headers().contains_key("access-control-allow-origin"));
    }
}

#[tokio::test]
async fn a_request_under_way_keeps_the_rules_that_it_came_under() {
    let layer = layer();
    let (release, released) = oneshot::channel::<()>();
    let mut released = Some(released);
    let mut service = layer.layer(service_fn(move |_: Request<&'static str>| {
        let released = released.take().expect("there is one call");
        async move {
            released.await.expect("it is released");
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    }));
    let answer = service.call(request(APP));
    let before = layer.rules().replace(CorsRules::builder().build().unwrap());
    drop(before);
    release.send(()).unwrap();
    let response = answer.await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], APP);
}

#[tokio::test]
async fn a_dropped_future_drops_the_call() {
    let (mut service, mut handle) = mock::pair::<Request<&'static str>, Response<Full<Bytes>>>();
    handle.allow(1);
    let mut cors = layer().layer(service.ready().await.unwrap().clone());
    let answer = cors.ready().await.unwrap().call(request(APP));
    drop(answer);
    let (_, respond) = handle.next_request().await.expect("the call was made");
    respond.send_response(Response::new(Full::default()));
}

struct Trailers(u8);

impl From<Bytes> for Trailers {
    fn from(_: Bytes) -> Self {
        Self(2)
    }
}

impl http_body::Body for Trailers {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0 += 1;
        Poll::Ready(match self.0 {
            1 => Some(Ok(Frame::data(Bytes::from_static(b"data")))),
            2 => {
                let mut trailers = HeaderMap::new();
                trailers.insert("x-sum", HeaderValue::from_static("42"));
                Some(Ok(Frame::trailers(trailers)))
            }
            _ => None,
        })
    }
}

#[tokio::test]
async fn trailers_pass() {
    let service = layer().layer(service_fn(async |_: Request<&'static str>| {
        Ok::<_, Infallible>(Response::new(Trailers(0)))
    }));
    let response = service.oneshot(request(APP)).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-sum"], "42");
    assert_eq!(body.to_bytes(), "data");
}

#[tokio::test]
async fn a_predicate_is_asked_besides_the_list() {
    let rules = builder().allow_origins_if(|origin| origin.as_bytes().ends_with(b":8080"));
    let layer = CorsLayer::new(rules.build().unwrap());
    for (origin, allowed) in [
        (APP, true),
        ("http://any:8080", true),
        ("http://any", false),
    ] {
        let response = layer
            .layer(service_fn(echo))
            .oneshot(request(origin))
            .await
            .unwrap();
        let told = response
            .headers()
            .contains_key("access-control-allow-origin");
        assert_eq!(told, allowed, "{origin}");
    }
}

#[tokio::test]
async fn an_asynchronous_predicate_decides_on_requests_and_preflights() {
    let rules = builder().allow_origins_if_async(async |origin| {
        tokio::task::yield_now().await;
        origin == "https://tenant.example"
    });
    let layer = CorsLayer::new(rules.build().unwrap());
    for (origin, allowed) in [
        (APP, true),
        ("https://tenant.example", true),
        ("null", false),
    ] {
        for (request, status) in [(request(origin), 202), (preflight(origin), 204)] {
            let response = layer
                .layer(service_fn(echo))
                .oneshot(request)
                .await
                .unwrap();
            assert_eq!(response.status(), status);
            let told = response
                .headers()
                .contains_key("access-control-allow-origin");
            assert_eq!(told, allowed, "{origin}");
        }
    }
}

#[tokio::test]
async fn the_service_works_while_an_asynchronous_predicate_is_asked() {
    let (worked, work) = oneshot::channel::<()>();
    let work = std::sync::Mutex::new(Some(work));
    let rules = CorsRules::builder().allow_origins_if_async(move |_| {
        let work = work.lock().unwrap().take().expect("it is asked once");
        async move { work.await.is_ok() }
    });
    let worked = std::sync::Mutex::new(Some(worked));
    let layer = CorsLayer::new(rules.build().unwrap());
    // The predicate waits for the service: one after the other, neither would end.
    let service = layer.layer(service_fn(async |_: Request<&'static str>| {
        let worked = worked.lock().unwrap().take().expect("it is called once");
        worked.send(()).expect("the predicate waits");
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let response = service.oneshot(request(APP)).await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], APP);
}

#[tokio::test]
async fn the_policy_works_without_the_layer() {
    let rules = builder().allow_origins_if_async(async |origin| origin == "https://t.example");
    let rules = rules.build().unwrap();
    let (head, _) = preflight(APP).into_parts();
    let Check::Answer(answer) = rules.check(&head.method, &head.headers) else {
        panic!("a known origin is decided at once");
    };
    assert_eq!(answer.into_response::<Full<Bytes>>().status(), 204);
    let (head, _) = request("https://t.example").into_parts();
    let Check::PassLater(grant) = rules.check(&head.method, &head.headers) else {
        panic!("an unknown origin is asked about");
    };
    let mut headers = HeaderMap::new();
    grant.await.decorate(&mut headers);
    assert_eq!(headers["access-control-allow-origin"], "https://t.example");
}

#[test]
fn the_types_can_be_shared_and_sent() {
    fn check<T: Send + Sync + Clone + 'static>(_: &T) {}
    fn sends<T: Send>(_: &T) {}
    let layer = layer();
    check(&layer);
    let mut service = layer.layer(service_fn(echo));
    check(&service);
    sends(&service.call(request(APP)));
}

#[tokio::test]
async fn a_call_reaches_the_service_once() {
    let (service, mut handle) = mock::spawn::<Request<()>, Response<Full<Bytes>>>();
    let request = Request::get("/").body(()).unwrap();
    let answer = tokio::spawn(layer().layer(service.into_inner()).oneshot(request));
    let (_, respond) = handle.next_request().await.unwrap();
    respond.send_response(Response::new(Full::default()));
    assert_eq!(answer.await.unwrap().unwrap().headers()["vary"], "Origin");
}
