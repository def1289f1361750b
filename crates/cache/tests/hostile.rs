//! What a client must not be able to do to others, before a cache with the conduct of the service's.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use portcullis_cache::{
    CacheLayer, CacheRules, CacheRulesBuilder, Cached, KeyPart, MemoryStore, ResponseCache,
};
use portcullis_core::{
    ApiKeyId, Body, CallerKey, Claims, ClientCertificate, Detail, RequestContext, Variable,
};
use proptest::prelude::*;
use serde_json::json;
use tower::util::BoxCloneService;
use tower::{Layer, ServiceExt, service_fn};

type Inner = BoxCloneService<Request<Body>, Response<Full<Bytes>>, Infallible>;

/// An origin that answers with all that it was sent, and its number; and the cache before it.
struct Scene {
    service: Cached<Inner>,
    cache: ResponseCache,
}

impl Scene {
    fn new(rules: CacheRulesBuilder) -> Self {
        Self::over(ResponseCache::in_memory(1 << 20), rules)
    }

    fn over(cache: ResponseCache, rules: CacheRulesBuilder) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let origin = service_fn(move |request: Request<Body>| {
            let number = calls.fetch_add(1, Ordering::SeqCst) + 1;
            let told = format!("{number} {} {:?}", request.uri(), request.headers());
            async move { Ok::<_, Infallible>(Response::new(Full::from(told))) }
        });
        let rules = rules.build().expect("the rules are good");
        Self {
            service: CacheLayer::new(&cache, rules).layer(BoxCloneService::new(origin)),
            cache,
        }
    }

    async fn send(&self, request: Request<Body>) -> String {
        let response = self.service.clone().oneshot(request).await;
        let body = response.expect("infallible").into_body().collect().await;
        String::from_utf8(body.expect("a body").to_bytes().to_vec()).expect("text")
    }

    /// The victim gets the same before and after the attack, and the attacker gets something else.
    async fn cannot_poison(&self, victim: impl Fn() -> Request<Body>, attack: Request<Body>) {
        let what = format!("{attack:?}");
        // The attacker comes first.
        let theirs = self.send(attack).await;
        let own = self.send(victim()).await;
        assert_ne!(own, theirs, "{what}");
        assert_eq!(self.send(victim()).await, own, "{what}");
    }
}

fn rules() -> CacheRulesBuilder {
    CacheRules::builder()
}

fn get(target: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::get(target).body(Body::empty()).expect("a target");
    request
        .headers_mut()
        .insert(HOST, HeaderValue::from_static("api.example.com"));
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a name");
        request
            .headers_mut()
            .append(name, value.parse().expect("a value"));
    }
    request
}

#[tokio::test]
async fn headers_that_steer_frameworks_do_not_reach_others() {
    for name in [
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-scheme",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-host",
        "x-original-url",
        "x-original-uri",
        "x-original-host",
        "x-rewrite-url",
        "x-envoy-original-path",
        "x-url-scheme",
        "front-end-https",
        // To programs behind CGI, these are the same.
        "x_forwarded_host",
        "x-original_url",
        "x_rewrite-url",
    ] {
        let scene = Scene::new(rules());
        scene
            .cannot_poison(|| get("/", &[]), get("/", &[(name, "evil")]))
            .await;
    }
    for value in ["host=evil.example.com", "for=1.2.3.4;Proto=http"] {
        let scene = Scene::new(rules());
        scene
            .cannot_poison(|| get("/", &[]), get("/", &[("forwarded", value)]))
            .await;
    }
}

#[tokio::test]
async fn a_header_that_only_names_the_client_makes_no_difference() {
    let scene = Scene::new(rules());
    let first = scene.send(get("/", &[])).await;
    for (name, value) in [("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=1.2.3.4")] {
        assert_eq!(
            scene.send(get("/", &[(name, value)])).await,
            first,
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_parameter_cannot_be_hidden_from_the_key() {
    for attack in [
        "/?x=1;type=evil",
        "/?type=dog;type=evil",
        "/?type=dog&type=evil",
        "/?type=evil&type=dog",
        "/?type[]=evil",
        "/?t%79pe=evil",
        "/?TYPE=evil",
        "/?%20type=evil",
        "/?type=",
        "/?type",
    ] {
        for victim in ["/?type=dog", "/"] {
            let scene = Scene::new(rules().key([KeyPart::query("type")]));
            scene
                .cannot_poison(|| get(victim, &[]), get(attack, &[]))
                .await;
        }
    }
}

#[tokio::test]
async fn a_parameter_that_is_no_part_of_the_key_cannot_end_one_that_is() {
    // Encoded separators belong to the value.
    for attack in [
        "/?type=dog%26x=1",
        "/?type=dog%3bx=1",
        "/?type=dog%23",
        "/?type=dog%00",
    ] {
        let scene = Scene::new(rules().key([KeyPart::query("type")]));
        scene
            .cannot_poison(|| get("/?type=dog", &[]), get(attack, &[]))
            .await;
    }
}

#[tokio::test]
async fn a_header_is_a_part_of_the_key_with_all_its_lines_and_under_all_its_names() {
    let rules = || rules().key([KeyPart::header("x-tenant".parse().expect("a name"))]);
    for attack in [
        &[("x-tenant", "one"), ("x-tenant", "evil")][..],
        &[("x-tenant", "evil"), ("x-tenant", "one")],
        &[("x-tenant", "one"), ("x_tenant", "evil")],
        &[("x_tenant", "one")],
        &[("x-tenant", "one, evil")],
        &[("x-tenant", "")],
    ] {
        for victim in [&[("x-tenant", "one")][..], &[]] {
            let scene = Scene::new(rules());
            scene
                .cannot_poison(|| get("/", victim), get("/", attack))
                .await;
        }
    }
}

#[tokio::test]
async fn a_request_that_asks_for_another_method_is_not_answered_and_not_stored() {
    for name in [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "x_http_method_override",
    ] {
        let scene = Scene::new(rules());
        scene
            .cannot_poison(|| get("/", &[]), get("/", &[(name, "DELETE")]))
            .await;
        assert_eq!(scene.cache.stats().bypassed, 1, "{name}");
    }
}

#[tokio::test]
async fn a_request_for_another_protocol_is_not_answered_and_not_stored() {
    let scene = Scene::new(rules());
    let upgrade = get("/", &[("connection", "upgrade"), ("upgrade", "websocket")]);
    scene.cannot_poison(|| get("/", &[]), upgrade).await;
    assert_eq!(scene.cache.stats().bypassed, 1);
}

#[tokio::test]
async fn one_host_is_not_served_what_another_said() {
    for host in [
        "evil.example.com",
        "api.example.com:8080",
        "api.example.com.",
        "user@api.example.com",
        "",
    ] {
        let scene = Scene::new(rules());
        let mut attack = get("/", &[]);
        attack
            .headers_mut()
            .insert(HOST, host.parse().expect("a value"));
        scene.cannot_poison(|| get("/", &[]), attack).await;
    }
}

#[tokio::test]
async fn the_case_of_a_host_makes_no_difference() {
    let scene = Scene::new(rules());
    let first = scene.send(get("/", &[])).await;
    let mut other = get("/", &[]);
    other
        .headers_mut()
        .insert(HOST, HeaderValue::from_static("API.example.COM"));
    assert_eq!(scene.send(other).await, first);
}

#[tokio::test]
async fn a_request_that_names_two_hosts_is_not_answered_and_not_stored() {
    for attack in [
        get("http://evil.example.com/", &[]),
        get("http://user:password@api.example.com/", &[]),
        get("http://api.example.com:8080/", &[]),
        get("/", &[("host", "evil.example.com")]),
    ] {
        let scene = Scene::new(rules());
        scene.cannot_poison(|| get("/", &[]), attack).await;
        assert_eq!(scene.cache.stats().bypassed, 1);
    }
    // In absolute form, the one host is the same.
    let scene = Scene::new(rules().key([KeyPart::query("type")]));
    let first = scene.send(get("/", &[])).await;
    assert_eq!(scene.send(get("http://api.example.com/", &[])).await, first);
}

#[tokio::test]
async fn a_get_with_a_body_is_not_answered_and_not_stored() {
    let scene = Scene::new(rules());
    let fat = |header: Option<(&str, &str)>| {
        let mut request = get("/", header.as_slice());
        if header.is_none() {
            *request.body_mut() = Body::from("evil");
        }
        request
    };
    for header in [
        None,
        Some(("content-length", "4")),
        Some(("transfer-encoding", "chunked")),
    ] {
        scene.cannot_poison(|| get("/", &[]), fat(header)).await;
    }
    assert_eq!(scene.cache.stats().bypassed, 3);
}

proptest! {
    #[test]
    fn values_with_separators_in_them_are_not_other_values(
        one in proptest::array::uniform3("[ab:/|&=;,\\x20-]{0,4}"),
        other in proptest::array::uniform3("[ab:/|&=;,\\x20-]{0,4}"),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let parts = ["x-a", "x-b", "x-c"].map(|name| KeyPart::header(name.parse().unwrap()));
        let scene = Scene::new(rules().key(parts));
        let request = |values: &[String; 3]| {
            let [a, b, c] = values;
            get("/", &[("x-a", a.trim()), ("x-b", b.trim()), ("x-c", c.trim())])
        };
        let trimmed = |values: &[String; 3]| values.clone().map(|value| value.trim().to_owned());
        let same = runtime.block_on(async {
            scene.send(request(&one)).await == scene.send(request(&other)).await
        });
        prop_assert_eq!(same, trimmed(&one) == trimmed(&other));
    }
}

#[tokio::test]
async fn endless_keys_and_huge_answers_stay_within_the_bound_of_memory() {
    let bound = 1 << 20;
    let cache = ResponseCache::builder().build(MemoryStore::new(bound));
    let origin = service_fn(async |request: Request<Body>| {
        let length = request.uri().path().len() % 7 * 5_000;
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(vec![b'x'; length])))
    });
    let service = CacheLayer::new(&cache, rules().build().unwrap()).layer(origin);
    for number in 0..3_000_u32 {
        let target = format!("/{}?{number}", "x".repeat(number as usize % 300));
        let response = service.clone().oneshot(get(&target, &[])).await.unwrap();
        response.into_body().collect().await.unwrap();
        assert!(cache.stats().size.bytes <= bound, "{:?}", cache.stats());
    }
    assert_eq!(cache.stats().filling, 0);
    assert!(cache.stats().size.entries > 10);
}

#[tokio::test]
async fn a_key_that_is_too_long_passes() {
    let scene = Scene::new(rules());
    let target = format!("/{}", "x".repeat(20_000));
    let first = scene.send(get(&target, &[])).await;
    assert_ne!(scene.send(get(&target, &[])).await, first);
    assert_eq!(
        (
            scene.cache.stats().bypassed,
            scene.cache.stats().size.entries
        ),
        (2, 0)
    );
}

/// What layers may have found out of a caller.
fn callers() -> Vec<(&'static str, Box<dyn Fn(&RequestContext)>)> {
    vec![
        ("nobody", Box::new(|_| {})),
        (
            "a token",
            Box::new(|context| context.set_claims(Claims::from_json(r#"{"sub":"ann"}"#))),
        ),
        (
            "another token",
            Box::new(|context| context.set_claims(Claims::from_json(r#"{"sub":"bob"}"#))),
        ),
        (
            "a number for a text",
            Box::new(|context| context.set_claims(Claims::from_json(r#"{"sub":1}"#))),
        ),
        (
            "the text of it",
            Box::new(|context| context.set_claims(Claims::from_json(r#"{"sub":"1"}"#))),
        ),
        (
            "a key",
            Box::new(|context| context.set_api_key(CallerKey::new(ApiKeyId::new("ann")))),
        ),
        (
            "another key",
            Box::new(|context| context.set_api_key(CallerKey::new(ApiKeyId::new("bob")))),
        ),
        (
            "a signature",
            Box::new(|context| context.update_identity(|own| own.caller = Some("ann".into()))),
        ),
        (
            "a user",
            Box::new(|context| context.update_identity(|own| own.user = Some("ann".into()))),
        ),
        (
            "an account",
            Box::new(|context| context.update_identity(|own| own.account_id = Some("ann".into()))),
        ),
        (
            "a Cognito identity",
            Box::new(|context| {
                context.update_identity(|own| {
                    own.other.insert("cognitoIdentityId", "ann".into());
                })
            }),
        ),
        (
            "a principal",
            Box::new(|context| context.note(Detail::AuthorizerPrincipalId, "ann")),
        ),
        (
            "one more principal",
            Box::new(|context| context.note(Detail::AuthorizerPrincipalId, "bob")),
        ),
        (
            "an authorizer",
            Box::new(|context| {
                context.set_authorizer(
                    [("principalId".to_owned(), json!("ann"))]
                        .into_iter()
                        .collect(),
                )
            }),
        ),
        (
            "another principal",
            Box::new(|context| {
                context.set_authorizer(
                    [("principalId".to_owned(), json!("bob"))]
                        .into_iter()
                        .collect(),
                )
            }),
        ),
        (
            "its context",
            Box::new(|context| {
                context.set_authorizer(
                    [
                        ("principalId".to_owned(), json!("ann")),
                        ("tenant".to_owned(), json!("one")),
                    ]
                    .into_iter()
                    .collect(),
                )
            }),
        ),
        (
            "a certificate",
            Box::new(|context| {
                let mut certificate = ClientCertificate::default();
                certificate.pem = "ann".to_owned();
                context.set_client_certificate(certificate);
            }),
        ),
    ]
}

#[tokio::test]
async fn no_caller_is_served_what_was_made_for_another_whoever_found_out_who_asks() {
    let scene = Scene::new(rules());
    let mut seen: Vec<(&str, String)> = Vec::new();
    for _ in 0..2 {
        for (name, says) in callers() {
            let mut request = get("/", &[]);
            says(RequestContext::of(&mut request));
            let answer = scene.send(request).await;
            match seen.iter().find(|(_, own)| *own == answer) {
                Some((other, _)) => assert_eq!(*other, name),
                None => seen.push((name, answer)),
            }
        }
    }
    assert_eq!(seen.len(), callers().len());
}

#[tokio::test]
async fn tokens_whose_authorizer_calls_everybody_by_one_name_are_apart() {
    let scene = Scene::new(rules());
    let token = |token: &str| {
        let mut request = get("/", &[(AUTHORIZATION.as_str(), token)]);
        RequestContext::of(&mut request).note(Detail::AuthorizerPrincipalId, "user");
        request
    };
    scene.cannot_poison(|| token("ann"), token("bob")).await;
    assert_eq!(scene.cache.stats().hits, 1);
    // A signature is another for each request: who signed is known.
    let signed = |signature: &str| {
        let mut request = get("/", &[(AUTHORIZATION.as_str(), signature)]);
        let context = RequestContext::of(&mut request);
        context.update_identity(|own| own.caller = Some("ann".into()));
        request
    };
    let first = scene.send(signed("one")).await;
    assert_eq!(scene.send(signed("two")).await, first);
}

#[tokio::test]
async fn credentials_that_nobody_has_looked_at_do_not_share_with_anybody() {
    let scene = Scene::new(rules());
    let token = |token: &str| get("/", &[(AUTHORIZATION.as_str(), token)]);
    scene
        .cannot_poison(|| get("/", &[]), token("Bearer evil"))
        .await;
    let ann = scene.send(token("Bearer ann")).await;
    assert_ne!(scene.send(token("Bearer ann")).await, ann);
}

#[tokio::test]
async fn claims_and_context_keep_apart_those_who_share_otherwise() {
    let tenant = Variable::parse("authorizer.tenant").expect("there is such a variable");
    let shared = rules()
        .methods([Method::GET])
        .key([KeyPart::claim("tenant"), KeyPart::Context(tenant)])
        .dangerously_share_between_callers();
    let scene = Scene::new(shared);
    let asks = |claims: &str, authorizer: Option<&str>| {
        let mut request = get("/", &[]);
        let context = RequestContext::of(&mut request);
        context.set_claims(Claims::from_json(claims));
        if let Some(tenant) = authorizer {
            context.set_authorizer([("tenant".to_owned(), json!(tenant))].into_iter().collect());
        }
        request
    };
    let ann = scene
        .send(asks(r#"{"sub":"ann","tenant":"one"}"#, None))
        .await;
    assert_eq!(
        scene
            .send(asks(r#"{"sub":"bob","tenant":"one"}"#, None))
            .await,
        ann
    );
    for (claims, authorizer) in [
        (r#"{"sub":"ann","tenant":"two"}"#, None),
        (r#"{"sub":"ann","tenant":["one"]}"#, None),
        (r#"{"sub":"ann"}"#, None),
        (r#"{"sub":"ann"}"#, Some("one")),
        (r#"{"sub":"ann"}"#, Some("")),
        (r#"{"sub":"ann","tenant":"one"}"#, Some("two")),
    ] {
        assert_ne!(
            scene.send(asks(claims, authorizer)).await,
            ann,
            "{claims} {authorizer:?}"
        );
    }
}
