//! Machines with a cache over one server, before one origin that numbers its answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::header::{CACHE_CONTROL, ETAG, HOST, IF_NONE_MATCH, VARY};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use portcullis_cache::http::{HttpCacheLayer, HttpCacheRules};
use portcullis_cache::{
    CacheBody, CacheLayer, CacheRules, RedisStore, ResponseCache, ResponseCacheBuilder, TwoTiers,
};
use portcullis_core::{Body, ManualClock};
use portcullis_redis::Redis;
use tower::{Layer, ServiceExt, service_fn};

/// How a machine stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tiers {
    Redis,
    Both,
}

pub(crate) const TIERS: [Tiers; 2] = [Tiers::Redis, Tiers::Both];

/// By what rules it caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conduct {
    Settings,
    Http,
}

/// What all machines have in common.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    calls: Arc<AtomicUsize>,
}

#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) cache: ResponseCache,
    conduct: Conduct,
    settings: CacheLayer,
    http: HttpCacheLayer,
    calls: Arc<AtomicUsize>,
}

/// What a client sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    /// What the cache says of itself, in the conduct that says something.
    pub(crate) cache: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn is_hit(&self) -> bool {
        self.cache.starts_with("hit")
    }
}

/// Longer than any test takes, and short enough not to be mistaken for an answer.
pub(crate) const STUCK: Duration = Duration::from_secs(30);

impl World {
    /// A machine over the server at `url`.
    pub(crate) fn machine(
        &self,
        url: &str,
        tiers: Tiers,
        conduct: Conduct,
        deadline: Duration,
    ) -> Machine {
        self.machine_with(url, tiers, conduct, deadline, ResponseCache::builder())
    }

    pub(crate) fn machine_with(
        &self,
        url: &str,
        tiers: Tiers,
        conduct: Conduct,
        deadline: Duration,
        builder: ResponseCacheBuilder,
    ) -> Machine {
        let redis = Redis::builder(url).deadline(deadline);
        let store = RedisStore::new(redis.build().expect("an address"));
        let builder = builder.clock(self.clock.clone());
        let cache = match tiers {
            Tiers::Redis => builder.build(store),
            Tiers::Both => builder.build(TwoTiers::new(1 << 20, store).clock(self.clock.clone())),
        };
        let settings = CacheRules::builder().scope("api/prod").build();
        Machine {
            settings: CacheLayer::new(&cache, settings.expect("rules")),
            http: HttpCacheLayer::new(&cache, HttpCacheRules::default()),
            cache,
            conduct,
            calls: Arc::clone(&self.calls),
        }
    }

    /// How often the origin has been asked.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Machine {
    pub(crate) async fn get(&self, target: &str) -> Seen {
        self.send(Method::GET, target, "en").await
    }

    pub(crate) async fn send(&self, method: Method, target: &str, language: &str) -> Seen {
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, "api.example.com")
            .header("accept-language", language)
            .body(Body::empty())
            .expect("a request");
        let calls = Arc::clone(&self.calls);
        let origin = service_fn(move |request: Request<Body>| {
            let response = answer(&request, calls.fetch_add(1, Ordering::SeqCst) + 1);
            async move { Ok::<_, std::convert::Infallible>(response) }
        });
        let answered = async {
            let response = match self.conduct {
                Conduct::Settings => self.settings.layer(origin).oneshot(request).await,
                Conduct::Http => self.http.layer(origin).oneshot(request).await,
            };
            seen(response.expect("infallible")).await
        };
        let answered = tokio::time::timeout(STUCK, answered).await;
        answered.expect("no request is stuck")
    }

    /// A target below `path` that both machines serve from what one of them stored, and what that is. (To store a response in Redis does not hold it up, so that
    /// the other may have come too early.)
    pub(crate) async fn shared_with(&self, other: &Self, path: &str) -> (String, Seen) {
        for number in 0..1000 {
            let target = format!("{path}/{number}");
            let here = self.get(&target).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
            if other.get(&target).await.body == here.body {
                return (target, here);
            }
        }
        panic!("nothing below {path} is shared");
    }

    /// Asks until the answer is as `wanted` says, as it will be once a word has gone round.
    pub(crate) async fn get_until(&self, target: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
        for _ in 0..1000 {
            let seen = self.get(target).await;
            if wanted(&seen) {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{target} is not as it should be");
    }
}

/// Below `/vary`, what the origin says depends on the language.
fn answer(request: &Request<Body>, number: usize) -> Response<Body> {
    let varies = request.uri().path().starts_with("/vary");
    let mut response = Response::builder()
        .header(CACHE_CONTROL, "max-age=60")
        .header(ETAG, "\"1\"")
        .header("surrogate-key", "pets");
    if varies {
        response = response.header(VARY, "accept-language");
    }
    if request.headers().contains_key(IF_NONE_MATCH) {
        let response = response.status(StatusCode::NOT_MODIFIED);
        return response.body(Body::empty()).expect("a response");
    }
    let body = match request.headers().get("accept-language") {
        Some(language) if varies => format!("{number} in {}", language.to_str().expect("text")),
        _ => number.to_string(),
    };
    response.body(body.into()).expect("a response")
}

async fn seen(response: Response<CacheBody<Body>>) -> Seen {
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let cache = head.headers.get("cache-status");
    let cache = cache.map_or("", |value| value.to_str().expect("text"));
    Seen {
        status: head.status,
        cache: cache.trim_start_matches("Portcullis; ").to_owned(),
        body: String::from_utf8(body.to_vec()).expect("text"),
    }
}
