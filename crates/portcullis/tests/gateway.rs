//! A whole gateway by its public API: definitions in, answers out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Method, Request, Response, StatusCode};
use portcullis::core::{
    Body, Decision, Guard, Head, ManualClock, Mode, Never, Rejection, RejectionKind,
    RequestContext, Verdict,
};
use portcullis::cors::CorsRules;
use portcullis::{ApiSpec, Gateway, Parity, UnknownRoute};
use portcullis_testkit::request as testkit;
use serde_json::{Value, json};
use tower::ServiceExt;

/// An operation with a mock behind it that answers `body`.
fn mock(body: &Value) -> Value {
    json!({
        "responses": { "200": { "description": "200 response" } },
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
            "responses": { "default": {
                "statusCode": "200",
                "responseTemplates": { "application/json": body.to_string() }
            } }
        }
    })
}

fn document(paths: &Value) -> String {
    json!({ "openapi": "3.0.1", "info": { "title": "t", "version": "1" }, "paths": paths })
        .to_string()
}

fn request(method: &str, uri: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(uri)
        .body(Body::empty())
        .expect("a request")
}

async fn send(gateway: &Gateway, request: Request<Body>) -> Response<Body> {
    gateway
        .clone()
        .oneshot(request)
        .await
        .expect("a gateway never fails")
}

async fn get(gateway: &Gateway, uri: &str) -> (StatusCode, String) {
    let response = send(gateway, request("GET", uri)).await;
    (response.status(), testkit::text(response).await)
}

fn rest(paths: &Value) -> ApiSpec {
    ApiSpec::rest(document(paths)).id("a").stage_named("prod")
}

fn gateway(api: ApiSpec) -> Gateway {
    Gateway::builder()
        .api(api)
        .build()
        .expect("a good definition")
}

#[tokio::test]
async fn a_mock_answers_what_its_template_says_with_the_services_headers() {
    let gateway = gateway(rest(&json!({ "/pets": { "get": mock(&json!(["cat"])) } })));
    let response = send(&gateway, request("GET", "/prod/pets")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["x-amzn-requestid"].len(), 36);
    assert_eq!(response.headers()["x-amz-apigw-id"].len(), 16);
    assert!(!response.headers().contains_key("x-amzn-trace-id"));
    assert_eq!(testkit::text(response).await, r#"["cat"]"#);
}

#[tokio::test]
async fn what_is_unknown_is_answered_as_the_service_does() {
    let gateway = gateway(rest(&json!({ "/pets": { "get": mock(&json!([])) } })));
    for (method, uri, status, body) in [
        (
            "GET",
            "/prod/cats",
            403,
            r#"{"message":"Missing Authentication Token"}"#,
        ),
        (
            "PUT",
            "/prod/pets",
            403,
            r#"{"message":"Missing Authentication Token"}"#,
        ),
        (
            "TRACE",
            "/prod/pets",
            403,
            r#"{"message":"Missing Authentication Token"}"#,
        ),
        ("GET", "/test/pets", 403, r#"{"message":"Forbidden"}"#),
        ("GET", "/", 403, r#"{"message":"Forbidden"}"#),
    ] {
        let response = send(&gateway, request(method, uri)).await;
        assert_eq!(response.status(), status, "{method} {uri}");
        assert!(response.headers().contains_key("x-amzn-errortype"));
        assert_eq!(testkit::text(response).await, body, "{method} {uri}");
    }
}

#[tokio::test]
async fn an_http_api_answers_404_for_what_it_does_not_have() {
    let paths = json!({ "/pets": { "get": { "x-amazon-apigateway-integration": {
        "type": "AWS_PROXY", "payloadFormatVersion": "2.0", "httpMethod": "POST",
        "uri": "arn:aws:lambda:us-east-1:000000000000:function:pets"
    } } } });
    let gateway = Gateway::builder()
        .api(ApiSpec::http(document(&paths)).id("h"))
        .function_mock("pets", json!(["cat"]))
        .build()
        .expect("a good definition");
    let response = send(&gateway, request("GET", "/cats")).await;
    assert_eq!(response.status(), 404);
    assert!(response.headers().contains_key("apigw-requestid"));
    assert!(!response.headers().contains_key("x-amzn-errortype"));
    assert_eq!(testkit::text(response).await, r#"{"message":"Not Found"}"#);
    assert_eq!(
        get(&gateway, "/pets").await,
        (StatusCode::OK, r#"["cat"]"#.to_owned())
    );
}

#[tokio::test]
async fn a_refusal_of_what_no_stage_serves_says_what_the_stages_are() {
    let (a, b) = (document(&json!({})), document(&json!({})));
    let a = ApiSpec::rest(a).id("a");
    let gateway = Gateway::builder()
        .api(a.stage_named("prod").stage_named("test"))
        .api(ApiSpec::http(b).id("b").stage_named("dev"))
        .build()
        .expect("two APIs");
    for (uri, status, id, why) in [
        (
            "/a/tset/x",
            403,
            "x-amzn-requestid",
            "unknown_stage (host=, path=/a/tset/x",
        ),
        (
            "/b/x",
            404,
            "apigw-requestid",
            "unknown_stage (host=, path=/b/x",
        ),
        (
            "http://me/c",
            403,
            "x-amzn-requestid",
            "unknown_host (host=me, path=/c",
        ),
    ] {
        let response = send(&gateway, request("GET", uri)).await;
        assert_eq!(response.status(), status, "{uri}");
        assert!(response.headers().contains_key(id), "{uri}");
        let rejection = response.extensions().get::<Rejection>();
        let decision = rejection.and_then(Rejection::decision).expect("a reason");
        let expected = format!("stages: {why}, stages=a/prod a/test b/dev)");
        assert_eq!(decision.to_string(), expected);
    }
}

#[tokio::test]
async fn unknown_routes_are_told_apart_by_option() {
    let paths = json!({ "/pets": { "get": mock(&json!([])), "post": mock(&json!([])) } });
    let gateway = gateway(rest(&paths).unknown_route(UnknownRoute::NotFound));
    assert_eq!(get(&gateway, "/prod/cats").await.0, 404);
    let response = send(&gateway, request("DELETE", "/prod/pets")).await;
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "GET, POST");
}

#[tokio::test]
async fn a_method_can_be_overridden_only_where_that_is_configured() {
    let uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:tell/invocations";
    let tell = json!({ "responses": {}, "x-amazon-apigateway-integration": {
        "type": "aws_proxy", "httpMethod": "POST", "uri": uri
    } });
    let paths = json!({ "/pets": { "post": tell, "delete": tell } });
    for (enabled, expected) in [(false, "POST true"), (true, "DELETE false")] {
        let gateway = Gateway::builder()
            .api(rest(&paths).method_override(enabled))
            .service(
                "tell",
                tower::service_fn(async |request: Request<Body>| {
                    let overrides = request.headers().contains_key("x-http-method-override");
                    let context = request.extensions().get::<RequestContext>();
                    let method = context.and_then(|context| context.get("httpMethod"));
                    assert_eq!(method, Some(request.method().as_str().into()));
                    let told = format!("{} {overrides}", request.method());
                    Ok::<_, std::convert::Infallible>(Response::new(Body::from(told)))
                }),
            )
            .build()
            .expect("a good definition");
        let request = Request::post("/prod/pets")
            .header("x-http-method-override", "DELETE")
            .body(Body::empty());
        let response = send(&gateway, request.expect("a request")).await;
        assert_eq!(testkit::text(response).await, expected);
        let unknown = Request::post("/prod/pets")
            .header("x-http-method-override", "PURGE")
            .body(Body::empty());
        let response = send(&gateway, unknown.expect("a request")).await;
        assert_eq!(response.status(), if enabled { 403 } else { 200 });
    }
}

#[tokio::test]
async fn a_path_that_makes_the_arn_of_its_method_too_long_is_414() {
    let gateway = gateway(rest(
        &json!({ "/{proxy+}": { "get": mock(&json!("pets")) } }),
    ));
    // arn:aws:execute-api:us-east-1:000000000000:a/prod/GET/…
    let room = 1600 - "arn:aws:execute-api:us-east-1:000000000000:a/prod/GET/".len();
    for (length, status) in [(room, 200), (room + 1, 414)] {
        let path = format!("/prod/{}", "x".repeat(length));
        assert_eq!(get(&gateway, &path).await.0, status);
    }
}

#[test]
fn faults_of_functions_and_of_every_deployment_come_with_the_others() {
    let wrong = document(&json!({ "pets": {} }));
    let api = rest(&json!({ "cats": {} }))
        .deployment("before", wrong)
        .deployment("earlier", "{");
    let error = Gateway::builder()
        .api(api)
        .function_url("f", "ftp://x")
        .build()
        .expect_err("faults everywhere");
    let places: Vec<_> = error
        .faults()
        .iter()
        .map(|fault| fault.place.as_str())
        .collect();
    assert_eq!(
        places,
        [
            "/functions/f/url",
            "/paths/cats",
            "deployment before:/paths/pets",
            "deployment earlier:"
        ]
    );
}

#[test]
fn quotas_of_the_service_hold_under_strict_parity_alone() {
    let paths: serde_json::Map<_, _> = (0..300)
        .map(|number| {
            (
                format!("/r{number}"),
                json!({ "get": mock(&json!(number)) }),
            )
        })
        .collect();
    let mut api = rest(&paths.into());
    for number in 0..10 {
        api = api.stage_named(format!("s{number}"));
    }
    assert!(Gateway::builder().api(api.clone()).build().is_ok());
    let strict = Gateway::builder().api(api.parity(Parity::Strict)).build();
    assert_eq!(
        strict.expect_err("over two quotas").to_string(),
        "a /paths: there are 301 resources; the service allows 300\n\
         a stages: there are 11 stages; the service allows 10"
    );
}

#[tokio::test]
async fn an_export_serves_the_stage_that_it_names_and_lets_requests_leave_it_out() {
    let export = json!({
        "swagger": "2.0",
        "info": { "title": "t", "version": "1" },
        "host": "a1b2c3.execute-api.eu-central-1.amazonaws.com",
        "basePath": "/live",
        "paths": { "/pets": { "get": mock(&json!("here")) } }
    });
    let gateway = Gateway::from_export(export.to_string()).expect("a good export");
    for uri in ["/live/pets", "/pets", "http://localhost:8080/pets"] {
        assert_eq!(
            get(&gateway, uri).await,
            (StatusCode::OK, "\"here\"".to_owned()),
            "{uri}"
        );
    }
    let mut request = request("GET", "/pets");
    let context = RequestContext::of(&mut request).clone();
    send(&gateway, request).await;
    assert_eq!(context.get("apiId"), Some("a1b2c3".into()));
    assert_eq!(context.get("stage"), Some("live".into()));
    assert_eq!(context.get("resourcePath"), Some("/pets".into()));
    assert_eq!(context.get("status"), Some(200.into()));
}

#[tokio::test]
async fn an_export_of_an_http_api_is_served_as_one() {
    let export = json!({
        "openapi": "3.0.1",
        "info": { "title": "pets", "version": "1" },
        "servers": [{
            "url": "https://a1b2.execute-api.us-east-1.amazonaws.com/{basePath}",
            "variables": { "basePath": { "default": "" } }
        }],
        "paths": { "/pets": { "get": { "x-amazon-apigateway-integration": {
            "payloadFormatVersion": "2.0", "type": "aws_proxy", "httpMethod": "POST",
            "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:pets/invocations"
        } } } },
        "x-amazon-apigateway-importexport-version": "1.0"
    });
    let gateway = Gateway::builder()
        .export(export.to_string())
        .function_mock("pets", json!(["cat"]))
        .build()
        .expect("a good export");
    assert_eq!(
        get(&gateway, "/pets").await,
        (StatusCode::OK, r#"["cat"]"#.to_owned())
    );
    assert_eq!(get(&gateway, "/none").await.0, 404);
}

#[tokio::test]
async fn an_exports_region_is_the_gateways_unless_it_is_said() {
    let paths = json!({ "/pets": { "get": mock(&json!("${AWS::Region}")) } });
    let mut export: Value = serde_json::from_str(&document(&paths)).expect("JSON");
    export["servers"] = json!([{ "url": "https://a1b2.execute-api.eu-west-1.amazonaws.com/prod" }]);
    let builder = Gateway::builder().export(export.to_string());
    let said = builder.clone().region("eu-south-1");
    for (builder, region) in [(builder, "eu-west-1"), (said, "eu-south-1")] {
        let gateway = builder.build().expect("a good export");
        assert_eq!(get(&gateway, "/pets").await.1, format!("\"{region}\""));
    }
}

#[tokio::test]
async fn several_apis_and_stages_are_told_apart_by_host_path_and_domain() {
    let one = ApiSpec::rest(document(&json!({ "/x": { "get": mock(&json!(1)) } })))
        .id("one")
        .stage_named("prod")
        .stage_named("test");
    let two = ApiSpec::rest(document(&json!({ "/x": { "get": mock(&json!(2)) } })))
        .id("two")
        .stage_named("prod");
    let domain = serde_json::from_value(json!({
        "domainName": "api.example.com",
        "basePathMappings": [{ "basePath": "second", "restApiId": "two", "stage": "prod" }]
    }))
    .expect("a domain");
    let gateway = Gateway::builder()
        .api(one)
        .api(two)
        .domain(domain)
        .build()
        .expect("good");
    for (host, path, expected) in [
        ("localhost", "/one/prod/x", "1"),
        ("localhost", "/one/test/x", "1"),
        ("localhost", "/two/prod/x", "2"),
        ("two.execute-api.us-east-1.amazonaws.com", "/prod/x", "2"),
        (
            "ONE.execute-api.us-east-1.amazonaws.com:443",
            "/prod/x",
            "1",
        ),
        ("api.example.com", "/second/x", "2"),
    ] {
        let request = Request::get(path)
            .header("host", host)
            .body(Body::empty())
            .expect("one");
        let response = send(&gateway, request).await;
        assert_eq!(testkit::text(response).await, expected, "{host}{path}");
    }
    let request = Request::get("/second/x")
        .header("host", "api.example.com")
        .body(Body::empty());
    let mut request = request.expect("a request");
    let context = RequestContext::of(&mut request).clone();
    send(&gateway, request).await;
    assert_eq!(
        context.get("customDomain.basePathMatched"),
        Some("second".into())
    );
}

#[tokio::test]
async fn gateway_responses_restyle_refusals() {
    let mut definition: Value =
        serde_json::from_str(&document(&json!({ "/pets": { "get": mock(&json!([])) } })))
            .expect("JSON");
    definition["x-amazon-apigateway-gateway-responses"] = json!({ "DEFAULT_4XX": {
        "statusCode": "404",
        "responseParameters": { "gatewayresponse.header.X-Asked": "method.request.header.X-Id" },
        "responseTemplates": { "application/json": "{\"say\": $context.error.messageString, \"at\": \"$context.path\"}" }
    } });
    let gateway = gateway(
        ApiSpec::rest(definition.to_string())
            .id("a")
            .stage_named("prod"),
    );
    let request = Request::get("/prod/cats")
        .header("x-id", "7")
        .body(Body::empty());
    let response = send(&gateway, request.expect("a request")).await;
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["x-asked"], "7");
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        "MissingAuthenticationTokenException"
    );
    let body = testkit::text(response).await;
    assert_eq!(
        body,
        r#"{"say": "Missing Authentication Token", "at": "/prod/cats"}"#
    );
}

#[tokio::test]
async fn the_standard_cors_layer_stands_outside_a_rest_api_by_one_line() {
    let rules = CorsRules::builder()
        .allow_origins(["https://shop.example"])
        .allow_methods(["GET"])
        .build()
        .expect("good rules");
    let gateway = gateway(rest(&json!({ "/pets": { "get": mock(&json!([])) } })).cors(rules));
    let from = |method: Method, uri: &str| {
        Request::builder()
            .method(method)
            .uri(uri)
            .header("origin", "https://shop.example")
            .header("access-control-request-method", "GET")
            .body(Body::empty())
            .expect("a request")
    };
    for (method, uri, status) in [
        (Method::OPTIONS, "/prod/pets", 204),
        (Method::GET, "/prod/pets", 200),
        (Method::GET, "/prod/cats", 403),
        (Method::OPTIONS, "/none/pets", 204),
        (Method::GET, "/none/pets", 403),
    ] {
        let response = send(&gateway, from(method, uri)).await;
        assert_eq!(response.status(), status);
        assert_eq!(
            response.headers()["access-control-allow-origin"],
            "https://shop.example"
        );
        assert!(response.headers().contains_key("x-amzn-requestid"));
    }
}

/// Refuses each request with the kind that it asks for.
struct Obliging;

impl Guard for Obliging {
    type Ask = Never;

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        let wanted = head
            .headers()
            .get("x-refuse")
            .and_then(|value| value.to_str().ok());
        let kinds = RejectionKind::ALL.iter();
        let kind = kinds
            .copied()
            .find(|kind| Some(&*format!("{kind:?}")) == wanted);
        let api = head
            .context()
            .and_then(RequestContext::stage)
            .map(|stage| stage.kind);
        kind.map_or(Verdict::Pass, |kind| {
            Verdict::Refuse(Rejection::new(kind).for_api(api.unwrap_or_default()))
        })
    }
}

#[tokio::test]
async fn every_refusal_of_a_gateway_can_be_read_by_the_page_and_has_its_ids() {
    let paths = json!({ "/pets": { "get": mock(&json!("pets")) } });
    let cors = CorsRules::builder()
        .allow_origins(["https://app.test"])
        .build()
        .expect("rules");
    let mut http: Value = serde_json::from_str(&document(&json!({ "/pets": { "get": {
        "x-amazon-apigateway-integration": {
            "type": "http_proxy", "httpMethod": "GET", "uri": "http://localhost/", "payloadFormatVersion": "1.0"
        }
    } } })))
    .expect("JSON");
    http["x-amazon-apigateway-cors"] = json!({ "allowOrigins": ["https://app.test"] });
    let gateway = Gateway::builder()
        .api(ApiSpec::rest(document(&paths)).id("r").cors(cors))
        .api(ApiSpec::http(http.to_string()).id("h"))
        .guard(Obliging)
        .build()
        .expect("good definitions");
    for kind in RejectionKind::ALL {
        for (path, id) in [
            ("/r/default/pets", "x-amzn-requestid"),
            ("/h/pets", "apigw-requestid"),
        ] {
            let request = Request::get(path)
                .header("origin", "https://app.test")
                .header("x-refuse", format!("{kind:?}"))
                .body(Body::empty());
            let response = send(&gateway, request.expect("a request")).await;
            let carried = response
                .extensions()
                .get::<Rejection>()
                .map(Rejection::kind);
            assert_eq!(carried, Some(*kind), "{path}");
            let headers = response.headers();
            assert_eq!(
                headers["access-control-allow-origin"], "https://app.test",
                "{kind:?} {path}"
            );
            assert!(headers.contains_key(id), "{kind:?} {path}");
        }
    }
}

#[tokio::test]
async fn an_http_api_has_its_own_cors_conduct() {
    let mut definition: Value = serde_json::from_str(&document(&json!({}))).expect("JSON");
    definition["x-amazon-apigateway-cors"] = json!({
        "allowOrigins": ["https://shop.example"], "allowMethods": ["GET"], "maxAge": 60
    });
    let gateway = gateway(ApiSpec::http(definition.to_string()).id("h"));
    let preflight = Request::options("/no/route")
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "GET")
        .body(Body::empty())
        .expect("a request");
    let response = send(&gateway, preflight).await;
    assert_eq!(response.status(), 204);
    assert_eq!(
        response.headers()["access-control-allow-origin"],
        "https://shop.example"
    );
    assert_eq!(response.headers()["access-control-max-age"], "60");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let paths = json!({ "/pets": { "post": mock(&json!([])) } });
    let gateway = gateway(rest(&paths).max_body_bytes(10));
    let body = Body::from("01234567890");
    let request = Request::post("/prod/pets")
        .header("content-length", "11")
        .body(body);
    let response = send(&gateway, request.expect("a request")).await;
    assert_eq!(response.status(), 413);
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        "RequestTooLargeException"
    );
}

#[tokio::test]
async fn what_needs_auth_that_is_not_served_yet_stays_shut() {
    let mut operation = mock(&json!("secret"));
    operation["security"] = json!([{ "key": [] }]);
    let mut definition: Value =
        serde_json::from_str(&document(&json!({ "/pets": { "get": operation } }))).expect("JSON");
    definition["components"] = json!({ "securitySchemes": {
        "key": { "type": "apiKey", "name": "x-api-key", "in": "header" }
    } });
    let api = ApiSpec::rest(definition.to_string())
        .id("a")
        .stage_named("prod");
    let shut = gateway(api.clone());
    assert_eq!(
        get(&shut, "/prod/pets").await,
        (
            StatusCode::FORBIDDEN,
            r#"{"message":"Forbidden"}"#.to_owned()
        )
    );
    assert!(
        shut.coverage()
            .not_served()
            .any(|field| field.pointer.starts_with("/paths/~1pets/get/security"))
    );
    let open = Gateway::builder()
        .api(api)
        .dangerously_skip_auth(true)
        .build()
        .expect("good");
    assert_eq!(get(&open, "/prod/pets").await.0, 200);
}

#[test]
fn a_wrong_definition_gets_all_its_faults_at_once() {
    let error = Gateway::builder()
        .api(ApiSpec::rest("{").id("a"))
        .api(
            ApiSpec::rest(document(
                &json!({ "pets": {}, "/{a+}/b": { "get": mock(&json!([])) } }),
            ))
            .id("b"),
        )
        .build()
        .expect_err("two wrong definitions");
    let apis: Vec<_> = error
        .faults()
        .iter()
        .map(|fault| fault.api.as_str())
        .collect();
    assert!(apis.contains(&"a") && apis.contains(&"b"), "{error}");
}

/// Refuses everything while it is told to.
#[derive(Debug)]
struct Switch {
    refuses: Arc<AtomicBool>,
    mode: Mode,
}

impl Guard for Switch {
    type Ask = Never;

    fn check(&self, _head: &Head<'_>) -> Verdict<Never> {
        if self.refuses.load(Ordering::Relaxed) {
            let decision = Decision::new("switch", "off");
            Verdict::Refuse(Rejection::new(RejectionKind::WafFiltered).with_decision(decision))
        } else {
            Verdict::Pass
        }
    }

    fn mode(&self) -> Mode {
        self.mode
    }
}

#[tokio::test]
async fn a_guard_of_ones_own_goes_in_like_ours() {
    let refuses = Arc::new(AtomicBool::new(false));
    for (mode, status) in [(Mode::Enforce, 403), (Mode::Observe, 200)] {
        let guard = Switch {
            refuses: Arc::clone(&refuses),
            mode,
        };
        let gateway = Gateway::builder()
            .api(rest(&json!({ "/pets": { "get": mock(&json!([])) } })))
            .guard(guard)
            .build()
            .expect("good");
        refuses.store(false, Ordering::Relaxed);
        assert_eq!(get(&gateway, "/prod/pets").await.0, 200);
        refuses.store(true, Ordering::Relaxed);
        let mut request = request("GET", "/prod/pets");
        let context = RequestContext::of(&mut request).clone();
        assert_eq!(send(&gateway, request).await.status(), status);
        assert_eq!(context.observed().len(), usize::from(mode == Mode::Observe));
    }
}

#[tokio::test]
async fn a_rust_handler_takes_the_place_of_a_function() {
    let paths = json!({ "/pets/{id}": { "get": {
        "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }],
        "responses": {},
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy", "httpMethod": "POST",
            "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:pet/invocations"
        }
    } } });
    let handler = tower::service_fn(async |request: Request<Body>| {
        let context = request
            .extensions()
            .get::<RequestContext>()
            .expect("a context");
        let id = context
            .route()
            .and_then(|route| route.parameter("id"))
            .unwrap_or_default();
        Ok::<_, std::convert::Infallible>(Response::new(Body::from(format!("pet {id}"))))
    });
    let gateway = Gateway::builder()
        .api(rest(&paths))
        .service("pet", handler)
        .build()
        .expect("good");
    assert_eq!(
        get(&gateway, "/prod/pets/7").await,
        (StatusCode::OK, "pet 7".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_in_flight_drops_and_mixes_nothing() {
    let release = |number: u32| document(&json!({ "/x": { "get": mock(&json!(number)) } }));
    let gateway = gateway(ApiSpec::rest(release(0)).id("a").stage_named("prod"));
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (gateway, done) = (gateway.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let (status, body) = get(&gateway, "/prod/x").await;
                    assert_eq!(status, 200);
                    let number: u32 = body.parse().expect("one release, whole");
                    assert!(number >= last, "releases come in order");
                    last = number;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for number in 1..=50 {
        gateway
            .deploy("a", release(number))
            .expect("a good definition");
        assert_eq!(get(&gateway, "/prod/x").await.1, number.to_string());
    }
    done.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no client saw anything wrong");
    }
    assert!(gateway.deploy("a", "{}").is_err());
    assert!(gateway.deploy("b", release(1)).is_err());
    assert_eq!(
        get(&gateway, "/prod/x").await.1,
        "50",
        "a failed deployment changes nothing"
    );
}

#[tokio::test]
async fn a_head_request_that_is_refused_has_no_body() {
    let gateway = gateway(rest(&json!({ "/pets": { "get": mock(&json!([])) } })));
    let response = send(&gateway, request("HEAD", "/prod/pets")).await;
    assert_eq!(response.status(), 403, "GET does not stand in for HEAD");
    assert_eq!(response.headers()["content-length"], "0");
    assert_eq!(testkit::text(response).await, "");
}

#[tokio::test]
async fn the_clock_is_the_one_that_was_given() {
    let clock = ManualClock::at_unix(0);
    let gateway = Gateway::builder()
        .api(rest(&json!({})))
        .clock(clock)
        .build()
        .expect("good");
    let response = send(&gateway, request("GET", "/prod/x")).await;
    assert_eq!(response.status(), 403);
}

#[test]
fn a_document_with_a_hundred_thousand_routes_is_served() {
    let mut paths = serde_json::Map::new();
    for number in 0..100_000 {
        paths.insert(
            format!("/r{number}"),
            json!({ "get": mock(&json!(number)) }),
        );
    }
    let api = ApiSpec::rest(document(&paths.into()))
        .id("a")
        .stage_named("prod")
        .max_document_bytes(256 << 20);
    let gateway = gateway(api);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let (_, body) = runtime.block_on(get(&gateway, "/prod/r99999"));
    assert_eq!(body, "99999");
}

#[tokio::test]
async fn a_mock_without_a_template_for_the_media_type_reads_its_status_from_the_body() {
    let gateway = gateway(rest(&json!({ "/pets": { "post": mock(&json!("made")) } })));
    for (body, status) in [(r#"{"statusCode": 200}"#, 200), ("no status", 500)] {
        let request = Request::post("/prod/pets")
            .header("content-type", "text/x-status")
            .body(Body::from(body))
            .expect("a request");
        assert_eq!(send(&gateway, request).await.status(), status, "{body}");
    }
}

/// An API that creates pets, with a validator of this name for the one operation, if there is one.
fn pets(validator: Option<&str>, schemas: &Value) -> Value {
    let mut operation = mock(&json!(["created"]));
    operation["parameters"] = json!([
        { "name": "dryRun", "in": "query", "required": true, "schema": { "type": "string" } },
        { "name": "limit", "in": "query", "required": false, "schema": { "type": "string" } },
        { "name": "X-Version", "in": "header", "required": true, "schema": { "type": "string" } }
    ]);
    operation["requestBody"] = json!({ "content": { "application/json": {
        "schema": { "$ref": "#/components/schemas/Pet" }
    } } });
    if let Some(name) = validator {
        operation["x-amazon-apigateway-request-validator"] = name.into();
    }
    json!({
        "openapi": "3.0.1", "info": { "title": "t", "version": "1" },
        "paths": { "/pets": { "post": operation } },
        "components": { "schemas": schemas },
        "x-amazon-apigateway-request-validator": "parameters",
        "x-amazon-apigateway-request-validators": {
            "all": { "validateRequestBody": true, "validateRequestParameters": true },
            "body": { "validateRequestBody": true, "validateRequestParameters": false },
            "parameters": { "validateRequestBody": false, "validateRequestParameters": true },
            "none": { "validateRequestBody": false, "validateRequestParameters": false }
        },
        "x-amazon-apigateway-gateway-responses": { "BAD_REQUEST_BODY": {
            "responseTemplates": { "application/json":
                "{\"why\": \"$context.error.validationErrorString\"}" }
        } }
    })
}

#[tokio::test]
async fn requests_are_validated_as_the_method_or_the_api_says() {
    let schemas = json!({
        "Pet": {
            "type": "object", "required": ["name"],
            "properties": { "friend": { "$ref": "#/components/schemas/Pet" }, "age": { "type": "integer" } }
        }
    });
    let good = r#"{"name": "Rex", "friend": {"name": "Ada"}}"#;
    let bad = r#"{"name": "Rex", "friend": {"name": "Ada", "age": "3"}}"#;
    let missing = r#"{"message":"Missing required request parameters: [X-Version, dryRun]"}"#;
    let why = |violation: &str| format!(r#"{{"why": "[{violation}]"}}"#);
    let age = why(
        r#"instance type (string) does not match any allowed primitive type (allowed: ["integer"])"#,
    );
    let unreadable = why("Unknown error parsing request body");
    for (validator, complete, body, status, text) in [
        (Some("all"), true, good, 200, r#"["created"]"#),
        (Some("all"), true, bad, 400, &*age),
        (Some("all"), true, "{", 400, &*unreadable),
        (Some("all"), false, bad, 400, missing),
        (Some("body"), false, good, 200, r#"["created"]"#),
        (Some("body"), false, bad, 400, &*age),
        (Some("parameters"), true, bad, 200, r#"["created"]"#),
        // The API's own validator is for methods that name none.
        (None, false, good, 400, missing),
        (None, true, bad, 200, r#"["created"]"#),
        (Some("none"), false, bad, 200, r#"["created"]"#),
    ] {
        let api = ApiSpec::rest(pets(validator, &schemas).to_string());
        let gateway = gateway(api.id("a").stage_named("prod"));
        assert_eq!(
            gateway.coverage().not_served().count(),
            0,
            "{}",
            gateway.coverage()
        );
        let mut request = Request::post(if complete {
            "/prod/pets?dryRun=1"
        } else {
            "/prod/pets"
        });
        if complete {
            request = request.header("x-version", "2");
        }
        let request = request
            .header("content-type", "application/json")
            .body(Body::from(body))
            .expect("a request");
        let response = send(&gateway, request).await;
        assert_eq!(response.status(), status, "{validator:?} {complete} {body}");
        assert_eq!(
            testkit::text(response).await,
            text,
            "{validator:?} {complete} {body}"
        );
    }
}

#[test]
fn a_model_that_is_none_is_a_fault_where_it_is_needed() {
    let broken = json!({ "Pet": { "type": "thing" } });
    let build = |validator| {
        let api = ApiSpec::rest(pets(Some(validator), &broken).to_string());
        Gateway::builder()
            .api(api.id("a").stage_named("prod"))
            .build()
    };
    let error = build("all").expect_err("no such type");
    assert_eq!(error.faults()[0].place, "/components/schemas/Pet");
    assert!(error.to_string().contains("/models/Pet"), "{error}");
    assert!(build("parameters").is_ok());
}

/// Refuses everybody.
struct Closed;

impl Guard for Closed {
    type Ask = Never;

    fn check(&self, _head: &Head<'_>) -> Verdict<Never> {
        Verdict::Refuse(Rejection::new(RejectionKind::AccessDenied))
    }
}

#[tokio::test]
async fn a_guard_of_ones_own_stands_before_the_route_that_it_is_for() {
    let paths = json!({ "/pets/{id}": { "get": mock(&json!(1)), "put": mock(&json!(2)) } });
    let gateway = Gateway::builder().api(rest(&paths).guard("PUT /pets/{id}", Closed));
    let gateway = gateway.build().expect("a good definition");
    assert_eq!(get(&gateway, "/prod/pets/1").await.0, 200);
    let response = send(&gateway, request("PUT", "/prod/pets/1")).await;
    assert_eq!(response.status(), 403);

    let wrong = rest(&paths).guard("PUT /pet/{id}", Closed);
    let error = Gateway::builder()
        .api(wrong)
        .build()
        .expect_err("no such route");
    let expected = "there is no route `PUT /pet/{id}`; there are: GET /pets/{id}, PUT /pets/{id}";
    assert!(error.to_string().contains(expected), "{error}");
}
