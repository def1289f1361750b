//! What the layer serves from its cache, and what it does not.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, ORIGIN, SET_COOKIE, VARY};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use portcullis_cache::{
    CacheLayer, CacheRules, CacheRulesBuilder, Cached, KeyPart, MemoryStore, Purge, ResponseCache,
    UnauthorizedRefresh,
};
use portcullis_core::{
    ApiStage, Body as CoreBody, CacheStatus, Claims, ManualClock, Rejection, Release,
    RequestContext,
};
use tower::util::BoxCloneService;
use tower::{Layer, ServiceExt, service_fn};

type Inner = BoxCloneService<Request<CoreBody>, Response<Full<Bytes>>, Infallible>;

/// A service behind a cache, its calls counted.
struct Setup {
    service: Cached<Inner>,
    cache: ResponseCache,
    clock: ManualClock,
    calls: Arc<AtomicUsize>,
}

/// Over an origin that numbers its answers.
fn setup(
    rules: CacheRulesBuilder,
    answer: impl Fn(&Request<CoreBody>, usize) -> Response<Full<Bytes>> + Clone + Send + Sync + 'static,
) -> Setup {
    let clock = ManualClock::default();
    let cache = ResponseCache::builder()
        .clock(clock.clone())
        .build(MemoryStore::new(16 * 1024 * 1024));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let inner = BoxCloneService::new(service_fn(move |request: Request<CoreBody>| {
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        let response = answer(&request, number);
        async move { Ok::<_, Infallible>(response) }
    }));
    let rules = rules.build().expect("the rules are good");
    Setup {
        service: CacheLayer::new(&cache, rules).layer(inner),
        cache,
        clock,
        calls,
    }
}

fn numbered(_: &Request<CoreBody>, number: usize) -> Response<Full<Bytes>> {
    Response::new(Full::from(format!("answer {number}")))
}

impl Setup {
    fn numbered(rules: CacheRulesBuilder) -> Self {
        setup(rules, numbered)
    }

    async fn send(&self, request: Request<CoreBody>) -> Response<String> {
        let response = self
            .service
            .clone()
            .oneshot(request)
            .await
            .expect("infallible");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Response::from_parts(head, String::from_utf8(body.to_vec()).expect("text"))
    }

    async fn text(&self, request: Request<CoreBody>) -> String {
        self.send(request).await.into_body()
    }

    async fn get(&self, target: &str) -> String {
        self.text(get(target)).await
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

fn get(target: &str) -> Request<CoreBody> {
    Request::get(target)
        .body(CoreBody::empty())
        .expect("a target")
}

fn with(mut request: Request<CoreBody>, change: impl FnOnce(&RequestContext)) -> Request<CoreBody> {
    change(RequestContext::of(&mut request));
    request
}

fn rules() -> CacheRulesBuilder {
    CacheRules::builder()
}

#[tokio::test]
async fn a_response_serves_until_its_time_is_up_and_no_longer() {
    let setup = Setup::numbered(rules().ttl(Duration::from_secs(10)));
    assert_eq!(setup.get("/pets").await, "answer 1");
    setup.clock.advance(Duration::from_millis(9_999));
    assert_eq!(setup.get("/pets").await, "answer 1");
    setup.clock.advance(Duration::from_millis(1));
    assert_eq!(setup.get("/pets").await, "answer 2");
    let stats = setup.cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.stored), (1, 2, 2));
}

#[tokio::test]
async fn the_context_says_what_became_of_a_request() {
    let setup = Setup::numbered(rules().ttl(Duration::from_secs(1)));
    let mut said = Vec::new();
    for round in 0..3 {
        let request = with(get("/pets"), |context| said.push(context.clone()));
        setup.text(request).await;
        if round == 1 {
            setup.clock.advance(Duration::from_secs(1));
        }
    }
    let post = with(
        Request::post("/pets").body(CoreBody::empty()).unwrap(),
        |context| {
            said.push(context.clone());
        },
    );
    setup.text(post).await;
    let mut override_ = get("/pets");
    override_
        .headers_mut()
        .insert("x-http-method-override", "DELETE".parse().unwrap());
    setup
        .text(with(override_, |context| said.push(context.clone())))
        .await;
    let said: Vec<_> = said.iter().map(RequestContext::cache_status).collect();
    let expected = [
        Some(CacheStatus::Miss),
        Some(CacheStatus::Hit),
        Some(CacheStatus::Expired),
        None,
        Some(CacheStatus::Bypass),
    ];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn only_the_methods_of_the_rules_are_cached() {
    let setup = Setup::numbered(rules());
    for method in [Method::HEAD, Method::POST, Method::PUT] {
        let request = || {
            Request::builder()
                .method(&method)
                .uri("/")
                .body(CoreBody::empty())
                .unwrap()
        };
        assert_ne!(setup.text(request()).await, setup.text(request()).await);
    }
    let setup = Setup::numbered(rules().methods([Method::GET, Method::POST]));
    let post = || Request::post("/").body(CoreBody::empty()).unwrap();
    assert_eq!(setup.text(post()).await, setup.text(post()).await);
    assert_ne!(setup.get("/").await, setup.text(post()).await);
}

#[tokio::test]
async fn a_time_of_zero_caches_nothing() {
    let setup = Setup::numbered(rules().ttl(Duration::ZERO));
    assert_ne!(setup.get("/").await, setup.get("/").await);
    assert_eq!(setup.cache.stats().size.entries, 0);
}

#[tokio::test]
async fn only_what_is_named_makes_the_key() {
    let setup = Setup::numbered(rules().key([KeyPart::query("type")]));
    let first = setup.get("/pets?type=dog&page=1").await;
    assert_eq!(setup.get("/pets?page=2&type=dog").await, first);
    assert_ne!(setup.get("/pets?type=cat").await, first);
    let absent = setup.get("/pets").await;
    assert_ne!(absent, setup.get("/pets?type=").await);
    assert_eq!(absent, setup.get("/owners").await);
}

#[tokio::test]
async fn namespaces_and_scopes_are_apart() {
    let cache = ResponseCache::in_memory(1 << 20);
    let calls = Arc::new(AtomicUsize::new(0));
    let service = |rules: CacheRulesBuilder| {
        let calls = Arc::clone(&calls);
        CacheLayer::new(&cache, rules.build().unwrap()).layer(service_fn(
            move |_: Request<CoreBody>| {
                let number = calls.fetch_add(1, Ordering::SeqCst);
                async move {
                    Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(number.to_string())))
                }
            },
        ))
    };
    for rules in [
        rules().scope("api/a").namespace("x"),
        rules().scope("api/a").namespace("y"),
        rules().scope("api/b").namespace("x"),
        rules().scope("api/a").namespace("x"),
    ] {
        service(rules).oneshot(get("/")).await.unwrap();
    }
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    assert_eq!(cache.purge(Purge::scope(b"api/a")).await.unwrap(), 2);
    assert_eq!(cache.stats().size.entries, 1);
}

#[tokio::test]
async fn callers_deployments_and_canaries_are_apart() {
    let setup = Setup::numbered(rules());
    let claims = |json: &'static str| {
        with(get("/"), |context| {
            context.set_claims(Claims::from_json(json))
        })
    };
    let anonymous = setup.text(with(get("/"), |_| {})).await;
    let ann = setup.text(claims(r#"{"sub":"ann","exp":1}"#)).await;
    let bob = setup.text(claims(r#"{"sub":"bob","exp":1}"#)).await;
    let narrow = setup.text(claims(r#"{"sub":"ann","scope":"read"}"#)).await;
    let canary = setup
        .text(with(get("/"), |context| {
            context.set_release(Release::Canary("canary".into()))
        }))
        .await;
    let answers = [anonymous, ann.clone(), bob, narrow, canary];
    for (at, one) in answers.iter().enumerate() {
        assert!(!answers[at + 1..].contains(one), "{answers:?}");
    }
    // The same caller with a newer token.
    assert_eq!(setup.text(claims(r#"{"sub":"ann","exp":2}"#)).await, ann);
    // Production of a stage that has a canary is the same as without.
    let production = with(get("/"), |context| context.set_release(Release::Production));
    assert_eq!(setup.text(production).await, answers[0]);
}

#[tokio::test]
async fn a_canary_shares_with_production_where_the_rules_say_so() {
    let canary = || {
        with(get("/"), |context| {
            context.set_release(Release::Canary("canary".into()));
        })
    };
    let setup = Setup::numbered(rules().share_between_releases());
    assert_eq!(setup.text(canary()).await, "answer 1");
    assert_eq!(setup.get("/").await, "answer 1");
    // One of another deployment does not.
    let other = with(canary(), |context| {
        let mut stage = ApiStage::default();
        stage.deployment_id = Some("other".to_owned());
        context.set_stage(Arc::new(stage));
    });
    assert_eq!(setup.text(other).await, "answer 2");
}

#[tokio::test]
async fn credentials_that_nobody_has_looked_at_are_the_origins() {
    let authorized = || {
        Request::get("/")
            .header(AUTHORIZATION, "Bearer x")
            .body(CoreBody::empty())
            .unwrap()
    };
    let setup = Setup::numbered(rules());
    assert_ne!(
        setup.text(authorized()).await,
        setup.text(authorized()).await
    );
    let setup = Setup::numbered(rules().key([KeyPart::Target, KeyPart::header(AUTHORIZATION)]));
    assert_eq!(
        setup.text(authorized()).await,
        setup.text(authorized()).await
    );
    assert_ne!(setup.get("/").await, setup.text(authorized()).await);
    let setup = Setup::numbered(rules().dangerously_share_between_callers());
    assert_eq!(setup.get("/").await, setup.text(authorized()).await);
}

#[tokio::test]
async fn errors_are_not_stored_unless_that_is_asked_for() {
    for status in [206, 304, 404, 429, 500, 503] {
        let answer = move |_: &Request<CoreBody>, number: usize| {
            let mut response = Response::new(Full::from(number.to_string()));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response
        };
        let closed = setup(rules(), answer);
        assert_ne!(closed.get("/").await, closed.get("/").await, "{status}");
        let open = setup(rules().dangerously_store_errors(), answer);
        let same = open.get("/").await == open.get("/").await;
        assert_eq!(same, status >= 400, "{status}");
    }
}

#[tokio::test]
async fn what_is_about_one_request_is_not_replayed() {
    let answer = |_: &Request<CoreBody>, _| {
        Response::builder()
            .header(SET_COOKIE, "session=1")
            .header("x-amzn-requestid", "1")
            .header("date", "Tue, 15 Nov 1994 08:12:31 GMT")
            .header("connection", "x-hop")
            .header("x-hop", "1")
            .header("x-mine", "1")
            .header("etag", "\"1\"")
            .body(Full::from("x"))
            .unwrap()
    };
    let name = http::HeaderName::from_static("x-mine");
    let closed = setup(rules().drop_header(name), answer);
    let miss = closed.send(get("/")).await;
    assert_eq!(miss.headers()[SET_COOKIE], "session=1");
    let hit = closed.send(get("/")).await;
    let names: Vec<_> = hit.headers().keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["etag"]);
    let open = setup(rules().dangerously_replay_set_cookie(), answer);
    open.send(get("/")).await;
    assert_eq!(open.send(get("/")).await.headers()[SET_COOKIE], "session=1");
}

#[tokio::test]
async fn a_response_that_depends_on_more_than_its_key_is_not_stored() {
    let answer = |request: &Request<CoreBody>, number: usize| {
        let mut response = Response::builder().header(VARY, "accept-encoding, x-tenant");
        if let Some(origin) = request.headers().get(ORIGIN) {
            response = Response::builder().header("access-control-allow-origin", origin);
        }
        response.body(Full::from(number.to_string())).unwrap()
    };
    let echo = || {
        Request::get("/")
            .header(ORIGIN, "https://a.example")
            .body(CoreBody::empty())
            .unwrap()
    };
    let closed = setup(rules(), answer);
    assert_ne!(closed.get("/").await, closed.get("/").await);
    assert_ne!(closed.text(echo()).await, closed.text(echo()).await);
    let keyed = setup(
        rules().key([
            KeyPart::header("x-tenant".parse().unwrap()),
            KeyPart::header(ORIGIN),
        ]),
        answer,
    );
    assert_eq!(keyed.get("/").await, keyed.get("/").await);
    assert_eq!(keyed.text(echo()).await, keyed.text(echo()).await);
    let open = setup(rules().dangerously_ignore_vary(), answer);
    assert_eq!(open.get("/").await, open.get("/").await);
}

#[tokio::test]
async fn compressed_responses_are_for_those_who_accept_them() {
    let answer = |request: &Request<CoreBody>, number: usize| {
        let response = Response::builder();
        match request.headers().get(ACCEPT_ENCODING) {
            Some(coding) => response.header(CONTENT_ENCODING, coding),
            None => response,
        }
        .body(Full::from(number.to_string()))
        .unwrap()
    };
    let asks = |coding: &str| {
        Request::get("/")
            .header(ACCEPT_ENCODING, coding)
            .body(CoreBody::empty())
            .unwrap()
    };
    let setup = setup(rules(), answer);
    let gzip = setup.text(asks("gzip")).await;
    let plain = setup.get("/").await;
    let brotli = setup.text(asks("br")).await;
    assert_eq!(setup.calls(), 3);
    assert_eq!(setup.text(asks("gzip")).await, gzip);
    assert_eq!(setup.get("/").await, plain);
    assert_eq!(setup.text(asks("br")).await, brotli);
    assert_eq!(setup.calls(), 3);
}

#[tokio::test]
async fn a_body_over_the_limit_passes() {
    let answer = |request: &Request<CoreBody>, _| {
        let length = request.uri().query().unwrap_or_default().parse().unwrap();
        Response::new(Full::from(vec![b'x'; length]))
    };
    let setup = setup(rules().max_body_bytes(1000), answer);
    for _ in 0..2 {
        assert_eq!(setup.get("/?1000").await.len(), 1000);
        assert_eq!(setup.get("/?1001").await.len(), 1001);
    }
    assert_eq!(setup.calls(), 3);
}

#[tokio::test]
async fn entries_are_purged_by_prefix_tag_and_all_at_once() {
    let answer = |request: &Request<CoreBody>, number: usize| {
        Response::builder()
            .header("surrogate-key", "all pets")
            .header("cache-tag", request.uri().path())
            .body(Full::from(number.to_string()))
            .unwrap()
    };
    let setup = setup(rules(), answer);
    let fill = async || {
        for target in ["/pets/1", "/pets/2?x=1", "/owners/1"] {
            setup.get(target).await;
        }
    };
    for (purge, count) in [
        (Purge::prefix("/pets/"), 2),
        (Purge::prefix("/pets/2?x=1"), 1),
        (Purge::tag("/owners/1"), 1),
        (Purge::tag("pets"), 3),
        (Purge::tag("nothing"), 0),
        (Purge::tag("pets").soft(), 3),
        (Purge::everything(), 3),
    ] {
        fill().await;
        let before = setup.calls();
        assert_eq!(
            setup.cache.purge(purge.clone()).await.unwrap(),
            count,
            "{purge:?}"
        );
        fill().await;
        assert_eq!((setup.calls() - before) as u64, count, "{purge:?}");
    }
}

#[tokio::test]
async fn rules_are_replaced_while_requests_run() {
    let cache = ResponseCache::in_memory(1 << 20);
    let layer = CacheLayer::new(&cache, rules().build().unwrap());
    let service = layer.layer(service_fn(async |_: Request<CoreBody>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    service.clone().oneshot(get("/")).await.unwrap();
    layer
        .rules()
        .replace(rules().ttl(Duration::ZERO).build().unwrap());
    service.clone().oneshot(get("/")).await.unwrap();
    assert_eq!(cache.stats().hits, 0);
    layer.rules().replace(rules().build().unwrap());
    service.oneshot(get("/")).await.unwrap();
    assert_eq!(cache.stats().hits, 1);
}

#[test]
fn rules_that_cannot_be_are_told_with_their_fix() {
    let error = rules().ttl(Duration::from_secs(3601)).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "ttl: `3601 s` is too long; choose 0 to 3600 seconds"
    );
    assert_eq!(rules().methods([]).build().unwrap_err().field(), "methods");
}

fn reload() -> Request<CoreBody> {
    let request = Request::get("/pets").header("cache-control", "no-cache, max-age=0");
    request.body(CoreBody::empty()).unwrap()
}

#[tokio::test]
async fn a_caller_who_may_has_a_response_replaced() {
    let allowed = |context: &RequestContext, action: &str, resource: &str| {
        let caller = context.identity().caller;
        caller.as_deref() == Some("ann")
            && action == "execute-api:InvalidateCache"
            && resource == "arn:aws:execute-api:eu-west-1:1:a/prod/GET/pets"
    };
    let setup = Setup::numbered(
        rules()
            .permissions(allowed)
            .stage_arn("arn:aws:execute-api:eu-west-1:1:a/prod")
            .dangerously_share_between_callers(),
    );
    assert_eq!(setup.get("/pets").await, "answer 1");
    let named = |name: &'static str| {
        with(reload(), |context| {
            context.update_identity(|identity| identity.caller = Some(name.into()));
        })
    };
    let ann = named("ann");
    let context = ann.extensions().get::<RequestContext>().cloned().unwrap();
    assert_eq!(setup.text(ann).await, "answer 2");
    assert_eq!(context.cache_status(), Some(CacheStatus::Refreshed));
    assert_eq!(setup.get("/pets").await, "answer 2");
    let bob = setup.send(named("bob")).await;
    assert_eq!(
        bob.headers()["warning"],
        "199 Cache-control headers were ignored because the caller was unauthorized."
    );
    assert_eq!(bob.into_body(), "answer 2");
    assert_eq!(setup.calls(), 2);
}

#[tokio::test]
async fn a_caller_who_may_not_is_warned_or_refused_or_told_nothing() {
    for (otherwise, warned) in [
        (UnauthorizedRefresh::Warn, true),
        (UnauthorizedRefresh::Ignore, false),
    ] {
        let setup = Setup::numbered(rules().unauthorized_refresh(otherwise));
        // From the origin, and from the cache.
        for _ in 0..2 {
            let answer = setup.send(reload()).await;
            assert_eq!(answer.headers().contains_key("warning"), warned);
            assert_eq!(answer.into_body(), "answer 1");
        }
        // The warning is for those who asked.
        assert!(
            !setup
                .send(get("/pets"))
                .await
                .headers()
                .contains_key("warning")
        );
    }
    let setup = Setup::numbered(rules().unauthorized_refresh(UnauthorizedRefresh::Refuse));
    let refused = setup.send(reload()).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(
        refused.headers()["x-amzn-errortype"],
        "AccessDeniedException"
    );
    assert!(refused.extensions().get::<Rejection>().is_some());
    assert_eq!(setup.calls(), 0);
    let setup = Setup::numbered(rules().dangerously_let_everyone_refresh());
    assert_eq!(setup.text(reload()).await, "answer 1");
    assert_eq!(setup.text(reload()).await, "answer 2");
    assert_eq!(setup.get("/pets").await, "answer 2");
}
