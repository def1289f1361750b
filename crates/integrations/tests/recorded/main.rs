//! Recorded cases of mapping, run through whole integrations. The cases are not part of the repository.

use std::collections::BTreeMap;

use http::header::HeaderName;
use http::{HeaderValue, Request, Response};
use portcullis_client::Client;
use portcullis_core::{
    ApiKeyId, ApiKind, ApiStage, Body, CallerKey, Detail, FunctionReply, Invocation, MatchedRoute,
    RequestContext, Route,
};
use portcullis_integrations::{
    Backends, ContentHandling, Functions, IntegrationConfig, IntegrationKind, Passthrough,
    ResponseConfig,
};
use portcullis_testkit::cases::{self, ExpectedFailures, Tally};
use portcullis_testkit::{HyperServer, Recorded, Recorder, request as testkit};
use serde_json::{Map, Value, json};
use tower::ServiceExt;

/// One case a line: its id, and why it is expected to fail.
const EXPECTED_FAILURES: &str = "
units/response-parameters/names-are-case-sensitive  the letter case of header names is lost on the way
";

/// Kinds of cases that run elsewhere.
const ELSEWHERE: [(&str, &str); 5] = [
    ("routing", "runs in the tests of `routing`"),
    ("gateway-response", "runs in the tests of `responses`"),
    ("api-key", "is about who may call"),
    ("trace-id", "runs in the tests of `core`"),
    ("uri", "runs in the unit tests of addresses"),
];

#[test]
fn mapping_is_as_recorded() {
    let Some(dir) = cases::dir() else { return };
    let expected = ExpectedFailures::parse(EXPECTED_FAILURES);
    let mut tally = Tally::new("recorded mapping", &expected);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for file in ["mapping-units.json", "templates.json"] {
        let group: Value = cases::load_json(dir.join("recorded").join(file));
        for case in group["cases"].as_array().expect("a group has cases") {
            let id = case["id"].as_str().expect("a case has an id");
            let kind = case["kind"].as_str().expect("a case has a kind");
            let elsewhere = ELSEWHERE.iter().find(|(name, _)| *name == kind);
            if let Some((_, reason)) = elsewhere {
                tally.leave_out(id, reason);
            } else if case.get("doubt").is_some() || case["phase"] == "appsync" {
                tally.leave_out(id, "it is in doubt, or about another service");
            } else if names_ids(case) {
                tally.leave_out(id, "it names ids, which requests get by themselves");
            } else {
                let outcome = runtime.block_on(async {
                    let (case, kind) = (case.clone(), kind.to_owned());
                    let run = tokio::spawn(async move { run(&kind, &case).await });
                    run.await.unwrap_or_else(|panic| Err(panic.to_string()))
                });
                tally.record(id, outcome);
            }
        }
    }
    tally.finish();
}

fn names_ids(case: &Value) -> bool {
    case["context"].get("extendedRequestId").is_some()
}

async fn run(kind: &str, case: &Value) -> Result<(), String> {
    let (given, expect) = (&case["given"], &case["expect"]);
    match kind {
        "request-parameters" => request_parameters(given, expect).await,
        "response-parameters" => response_parameters(given, expect).await,
        "mock-body" => mock_body(given, expect).await,
        "passthrough" => passthrough(given, expect).await,
        "selection" => selection(given, expect).await,
        "status-override" => status_override(given, expect).await,
        "response-template-selection" => template_selection(given, expect).await,
        "payload" => payload(given, expect).await,
        "template" => template(case).await,
        kind => Err(format!("a kind that the runner does not know: {kind}")),
    }
}

fn config(kind: IntegrationKind, uri: Option<String>) -> IntegrationConfig {
    let mut config = IntegrationConfig::new(kind, ApiKind::Rest);
    config.uri = uri;
    config.method = Some("POST".into());
    config.responses = vec![ResponseConfig::new("200")];
    config
}

async fn call(
    config: &IntegrationConfig,
    functions: Functions,
    request: Request<Body>,
) -> Result<Response<Body>, String> {
    let client = Client::builder().build().expect("the defaults are valid");
    let compiled = config.compile(&Backends::new(client, functions));
    let compiled = compiled.map_err(|error| error.to_string())?;
    Ok(compiled
        .integration
        .oneshot(request)
        .await
        .expect("infallible"))
}

/// A server that answers `answer` with these headers, and remembers what it got.
async fn backend(
    headers: &Value,
    answer: &str,
) -> (
    HyperServer,
    Recorder<impl Fn(&Recorded) -> Response<http_body_util::Full<bytes::Bytes>> + use<>>,
) {
    let (headers, answer) = (headers.clone(), answer.to_owned());
    let recorder = Recorder::new(move |_| {
        let mut response = testkit::answer(200, answer.clone());
        for (name, values) in headers.as_object().into_iter().flatten() {
            for value in texts(values) {
                let name: HeaderName = name.parse().expect("a name");
                response
                    .headers_mut()
                    .append(name, value.parse().expect("a value"));
            }
        }
        response
    });
    (HyperServer::start(recorder.clone()).await, recorder)
}

fn pairs(map: &Value) -> Vec<(String, String)> {
    let members = map.as_object().into_iter().flatten();
    members
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        one => vec![text(one)],
    }
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn encode(text: &str) -> String {
    let set = percent_encoding::NON_ALPHANUMERIC;
    percent_encoding::utf8_percent_encode(text, set).to_string()
}

/// A request with these parameters, as a gateway hands it in.
fn request(parameters: &Value, body: &str, context: &Value, variables: &Value) -> Request<Body> {
    let path = object(&parameters["path"]);
    let template: String = path.keys().map(|name| format!("/{{{name}}}")).collect();
    let mut target: String = path
        .values()
        .map(|value| format!("/{}", encode(&text(value))))
        .collect();
    if target.is_empty() {
        target.push('/');
    }
    let query = object(&parameters["querystring"]).into_iter();
    let query: Vec<_> = query
        .chain(object(&parameters["query"]))
        .flat_map(|(name, values)| {
            let name = encode(&name);
            let values = texts(&values).into_iter();
            values.map(move |value| format!("{name}={}", encode(&value)))
        })
        .collect();
    if !query.is_empty() {
        target = format!("{target}?{}", query.join("&"));
    }
    let method = context["httpMethod"].as_str().unwrap_or("POST");
    let mut request = Request::builder().method(method).uri(target);
    for group in ["header", "headers"] {
        for (name, values) in object(&parameters[group]) {
            for value in texts(&values) {
                request = request.header(&name, value);
            }
        }
    }
    let mut request: Request<Body> = request
        .body(Body::from(body.to_owned()))
        .expect("a valid request");
    let uri = request.uri().clone();
    let told = RequestContext::of(&mut request);
    let mut stage = ApiStage::default();
    stage.api_id = text(&context["apiId"]).replace("null", "api");
    stage.stage = context["stage"].as_str().unwrap_or("test").to_owned();
    stage.variables = BTreeMap::from_iter(pairs(variables));
    told.set_stage(stage);
    // The recorded resource may have another place for its variables than their values need.
    told.set_route(MatchedRoute::new(Route::new(template), &uri, 0));
    let identity = &context["identity"];
    told.update_identity(|own| {
        own.account_id = identity["accountId"].as_str().map(Into::into);
    });
    if let Some(value) = identity["apiKey"].as_str() {
        let value = value.parse().expect("a header value");
        told.set_api_key(CallerKey::new(ApiKeyId::new("")).with_value(value));
    }
    let mut authorizer = object(&context["authorizer"]);
    if let Some(principal) = authorizer.remove("principalId") {
        told.note(Detail::AuthorizerPrincipalId, text(&principal));
    }
    told.set_authorizer(authorizer);
    request
}

async fn request_parameters(given: &Value, expect: &Value) -> Result<(), String> {
    let (server, backend) = backend(&Value::Null, "").await;
    let path = object(&expect["path"]);
    let places: String = path.keys().map(|name| format!("/{{{name}}}")).collect();
    let mut config = config(
        IntegrationKind::Http,
        Some(server.url(&format!("/{places}"))),
    );
    config.request_parameters = pairs(&given["requestParameters"]);
    let body = given["request"]["body"].as_str().unwrap_or_default();
    let variables = &given["stageVariables"];
    let request = request(&given["request"], body, &given["context"], variables);
    let response = call(&config, Functions::default(), request).await?;
    if let Some(status) = expect["error"]["status"].as_u64() {
        return same(&json!(status), &json!(response.status().as_u16()));
    }
    same(&json!(200), &json!(response.status().as_u16()))?;
    let got = backend.only();
    let named = config
        .request_parameters
        .iter()
        .map(|(name, _)| name.as_str());
    let mut headers = Map::new();
    for name in named.filter_map(|name| name.strip_prefix("integration.request.header.")) {
        // What the gateway says by itself is not the mapping's.
        let own = ["accept", "content-type", "user-agent"].contains(&&*name.to_ascii_lowercase());
        if let Some(value) = got.header(name)
            && !(own && expect["header"].get(name).is_none())
        {
            headers.insert(name.to_owned(), value.into());
        }
    }
    same(&expect["header"], &Value::Object(headers))?;
    let wanted: Vec<_> = object(&expect["querystring"])
        .iter()
        .flat_map(|(name, values)| {
            let name = encode(name);
            let values = texts(values).into_iter();
            values.map(move |value| {
                format!(
                    "{name}={}",
                    encode(&value)
                        .replace("%2E", ".")
                        .replace("%2D", "-")
                        .replace("%5F", "_")
                        .replace("%7E", "~")
                )
            })
        })
        .collect();
    same(
        &json!(wanted.join("&")),
        &json!(got.uri.query().unwrap_or_default()),
    )?;
    let segments: Vec<_> = got.uri.path().split('/').skip(2).collect();
    let wanted: Vec<_> = path.values().map(text).collect();
    same(&json!(wanted), &json!(segments))
}

async fn response_parameters(given: &Value, expect: &Value) -> Result<(), String> {
    let answer = given["response"]["body"].as_str().unwrap_or_default();
    let (server, _backend) = backend(&given["response"]["headers"], answer).await;
    let mut config = config(IntegrationKind::Http, Some(server.url("/")));
    config.responses[0].parameters = pairs(&given["responseParameters"]);
    let request = request(
        &Value::Null,
        "",
        &given["context"],
        &given["stageVariables"],
    );
    let response = call(&config, Functions::default(), request).await?;
    if let Some(status) = expect["error"]["status"].as_u64() {
        return same(&json!(status), &json!(response.status().as_u16()));
    }
    let named = config.responses[0]
        .parameters
        .iter()
        .map(|(name, _)| name.as_str());
    let mut headers = Map::new();
    for name in named.filter_map(|name| name.strip_prefix("method.response.header.")) {
        if let Some(value) = response.headers().get(name) {
            headers.insert(name.to_owned(), value.to_str().expect("text").into());
        }
    }
    same(&expect["header"], &Value::Object(headers))
}

/// A mock with a response for any status, so that the status that it reads can be seen.
async fn mock_status(rendered: &str) -> Result<Response<Body>, String> {
    let mut config = config(IntegrationKind::Mock, None);
    config.request_templates = vec![("$default".to_owned(), rendered.to_owned())];
    config.responses = [("-?[0-9]+", "200")]
        .map(|(pattern, status)| {
            let mut response = ResponseConfig::new(status);
            response.pattern = Some(pattern.to_owned());
            response
        })
        .to_vec();
    let request = request(&Value::Null, "", &Value::Null, &Value::Null);
    call(&config, Functions::default(), request).await
}

async fn mock_body(given: &Value, expect: &Value) -> Result<(), String> {
    let rendered = text(&given["renderedRequest"]);
    let response = mock_status(&rendered).await?;
    let Some(status) = expect["status"].as_i64() else {
        let got = response.status().as_u16();
        let body = testkit::json(response).await;
        let got = json!({"status": got, "message": body["message"]});
        return same(&expect["error"], &got);
    };
    same(&json!(200), &json!(response.status().as_u16()))?;
    // Which status it read decides which pattern fits.
    let mut config = config(IntegrationKind::Mock, None);
    config.request_templates = vec![("$default".to_owned(), rendered)];
    config.responses[0].pattern = Some(status.to_string());
    let request = request(&Value::Null, "", &Value::Null, &Value::Null);
    let response = call(&config, Functions::default(), request).await?;
    same(&json!(200), &json!(response.status().as_u16()))
}

async fn passthrough(given: &Value, expect: &Value) -> Result<(), String> {
    let (server, backend) = backend(&Value::Null, "").await;
    let mut config = config(IntegrationKind::Http, Some(server.url("/")));
    config.passthrough = match given["passthroughBehavior"].as_str() {
        Some("NEVER") => Passthrough::Never,
        Some("WHEN_NO_TEMPLATES") => Passthrough::WhenNoTemplates,
        _ => Passthrough::WhenNoMatch,
    };
    config.request_templates = pairs(&given["requestTemplates"]);
    let mut headers = json!({});
    if let Some(content_type) = given["request"]["contentType"].as_str() {
        headers = json!({ "Content-Type": content_type });
    }
    let body = text(&given["request"]["body"]);
    let request = request(
        &json!({ "headers": headers }),
        &body,
        &Value::Null,
        &Value::Null,
    );
    let response = call(&config, Functions::default(), request).await?;
    match expect.get("body") {
        Some(body) => same(body, &backend.only().text().into()),
        None => {
            let status = expect["error"]["status"].as_u64().unwrap_or(415);
            same(&json!(status), &json!(response.status().as_u16()))
        }
    }
}

/// A function that fails with this message, or does not where there is none.
fn failing(message: &str) -> Functions {
    let message = message.to_owned();
    let functions = Functions::builder().function("f", move |_: Invocation| {
        let mut reply = FunctionReply::success("{}");
        if !message.is_empty() {
            reply = FunctionReply::success(json!({ "errorMessage": message }).to_string());
            reply.function_error = Some("Unhandled".into());
        }
        async move { Ok(reply) }
    });
    functions.build().expect("no URL")
}

async fn selection(given: &Value, expect: &Value) -> Result<(), String> {
    let mut config = config(IntegrationKind::Aws, Some("f".to_owned()));
    config.responses = given["integrationResponses"]
        .as_array()
        .expect("there are some")
        .iter()
        .map(|described| {
            let mut response = ResponseConfig::new(text(&described["statusCode"]));
            response.pattern = described["selectionPattern"].as_str().map(str::to_owned);
            response
        })
        .collect();
    let request = request(&Value::Null, "", &Value::Null, &Value::Null);
    let functions = failing(&text(&given["value"]));
    let response = call(&config, functions, request).await?;
    let wanted = match expect.get("statusCode") {
        Some(status) => text(status),
        None => text(&expect["error"]["status"]),
    };
    same(&json!(wanted), &json!(response.status().as_str()))
}

async fn status_override(given: &Value, expect: &Value) -> Result<(), String> {
    let described = &given["integrationResponse"];
    let mut config = config(IntegrationKind::Mock, None);
    config.request_templates = vec![("$default".to_owned(), "{statusCode: 200}".to_owned())];
    config.responses = vec![ResponseConfig::new(text(&described["statusCode"]))];
    config.responses[0].templates = pairs(&described["responseTemplates"]);
    let request = request(&Value::Null, "", &Value::Null, &Value::Null);
    let response = call(&config, Functions::default(), request).await?;
    same(&expect["status"], &json!(response.status().as_u16()))
}

async fn template_selection(given: &Value, expect: &Value) -> Result<(), String> {
    let content_type = text(&given["response"]["contentType"]);
    let headers = json!({ "Content-Type": content_type });
    let answer = text(&given["response"]["body"]);
    let (server, _backend) = backend(&headers, &answer).await;
    let mut config = config(IntegrationKind::Http, Some(server.url("/")));
    config.responses[0].templates = pairs(&given["responseTemplates"]);
    let accept = json!({ "headers": { "Accept": content_type } });
    let request = request(&accept, "", &Value::Null, &Value::Null);
    let response = call(&config, Functions::default(), request).await?;
    same(&expect["body"], &testkit::text(response).await.into())
}

const RAW: &[u8] = b"\x1f\x8b\x08\xff";
const RAW_AS_TEXT: &[u8] = "\u{1f}\u{fffd}\u{8}\u{fffd}".as_bytes();
const BASE64: &[u8] = b"H4sI/w==";

async fn payload(given: &Value, expect: &Value) -> Result<(), String> {
    let is_request = given["direction"] == "request";
    let handling = match given["contentHandling"].as_str() {
        Some("CONVERT_TO_BINARY") => Some(ContentHandling::ToBinary),
        Some("CONVERT_TO_TEXT") => Some(ContentHandling::ToText),
        _ => None,
    };
    let (sent, wanted): (&[u8], &[u8]) = match text(&expect["conversion"]) {
        conversion if conversion.starts_with("base64-decode") => (BASE64, RAW),
        conversion if conversion.starts_with("base64-encode") => (RAW, BASE64),
        conversion if conversion.starts_with("lossy") => (RAW, RAW_AS_TEXT),
        _ => (RAW, RAW),
    };
    let content_type = given["contentType"].as_str().map(str::to_owned);
    let answered = content_type.clone().filter(|_| !is_request);
    let answer = if is_request { b"" } else { sent };
    let recorder = Recorder::new(move |_: &Recorded| {
        let mut response = testkit::answer(200, answer.to_vec());
        if let Some(content_type) = &answered {
            let value = HeaderValue::from_str(content_type).expect("a value");
            response.headers_mut().insert("content-type", value);
        }
        response
    });
    let server = HyperServer::start(recorder.clone()).await;
    let mut config = config(IntegrationKind::Http, Some(server.url("/")));
    config.binary_media_types = given["binaryMediaTypes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(text)
        .collect();
    let mut headers = Map::new();
    if is_request {
        config.content_handling = handling;
        headers.extend(content_type.map(|text| ("Content-Type".to_owned(), text.into())));
    } else {
        config.responses[0].content_handling = handling;
        let accept = given["accept"].as_str();
        headers.extend(accept.map(|text| ("Accept".to_owned(), text.into())));
    }
    let request = request(
        &json!({ "headers": headers }),
        "",
        &Value::Null,
        &Value::Null,
    );
    let request = request.map(|_| Body::from(if is_request { sent } else { b"" }.to_vec()));
    let response = call(&config, Functions::default(), request).await?;
    same(&json!(200), &json!(response.status().as_u16()))?;
    let got = if is_request {
        recorder.only().body
    } else {
        testkit::bytes(response).await
    };
    same(&json!(wanted), &json!(&*got))
}

/// A template in the place that the case says, over a body that is the client's or the backend's.
async fn template(case: &Value) -> Result<(), String> {
    let (input, expect) = (&case["input"], &case["expect"]);
    let body = text(&input["body"]);
    let request_phase = case["phase"] == "request";
    let template = ("$default".to_owned(), text(&case["template"]));
    let (server, backend) = backend(&Value::Null, if request_phase { "" } else { &body }).await;
    let mut config = config(IntegrationKind::Http, Some(server.url("/")));
    // What a template set before is set by one that runs before.
    let before = carried(&case["context"]);
    if request_phase {
        config.request_templates = vec![template];
    } else {
        config.request_templates = vec![("$default".to_owned(), before)];
        config.responses[0].templates = vec![template];
    }
    let sent = if request_phase { &*body } else { "" };
    let request = request(
        &input["params"],
        sent,
        &case["context"],
        &case["stageVariables"],
    );
    let context = request
        .extensions()
        .get::<RequestContext>()
        .cloned()
        .expect("it is there");
    let response = call(&config, Functions::default(), request).await?;
    let status = response.status().as_u16();
    let got = if request_phase {
        same(&json!(200), &json!(status))?;
        backend.only().text()
    } else {
        testkit::text(response).await
    };
    if let Some(wanted) = expect["text"].as_str() {
        let trimmed = if expect["trim"] == true {
            got.trim()
        } else {
            &got
        };
        same(&json!(wanted), &json!(trimmed))?;
    }
    if let Some(wanted) = expect.get("json") {
        let got: Value = serde_json::from_str(&got).map_err(|error| format!("{error}: {got}"))?;
        same(wanted, &got)?;
    }
    if let Some(wanted) = expect["mockStatus"].as_i64() {
        mock_body(
            &json!({ "renderedRequest": got }),
            &json!({ "status": wanted }),
        )
        .await?;
    }
    for (kind, wanted) in object(&expect["overrides"]) {
        for (name, wanted) in object(&wanted) {
            let members = match &wanted {
                Value::Object(members) => members
                    .iter()
                    .map(|(member, wanted)| (format!("{name}.{member}"), wanted.clone()))
                    .collect(),
                other => vec![(name.clone(), other.clone())],
            };
            for (name, wanted) in members {
                let got = context.get(&format!("{kind}.{name}"));
                same(&wanted, &got.unwrap_or_default())
                    .map_err(|fault| format!("{kind}.{name}: {fault}"))?;
            }
        }
    }
    Ok(())
}

/// A request template that leaves the overrides that a case begins with.
fn carried(context: &Value) -> String {
    let mut out = String::from("{}");
    for kind in ["requestOverride", "responseOverride"] {
        for (name, value) in object(&context[kind]) {
            let mut set = |path: String, value: &Value| {
                // A literal in single quotes stands as it is.
                let literal = match value {
                    Value::String(text) => format!("'{text}'"),
                    other => other.to_string(),
                };
                out.push_str(&format!("#set($context.{kind}{path} = {literal})"));
            };
            match &value {
                Value::Object(members) => members
                    .iter()
                    .for_each(|(member, value)| set(format!("['{name}']['{member}']"), value)),
                other => set(format!("['{name}']"), other),
            }
        }
    }
    out
}

fn same(wanted: &Value, got: &Value) -> Result<(), String> {
    if wanted == got {
        Ok(())
    } else {
        Err(format!("got {got} instead of {wanted}"))
    }
}
