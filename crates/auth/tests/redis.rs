//! Stores in a real Redis, which is killed under them.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use portcullis_auth::api_key::{ApiKey, ApiKeyLayer, KeyHash, RedisKeys, UsagePlans};
use portcullis_auth::credentials::{CredentialLookup, CredentialStore, RedisCredentials};
use portcullis_core::{ApiStage, RequestContext};
use portcullis_redis::Redis;
use portcullis_testkit::{RedisServer, request as testkit};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

const FIRST: &str = "0123456789abcdefghij";
const SECOND: &str = "klmnopqrstuvwxyz0123";

fn redis(server: &RedisServer) -> Redis {
    let builder = Redis::builder(server.url()).deadline(Duration::from_secs(5));
    builder.build().expect("an address")
}

async fn status(layer: &ApiKeyLayer, key: &str) -> u16 {
    let mut request = testkit::get("/").header("x-api-key", key).empty();
    let mut stage = ApiStage::default();
    stage.api_id = "pets".to_owned();
    stage.stage = "prod".to_owned();
    RequestContext::of(&mut request).set_stage(stage);
    let hello = service_fn(async |_: Request<Full<Bytes>>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("hello")))
    });
    let Ok(response) = layer.layer(hello).oneshot(request).await;
    response.status().as_u16()
}

#[tokio::test]
async fn keys_are_shared_by_all_who_have_the_store() {
    let server = RedisServer::start();
    let (here, there) = (
        RedisKeys::new(redis(&server)),
        RedisKeys::new(redis(&server)),
    );
    let layer = ApiKeyLayer::new(there);
    assert_eq!(status(&layer, FIRST).await, 403);

    here.put(&ApiKey::new("one", FIRST)).await.unwrap();
    assert_eq!(status(&layer, FIRST).await, 200);
    here.put(&ApiKey::new("one", SECOND).with_previous(FIRST))
        .await
        .unwrap();
    assert_eq!(status(&layer, FIRST).await, 200);
    assert_eq!(status(&layer, SECOND).await, 200);
    assert!(here.remove(&KeyHash::of(FIRST)).await.unwrap());
    assert_eq!(status(&layer, FIRST).await, 403);
    here.put(&ApiKey::new("one", SECOND).with_enabled(false))
        .await
        .unwrap();
    assert_eq!(status(&layer, SECOND).await, 403);
}

#[tokio::test]
async fn a_key_keeps_all_that_is_known_of_it() {
    let server = RedisServer::start();
    let keys = RedisKeys::new(redis(&server));
    let key = ApiKey::new("one", FIRST)
        .with_usage_plan("gold")
        .with_name("partner")
        .with_tag("team", "dogs");
    keys.put(&key).await.unwrap();
    let plans = UsagePlans::new().with_stage("gold", "pets", "prod");
    let layer = ApiKeyLayer::new(keys).usage_plans(plans);
    assert_eq!(status(&layer, FIRST).await, 200);

    let hash = KeyHash::of(FIRST).to_string();
    let place = hash.replace("sha256:", "api-key:");
    let stored = redis(&server)
        .get(&place)
        .await
        .unwrap()
        .expect("it is there");
    let stored: Value = serde_json::from_slice(&stored).unwrap();
    assert_eq!(
        stored,
        json!({ "id": "one", "enabled": true, "usagePlanIds": ["gold"], "name": "partner", "tags": { "team": "dogs" } })
    );
    assert!(!stored.to_string().contains(FIRST));
}

#[tokio::test]
async fn nobody_is_let_in_while_redis_is_away_and_everyone_again_when_it_is_back() {
    let mut server = RedisServer::start();
    let keys = RedisKeys::new(redis(&server));
    keys.put(&ApiKey::new("one", FIRST)).await.unwrap();
    let layer = ApiKeyLayer::new(keys.clone());
    assert_eq!(status(&layer, FIRST).await, 200);
    server.kill();
    assert_eq!(status(&layer, FIRST).await, 500);
    assert_eq!(status(&layer, SECOND).await, 500);
    server.restart();
    // The connection may have to be made first.
    let mut put = keys.put(&ApiKey::new("one", FIRST)).await;
    for _ in 0..20 {
        if put.is_ok() {
            break;
        }
        put = keys.put(&ApiKey::new("one", FIRST)).await;
    }
    put.expect("it is back");
    assert_eq!(status(&layer, FIRST).await, 200);
    assert_eq!(status(&layer, SECOND).await, 403);
}

#[tokio::test]
async fn what_is_no_key_opens_nothing() {
    let server = RedisServer::start();
    let redis = redis(&server);
    let place = KeyHash::of(FIRST)
        .to_string()
        .replace("sha256:", "api-key:");
    redis.set(&place, "hunter2").await.unwrap();
    assert_eq!(
        status(&ApiKeyLayer::new(RedisKeys::new(redis)), FIRST).await,
        500
    );
}

fn tom(secret: &str) -> String {
    json!({
        "arn": "arn:aws:iam::123456789012:user/tom",
        "accessKeys": [
            { "accessKeyId": "AKIDTOM", "secretAccessKey": secret },
            { "accessKeyId": "AKIDOFF", "secretAccessKey": secret, "status": "Inactive" },
        ],
    })
    .to_string()
}

async fn secret(store: &RedisCredentials, id: &str) -> Result<Option<String>, String> {
    let found = match store.find(id) {
        CredentialLookup::Ready(found) => found,
        CredentialLookup::Later(found) => found.await.map_err(|error| error.to_string())?,
    };
    Ok(found.map(|key| key.secret().expose().to_owned()))
}

#[tokio::test]
async fn access_keys_are_found_with_their_principals_and_changed_under_way() {
    let server = RedisServer::start();
    let store = RedisCredentials::new(redis(&server));
    assert_eq!(secret(&store, "AKIDTOM").await, Ok(None));
    for value in ["first", "second"] {
        store.put("AKIDTOM", &tom(value)).await.unwrap();
        for _ in 0..2 {
            assert_eq!(secret(&store, "AKIDTOM").await, Ok(Some(value.to_owned())));
        }
    }
    store.put("AKIDOFF", &tom("off")).await.unwrap();
    assert_eq!(secret(&store, "AKIDOFF").await, Ok(None));
    assert!(store.remove("AKIDTOM").await.unwrap());
    assert_eq!(secret(&store, "AKIDTOM").await, Ok(None));
    // What cannot be an id is not looked for.
    for id in ["a b", "a\r\nb", &"a".repeat(129)] {
        assert!(
            matches!(store.find(id), CredentialLookup::Ready(None)),
            "{id}"
        );
    }
}

#[tokio::test]
async fn what_is_no_principal_or_away_is_an_error_without_a_secret() {
    let mut server = RedisServer::start();
    let store = RedisCredentials::new(redis(&server));
    for document in [
        "hunter2",
        r#"{"arn": "tom", "accessKeys": [], "x": "hunter2"}"#,
        r#"{"arn": "tom"}"#,
    ] {
        store.put("AKIDTOM", document).await.unwrap();
        let error = secret(&store, "AKIDTOM").await.unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
    server.kill();
    assert!(secret(&store, "AKIDTOM").await.is_err());
}
