//! `integrationSubtype` of HTTP APIs.

use portcullis::integrations::Credentials;
use portcullis::{ApiSpec, Gateway, GatewayBuilder};
use serde_json::{Value, json};

use crate::moto::Moto;
use crate::{Running, document, operation};

fn action(subtype: &str, parameters: &Value) -> Value {
    operation(&json!({
        "type": "aws_proxy",
        "integrationSubtype": subtype,
        "payloadFormatVersion": "1.0",
        "credentials": "arn:aws:iam::123456789012:role/orders",
        "requestParameters": parameters
    }))
}

fn gateway(paths: &Value) -> GatewayBuilder {
    let api = ApiSpec::http(document(paths)).id("pets");
    Gateway::builder().api(api)
}

#[tokio::test]
async fn actions_are_called_from_an_export() {
    let Some(moto) = Moto::start().await else {
        return;
    };
    let queue = moto.made("queue");
    let paths = json!({
        "/orders": {
            "post": action("SQS-SendMessage", &json!({
                "QueueUrl": queue,
                "MessageBody": "$request.body.text",
                "MessageAttributes": r#"{"Pet": {"DataType": "String", "StringValue": "${request.header.x-pet}"}}"#
            })),
            "get": action("SQS-ReceiveMessage", &json!({
                "QueueUrl": queue, "MessageAttributeNames": "All", "VisibilityTimeout": "30"
            })),
            "delete": action("SQS-DeleteMessage", &json!({
                "QueueUrl": queue, "ReceiptHandle": "$request.querystring.handle"
            }))
        },
        "/purge": {"post": action("SQS-PurgeQueue", &json!({"QueueUrl": queue}))},
        "/events": {"post": action("EventBridge-PutEvents", &json!({
            "Detail": "$request.body", "DetailType": "made", "Source": "pets",
            "Time": "$context.requestTimeEpoch"
        }))},
        "/records/{key}": {"post": action("Kinesis-PutRecord", &json!({
            "StreamName": "pets", "Data": "$request.body.data", "PartitionKey": "$request.path.key"
        }))},
        "/runs": {
            "post": action("StepFunctions-StartExecution", &json!({
                "StateMachineArn": moto.made("machine"), "Input": "$request.body"
            })),
            "delete": action("StepFunctions-StopExecution", &json!({
                "ExecutionArn": "$request.querystring.arn", "Cause": "enough"
            }))
        }
    });
    let builder = gateway(&paths).aws_endpoint(moto.url());
    let running = Running::start(builder.clone().credentials(moto.credentials("gateway"))).await;

    let pet = "x-pet: Rex\r\n";
    let sent = running
        .send_with("POST", "/orders", pet, r#"{"text": "hello <1>"}"#)
        .await;
    assert_eq!(sent.status, 200, "{}", sent.text());
    assert!(sent.text().contains("<MessageId>"), "{}", sent.text());
    let got = running.send("GET", "/orders", "").await.text();
    assert!(got.contains("<Body>hello &lt;1&gt;</Body>"), "{got}");
    assert!(got.contains("<StringValue>Rex</StringValue>"), "{got}");
    let (_, handle) = got.split_once("<ReceiptHandle>").expect("a handle");
    let (handle, _) = handle.split_once('<').expect("its end");
    let path = format!("/orders?handle={}", handle.replace('+', "%2B"));
    let deleted = running.send("DELETE", &path, "").await;
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    assert_eq!(running.send("POST", "/purge", "").await.status, 200);

    let events = running.send("POST", "/events", r#"{"pet": "Rex"}"#).await;
    assert_eq!(events.status, 200, "{}", events.text());
    assert_eq!(events.json()["FailedEntryCount"], 0);
    let record = r#"{"data": "J0hlbGxvLCBXb3JsZCEnCg=="}"#;
    let record = running.send("POST", "/records/p1", record).await;
    assert_eq!(record.status, 200, "{}", record.text());
    assert!(record.json()["SequenceNumber"].is_string());

    let run = running.send("POST", "/runs", r#"{"pet": "Rex"}"#).await;
    assert_eq!(run.status, 200, "{}", run.text());
    let arn = run.json()["executionArn"]
        .as_str()
        .expect("an ARN")
        .to_owned();
    let stopped = running
        .send("DELETE", &format!("/runs?arn={arn}"), "")
        .await;
    assert_eq!(stopped.status, 200, "{}", stopped.text());

    // As recorded: what a request does not have is its fault, what the service refuses is not.
    let record = running.send("POST", "/records/p1", "{}").await;
    assert_eq!(record.status, 400);
    let (id, _) = moto.key("gateway");
    let wrong = Running::start(builder.credentials(Credentials::new(id, "another"))).await;
    let purged = wrong.send("POST", "/purge", "").await;
    assert_eq!(purged.status, 500);
    assert_eq!(purged.text(), r#"{"message":"Internal Server Error"}"#);
}

#[test]
fn faults_name_the_place_in_the_export() {
    for (subtype, parameters, pointer) in [
        ("SQS-SendMail", json!({}), "/integrationSubtype"),
        (
            "SQS-PurgeQueue",
            json!({"Queue": "q"}),
            "/requestParameters/Queue",
        ),
        ("SQS-PurgeQueue", json!({}), "/requestParameters"),
    ] {
        let paths = json!({"/x": {"post": action(subtype, &parameters)}});
        let error = gateway(&paths).build().expect_err(subtype).to_string();
        let place = format!("/paths/~1x/post/x-amazon-apigateway-integration{pointer}");
        assert!(error.contains(&place), "{error}");
    }
}
