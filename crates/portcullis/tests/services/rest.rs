//! `AWS` and `AWS_PROXY` of REST APIs: DynamoDB, SQS and Lambda.

use http::Request;
use portcullis::auth::credentials::{Caller, Credential, MemoryCredentials};
use portcullis::auth::iam::{CallerPolicies, IdentityPolicy, Principal};
use portcullis::core::{Clock, SystemClock};
use portcullis::integrations::Credentials;
use portcullis::{ApiSpec, Gateway, GatewayBuilder, GatewayConfig};
use portcullis_testkit::SigV4Signer;
use serde_json::{Value, json};

use crate::moto::Moto;
use crate::{Running, document, operation};

/// An action or path, whose refusals become 502.
fn aws(uri: &str, template: &str, credentials: Option<&str>) -> Value {
    json!({
        "type": "aws",
        "httpMethod": "POST",
        "uri": format!("arn:aws:apigateway:us-east-1:{uri}"),
        "credentials": credentials,
        "requestTemplates": {"application/json": template},
        "responses": {
            "default": {"statusCode": "200"},
            "[45]\\d\\d": {
                "statusCode": "502",
                "responseTemplates": {"application/json": "{\"refused\": true}"}
            }
        }
    })
}

fn put(credentials: Option<&str>) -> Value {
    aws(
        "dynamodb:action/PutItem",
        r#"{"TableName": "pets", "Item": {
            "id": {"S": "$util.escapeJavaScript($input.path('$.id'))"},
            "name": {"S": "$util.escapeJavaScript($input.path('$.name'))"}
        }}"#,
        credentials,
    )
}

fn get(credentials: Option<&str>) -> Value {
    let mut integration = aws(
        "dynamodb:action/GetItem",
        r#"{"TableName": "pets", "Key": {"id": {"S": "$util.escapeJavaScript($input.params('id'))"}}}"#,
        credentials,
    );
    integration["responses"]["default"]["responseTemplates"] = json!({"application/json": r##"
        #set($item = $input.path('$.Item'))
        #if($item == "")#set($context.responseOverride.status = 404){"message": "no such pet"}
        #else{"id": "$item.id.S", "name": "$item.name.S"}#end"##});
    integration
}

fn form(action: &str) -> Value {
    let template = format!("Action={action}");
    let mut integration = aws("sqs:path/123456789012/orders", &template, None);
    let form = json!("'application/x-www-form-urlencoded'");
    integration["requestParameters"] = json!({"integration.request.header.Content-Type": form});
    integration
}

fn gateway(paths: &Value) -> GatewayBuilder {
    let api = ApiSpec::rest(document(paths)).id("pets");
    Gateway::builder()
        .account_id("123456789012")
        .api(api.stage_named("prod").stage_optional(true))
}

#[tokio::test]
async fn dynamodb_is_called_with_mapping_templates_and_no_function() {
    let Some(moto) = Moto::start().await else {
        return;
    };
    let paths = json!({
        "/pets": {"post": operation(&put(None))},
        "/pets/{id}": {"get": operation(&get(None))}
    });
    let builder = gateway(&paths).aws_endpoint(moto.url());
    let running = Running::start(builder.credentials(moto.credentials("gateway"))).await;
    let answer = running.send("GET", "/pets/7", "").await;
    assert_eq!(answer.status, 404, "{}", answer.text());
    let pet = r#"{"id": "7", "name": "Rex"}"#;
    let answer = running.send("POST", "/pets", pet).await;
    assert_eq!((answer.status, &*answer.text()), (200, "{}"));
    let answer = running.send("GET", "/pets/7", "").await;
    assert_eq!(answer.json(), json!({"id": "7", "name": "Rex"}));

    // The services do check: with another secret the same call is refused.
    let (id, _) = moto.key("gateway");
    let builder = gateway(&paths).aws_endpoint(moto.url());
    let wrong = Running::start(builder.credentials(Credentials::new(id, "another"))).await;
    let answer = wrong.send("POST", "/pets", pet).await;
    assert_eq!(
        (answer.status, &*answer.text()),
        (502, "{\"refused\": true}")
    );
}

#[tokio::test]
async fn sqs_is_called_with_forms() {
    let Some(moto) = Moto::start().await else {
        return;
    };
    let paths = json!({
        "/orders": {
            "post": operation(&form("SendMessage&MessageBody=$util.urlEncode($input.body)")),
            "get": operation(&form("ReceiveMessage"))
        },
        "/purge": {"post": operation(&form("PurgeQueue"))}
    });
    let builder = gateway(&paths).aws_endpoint(moto.url());
    let running = Running::start(builder.credentials(moto.credentials("gateway"))).await;
    let order = r#"{"pet": "Rex & Co", "n": 1}"#;
    let answer = running.send("POST", "/orders", order).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("<MessageId>"), "{}", answer.text());
    let answer = running.send("GET", "/orders", "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("Rex &amp; Co"), "{}", answer.text());
    assert_eq!(running.send("POST", "/purge", "{}").await.status, 200);
}

#[tokio::test]
async fn a_function_of_lambda_answers() {
    let Some(moto) = Moto::start().await else {
        return;
    };
    let uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:create-pet/invocations";
    let proxy = json!({"type": "aws_proxy", "httpMethod": "POST", "uri": uri});
    let paths = json!({"/pets": {"post": operation(&proxy)}});
    let builder = gateway(&paths).aws_endpoint(moto.url());
    let (id, _) = moto.key("gateway");
    let wrong = builder.clone().credentials(Credentials::new(id, "another"));
    let wrong = Running::start(wrong).await;
    assert_eq!(wrong.send("POST", "/pets", "{}").await.status, 500);
    let running = Running::start(builder.credentials(moto.credentials("gateway"))).await;
    let answer = running.send("POST", "/pets", "{}").await;
    assert_eq!((answer.status, &*answer.text()), (201, "made"));
    assert_eq!(answer.header("x-made-by"), Some("moto"));
}

#[tokio::test]
async fn a_role_that_is_assumed_has_its_own_rights() {
    let Some(moto) = Moto::start().await else {
        return;
    };
    let role = moto.made("role");
    let mut send = form("SendMessage&MessageBody=x");
    send["credentials"] = json!(role);
    // The role may send, and may not write to the table; the gateway's own user may do both.
    let paths = json!({
        "/orders": {"post": operation(&send)},
        "/pets": {"post": operation(&put(Some(role)))}
    });
    let pet = r#"{"id": "7", "name": "Rex"}"#;
    for (assume, expected) in [(false, [200, 200]), (true, [200, 502])] {
        let builder = gateway(&paths)
            .aws_endpoint(moto.url())
            .assume_roles(assume);
        let running = Running::start(builder.credentials(moto.credentials("gateway"))).await;
        let statuses = [
            running.send("POST", "/orders", pet).await.status,
            running.send("POST", "/pets", pet).await.status,
        ];
        assert_eq!(statuses, expected, "roles are assumed: {assume}");
    }
}

#[tokio::test]
async fn a_caller_has_no_more_rights_than_its_own() {
    let Some(moto) = Moto::start().await else {
        return;
    };
    let caller = Some("arn:aws:iam::*:user/*");
    let signed = |integration: &Value| {
        let mut operation = operation(integration);
        operation["x-amazon-apigateway-auth"] = json!({"type": "AWS_IAM"});
        operation
    };
    let paths = json!({
        "/pets": {"post": signed(&put(caller))},
        "/pets/{id}": {"get": signed(&get(caller))},
        "/open/{id}": {"get": operation(&get(caller))}
    });
    let (id, secret) = moto.key("reader");
    let all =
        r#"{"Statement": {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}}"#;
    let policies = CallerPolicies::new().with_identity(IdentityPolicy::parse(all).expect("valid"));
    let reader = Principal::from_arn("arn:aws:iam::123456789012:user/reader").expect("an ARN");
    let key = Credential::new(id, secret, Caller::new(reader).with_policies(policies));
    let builder = gateway(&paths)
        .region("us-east-1")
        .access_keys(MemoryCredentials::new([key]))
        .aws_endpoint(moto.url());
    let running = Running::start(builder.credentials(moto.credentials("gateway"))).await;

    let signer = SigV4Signer::new(id, secret)
        .at(SystemClock::new().wall())
        .scope("us-east-1", "execute-api");
    let host = running.address.to_string();
    for (method, path, body, expected) in [
        ("GET", "/pets/7", "", 404),
        ("POST", "/pets", r#"{"id": "7", "name": "Rex"}"#, 502),
    ] {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("host", &host).body(body.into());
        let request = signer.sign(request.expect("a request"));
        let headers: String = ["authorization", "x-amz-date"]
            .iter()
            .map(|name| format!("{name}: {}\r\n", request.headers()[*name].to_str().unwrap()))
            .collect();
        let answer = running.send_with(method, path, &headers, body).await;
        assert_eq!(answer.status, expected, "{method} {}", answer.text());
    }
    // Who did not sign has no identity to lend.
    assert_eq!(running.send("GET", "/open/7", "").await.status, 500);
}

#[tokio::test]
async fn a_configuration_leads_one_service_elsewhere() {
    let Some(moto) = Moto::start().await else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths = json!({
        "/pets": {"post": operation(&put(None))},
        "/pets/{id}": {"get": operation(&get(None))}
    });
    let definition = folder.path().join("pets.json");
    std::fs::write(definition, document(&paths)).expect("it can be written");
    let (id, secret) = moto.key("gateway");
    let file = folder.path().join("gateway.yaml");
    let text = format!(
        "apis:\n  - {{id: pets, definition: pets.json, stageOptional: true}}\n\
         credentials: {{accessKeyId: {id}, secretAccessKey: {secret:?}}}\n\
         upstreams:\n  https://dynamodb.us-east-1.amazonaws.com: {}\n",
        moto.url()
    );
    std::fs::write(&file, text).expect("it can be written");
    let config = GatewayConfig::load(&file).expect("valid");
    let running = Running::start(config.gateway().expect("valid")).await;
    let pet = r#"{"id": "8", "name": "Tom"}"#;
    let answer = running.send("POST", "/pets", pet).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = running.send("GET", "/pets/8", "").await;
    assert_eq!(answer.json()["name"], "Tom");
}
