//! Cached methods of a gateway on a real socket: who is let in by what, and what hostile clients can do to others.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use portcullis::auth::api_key::{ApiKey, MemoryKeys};
use portcullis::auth::credentials::{Caller, Credential, MemoryCredentials};
use portcullis::auth::iam::{CallerPolicies, IdentityPolicy, Principal};
use portcullis::core::ManualClock;
use portcullis::serve::Server;
use portcullis::{ApiSpec, Gateway, Parity};
use portcullis_testkit::{SigV4Signer, wire};
use serde_json::{Value, json};

fn uri(function: &str) -> String {
    format!(
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:{function}/invocations"
    )
}

/// A method whose function numbers its answers.
fn method(changes: &Value) -> Value {
    let mut method = json!({
        "responses": {},
        "x-amazon-apigateway-integration": { "type": "aws_proxy", "httpMethod": "POST", "uri": uri("show") },
    });
    for (name, value) in changes.as_object().expect("an object") {
        match value.as_object() {
            Some(members) => method[name]
                .as_object_mut()
                .expect("an object")
                .extend(members.clone()),
            None => method[name] = value.clone(),
        }
    }
    method
}

/// A scheme by which a function says who asks.
fn authorizer(kind: &str, header: &str) -> Value {
    json!({
        "type": "apiKey", "name": header, "in": "header", "x-amazon-apigateway-authtype": "custom",
        "x-amazon-apigateway-authorizer": {
            "type": kind, "authorizerUri": uri("auth"), "authorizerResultTtlInSeconds": 0,
            "identitySource": format!("method.request.header.{header}"),
        },
    })
}

fn document() -> Value {
    let by = |scheme: &str| method(&json!({ "security": [{ scheme: [] }] }));
    let by_tenant = method(&json!({
        "security": [{ "token": [] }],
        "x-amazon-apigateway-integration": {
            "cacheKeyParameters": ["integration.request.header.x-tenant"],
            "requestParameters": { "integration.request.header.x-tenant": "context.authorizer.tenant" },
        },
    }));
    json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "paths": {
            "/token": { "get": by("token") },
            "/request": { "get": by("request") },
            "/key": { "get": by("key") },
            "/iam": { "get": by("iam") },
            "/tenant": { "get": by_tenant },
            "/open": { "get": method(&json!({ "security": [] })) },
        },
        "components": { "securitySchemes": {
            "token": authorizer("token", "Authorization"),
            "request": authorizer("request", "x-user"),
            "key": { "type": "apiKey", "name": "x-api-key", "in": "header" },
            "iam": { "type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4" },
        } },
    })
}

const KEYS: [&str; 2] = ["0123456789abcdefghij", "klmnopqrstuvwxyz0123"];
/// 2024-02-29T23:59:30Z
const NOW: u64 = 1_709_251_170;
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Whose access key it is: a user who may call everything.
fn credential(id: &str, user: &str) -> Credential {
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": { "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*" },
    });
    let policy = IdentityPolicy::from_value(&policy).expect("a policy");
    let principal = Principal::from_arn(&format!("arn:aws:iam::000000000000:user/{user}"));
    let caller = Caller::new(principal.expect("an ARN"))
        .with_policies(CallerPolicies::new().with_identity(policy));
    Credential::new(id, SECRET, caller)
}

struct Running {
    address: SocketAddr,
    gateway: Gateway,
    calls: Arc<AtomicUsize>,
}

async fn start(parity: Parity) -> Running {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let stage = json!({
        "stageName": "prod", "cacheClusterEnabled": true,
        "methodSettings": { "*/*": { "cachingEnabled": true } },
    });
    let plan = json!({
        "id": "gold", "apiStages": [{ "apiId": "pets", "stage": "prod" }], "keys": ["one", "two"],
    });
    let gateway = Gateway::builder()
        .clock(ManualClock::at_unix(NOW))
        .api(
            ApiSpec::rest(document().to_string())
                .id("pets")
                .parity(parity)
                .stage(serde_json::from_value(stage).expect("a stage")),
        )
        .api_keys(MemoryKeys::new([
            ApiKey::new("one", KEYS[0]),
            ApiKey::new("two", KEYS[1]),
        ]))
        .usage_plan(serde_json::from_value(plan).expect("a plan"))
        .access_keys(MemoryCredentials::new([
            credential("AKIDANN", "ann"),
            credential("AKIDBOB", "bob"),
        ]))
        .handler("auth", async |event: Value| {
            let token = event["authorizationToken"]
                .as_str()
                .or_else(|| event["headers"]["x-user"].as_str());
            let name = token.unwrap_or_default();
            // `ann@one` is ann, of the tenant one.
            let tenant = name.split_once('@').map_or("", |(_, tenant)| tenant);
            // As many do, one of them calls everybody by the same name.
            let principal = if event["type"] == "REQUEST" {
                "user"
            } else {
                name
            };
            Ok::<_, &str>(json!({
                "principalId": principal,
                "context": { "tenant": tenant },
                "policyDocument": { "Version": "2012-10-17", "Statement": [
                    { "Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "*" }
                ] },
            }))
        })
        .handler("show", move |event: Value| {
            let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
            let body = format!("answer {number} at {}", event["headers"]["host"]);
            std::future::ready(Ok::<_, &str>(json!({ "statusCode": 200, "body": body })))
        })
        .build()
        .expect("a gateway");
    let server = Server::builder().listen("127.0.0.1:0").bind().await;
    let server = server.expect("a port");
    let address = server.handle().local_addrs()[0];
    tokio::spawn(server.run(gateway.clone()));
    Running {
        address,
        gateway,
        calls,
    }
}

impl Running {
    async fn get(&self, target: &str, headers: &str) -> String {
        let answer = wire::send(
            self.address,
            format!("GET {target} HTTP/1.1\r\nhost: api.example.com\r\n{headers}\r\n"),
        );
        let answer = answer.await;
        assert_eq!(answer.status, 200, "{target} {headers} {}", answer.text());
        answer.text()
    }

    async fn signed(&self, id: &str) -> String {
        let request = http::Request::get("/prod/iam").header("host", "api.example.com");
        let request = request.body(Vec::new()).expect("a request");
        let signer = SigV4Signer::new(id, SECRET).scope("us-east-1", "execute-api");
        let request = signer
            .at(UNIX_EPOCH + Duration::from_secs(NOW))
            .sign(request);
        let headers: String = request
            .headers()
            .iter()
            .filter(|(name, _)| *name != "host")
            .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().expect("text")))
            .collect();
        self.get("/prod/iam", &headers).await
    }

    fn hits(&self) -> u64 {
        self.gateway.response_cache().stats().hits
    }
}

#[tokio::test]
async fn no_caller_reads_what_was_made_for_another_whatever_let_them_in() {
    let running = start(Parity::Safe).await;
    for (target, ann, bob) in [
        (
            "/prod/token",
            "authorization: ann\r\n",
            "authorization: bob\r\n",
        ),
        ("/prod/request", "x-user: ann\r\n", "x-user: bob\r\n"),
        (
            "/prod/key",
            "x-api-key: 0123456789abcdefghij\r\n",
            "x-api-key: klmnopqrstuvwxyz0123\r\n",
        ),
    ] {
        let hits = running.hits();
        let anns = running.get(target, ann).await;
        let bobs = running.get(target, bob).await;
        assert_ne!(anns, bobs, "{target}");
        assert_eq!(running.get(target, ann).await, anns, "{target}");
        assert_eq!(running.get(target, bob).await, bobs, "{target}");
        assert_eq!(running.hits() - hits, 2, "{target}");
    }
    let (anns, bobs) = (
        running.signed("AKIDANN").await,
        running.signed("AKIDBOB").await,
    );
    assert_ne!(anns, bobs);
    assert_eq!(running.signed("AKIDANN").await, anns);
}

#[tokio::test]
async fn an_authorizer_s_context_is_a_key_part_for_those_who_share_otherwise() {
    // As in the service: only what is in the key keeps callers apart.
    let running = start(Parity::Strict).await;
    let token = async |target: &str, token: &str| {
        running
            .get(target, &format!("authorization: {token}\r\n"))
            .await
    };
    let first = token("/prod/token", "ann@one").await;
    assert_eq!(token("/prod/token", "bob@two").await, first);
    let one = token("/prod/tenant", "ann@one").await;
    assert_eq!(token("/prod/tenant", "bob@one").await, one);
    assert_ne!(token("/prod/tenant", "bob@two").await, one);
    assert_ne!(token("/prod/tenant", "bob").await, one);
}

#[tokio::test]
async fn nothing_that_a_client_sends_beside_the_key_reaches_others() {
    let running = start(Parity::Safe).await;
    let own = running.get("/prod/open", "").await;
    for headers in [
        "x-forwarded-host: evil\r\n",
        "x-original-url: /admin\r\n",
        "x_forwarded_host: evil\r\n",
        "x-http-method-override: DELETE\r\n",
        "forwarded: host=evil\r\n",
        "content-length: 4\r\n\r\nevil",
    ] {
        running
            .gateway
            .flush_stage_cache("pets", "prod")
            .await
            .expect("it is there");
        let theirs = running.get("/prod/open", headers).await;
        let after = running.get("/prod/open", "").await;
        assert_ne!(after, theirs, "{headers}");
        assert_ne!(after, own);
        assert_eq!(running.get("/prod/open", "").await, after);
    }
}

#[tokio::test]
async fn a_host_in_the_target_is_the_host_and_one_that_contradicts_the_header_is_nobody_s() {
    let running = start(Parity::Safe).await;
    let send = async |target: &str, host: &str| {
        let bytes = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n");
        let answer = wire::send(running.address, bytes).await;
        (answer.status, answer.text())
    };
    let own = send("/prod/open", "api.example.com").await;
    assert_eq!(send("/prod/open", "API.Example.com").await, own);
    assert_eq!(
        send("http://api.example.com/prod/open", "api.example.com").await,
        own
    );
    for (target, host) in [
        ("/prod/open", "evil.example.com"),
        ("/prod/open", "api.example.com."),
        ("/prod/open", "api.example.com:8080"),
        ("http://evil.example.com/prod/open", "api.example.com"),
        ("http://api.example.com/prod/open", "evil.example.com"),
        ("http://evil@api.example.com/prod/open", "api.example.com"),
    ] {
        let (status, text) = send(target, host).await;
        let is_other = status >= 400 || text != own.1;
        // What the listener refuses or makes one host of is nobody's harm.
        assert!(
            is_other || target.starts_with("http://api."),
            "{target} {host} {text}"
        );
        assert_eq!(
            send("/prod/open", "api.example.com").await,
            own,
            "{target} {host}"
        );
    }
    assert!(running.calls.load(Ordering::SeqCst) > 1);
}
