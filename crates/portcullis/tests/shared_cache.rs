//! Gateways that share a cache in a real Redis, by their configuration, and encrypt what is there.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use portcullis::cache::{RedisStore, ResponseCache};
use portcullis::core::Body;
use portcullis::redis::{Redis, Script};
use portcullis::{ApiSpec, ConfigFormat, Gateway, GatewayConfig, Served};
use portcullis_testkit::{RedisServer, request as testkit};
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};

fn document() -> String {
    let integration = json!({
        "type": "aws_proxy", "httpMethod": "POST", "cacheKeyParameters": ["method.request.path.id"],
        "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:count/invocations",
    });
    let method = json!({ "responses": {}, "x-amazon-apigateway-integration": integration });
    json!({
        "openapi": "3.0.1", "info": { "title": "t", "version": "1" },
        "paths": { "/pets/{id}": { "get": method } },
    })
    .to_string()
}

fn stage(encrypted: bool) -> Value {
    let settings = json!({ "cachingEnabled": true, "cacheDataEncrypted": encrypted });
    json!({ "stageName": "prod", "cacheClusterEnabled": true, "methodSettings": { "*/*": settings } })
}

fn config(folder: &Path, encrypted: bool, more: &str) -> Result<GatewayConfig, String> {
    std::fs::write(folder.join("api.json"), document()).expect("written");
    let api = json!({ "id": "pets", "definition": "api.json", "stages": [stage(encrypted)] });
    let text = format!("apis: [{api}]\n{more}");
    let config = GatewayConfig::parse(&text, ConfigFormat::Yaml);
    let mut config = config.map_err(|error| error.to_string())?;
    config.folder = folder.to_owned();
    Ok(config)
}

const KEY: &str = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=";

fn shared(server: &RedisServer, keys: &[&str]) -> String {
    let keys = match keys {
        [] => String::new(),
        keys => format!(", encryptionKeys: {keys:?}"),
    };
    format!(
        "redis: {{url: {:?}}}\ncache: {{shared: true{keys}}}",
        server.url()
    )
}

fn build(config: &GatewayConfig, calls: &Arc<AtomicUsize>) -> Result<Gateway, String> {
    let calls = Arc::clone(calls);
    let count = service_fn(move |_: Request<Body>| {
        let number = calls.fetch_add(1, Ordering::SeqCst) + 1;
        let answer = Response::new(Body::from(format!("a secret {number}")));
        std::future::ready(Ok::<_, std::convert::Infallible>(answer))
    });
    let builder = config.gateway().map_err(|error| error.to_string())?;
    let built = builder.service("count", count).build();
    built.map_err(|error| error.to_string())
}

async fn get(gateway: &Gateway, target: &str) -> String {
    let request = Request::get(target).body(Body::empty()).expect("a target");
    let response = gateway.clone().oneshot(request).await;
    testkit::text(response.expect("infallible")).await
}

/// How many entries there are in Redis, and how many of them show what they hold.
async fn entries(server: &RedisServer) -> (i64, i64) {
    let look = r"
        local all, clear = 0, 0
        for _, name in ipairs(redis.call('KEYS', '*cache:*')) do
            if redis.call('TYPE', name).ok == 'string' then
                all = all + 1
                if string.find(redis.call('GET', name), 'a secret', 1, true) then clear = clear + 1 end
            end
        end
        return {all, clear}
    ";
    let redis = Redis::builder(server.url()).deadline(Duration::from_secs(5));
    let redis = redis.build().expect("an address");
    let found = redis.script(&Script::new(look), &["any"], &[""; 0]).await;
    let found = found.expect("the server is there");
    (found[0], found[1])
}

async fn stored(server: &RedisServer) -> i64 {
    for _ in 0..500 {
        if let (all @ 1.., clear) = entries(server).await {
            return all - clear;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing is stored");
}

#[tokio::test]
async fn gateways_share_what_they_cache_encrypted() {
    let (server, folder) = (RedisServer::start(), tempfile::tempdir().expect("a folder"));
    let config = config(folder.path(), true, &shared(&server, &[KEY])).expect("it reads");
    let calls = Arc::default();
    let one = build(&config, &calls).expect("it is good");
    let other = build(&config, &calls).expect("it is good");
    assert_eq!(get(&one, "/prod/pets/1").await, "a secret 1");
    assert_eq!(stored(&server).await, 1, "it is encrypted");
    assert_eq!(get(&other, "/prod/pets/1").await, "a secret 1");
    one.flush_stage_cache("pets", "prod")
        .await
        .expect("it is there");
    assert_eq!(get(&one, "/prod/pets/1").await, "a secret 2");
    let fate = |pointer: &str| {
        let coverage = one.coverage();
        let field = coverage.iter().find(|field| field.pointer == pointer);
        field.map(|field| field.served)
    };
    let field = "stage prod:/methodSettings/*~1*/cacheDataEncrypted";
    assert_eq!(fate(field), Some(Served::Enforced));
    let shown = format!("{config:?}");
    assert!(!shown.contains(KEY), "{shown}");
}

#[tokio::test]
async fn without_keys_they_share_in_the_clear_and_no_stage_may_ask_for_more() {
    let (server, folder) = (RedisServer::start(), tempfile::tempdir().expect("a folder"));
    let calls = Arc::default();
    let clear = config(folder.path(), false, &shared(&server, &[])).expect("it reads");
    let gateway = build(&clear, &calls).expect("it is good");
    get(&gateway, "/prod/pets/1").await;
    assert_eq!(stored(&server).await, 0, "it is not encrypted");
    let wanting = config(folder.path(), true, &shared(&server, &[])).expect("it reads");
    let error = build(&wanting, &calls).unwrap_err();
    for part in [
        "methodSettings/*~1*/cacheDataEncrypted",
        "`cache.encryptionKeys`",
    ] {
        assert!(error.contains(part), "{error}");
    }
    // The same of a cache that is made in code.
    let redis = Redis::builder(server.url()).build().expect("an address");
    let cache = ResponseCache::builder().build(RedisStore::new(redis));
    let stage = serde_json::from_value(stage(true)).expect("a stage");
    let api = ApiSpec::rest(document()).id("pets").stage(stage);
    let built = Gateway::builder().response_cache(cache).api(api).build();
    let error = built.unwrap_err().to_string();
    assert!(error.contains("`RedisStore::encrypted`"), "{error}");
}

#[tokio::test]
async fn in_memory_alone_what_is_to_be_encrypted_is_with_a_key_of_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path(), true, "").expect("it reads");
    let gateway = build(&config, &Arc::default()).expect("it is good");
    assert_eq!(get(&gateway, "/prod/pets/1").await, "a secret 1");
    assert_eq!(get(&gateway, "/prod/pets/1").await, "a secret 1");
}

#[tokio::test]
async fn a_reload_goes_on_with_what_is_cached_unless_it_is_kept_elsewhere() {
    let (server, folder) = (RedisServer::start(), tempfile::tempdir().expect("a folder"));
    let calls = Arc::default();
    let before = config(folder.path(), true, &shared(&server, &[KEY])).expect("it reads");
    let gateway = build(&before, &calls).expect("it is good");
    get(&gateway, "/prod/pets/1").await;
    let hits = || gateway.response_cache().stats().hits;
    get(&gateway, "/prod/pets/1").await;
    assert_eq!(hits(), 1);
    gateway
        .reload(before.gateway().expect("it is good"))
        .expect("it is good");
    assert_eq!(hits(), 1, "it is the same cache");
    let other = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let after = config(folder.path(), true, &shared(&server, &[other, KEY])).expect("it reads");
    gateway
        .reload(after.gateway().expect("it is good"))
        .expect("it is good");
    assert_eq!(hits(), 0, "it is another");
}

#[test]
fn what_is_no_cache_is_said_with_its_field_all_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let fault = |yaml: &str| {
        let config = config(folder.path(), false, yaml);
        match config {
            Ok(config) => config.gateway().map(drop).expect_err("wrong").to_string(),
            Err(error) => error,
        }
    };
    let text = fault("cache: {maxBytes: many, shared: true, encryptionKeys: [1], maxBites: 1}");
    for part in [
        "/cache/maxBytes: must be a whole number",
        "/cache/shared: needs `redis`",
        "/cache/encryptionKeys/0: must be a text",
        "/cache/maxBites: no such field; did you mean `maxBytes`?",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let text = fault("cache: {encryptionKeys: []}");
    assert!(
        text.contains("/cache/encryptionKeys: is for `shared: true`"),
        "{text}"
    );
    let text = fault(&format!(
        "redis: {{url: redis://a}}\ncache: {{shared: true, encryptionKeys: [{KEY}, secret!, {KEY}, 7]}}"
    ));
    for part in ["/2: `…` stands there twice", "/3: must be a text"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(
        text.contains("/cache/encryptionKeys/1: `…` is no Base64 of 32 bytes"),
        "{text}"
    );
    assert!(!text.contains("secret!"), "{text}");
}
