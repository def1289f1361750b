//! What the handle does, and what it refuses.

use http::StatusCode;
use portcullis::core::ManualClock;
use portcullis::definition::{Stage, Timestamp};
use portcullis::{ApiSpec, Change, Gateway, HandleErrorKind, NewDeployment};
use serde_json::{Value, json};

use super::{build, document, get, http_release, mock, release, shop, text};

fn stage(value: Value) -> Stage {
    serde_json::from_value(value).expect("a stage")
}

#[tokio::test]
async fn a_deployment_goes_from_stage_to_stage_and_back() {
    let gateway = build(shop(release(1)).stage_named("test").stage_named("prod"));
    let handle = gateway.handle();
    let blue = handle.stage("shop", "prod").expect("a stage").deployment_id;

    let green = NewDeployment::new(release(2))
        .description("green")
        .stage("test");
    let green = handle.deploy("shop", green).expect("a good definition");
    assert_eq!(green.stages, ["test"]);
    assert_eq!(text(&gateway, "/test/release").await, "2");
    assert_eq!(text(&gateway, "/prod/release").await, "1");

    handle
        .promote("shop", "prod", &green.id)
        .expect("it is there");
    assert_eq!(text(&gateway, "/prod/release").await, "2");
    let prod = handle.stage("shop", "prod").expect("a stage");
    assert_eq!(prod.deployment_id, green.id);
    assert_eq!(prod.earlier_deployment_ids, [&*blue]);

    let back = handle.roll_back("shop", "prod").expect("it served blue");
    assert_eq!((&*back.id, back.stages), (&*blue, vec!["prod".to_owned()]));
    assert_eq!(text(&gateway, "/prod/release").await, "1");
    let error = handle
        .roll_back("shop", "prod")
        .expect_err("nothing is before");
    assert_eq!(error.kind(), HandleErrorKind::Conflict);
    assert_eq!(
        error.to_string(),
        "shop stage prod:/deploymentId: the stage served nothing before; promote one of the deployments"
    );
}

#[tokio::test]
async fn the_same_definition_is_the_same_deployment_in_any_process() {
    let clock = ManualClock::at_unix(1_000);
    let gateway = Gateway::builder()
        .api(shop(release(1)).stage_named("prod"))
        .clock(clock.clone())
        .build()
        .expect("a gateway");
    let handle = gateway.handle();
    clock.advance(std::time::Duration::from_secs(50));
    let two = handle
        .deploy("shop", release(2))
        .expect("a good definition");
    let pretty: Value = serde_json::from_str(&release(1)).expect("JSON");
    let pretty = serde_json::to_string_pretty(&pretty).expect("JSON");
    let one = handle.deploy("shop", pretty).expect("a good definition");
    assert_eq!(handle.deployments("shop").expect("an API").len(), 2);
    assert_eq!(one.created_date, Timestamp::Epoch(1_000.into()));
    assert_eq!(two.created_date, Timestamp::Epoch(1_050.into()));

    let elsewhere = build(shop(release(2)).stage_named("x")).handle();
    let same = elsewhere.stage("shop", "x").expect("a stage").deployment_id;
    assert_eq!(same, two.id);
}

#[tokio::test]
async fn requests_can_read_which_deployment_serves_them() {
    let api = document(&json!({ "/id": { "get": mock("$context.deploymentId") } }));
    let gateway = build(shop(api).stage_named("prod"));
    let id = gateway
        .handle()
        .stage("shop", "prod")
        .expect("a stage")
        .deployment_id;
    assert_eq!(text(&gateway, "/prod/id").await, id);
}

#[tokio::test]
async fn a_stage_that_names_a_deployment_of_its_own_keeps_it_until_it_is_promoted() {
    let mut old = stage(json!({ "stageName": "old", "deploymentId": "before" }));
    old.description = Some("for those who cannot move".to_owned());
    let api = shop(release(1))
        .deployment("before", release(0))
        .stage(old)
        .stage_named("prod");
    let gateway = build(api);
    let handle = gateway.handle();
    let two = handle
        .deploy("shop", release(2))
        .expect("a good definition");
    assert_eq!(text(&gateway, "/old/release").await, "0");
    assert_eq!(text(&gateway, "/prod/release").await, "2");
    handle.promote("shop", "old", &two.id).expect("it is there");
    assert_eq!(text(&gateway, "/old/release").await, "2");
    handle
        .promote("shop", "prod", "before")
        .expect("it has a name");
    assert_eq!(text(&gateway, "/prod/release").await, "0");
}

#[tokio::test]
async fn history_is_bounded_and_keeps_what_serves() {
    let gateway = Gateway::builder()
        .api(shop(release(0)).stage_named("old").stage_named("prod"))
        .kept_deployments(3)
        .build()
        .expect("a gateway");
    let handle = gateway.handle();
    for number in 1..=10 {
        let next = NewDeployment::new(release(number)).stage("prod");
        handle.deploy("shop", next).expect("a good definition");
    }
    let kept = handle.deployments("shop").expect("an API");
    assert_eq!(kept.len(), 3);
    assert_eq!(kept[0].stages, ["prod"]);
    assert_eq!(kept[2].stages, ["old"], "the oldest still serves");
    let prod = handle.stage("shop", "prod").expect("a stage");
    assert_eq!(
        prod.earlier_deployment_ids.len(),
        2,
        "what is gone is no way back"
    );
    handle.roll_back("shop", "prod").expect("it is kept");
    assert_eq!(text(&gateway, "/prod/release").await, "9");
}

#[tokio::test]
async fn a_deployment_that_serves_is_not_deleted() {
    let gateway = build(shop(release(1)).stage_named("prod"));
    let handle = gateway.handle();
    let one = handle.stage("shop", "prod").expect("a stage").deployment_id;
    let two = handle
        .deploy("shop", release(2))
        .expect("a good definition")
        .id;
    let error = handle
        .delete_deployment("shop", &two)
        .expect_err("it serves");
    assert_eq!(error.kind(), HandleErrorKind::Conflict);
    assert!(
        error.to_string().contains("stages serve it: prod"),
        "{error}"
    );
    let error = handle
        .delete_deployment("shop", &one)
        .expect_err("it is configured");
    assert!(
        error.to_string().contains("the configuration has it"),
        "{error}"
    );
    let three = handle
        .create_deployment("shop", release(3))
        .expect("a good definition")
        .id;
    handle
        .delete_deployment("shop", &three)
        .expect("nothing serves it");
    assert_eq!(handle.deployments("shop").expect("an API").len(), 2);
}

#[test]
fn a_difference_names_routes_and_fields() {
    let before = document(&json!({
        "/pets": { "get": mock("1"), "post": mock("1") },
        "/old": { "get": mock("1") },
    }));
    let mut changed = mock("2");
    changed["x-amazon-apigateway-integration"]["timeoutInMillis"] = json!(1_000);
    let mut after: Value = serde_json::from_str(&document(&json!({
        "/pets": { "get": mock("1"), "post": changed },
        "/new": { "get": mock("1") },
    })))
    .expect("JSON");
    after["x-amazon-apigateway-minimum-compression-size"] = json!(0);
    let gateway = build(shop(before).stage_named("prod"));
    let handle = gateway.handle();
    let from = handle.stage("shop", "prod").expect("a stage").deployment_id;
    let to = handle
        .create_deployment("shop", after.to_string())
        .expect("a good definition")
        .id;
    let diff = handle.diff("shop", &from, &to).expect("both are there");
    assert_eq!(
        diff.to_string(),
        "+ GET /new\n- GET /old\n\
         ~ POST /pets: ~ /methodIntegration/integrationResponses/200/responseTemplates/application~1json, \
         ~ /methodIntegration/timeoutInMillis\n\
         + /minimumCompressionSize"
    );
    assert_eq!(diff.routes[0].change, Change::Added);
    assert!(
        handle
            .diff("shop", &from, &from)
            .expect("it is there")
            .is_empty()
    );
}

#[test]
fn a_difference_of_http_apis_looks_into_integrations() {
    let gateway = Gateway::builder()
        .api(ApiSpec::http(http_release("blue")).id("shop"))
        .build()
        .expect("a gateway");
    let handle = gateway.handle();
    let from = handle
        .stage("shop", "$default")
        .expect("a stage")
        .deployment_id;
    let green = handle.create_deployment("shop", http_release("green"));
    let to = green.expect("a good definition").id;
    let diff = handle.diff("shop", &from, &to).expect("both are there");
    assert_eq!(
        diff.to_string(),
        "~ GET /release: ~ /integration/integrationUri"
    );
}

#[tokio::test]
async fn stages_of_http_apis_may_deploy_by_themselves() {
    let gateway = Gateway::builder()
        .api(
            ApiSpec::http(http_release("blue"))
                .id("shop")
                .stage(stage(
                    json!({ "stageName": "$default", "autoDeploy": true }),
                ))
                .stage_named("prod"),
        )
        .function_mock("blue", "blue")
        .function_mock("green", "green")
        .build()
        .expect("a gateway");
    let handle = gateway.handle();
    handle
        .create_deployment("shop", http_release("green"))
        .expect("a good definition");
    assert_eq!(text(&gateway, "/release").await, "green");
    assert_eq!(text(&gateway, "/prod/release").await, "blue");
    let blue = handle.stage("shop", "prod").expect("a stage").deployment_id;
    let error = handle
        .promote("shop", "$default", &blue)
        .expect_err("it deploys by itself");
    assert_eq!(error.kind(), HandleErrorKind::Conflict);
    assert!(
        error.to_string().contains("stage $default:/autoDeploy"),
        "{error}"
    );
    assert!(handle.roll_back("shop", "$default").is_err());
}

#[tokio::test]
async fn variables_are_set_without_a_deployment_and_read_wherever_they_may_stand() {
    let mut parameter = mock("$stageVariables.colour");
    let integration = &mut parameter["x-amazon-apigateway-integration"];
    integration["responses"]["default"]["responseParameters"] =
        json!({ "method.response.header.x-colour": "stageVariables.colour" });
    parameter["responses"]["200"]["headers"] = json!({ "x-colour": {} });
    let function = json!({ "x-amazon-apigateway-integration": {
        "type": "aws_proxy", "httpMethod": "POST",
        "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:${stageVariables.colour}/invocations"
    } });
    let api = document(&json!({ "/mock": { "get": parameter }, "/function": { "get": function } }));
    let gateway = Gateway::builder()
        .api(shop(api).stage(stage(
            json!({ "stageName": "prod", "variables": { "colour": "blue" } }),
        )))
        .function_mock(
            "blue",
            json!({ "statusCode": 200, "body": "the blue function" }),
        )
        .function_mock(
            "green",
            json!({ "statusCode": 200, "body": "the green function" }),
        )
        .build()
        .expect("a gateway");
    let handle = gateway.handle();
    assert_eq!(text(&gateway, "/prod/mock").await, "blue");
    assert_eq!(text(&gateway, "/prod/function").await, "the blue function");
    let set = handle.set_stage_variables("shop", "prod", [("colour", "green"), ("other", "x")]);
    assert_eq!(set.expect("good values").variables.len(), 2);
    assert_eq!(text(&gateway, "/prod/mock").await, "green");
    assert_eq!(text(&gateway, "/prod/function").await, "the green function");
    handle
        .deploy("shop", release(2))
        .expect("a good definition");
    assert_eq!(
        handle.stage("shop", "prod").expect("a stage").variables["colour"],
        "green"
    );
    handle.roll_back("shop", "prod").expect("it served another");

    handle
        .remove_stage_variable("shop", "prod", "colour")
        .expect("it is there");
    assert_eq!(text(&gateway, "/prod/mock").await, "");
    assert_eq!(
        get(&gateway, "/prod/function").await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    let coverage = gateway.coverage().to_string();
    assert!(
        coverage.contains("stage prod:/variables/colour"),
        "{coverage}"
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_by_field_and_changes_nothing() {
    let gateway = build(shop(release(1)).stage_named("prod"));
    let handle = gateway.handle();
    let refused = |error: portcullis::HandleError, kind, text: &str| {
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.to_string(), text);
    };
    use HandleErrorKind::{Invalid, NotFound};
    refused(
        handle.deploy("pets", release(2)).unwrap_err(),
        NotFound,
        "pets: there is no API `pets`; there are: shop",
    );
    let there_is_none = NewDeployment::new(release(2)).stage("prd");
    refused(
        handle.deploy("shop", there_is_none).unwrap_err(),
        NotFound,
        "shop stages: there is no stage `prd`; there are: prod",
    );
    let known = handle.stage("shop", "prod").expect("a stage").deployment_id;
    refused(
        handle.promote("shop", "prod", "0").unwrap_err(),
        NotFound,
        &format!("shop deployments: there is no deployment `0`; there are: {known}"),
    );
    refused(
        handle
            .set_stage_variables("shop", "prod", [("ok", "1"), ("a-b", "1")])
            .unwrap_err(),
        Invalid,
        "shop stage prod:/variables/a-b: the name `a-b` holds '-'; only letters, digits and `_` are allowed",
    );
    let many = (0..101).map(|number| (format!("v{number}"), "x"));
    refused(
        handle
            .set_stage_variables("shop", "prod", many)
            .unwrap_err(),
        Invalid,
        "shop stage prod:/variables: there are 101 stage variables; at most 100 are allowed",
    );
    refused(
        handle
            .remove_stage_variable("shop", "prod", "x")
            .unwrap_err(),
        NotFound,
        "shop stage prod:/variables: there is no variable `x`, and no other",
    );
    let wrong = document(&json!({ "pets": {} }));
    let error = handle.deploy("shop", wrong).unwrap_err();
    assert_eq!(error.kind(), Invalid);
    assert!(error.faults()[0].place.contains("/paths/pets"), "{error}");
    let unchanged = handle.stage("shop", "prod").expect("a stage");
    assert_eq!(unchanged.deployment_id, known);
    assert!(unchanged.variables.is_empty());
    assert_eq!(handle.deployments("shop").expect("an API").len(), 1);
}

#[tokio::test]
async fn a_reload_keeps_what_the_operator_did_unless_the_source_says_something_else() {
    let source = |number| {
        Gateway::builder().api(
            shop(release(number))
                .stage_named("prod")
                .stage_named("test"),
        )
    };
    let gateway = source(1).build().expect("a gateway");
    let handle = gateway.handle();
    let two = NewDeployment::new(release(2)).stage("prod");
    handle.deploy("shop", two).expect("a good definition");
    handle
        .set_stage_variables("shop", "prod", [("a", "1")])
        .expect("a good value");
    gateway.reload(source(1)).expect("the same source");
    assert_eq!(text(&gateway, "/prod/release").await, "2");
    assert_eq!(text(&gateway, "/test/release").await, "1");
    gateway.reload(source(3)).expect("another source");
    assert_eq!(text(&gateway, "/prod/release").await, "3");
    assert_eq!(text(&gateway, "/test/release").await, "3");
    assert_eq!(
        handle.stage("shop", "prod").expect("a stage").variables["a"],
        "1"
    );
    handle.roll_back("shop", "prod").expect("it served another");
    assert_eq!(text(&gateway, "/prod/release").await, "2");
}
