//! `HTTP_PROXY`: what reaches the endpoint, and what comes back.

use http::{HeaderValue, Response};
use portcullis_core::ApiKind;
use portcullis_integrations::{HttpProxy, IntegrationKind};
use portcullis_testkit::{HyperServer, Recorder, request as testkit};
use tower::ServiceExt;

use crate::support::{client, compile, config, in_gateway, names, pairs, request};

#[tokio::test]
async fn a_request_arrives_as_it_was_sent_and_so_does_its_answer() {
    let backend = Recorder::new(|_| testkit::answer(418, "short and stout"));
    let server = HyperServer::start(backend.clone()).await;
    let proxy = HttpProxy::new(client(), &server.url("/v1/{proxy}")).expect("an address");
    let pets = request("PUT", "/pets/a%2Fb?x=%7c|&x=2&flag", "a body");
    let response = proxy.oneshot(pets).await.expect("infallible");
    assert_eq!(response.status(), 418);
    assert_eq!(testkit::text(response).await, "short and stout");
    let got = backend.only();
    assert_eq!(got.method, "PUT");
    assert_eq!(got.uri, "/v1/pets/a%2Fb?x=%7c|&x=2&flag");
    assert_eq!(got.text(), "a body");
    assert_eq!(got.header("content-length"), Some("6"));
    assert_eq!(
        got.header("host"),
        Some(&*server.addr().to_string()),
        "the endpoint's own"
    );
}

#[tokio::test]
async fn a_rest_api_tells_who_calls_and_drops_what_is_not_the_endpoints() {
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    let mut config = config(IntegrationKind::HttpProxy, ApiKind::Rest, &server.url("/"));
    config.method = Some("POST".into());
    let mut get = in_gateway(request("GET", "/x", ""), ApiKind::Rest, "/x");
    for (name, value) in [
        ("accept", "application/json"),
        ("authorization", "Bearer token"),
        ("connection", "close, x-hop"),
        ("content-encoding", "deflate"),
        ("content-md5", "x"),
        ("expect", "100-continue"),
        ("max-forwards", "2"),
        ("proxy-authenticate", "Basic"),
        ("server", "x"),
        ("te", "deflate"),
        ("trailer", "expires"),
        ("upgrade", "websocket"),
        ("via", "1.1 x"),
        ("www-authenticate", "Basic"),
        ("x-amzn-apigateway-api-id", "forged"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-hop", "1"),
    ] {
        get.headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    compile(&config).oneshot(get).await.expect("infallible");
    let got = backend.only();
    assert_eq!(got.method, "POST");
    assert_eq!(
        names(&got.headers),
        [
            "accept",
            "authorization",
            "content-length",
            "host",
            "x-amzn-apigateway-api-id",
            "x-amzn-trace-id",
            "x-forwarded-for",
            "x-forwarded-port",
            "x-forwarded-proto",
        ]
    );
    assert_eq!(got.header("content-length"), Some("0"));
    assert_eq!(got.header("x-amzn-apigateway-api-id"), Some("abc"));
    assert_eq!(got.header("x-forwarded-for"), Some("10.0.0.1, 192.0.2.9"));
    assert_eq!(got.header("x-forwarded-proto"), Some("https"));
    assert_eq!(got.header("x-forwarded-port"), Some("443"));
}

#[tokio::test]
async fn an_http_api_says_forwarded_and_adds_nothing_of_its_own() {
    let backend = Recorder::new(|_| {
        let mut response = testkit::answer(200, "");
        let server = HeaderValue::from_static("own");
        response.headers_mut().insert("server", server);
        response
    });
    let server = HyperServer::start(backend.clone()).await;
    let uri = server.url("/v1/{proxy}");
    let proxy = compile(&config(IntegrationKind::HttpProxy, ApiKind::Http, &uri));
    let mut get = request("GET", "/pets/7", "");
    get.headers_mut()
        .insert("via", HeaderValue::from_static("1.1 x"));
    let get = in_gateway(get, ApiKind::Http, "/{proxy+}");
    let response = proxy.oneshot(get).await.expect("infallible");
    assert_eq!(response.headers()["server"], "own");
    let got = backend.only();
    assert_eq!(got.uri, "/v1/pets/7", "filled in without a mapping");
    assert_eq!(
        names(&got.headers),
        ["forwarded", "host", "via", "x-amzn-trace-id"]
    );
    assert_eq!(
        got.header("forwarded"),
        Some("by=192.0.2.1;for=192.0.2.9;host=abc.example.com;proto=https")
    );
}

#[tokio::test]
async fn the_default_route_of_an_http_api_forwards_the_whole_path() {
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    let proxy = compile(&config(
        IntegrationKind::HttpProxy,
        ApiKind::Http,
        &server.url("/v1"),
    ));
    let get = in_gateway(request("GET", "/a/b?c=d", ""), ApiKind::Http, "$default");
    proxy.oneshot(get).await.expect("infallible");
    assert_eq!(backend.only().uri, "/v1/a/b?c=d");
}

#[tokio::test]
async fn parameters_are_mapped_and_queries_appended() {
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    let uri = server.url("/${stageVariables.env}/{id}?testVar=foobar");
    let mut config = config(IntegrationKind::HttpProxy, ApiKind::Rest, &uri);
    config.request_parameters = pairs(&[
        ("integration.request.path.id", "method.request.path.petId"),
        ("integration.request.querystring.testQs", "'foo'"),
        (
            "integration.request.querystring.testVar",
            "method.request.header.x-var",
        ),
        (
            "integration.request.querystring.absent",
            "method.request.header.absent",
        ),
        ("integration.request.header.x-stage", "context.stage"),
        ("integration.request.header.accept", "'text/html'"),
        ("integration.request.header.te", "'gzip'"),
        ("integration.request.header.host", "'other.example.com'"),
    ]);
    let mut get = request("GET", "/pets/a%20b?testQs=bar", "");
    for (name, value) in [("x-var", "bar"), ("accept", "*/*")] {
        get.headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    let get = in_gateway(get, ApiKind::Rest, "/pets/{petId}");
    compile(&config).oneshot(get).await.expect("infallible");
    let got = backend.only();
    assert_eq!(
        got.uri,
        "/beta/a%20b?testVar=foobar&testQs=bar&testQs=foo&testVar=bar"
    );
    assert_eq!(got.header("x-stage"), Some("test"));
    assert_eq!(got.header("accept"), Some("text/html"));
    assert_eq!(got.header("te"), None);
    assert_eq!(got.header("host"), Some("other.example.com"));
}

#[tokio::test]
async fn a_request_that_cannot_be_made_never_reaches_the_endpoint() {
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    let check = async |uri: &str, mapping: &[(&str, &str)], path: &str, expected: u16| {
        let mut config = config(IntegrationKind::HttpProxy, ApiKind::Rest, &server.url(uri));
        config.request_parameters = pairs(mapping);
        let get = in_gateway(request("GET", path, ""), ApiKind::Rest, "/{p+}");
        let response = compile(&config).oneshot(get).await.expect("infallible");
        assert_eq!(response.status(), expected, "{uri} {path}");
        assert_eq!(backend.count(), 0);
    };
    let p = ("integration.request.path.p", "method.request.path.p");
    check("/{p}", &[], "/x", 500).await;
    check("/${stageVariables.none}", &[], "/x", 500).await;
    check("/pub/{p}", &[p], "/a/../../admin", 400).await;
    check("/pub/{p}", &[p], "/%2e%2e/admin", 400).await;
    let length = ("integration.request.header.Content-Length", "'0'");
    check("/", &[length], "/x", 500).await;
    let encoding = ("integration.request.header.Transfer-Encoding", "'deflate'");
    check("/", &[encoding], "/x", 500).await;
}

#[tokio::test]
async fn an_answers_headers_are_renamed_in_a_rest_api() {
    let backend = Recorder::new(|_| {
        let mut response = testkit::answer(200, "{}");
        for (name, value) in [
            ("connection", "keep-alive"),
            ("server", "gunicorn/19.9.0"),
            ("x-amzn-requestid", "theirs"),
            ("access-control-allow-origin", "*"),
            ("content-type", "application/json"),
        ] {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    });
    let server = HyperServer::start(backend).await;
    let proxy = HttpProxy::new(client(), &server.url("/")).expect("an address");
    let response = proxy.oneshot(request("GET", "/", "")).await;
    let response = response.expect("infallible");
    assert_eq!(
        names(response.headers()),
        [
            "access-control-allow-origin",
            "content-length",
            "content-type",
            "x-amzn-remapped-connection",
            "x-amzn-remapped-content-length",
            "x-amzn-remapped-date",
            "x-amzn-remapped-server",
            "x-amzn-remapped-x-amzn-requestid",
        ]
    );
}

#[tokio::test]
async fn an_answer_to_head_has_a_length_and_no_body() {
    let backend = Recorder::new(|_| testkit::answer(200, "twelve bytes"));
    let server = HyperServer::start(backend).await;
    let proxy = HttpProxy::new(client(), &server.url("/")).expect("an address");
    let front = HyperServer::start(proxy).await;
    let mut connection = portcullis_testkit::wire::Connection::open(front.addr()).await;
    connection.write("HEAD / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = connection.answer_to_head().await;
    assert_eq!(answer.header("content-length"), Some("12"));
    // The connection is still in step.
    let answer = connection
        .exchange("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    assert_eq!(answer.text(), "twelve bytes");
}

#[tokio::test]
async fn an_upstream_can_stand_in_for_another_under_its_name() {
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    let origins = [("https://api.example.com", server.url("/"))];
    let upstreams = portcullis_client::Upstreams::new(origins).expect("origins");
    let client = portcullis_client::Client::builder().upstreams(upstreams);
    let client = client.build().expect("valid settings");
    let proxy = HttpProxy::new(client, "https://api.example.com/v1").expect("an address");
    let response: Response<_> = proxy.oneshot(request("GET", "/", "")).await.expect("ok");
    assert_eq!(response.status(), 200);
    let got = backend.only();
    assert_eq!(got.uri, "/v1");
    assert_eq!(got.header("host"), Some("api.example.com"));
}
