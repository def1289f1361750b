//! Stock signers call a running gateway over loopback: right keys pass, and each of ten changes on the way is refused.
//!
//! `cargo xtask test` installs the signers; without them the tests say that they are left out.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use portcullis::auth::credentials::{Caller, Credential, MemoryCredentials};
use portcullis::auth::iam::{CallerPolicies, IdentityPolicy, Principal};
use portcullis::serve::{Handle, Server};
use portcullis::{ApiSpec, Gateway};
use portcullis_testkit::{HyperServer, installed};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::process::Command;
use tower::service_fn;

const SECRET: &str = "a/secret+key";

/// What is done to a request on its way. The first is nothing.
const CHANGES: [(&str, fn(&mut Request<Bytes>)); 11] = [
    ("nothing", |_| {}),
    ("the body", |request| {
        let body = [request.body(), &b" "[..]].concat();
        let length = HeaderValue::from(body.len());
        request.headers_mut().insert(CONTENT_LENGTH, length);
        *request.body_mut() = body.into();
    }),
    ("the method", |request| *request.method_mut() = Method::PUT),
    ("the path", |request| {
        retarget(request, |target| target.replacen("/prod/", "/prod/x", 1))
    }),
    ("a parameter more", |request| {
        retarget(request, |target| {
            let separator = if target.contains('?') { '&' } else { '?' };
            format!("{target}{separator}admin=1")
        });
    }),
    ("the host", |request| {
        let host = HeaderValue::from_static("other.example.com");
        request.headers_mut().insert(HOST, host);
    }),
    ("the date", |request| {
        // A minute or ten, whatever it was: within the window and of the same day, or not.
        edit(request, "X-Amz-Date=", "x-amz-date", |date| flip(date, 10));
    }),
    ("the signature", |request| {
        edit(request, "Signature=", "authorization", |value| {
            flip(value, value.len() - 1)
        });
    }),
    ("the key's id", |request| {
        edit(request, "Credential=", "authorization", |value| {
            value
                .replacen("AKID", "AKIE", 1)
                .replacen("ASIA", "ASIB", 1)
        });
    }),
    ("the scope", |request| {
        edit(request, "Credential=", "authorization", |value| {
            value.replacen("eu-west-1", "eu-west-2", 1)
        });
    }),
    ("the signed headers", |request| {
        edit(request, "SignedHeaders=", "authorization", |value| {
            value.replacen("SignedHeaders=", "SignedHeaders=accept;", 1)
        });
    }),
];

fn retarget(request: &mut Request<Bytes>, change: impl FnOnce(String) -> String) {
    let target = change(request.uri().to_string());
    *request.uri_mut() = target.parse().expect("a target");
}

/// Changes a header, or, of a presigned URL, the parameter that stands for it.
fn edit(
    request: &mut Request<Bytes>,
    parameter: &str,
    header: &str,
    change: impl FnOnce(&str) -> String,
) {
    let target = request.uri().to_string();
    if let Some(at) = target.find(&format!("X-Amz-{}", parameter.trim_start_matches("X-Amz-"))) {
        let start = at + target[at..].find('=').expect("a value") + 1;
        let end = target[start..]
            .find('&')
            .map_or(target.len(), |end| start + end);
        let name = &target[..start];
        // The parameter's value alone, but the change may look for the name before it.
        let (label, value) = (parameter, &target[start..end]);
        let changed = change(&format!("{label}{value}"));
        let changed = changed.strip_prefix(label).unwrap_or(&changed).to_owned();
        let target = format!("{name}{changed}{}", &target[end..]);
        *request.uri_mut() = target.parse().expect("a target");
        return;
    }
    let value = request.headers()[header].to_str().expect("text");
    let changed = change(value).parse().expect("a value");
    request.headers_mut().insert(
        http::HeaderName::from_bytes(header.as_bytes()).expect("a name"),
        changed,
    );
}

/// The text with another digit at this place.
fn flip(text: &str, at: usize) -> String {
    let mut text: Vec<char> = text.chars().collect();
    let digit = text.get_mut(at).expect("it is long enough");
    *digit = if *digit == '0' { '1' } else { '0' };
    text.into_iter().collect()
}

/// A gateway, and on the way to it somebody who changes one request after the other.
struct Way {
    meddler: HyperServer,
    statuses: Arc<Mutex<Vec<u16>>>,
    gateway: Handle,
}

impl Way {
    async fn start() -> Self {
        let document = json!({
            "openapi": "3.0.1",
            "info": { "title": "t", "version": "1" },
            "paths": { "/{proxy+}": { "x-amazon-apigateway-any-method": {
                "responses": {},
                "x-amazon-apigateway-auth": { "type": "AWS_IAM" },
                "x-amazon-apigateway-integration": {
                    "type": "mock",
                    "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
                    "responses": { "default": { "statusCode": "200" } }
                }
            } } }
        });
        let gateway = Gateway::builder()
            .region("eu-west-1")
            .account_id("123456789012")
            .access_keys(keys())
            .api(
                ApiSpec::rest(document.to_string())
                    .id("pets")
                    .stage_named("prod"),
            )
            .build()
            .expect("a good definition");
        let server = Server::builder()
            .listen("127.0.0.1:0")
            .bind()
            .await
            .expect("a port");
        let handle = server.handle();
        let addr = handle.local_addrs()[0];
        tokio::spawn(server.run(gateway));

        let statuses = Arc::<Mutex<Vec<u16>>>::default();
        let seen = Arc::clone(&statuses);
        let meddler = HyperServer::start(service_fn(move |request: Request<Incoming>| {
            let seen = Arc::clone(&seen);
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.expect("whole").to_bytes();
                let mut request = Request::from_parts(parts, body);
                let next = seen.lock().expect("unharmed").len();
                CHANGES[next % CHANGES.len()].1(&mut request);
                let response = forward(addr, request).await;
                seen.lock()
                    .expect("unharmed")
                    .push(response.status().as_u16());
                Ok::<_, Infallible>(response)
            }
        }))
        .await;
        Self {
            meddler,
            statuses,
            gateway: handle,
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.meddler.addr())
    }

    /// What the gateway has answered since the last time.
    #[track_caller]
    fn judge(&self, signer: &str, output: &Output) {
        let statuses = std::mem::take(&mut *self.statuses.lock().expect("unharmed"));
        let told = || {
            let error = String::from_utf8_lossy(&output.stderr);
            format!("{signer} {statuses:?}: {error}")
        };
        assert_eq!(statuses.len(), CHANGES.len(), "{}", told());
        for ((change, _), status) in CHANGES.iter().zip(&statuses) {
            let expected = if *change == "nothing" { 200 } else { 403 };
            assert_eq!(*status, expected, "{change} is changed, {}", told());
        }
    }
}

fn keys() -> MemoryCredentials {
    let all =
        r#"{"Statement": {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}}"#;
    let policies =
        CallerPolicies::new().with_identity(IdentityPolicy::parse(all).expect("a policy"));
    let caller = |arn| {
        let principal = Principal::from_arn(arn).expect("an ARN");
        Caller::new(principal).with_policies(policies.clone())
    };
    let user = caller("arn:aws:iam::123456789012:user/tom");
    let session = caller("arn:aws:sts::123456789012:assumed-role/Reader/tom");
    let expires = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 33);
    MemoryCredentials::new([
        Credential::new("AKIDEXAMPLE", SECRET, user),
        Credential::new("ASIATEMPORARY", SECRET, session)
            .temporary("a-session-token/with+signs==", expires),
    ])
}

/// Sends a request on as it is, whatever its `Host` says.
async fn forward(addr: SocketAddr, mut request: Request<Bytes>) -> Response<Full<Bytes>> {
    request.headers_mut().remove(TRANSFER_ENCODING);
    let stream = TcpStream::connect(addr).await.expect("the gateway listens");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("HTTP");
    tokio::spawn(connection);
    let response = sender.send_request(request.map(Full::new)).await;
    let (parts, body) = response.expect("an answer").into_parts();
    let body = body.collect().await.expect("whole").to_bytes();
    Response::from_parts(parts, Full::new(body))
}

async fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).kill_on_drop(true);
    command.output().await.expect("it starts")
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/signers")
        .join(name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn botocore_signs_in_the_header_with_a_token_and_in_the_query() {
    let Some(python) = installed("venv/bin/python") else {
        return;
    };
    let way = Way::start().await;
    for how in ["header", "token", "query"] {
        let mut command = Command::new(&python);
        command.arg(script("sign.py")).args([&way.url(), how, "11"]);
        let output = run(&mut command).await;
        way.judge(&format!("botocore, {how}"), &output);
    }
    way.gateway.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signers_of_npm_sign_and_presign() {
    let Some(modules) = installed("signers/node_modules") else {
        return;
    };
    let way = Way::start().await;
    for how in ["sign", "presign", "aws4"] {
        let mut command = Command::new("node");
        command
            .arg(script("sign.mjs"))
            .arg(&modules)
            .args([&way.url(), how, "11"]);
        let output = run(&mut command).await;
        way.judge(&format!("npm, {how}"), &output);
    }
    way.gateway.shutdown();
}

/// The one command that signs for `execute-api` is that of WebSocket connections, whose ids end in `=`, which is encoded on the wire and once more when it is signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_aws_cli_calls_with_an_encoded_path() {
    let Some(cli) = installed("venv/bin/aws") else {
        return;
    };
    let way = Way::start().await;
    let mut output = None;
    for _ in CHANGES {
        let mut command = Command::new(&cli);
        command
            .args([
                "apigatewaymanagementapi",
                "get-connection",
                "--connection-id",
                "JBDvjfGEIAMCERw=",
            ])
            .args(["--endpoint-url", &format!("{}/prod", way.url())])
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_DEFAULT_REGION", "eu-west-1")
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env_remove("AWS_SESSION_TOKEN")
            .env_remove("AWS_PROFILE");
        output = Some(run(&mut command).await);
    }
    way.judge("the AWS CLI", &output.expect("it ran"));
    way.gateway.shutdown();
}
