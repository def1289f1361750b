//! The admin API over a real socket.

use http::{Method, Request, Response};
use portcullis::core::{Body, Rejection, RejectionKind};
use portcullis::definition::UsagePlan;
use portcullis::{AdminService, Gateway};
use portcullis_testkit::{HyperServer, wire};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{release, shop, text};

struct Admin {
    gateway: Gateway,
    server: HyperServer,
}

impl Admin {
    async fn start() -> Self {
        let plan = r#"{"id": "free", "quota": {"limit": 100, "period": "DAY"}}"#;
        let plan: UsagePlan = serde_json::from_str(plan).expect("a plan");
        let gateway = Gateway::builder()
            .api(shop(release(1)).stage_named("test").stage_named("prod"))
            .usage_plan(plan)
            .build()
            .expect("a gateway");
        let admin = AdminService::new(gateway.handle()).max_body_bytes(2_000);
        let server = HyperServer::start(admin).await;
        Self { gateway, server }
    }

    async fn send(&self, request: &str, body: &str) -> (u16, Value) {
        let length = body.len();
        let head = format!(
            "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n"
        );
        self.send_raw(&format!("{head}\r\n{body}")).await
    }

    async fn send_raw(&self, bytes: &str) -> (u16, Value) {
        let answer = wire::send(self.server.addr(), bytes).await;
        let value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        (answer.status, value)
    }

    /// What is answered with 200.
    async fn get(&self, path: &str) -> Value {
        let (status, value) = self.send(&format!("GET {path}"), "").await;
        assert_eq!(status, 200, "{path}: {value}");
        value
    }
}

#[tokio::test]
async fn an_operator_gives_a_stage_a_canary_promotes_it_and_takes_it_back_over_http() {
    let admin = Admin::start().await;
    let (status, green) = admin.send("POST /apis/shop/deployments", &release(2)).await;
    assert_eq!(status, 201, "{green}");
    let canary = json!({ "percentTraffic": 5.5, "deploymentId": green["id"] }).to_string();
    let path = "/apis/shop/stages/prod/canary";
    let (status, own) = admin.send(&format!("PUT {path}"), &canary).await;
    assert_eq!((status, &own["percentTraffic"]), (200, &json!(5.5)));
    let weight = format!("PUT {path}/weight");
    let (status, own) = admin.send(&weight, r#"{"percentTraffic": 100}"#).await;
    assert_eq!((status, &own["percentTraffic"]), (200, &json!(100.0)));
    assert_eq!(text(&admin.gateway, "/prod/release").await, "2");
    let (status, error) = admin.send(&weight, r#"{"percentTraffic": 101}"#).await;
    assert_eq!(
        (status, &error["faults"][0]["place"]),
        (400, &json!("stage prod:/canarySettings/percentTraffic"))
    );
    let (_, stage) = admin.send(&format!("POST {path}/promotion"), "").await;
    assert_eq!(stage["deploymentId"], green["id"]);
    let (_, stage) = admin.send(&format!("POST {path}/rollback"), "").await;
    assert_ne!(stage["deploymentId"], green["id"]);
    assert_eq!(admin.get(path).await["percentTraffic"], 0.0);
    assert_eq!(admin.send(&format!("DELETE {path}"), "").await.0, 200);
    assert_eq!(admin.send(&format!("GET {path}"), "").await.0, 404);
}

#[tokio::test]
async fn an_operator_deploys_compares_promotes_and_rolls_back_over_http() {
    let admin = Admin::start().await;
    let blue = admin.get("/apis/shop/stages/prod").await["deploymentId"].clone();
    let blue = blue.as_str().expect("an id");
    let (status, green) = admin
        .send(
            "POST /apis/shop/deployments?stageName=test&description=new+prices%21",
            &release(2),
        )
        .await;
    assert_eq!(status, 201, "{green}");
    assert_eq!(green["description"], "new prices!");
    assert_eq!(green["stages"], json!(["test"]));
    let id = green["id"].as_str().expect("an id");
    let diff = admin
        .get(&format!("/apis/shop/deployments/{blue}/diff/{id}"))
        .await;
    assert_eq!(diff["routes"][0]["route"], "GET /release");

    let body = r#"{"fromStage": "test"}"#;
    let (status, prod) = admin
        .send("PUT /apis/shop/stages/prod/deployment", body)
        .await;
    assert_eq!((status, &prod["deploymentId"]), (200, &green["id"]));
    assert_eq!(text(&admin.gateway, "/prod/release").await, "2");
    let (status, prod) = admin.send("POST /apis/shop/stages/prod/rollback", "").await;
    assert_eq!((status, prod["deploymentId"].as_str()), (200, Some(blue)));
    assert_eq!(text(&admin.gateway, "/prod/release").await, "1");

    let body = format!(r#"{{"deploymentId": "{id}"}}"#);
    assert_eq!(
        admin
            .send("PUT /apis/shop/stages/prod/deployment", &body)
            .await
            .0,
        200
    );
    let (status, three) = admin.send("POST /apis/shop/deployments", &release(3)).await;
    assert_eq!((status, &three["stages"]), (201, &json!([])));
    let path = format!(
        "/apis/shop/deployments/{}",
        three["id"].as_str().expect("an id")
    );
    assert_eq!(admin.get(&path).await, three);
    assert_eq!(admin.send(&format!("DELETE {path}"), "").await.0, 204);
    let (status, _) = admin
        .send("POST /apis/shop/deployments?stageName=*", &release(4))
        .await;
    assert_eq!(status, 201);
    assert_eq!(text(&admin.gateway, "/prod/release").await, "4");
    assert_eq!(
        admin.get("/apis/shop/deployments").await["items"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    assert_eq!(
        admin.get("/apis").await["items"][0]["stages"][1]["stageName"],
        "prod"
    );
}

#[tokio::test]
async fn an_operator_sets_variables_and_reads_and_extends_usage_over_http() {
    let admin = Admin::start().await;
    let path = "PATCH /apis/shop/stages/prod/variables";
    let (status, stage) = admin
        .send(path, r#"{"backend": "green.example.com", "a": "1"}"#)
        .await;
    assert_eq!(
        (status, &stage["variables"]["backend"]),
        (200, &json!("green.example.com"))
    );
    let (_, stage) = admin.send(path, r#"{"a": null}"#).await;
    assert_eq!(
        stage["variables"],
        json!({ "backend": "green.example.com" })
    );

    let path = "/usageplans/free/keys/acme/usage";
    assert_eq!(admin.get(path).await["remaining"], 100);
    let (status, usage) = admin
        .send(&format!("PUT {path}"), r#"{"remaining": 500}"#)
        .await;
    assert_eq!((status, &usage["remaining"]), (200, &json!(500)));
    assert_eq!(admin.get(path).await["used"], 0);

    let flush = "DELETE /apis/shop/stages/prod/cache/data";
    assert_eq!(admin.send(flush, "").await, (200, json!({ "flushed": 0 })));
    let flush = "DELETE /apis/shop/stages/prod/cache/authorizers";
    assert_eq!(admin.send(flush, "").await.0, 204);
    assert_eq!(admin.get("/routes").await["items"][0]["path"], "/release");
    assert!(
        admin.get("/coverage").await["items"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
    assert_eq!(admin.get("/openapi.json").await["openapi"], "3.0.3");
}

#[tokio::test]
async fn what_is_wrong_is_a_4xx_that_says_where_and_changes_nothing() {
    let admin = Admin::start().await;
    let stage = "/apis/shop/stages/prod";
    let large = "x".repeat(2_001);
    let variables = format!("PATCH {stage}/variables");
    let promotion = format!("PUT {stage}/deployment");
    let rollback = format!("POST {stage}/rollback");
    let cases: &[(&str, &str, u16, &str)] = &[
        (
            "GET /",
            "",
            404,
            "there is nothing at `/`; there are: /apis, /usageplans/{plan}/keys/{key}/usage, /routes, /coverage, /openapi.json",
        ),
        (
            "GET /apis/shop/stage/prod",
            "",
            404,
            "there is nothing at `/apis/shop/stage/prod`; there are: /apis, /apis/{api}, /apis/{api}/deployments, ",
        ),
        (
            "GET /apis/pets",
            "",
            404,
            "there is no API `pets`; there are: shop",
        ),
        (
            "GET /apis/shop/stages/prd",
            "",
            404,
            "there is no stage `prd`; there are: test, prod",
        ),
        (
            "GET /apis/shop/deployments/0",
            "",
            404,
            "there is no deployment `0`",
        ),
        ("PUT /apis", "", 405, "this path takes GET"),
        ("POST /apis/shop/deployments", "{", 400, "JSON"),
        (
            "POST /apis/shop/deployments",
            "{\"openapi\": \"3.0.1\", \"paths\": {\"pets\": {}}}",
            400,
            "/paths/pets",
        ),
        ("POST /apis/shop/deployments", &large, 413, "2000 bytes"),
        (
            "POST /apis/shop/deployments?stage=prod",
            &release(2),
            400,
            "there are: stageName, description",
        ),
        (
            "POST /apis/shop/deployments?description=%ff",
            &release(2),
            400,
            "description: must be UTF-8",
        ),
        (
            &variables,
            "{\"a-b\": \"1\"}",
            400,
            "shop stage prod:/variables/a-b: ",
        ),
        (
            &variables,
            "{\"a\": 1}",
            400,
            "body: `a` is 1; a variable is a text, and null removes it",
        ),
        (&variables, "{\"a\": null}", 404, "there is no variable `a`"),
        (
            &promotion,
            "{}",
            400,
            "either `deploymentId` or `fromStage`",
        ),
        (
            &promotion,
            "{\"deployment\": \"0\"}",
            400,
            "unknown field `deployment`",
        ),
        (&rollback, "", 409, "the stage served nothing before"),
        (
            "GET /usageplans/gold/keys/a/usage",
            "",
            404,
            "there is no usage plan `gold` with a quota",
        ),
        (
            "PUT /usageplans/free/keys/a/usage",
            "{\"remaining\": -1}",
            400,
            "body: invalid value",
        ),
    ];
    for (request, body, expected, message) in cases {
        let (status, value) = admin.send(request, body).await;
        assert_eq!(status, *expected, "{request}: {value}");
        let told = value["message"].as_str().expect("a message");
        assert!(told.contains(message), "{request}: {told}");
        assert!(value["faults"].is_array(), "{request}: {value}");
    }
    assert_eq!(
        admin.get("/apis/shop/deployments").await["items"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn a_body_without_a_length_is_cut_at_the_limit() {
    let admin = Admin::start().await;
    let chunk = format!("{:x}\r\n{}\r\n", 1_500, "x".repeat(1_500));
    let request = format!(
        "POST /apis/shop/deployments HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"
    );
    assert_eq!(admin.send_raw(&request).await.0, 413);
}

#[tokio::test]
async fn a_browser_does_not_change_anything_for_another_site() {
    let admin = Admin::start().await;
    let request = |method: &str, site: &str| {
        format!(
            "{method} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nsec-fetch-site: {site}\r\ncontent-length: 0\r\n\r\n"
        )
    };
    let rollback = "POST /apis/shop/stages/prod/rollback";
    assert_eq!(
        admin.send_raw(&request(rollback, "cross-site")).await.0,
        403
    );
    assert_eq!(admin.send_raw(&request(rollback, "same-site")).await.0, 403);
    assert_eq!(
        admin.send_raw(&request(rollback, "same-origin")).await.0,
        409
    );
    assert_eq!(
        admin.send_raw(&request("GET /apis", "cross-site")).await.0,
        200
    );
}

#[tokio::test]
async fn it_stands_behind_the_auth_of_an_axum_router() {
    let admin = Admin::start().await;
    let auth = |request: axum::extract::Request, next: axum::middleware::Next| async move {
        let token = request.headers().get("authorization");
        if token.is_some_and(|token| token == "Bearer open sesame") {
            return next.run(request).await;
        }
        let refused: Response<Body> = Rejection::new(RejectionKind::Unauthorized).into_response();
        refused.map(axum::body::Body::new)
    };
    let router = axum::Router::new()
        .nest_service("/admin", AdminService::new(admin.gateway.handle()))
        .layer(axum::middleware::from_fn(auth));
    let ask = |token: &str| {
        let request = Request::builder()
            .method(Method::GET)
            .uri("/admin/apis/shop/stages/prod");
        let request = request.header("authorization", token);
        router
            .clone()
            .oneshot(request.body(axum::body::Body::empty()).expect("a request"))
    };
    assert_eq!(
        ask("Bearer open sesame").await.expect("an answer").status(),
        200
    );
    assert_eq!(ask("Bearer guess").await.expect("an answer").status(), 401);
}
