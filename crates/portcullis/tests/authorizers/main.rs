//! Custom authorizers through a whole gateway.

mod canary;
mod http_api;
mod rest_api;
mod tables;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::{Request, Response, StatusCode};
use portcullis::core::{Body, FunctionError, FunctionReply, Invocation, ManualClock};
use portcullis::{ApiSpec, Gateway, GatewayBuilder, Parity, Served};
use portcullis_testkit::request as testkit;
use serde_json::{Value, json};
use tower::ServiceExt;

/// An authorizer that remembers what it was given and answers what it is told to.
#[derive(Clone, Default)]
struct Asked {
    count: Arc<AtomicUsize>,
    last: Arc<Mutex<Value>>,
}

impl Asked {
    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    fn last(&self) -> Value {
        self.last.lock().expect("nobody panics").clone()
    }

    /// A function that answers as `answer` says of its event; `Err` is the message of its failure.
    fn function(
        &self,
        answer: impl Fn(&Value) -> Result<Value, &'static str> + Send + Sync + 'static,
    ) -> impl portcullis::core::Function {
        let own = self.clone();
        move |call: Invocation| {
            own.count.fetch_add(1, Ordering::SeqCst);
            let event: Value = serde_json::from_slice(&call.payload).expect("an event");
            let answer = answer(&event);
            *own.last.lock().expect("nobody panics") = event;
            async move {
                Ok::<_, FunctionError>(match answer {
                    Ok(answer) => FunctionReply::success(answer.to_string()),
                    Err(message) => {
                        FunctionReply::failure(json!({ "errorMessage": message }).to_string())
                    }
                })
            }
        }
    }
}

fn policy(effect: &str, resource: &Value) -> Value {
    json!({
        "principalId": "me",
        "policyDocument": { "Version": "2012-10-17", "Statement": [
            { "Action": "execute-api:Invoke", "Effect": effect, "Resource": resource }
        ] },
        "context": { "tier": "gold", "n": 1, "b": true },
    })
}

fn uri(function: &str) -> String {
    format!(
        "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:{function}/invocations"
    )
}

/// An operation whose function answers with what its event says of the caller.
fn show(secured: bool) -> Value {
    json!({
        "security": if secured { json!([{ "auth": [] }]) } else { json!([]) },
        "responses": { "200": { "description": "200 response" } },
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy", "httpMethod": "POST", "payloadFormatVersion": "2.0", "uri": uri("show"),
        },
    })
}

async fn show_caller(call: Invocation) -> Result<FunctionReply, FunctionError> {
    let event: Value = serde_json::from_slice(&call.payload).expect("an event");
    let body = event["requestContext"]["authorizer"].to_string();
    let reply = json!({ "statusCode": 200, "body": body });
    Ok(FunctionReply::success(reply.to_string()))
}

fn document(authorizer: &Value, paths: &Value) -> Value {
    json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "paths": paths,
        "components": { "securitySchemes": { "auth": {
            "type": "apiKey", "name": "Authorization", "in": "header",
            "x-amazon-apigateway-authtype": "custom",
            "x-amazon-apigateway-authorizer": authorizer,
        } } },
    })
}

fn with(mut value: Value, changes: &Value) -> Value {
    for (name, change) in changes.as_object().expect("an object") {
        match change {
            Value::Null => drop(value.as_object_mut().expect("an object").remove(name)),
            change => value[name] = change.clone(),
        }
    }
    value
}

fn builder(api: ApiSpec) -> GatewayBuilder {
    Gateway::builder()
        .region("eu-west-1")
        .account_id("123456789012")
        .clock(ManualClock::default())
        .function("show", show_caller)
        .api(api)
}

fn build(builder: GatewayBuilder) -> Gateway {
    let gateway = builder.build().expect("a good definition");
    let coverage = gateway.coverage();
    assert_eq!(coverage.not_served().count(), 0, "{coverage}");
    gateway
}

async fn ask(gateway: &Gateway, uri: &str, token: &str) -> Response<Body> {
    let mut request = Request::get(uri);
    if !token.is_empty() {
        request = request.header("authorization", token);
    }
    let request = request.body(Body::empty()).expect("a request");
    gateway.clone().oneshot(request).await.expect("never fails")
}

async fn status(gateway: &Gateway, uri: &str, token: &str) -> u16 {
    ask(gateway, uri, token).await.status().as_u16()
}

#[track_caller]
fn check_fault(builder: GatewayBuilder, place: &str) {
    let error = builder.build().expect_err("a fault");
    let places: Vec<_> = error
        .faults()
        .iter()
        .map(|fault| fault.place.as_str())
        .collect();
    let authorizer = "/components/securitySchemes/auth/x-amazon-apigateway-authorizer";
    assert_eq!(places, [format!("{authorizer}{place}")], "{error}");
}
