//! API keys over their public API: the layer, its stores, and the files.

use std::convert::Infallible;
use std::fs;

use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body_util::Full;
use portcullis_auth::api_key::{
    ApiKey, ApiKeyLayer, FileKeys, KeyHash, KeyLookup, KeyStoreError, MemoryKeys, UsagePlans,
    read_file,
};
use portcullis_core::{ApiStage, CallerKey, Live, Rejection, RequestContext};
use portcullis_testkit::{HyperServer, request as testkit, wire};
use tower::{Layer, ServiceExt, service_fn};

const FIRST: &str = "0123456789abcdefghij";
const SECOND: &str = "klmnopqrstuvwxyz0123";

fn keys() -> MemoryKeys {
    MemoryKeys::new([
        ApiKey::new("one", FIRST),
        ApiKey::new("off", "zyxwvutsrqponmlkjihg").with_enabled(false),
    ])
}

fn request(values: &[&str]) -> Request<Full<Bytes>> {
    let request = testkit::get("/");
    let request = values
        .iter()
        .fold(request, |request, value| request.header("x-api-key", value));
    request.empty()
}

/// Answers with the id of the key that the context has.
async fn send(layer: &ApiKeyLayer, request: Request<Full<Bytes>>) -> Response<Full<Bytes>> {
    let hello = service_fn(async |request: Request<Full<Bytes>>| {
        let context = request.extensions().get::<RequestContext>();
        let key = context.and_then(RequestContext::api_key);
        let id = key.map_or("nobody", |key| key.id().as_str()).to_owned();
        Ok::<_, Infallible>(Response::new(Full::from(id)))
    });
    let Ok(response) = layer.layer(hello).oneshot(request).await;
    response
}

async fn status(layer: &ApiKeyLayer, values: &[&str]) -> u16 {
    send(layer, request(values)).await.status().as_u16()
}

fn rule(response: &Response<Full<Bytes>>) -> String {
    let rejection = response.extensions().get::<Rejection>();
    let decision = rejection.and_then(Rejection::decision);
    decision.expect("a refusal says why").to_string()
}

#[tokio::test]
async fn a_good_key_passes_and_the_handler_learns_its_id() {
    let response = send(&ApiKeyLayer::new(keys()), request(&[FIRST])).await;
    assert_eq!(response.status(), 200);
    assert_eq!(testkit::text(response).await, "one");
}

#[tokio::test]
async fn every_other_key_is_refused_in_the_same_words() {
    let layer = ApiKeyLayer::new(keys());
    let long = "a".repeat(1025);
    for (values, expected) in [
        (vec![], "auth: api-key/missing"),
        (vec![""], "auth: api-key/missing"),
        (vec!["0123456789abcdefghiJ"], "auth: api-key/unknown"),
        (vec!["0123456789ABCDEFGHIJ"], "auth: api-key/unknown"),
        (
            vec!["zyxwvutsrqponmlkjihg"],
            "auth: api-key/disabled (key=off)",
        ),
        (vec![FIRST, FIRST], "auth: api-key/sent-twice"),
        (vec![&long], "auth: api-key/malformed"),
        (vec!["schlüssel"], "auth: api-key/malformed"),
    ] {
        let response = send(&layer, request(&values)).await;
        assert_eq!(response.status(), 403, "{expected}");
        assert_eq!(
            response.headers()["x-amzn-errortype"],
            "ForbiddenException",
            "{expected}"
        );
        assert_eq!(rule(&response), expected);
        let body = testkit::text(response).await;
        assert_eq!(body, r#"{"message":"Forbidden"}"#, "{expected}");
    }
}

#[tokio::test]
async fn the_hash_of_a_value_is_no_value() {
    let hash = KeyHash::of(FIRST).to_string();
    let layer = ApiKeyLayer::new(MemoryKeys::new([ApiKey::new("one", &hash)]));
    assert_eq!(status(&layer, &[FIRST]).await, 200);
    assert_eq!(status(&layer, &[&hash]).await, 403);
}

#[tokio::test]
async fn a_key_that_is_rotated_has_two_values_for_a_while() {
    let keys = keys();
    let layer = ApiKeyLayer::new(keys.clone());
    assert_eq!(status(&layer, &[SECOND]).await, 403);
    assert!(keys.rotate("one", SECOND));
    assert_eq!(status(&layer, &[FIRST]).await, 200);
    assert_eq!(status(&layer, &[SECOND]).await, 200);
    assert!(keys.retire_previous("one"));
    assert_eq!(status(&layer, &[FIRST]).await, 403);
    assert_eq!(status(&layer, &[SECOND]).await, 200);
}

#[tokio::test]
async fn another_header_can_carry_the_key() {
    let name = HeaderName::from_static("x-partner");
    let layer = ApiKeyLayer::new(keys()).key_in_header(name);
    let partner = testkit::get("/").header("x-partner", FIRST).empty();
    assert_eq!(send(&layer, partner).await.status(), 200);
    assert_eq!(status(&layer, &[FIRST]).await, 403);
}

#[tokio::test]
async fn the_authorizers_key_counts_where_it_is_asked_for_and_the_header_does_not() {
    let layer = ApiKeyLayer::new(keys());
    let named = |value: &str, sent: &[&str]| {
        let mut request = request(sent);
        RequestContext::of(&mut request).set_usage_key(value);
        request
    };
    let by_header = send(&layer, named(FIRST, &[])).await;
    assert_eq!(rule(&by_header), "auth: api-key/missing");

    let layer = layer.key_from_authorizer();
    assert_eq!(send(&layer, named(FIRST, &[])).await.status(), 200);
    let wrong = send(&layer, named(SECOND, &[FIRST])).await;
    assert_eq!(rule(&wrong), "auth: api-key/unknown");
    assert_eq!(status(&layer, &[FIRST]).await, 403);
    let broken = send(&layer, named("a\nb", &[])).await;
    assert_eq!(rule(&broken), "auth: api-key/malformed");
}

fn at_stage(stage: &str) -> (Request<Full<Bytes>>, RequestContext) {
    let mut request = request(&[FIRST]);
    let context = RequestContext::of(&mut request).clone();
    let mut facts = ApiStage::default();
    facts.api_id = "pets".to_owned();
    facts.stage = stage.to_owned();
    context.set_stage(facts);
    (request, context)
}

#[tokio::test]
async fn a_key_needs_a_plan_that_has_the_stage_and_the_context_says_which() {
    let plans = UsagePlans::new()
        .with_stage("gold", "pets", "prod")
        .with_key("gold", "one");
    let live = Live::new(plans);
    let layer = ApiKeyLayer::new(keys()).usage_plans(live.clone());

    let (prod, context) = at_stage("prod");
    assert_eq!(send(&layer, prod).await.status(), 200);
    let plan = context.api_key().and_then(CallerKey::usage_plan);
    assert_eq!(plan.map(|plan| &**plan), Some("gold"));
    assert_eq!(context.get("identity.apiKey"), Some(FIRST.into()));
    assert_eq!(context.get("identity.apiKeyId"), Some("one".into()));

    let (test, context) = at_stage("test");
    let refused = send(&layer, test).await;
    assert_eq!(
        rule(&refused),
        "auth: api-key/no-plan-for-the-stage (key=one)"
    );
    assert_eq!(context.get("identity.apiKeyId"), None);
    // Without a stage no plan has it.
    assert_eq!(status(&layer, &[FIRST]).await, 403);

    live.replace(UsagePlans::new());
    assert_eq!(send(&layer, at_stage("prod").0).await.status(), 403);
}

#[tokio::test]
async fn a_store_elsewhere_is_waited_for() {
    let key = ApiKey::new("one", FIRST);
    let layer = ApiKeyLayer::new(move |hash: &KeyHash| {
        let found = (hash == key.hash()).then(|| key.clone());
        KeyLookup::later(async move {
            tokio::task::yield_now().await;
            Ok(found)
        })
    });
    let response = send(&layer, request(&[FIRST])).await;
    assert_eq!(testkit::text(response).await, "one");
    assert_eq!(status(&layer, &[SECOND]).await, 403);
}

#[tokio::test]
async fn nobody_is_let_in_because_a_store_is_away() {
    let away =
        |_: &KeyHash| KeyLookup::later(async { Err(KeyStoreError::new("connection refused")) });
    let layer = ApiKeyLayer::new(away);
    let refused = send(&layer, request(&[FIRST])).await;
    assert_eq!(refused.status(), 500);
    assert_eq!(
        rule(&refused),
        "auth: api-key/store-away (error=the store of API keys did not answer: connection refused)"
    );
    assert_eq!(
        testkit::text(refused).await,
        r#"{"message":"Internal server error"}"#
    );
    let open = layer.dangerous_pass_when_away();
    assert_eq!(status(&open, &[FIRST]).await, 200);
    assert_eq!(status(&open, &[]).await, 403);
}

#[tokio::test]
async fn what_is_observed_passes_and_is_written_down() {
    let layer = ApiKeyLayer::new(keys()).dangerous_observe();
    let mut unknown = request(&[SECOND]);
    let context = RequestContext::of(&mut unknown).clone();
    let response = send(&layer, unknown).await;
    assert_eq!(testkit::text(response).await, "nobody");
    assert_eq!(context.observed().len(), 1);
}

#[tokio::test]
async fn an_axum_router_and_a_hyper_server_can_be_layered() {
    let router = axum::Router::new()
        .route("/", axum::routing::get(async || "hello"))
        .layer(ApiKeyLayer::new(keys()));
    for (value, expected) in [(FIRST, 200), (SECOND, 403)] {
        let request = testkit::get("/").header("x-api-key", value);
        let response = router
            .clone()
            .oneshot(request.body_as::<axum::body::Body>(""))
            .await
            .unwrap();
        assert_eq!(response.status(), expected);
    }

    async fn hello<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
        Ok(Response::new(Full::from("hello")))
    }
    let server = HyperServer::start(ApiKeyLayer::new(keys()).layer(service_fn(hello))).await;
    for (value, expected) in [(FIRST, 200), (SECOND, 403)] {
        let text =
            format!("GET / HTTP/1.1\r\nhost: x\r\nX-API-Key: {value}\r\nconnection: close\r\n\r\n");
        let answer = wire::send(server.addr(), &text).await;
        assert_eq!(answer.status, expected);
    }
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

#[test]
fn a_csv_is_read_as_the_service_imports_it() {
    let folder = Folder::new();
    let path = folder.write(
        "keys.csv",
        &format!(
            "\u{feff}Name,KEY,description,Enabled,UsagePlanIds,other\n\
             partner,{FIRST},\"for, say, partners\",TRUE,\"gold, free\",x\n\
             late,{SECOND},,false\n"
        ),
    );
    let keys = read_file(path).unwrap();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0].hash(), &KeyHash::of(FIRST));
    assert_eq!(keys[0].name(), Some("partner"));
    assert_eq!(keys[0].description(), Some("for, say, partners"));
    assert!(keys[0].is_enabled());
    let plans: Vec<_> = keys[0].usage_plans().iter().map(|plan| &**plan).collect();
    assert_eq!(plans, ["gold", "free"]);
    assert!(!keys[1].is_enabled() && keys[1].usage_plans().is_empty());
    assert_ne!(keys[0].id(), keys[1].id());
    assert_eq!(keys[0].id().as_str().len(), 10);
}

#[test]
fn the_json_of_the_services_tools_is_read_in_each_of_its_shapes() {
    let folder = Folder::new();
    let key = format!(
        r#"{{"id": "k1", "value": "{FIRST}", "name": "partner", "enabled": true, "createdDate": 1700000000,
             "stageKeys": [], "tags": {{"team": "dogs"}}}}"#
    );
    for text in [
        format!(r#"{{"items": [{key}]}}"#),
        format!(r#"{{"Items": [{key}], "Position": "x"}}"#),
        format!("[{key}]"),
        format!(
            r#"[{{"Id": "k1", "Value": "{FIRST}", "Enabled": true, "Tags": {{"team": "dogs"}}}}]"#
        ),
    ] {
        let keys = read_file(folder.write("keys.json", &text)).unwrap();
        assert_eq!(keys[0].id().as_str(), "k1", "{text}");
        assert_eq!(keys[0].hash(), &KeyHash::of(FIRST), "{text}");
        assert!(keys[0].is_enabled(), "{text}");
        assert_eq!(keys[0].tag("team"), Some("dogs"), "{text}");
    }
    // As in the service, a key that does not say so is not enabled.
    let text = format!(r#"[{{"id": "k1", "value": "{FIRST}", "previousValue": "{SECOND}"}}]"#);
    let keys = read_file(folder.write("keys.json", &text)).unwrap();
    assert!(!keys[0].is_enabled());
    assert_eq!(keys[0].previous(), Some(&KeyHash::of(SECOND)));
}

#[test]
fn a_file_with_hashes_holds_no_secret_and_opens_the_same() {
    let folder = Folder::new();
    let hash = KeyHash::of(FIRST);
    let path = folder.write("keys.csv", &format!("name,key\npartner,{hash}\n"));
    assert_eq!(read_file(path).unwrap()[0].hash(), &hash);
}

#[test]
fn what_is_wrong_in_a_file_is_named_by_its_place_and_never_with_a_value() {
    let folder = Folder::new();
    for (name, text, expected) in [
        (
            "k.csv",
            "name,value\na,hunter2\n",
            "line 1: there is no column `key`",
        ),
        (
            "k.csv",
            "name,key,enabled\na,hunter2,yes\n",
            "line 2: the column `Enabled` must be",
        ),
        (
            "k.csv",
            "name,key\na,hunter2\nb,hunter2\n",
            "line 3: has the value of line 2",
        ),
        (
            "k.csv",
            "name,key,id\na,hunter2,x\nb,other,x\n",
            "line 3: has the id of line 2",
        ),
        ("k.csv", "name,key\na,\n", "line 2: has no value"),
        (
            "k.csv",
            "name,key\na,hunter2 hunter2\n",
            "line 2: a value must be visible ASCII",
        ),
        (
            "k.csv",
            "name,key,previousKey\na,first,hunter2\nb,hunter2,\n",
            "line 3: has the value of line 2",
        ),
        (
            "k.json",
            r#"{"keys": ["hunter2"]}"#,
            "the file: must be a list of keys",
        ),
        (
            "k.json",
            r#"["hunter2"]"#,
            "items[0]: has a member of the wrong type",
        ),
        (
            "k.json",
            r#"[{"id": "k", "value": ["hunter2"]}]"#,
            "items[0]: has a member of the wrong type",
        ),
        (
            "k.json",
            r#"[{"id": "k"}]"#,
            "items[0]: has no value (the column `key` of a CSV file, `value` in JSON); `get-api-keys`",
        ),
        (
            "k.json",
            "[{\"id\": \"k\", \"value\": \"hunter2",
            "the file: is no JSON at line 1",
        ),
        ("k.txt", "hunter2", "the name: must end in .csv or .json"),
    ] {
        let error = read_file(folder.write(name, text)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert!(read_file(folder.0.path().join("none.csv")).is_err());
}

#[tokio::test]
async fn a_file_is_read_anew_when_it_has_changed_and_a_wrong_one_changes_nothing() {
    let folder = Folder::new();
    let path = folder.write("keys.csv", &format!("name,key\npartner,{FIRST}\n"));
    let keys = FileKeys::open(&path).unwrap();
    let layer = ApiKeyLayer::new(keys.clone());
    assert!(!keys.reload_if_changed().unwrap());

    folder.write(
        "keys.csv",
        &format!("name,key\npartner,{SECOND}\nnew,{SECOND}1\n"),
    );
    assert_eq!(status(&layer, &[FIRST]).await, 200);
    assert!(keys.reload_if_changed().unwrap());
    assert_eq!(status(&layer, &[FIRST]).await, 403);
    assert_eq!(status(&layer, &[SECOND]).await, 200);

    folder.write("keys.csv", "name\n");
    assert!(keys.reload_if_changed().is_err());
    assert!(keys.reload_if_changed().is_err(), "it is still wrong");
    assert_eq!(status(&layer, &[SECOND]).await, 200);
    fs::remove_file(&path).unwrap();
    assert!(keys.reload().is_err());
    assert_eq!(keys.len(), 2);
}

#[test]
fn no_value_is_in_debug_output() {
    let keys = keys();
    let key = keys.find_value(FIRST).unwrap();
    let context = CallerKey::new(key.id().clone()).with_value(FIRST.parse().unwrap());
    let text = format!(
        "{keys:?} {key:?} {context:?} {:?}",
        ApiKeyLayer::new(keys.clone())
    );
    let digits = &KeyHash::of(FIRST).to_string()[7..20];
    assert!(!text.contains(FIRST) && !text.contains(digits), "{text}");
}
