//! Entries that are encrypted, in memory and in a real Redis.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use portcullis_cache::{
    CacheLayer, CacheRules, Draft, EncryptionKeys, KeyBuilder, Moment, Purge, RedisStore,
    ResponseCache, Store, TwoTiers,
};
use portcullis_core::Body;
use portcullis_redis::{Redis, Script};
use portcullis_testkit::RedisServer;
use tower::{Layer, ServiceExt, service_fn};

/// What must not be seen: it stands in the target, in a header, in a tag and in the body.
const SECRET: &str = "confidential";

const TARGET: &str = "/confidential?of=confidential";

fn redis(server: &RedisServer) -> Redis {
    let redis = Redis::builder(server.url()).deadline(Duration::from_secs(5));
    redis.build().expect("an address")
}

fn keys(numbers: &[u8]) -> EncryptionKeys {
    EncryptionKeys::new(numbers.iter().map(|number| [*number; 32])).expect("good keys")
}

fn encrypted(server: &RedisServer, numbers: &[u8]) -> RedisStore {
    RedisStore::encrypted(redis(server), keys(numbers))
}

/// A cache before an origin that numbers its answers.
struct Machine {
    cache: ResponseCache,
    calls: Arc<AtomicUsize>,
}

impl Machine {
    fn new(store: impl portcullis_cache::Store) -> Self {
        Self {
            cache: ResponseCache::builder().build(store),
            calls: Arc::default(),
        }
    }

    async fn get(&self, target: &str) -> String {
        let calls = Arc::clone(&self.calls);
        let origin = service_fn(move |_: Request<Body>| {
            let number = calls.fetch_add(1, Ordering::SeqCst) + 1;
            let response = Response::builder()
                .header("cache-tag", SECRET)
                .header("x-secret", SECRET);
            let response = response.body(Full::<Bytes>::from(format!("{SECRET} {number}")));
            async move { Ok::<_, Infallible>(response.expect("a response")) }
        });
        let rules = CacheRules::builder().encrypt().build().expect("rules");
        let request = Request::get(target).body(Body::empty()).expect("a request");
        let layer = CacheLayer::new(&self.cache, rules);
        let response = layer.layer(origin).oneshot(request).await;
        let response = response.expect("infallible");
        assert_eq!(response.headers()["x-secret"], SECRET);
        let body = response.into_body().collect().await.expect("a body");
        String::from_utf8(body.to_bytes().to_vec()).expect("text")
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Fetches, and waits until it is in Redis: to store a response does not hold it up.
    async fn store(&self, server: &RedisServer, target: &str, entries: i64) -> String {
        let text = self.get(target).await;
        for _ in 0..500 {
            if count(server, "").await >= entries {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{target} is not stored");
    }
}

/// Runs a script that looks at everything in the server, and gives its number.
async fn script(server: &RedisServer, text: &str, argument: &str) -> i64 {
    let found = redis(server)
        .script(&Script::new(text), &["any"], &[argument])
        .await;
    found.expect("the server is there")[0]
}

/// How many entries there are in which, or in whose name, this text stands; the log of purges is looked through, too.
async fn count(server: &RedisServer, text: &str) -> i64 {
    let look = r"
        local found = 0
        for _, name in ipairs(redis.call('KEYS', '*')) do
            local content = ''
            if redis.call('TYPE', name).ok == 'string' then
                content = redis.call('GET', name)
            elseif ARGV[1] ~= '' then
                for _, item in ipairs(redis.call('XRANGE', name, '-', '+')) do
                    content = content .. table.concat(item[2], ' ')
                end
            end
            if content ~= '' and string.find(name .. content, ARGV[1], 1, true) then
                found = found + 1
            end
        end
        return {found}
    ";
    script(server, look, text).await
}

#[tokio::test]
async fn in_memory_an_encrypted_response_is_served_and_purged_like_any_other() {
    let machine = Machine {
        cache: ResponseCache::in_memory(1 << 20),
        calls: Arc::default(),
    };
    assert_eq!(machine.get(TARGET).await, "confidential 1");
    assert_eq!(machine.get(TARGET).await, "confidential 1");
    assert_eq!(machine.calls(), 1);
    for (purge, calls) in [
        (Purge::tag(SECRET), 2),
        (Purge::prefix("/confidential"), 3),
        (Purge::tag(SECRET).soft(), 4),
    ] {
        assert_eq!(machine.cache.purge(purge).await.unwrap(), 1);
        machine.get(TARGET).await;
        assert_eq!(machine.calls(), calls);
    }
    assert_eq!(machine.cache.stats().unreadable, 0);
}

#[tokio::test]
async fn a_store_without_keys_is_given_nothing_that_is_to_be_encrypted() {
    let server = RedisServer::start();
    let machine = Machine::new(TwoTiers::new(1 << 20, RedisStore::new(redis(&server))));
    assert_eq!(machine.get(TARGET).await, "confidential 1");
    assert_eq!(machine.get(TARGET).await, "confidential 2");
    assert_eq!(count(&server, "").await, 0);
    assert_eq!(machine.cache.stats().size.entries, 0);
}

#[tokio::test]
async fn nothing_of_a_response_or_of_its_key_can_be_read_in_the_server() {
    let server = RedisServer::start();
    let machine = Machine::new(encrypted(&server, &[1]));
    machine.store(&server, TARGET, 1).await;
    machine
        .cache
        .purge(Purge::tag("confidential other"))
        .await
        .unwrap();
    assert_eq!(machine.get(TARGET).await, "confidential 1");
    assert_eq!(count(&server, SECRET).await, 0);
    // Nor does anybody know its name who knows the key of the entry, and not that of the encryption.
    let clear = Machine::new(RedisStore::new(redis(&server)));
    let mut key = KeyBuilder::new(b"");
    key.part(TARGET.as_bytes());
    let purged = clear.cache.purge(Purge::key(key.to_key())).await;
    assert_eq!(purged.unwrap(), 0);
    // What is sent in the clear would be seen.
    clear.cache.purge(Purge::tag(SECRET)).await.unwrap();
    assert_eq!(count(&server, SECRET).await, 1);
}

#[tokio::test]
async fn machines_with_one_key_share_and_forget_together() {
    let server = RedisServer::start();
    let one = Machine::new(TwoTiers::new(1 << 20, encrypted(&server, &[1])));
    let other = Machine::new(encrypted(&server, &[1]));
    let text = one.store(&server, TARGET, 1).await;
    assert_eq!(other.get(TARGET).await, text);
    assert_eq!(other.calls(), 0);
    // Memory before Redis has it encrypted by a key of its own.
    assert_eq!(one.get(TARGET).await, text);
    other.cache.purge(Purge::tag(SECRET)).await.unwrap();
    other.get(TARGET).await;
    assert_eq!(other.calls(), 1);
}

#[tokio::test]
async fn what_the_old_key_encrypted_serves_beside_the_new_one_and_not_without_it() {
    let server = RedisServer::start();
    let old = Machine::new(encrypted(&server, &[1]));
    let text = old.store(&server, TARGET, 1).await;
    let both = Machine::new(encrypted(&server, &[2, 1]));
    assert_eq!(both.get(TARGET).await, text);
    assert_eq!(both.calls(), 0);
    let new = Machine::new(encrypted(&server, &[2]));
    new.get(TARGET).await;
    assert_eq!(new.calls(), 1);
    // A purge takes both away.
    new.store(&server, TARGET, 2).await;
    both.cache.purge(Purge::everything()).await.unwrap();
    both.get(TARGET).await;
    assert_eq!(both.calls(), 1);
}

#[tokio::test]
async fn what_the_new_key_encrypts_takes_the_place_of_what_the_old_one_did() {
    let server = RedisServer::start();
    let key = KeyBuilder::new(b"").to_key();
    let now = Moment::from_millis(1_000);
    let until = now.after(Duration::from_secs(60));
    let mut draft = Draft::new(StatusCode::OK);
    draft.times(now, until, until);
    let entry = draft.finish(&["text".into()]);
    for numbers in [&[1][..], &[2, 1]] {
        let store = encrypted(&server, numbers);
        store.put(&key, entry.clone(), now).wait().await.unwrap();
        assert_eq!(count(&server, "").await, 1, "{numbers:?}");
    }
    let gone = encrypted(&server, &[1]).get(key.as_bytes()).wait().await;
    assert!(gone.unwrap().is_none());
    let there = encrypted(&server, &[2]).get(key.as_bytes()).wait().await;
    assert_eq!(there.unwrap().expect("it is there").body(), "text");
}

#[tokio::test]
async fn entries_that_somebody_swapped_are_misses_that_are_counted() {
    let server = RedisServer::start();
    let machine = Machine::new(encrypted(&server, &[1]));
    machine.store(&server, "/one", 1).await;
    machine.store(&server, "/two", 2).await;
    let swap = r"
        local names = {}
        for _, name in ipairs(redis.call('KEYS', '*')) do
            if redis.call('TYPE', name).ok == 'string' then table.insert(names, name) end
        end
        local one, two = redis.call('GET', names[1]), redis.call('GET', names[2])
        redis.call('SET', names[1], two)
        redis.call('SET', names[2], one)
        return {#names}
    ";
    assert_eq!(script(&server, swap, "").await, 2);
    assert_eq!(machine.get("/one").await, "confidential 3");
    assert_eq!(machine.cache.stats().unreadable, 1);
    assert_eq!(machine.get("/two").await, "confidential 4");
    let stats = machine.cache.stats();
    assert_eq!((stats.unreadable, stats.store_errors), (2, 0));
}
