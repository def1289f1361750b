//! Several checks before one route.

use std::convert::Infallible;

use http::{Request, Response};
use portcullis_auth::api_key::{ApiKey, ApiKeyLayer, MemoryKeys};
use portcullis_auth::combine::{AllOf, AnyOf, when};
use portcullis_auth::custom::{
    AuthorizerError, AuthorizerReply, AuthorizerRequest, CustomAuthorizerLayer,
};
use portcullis_auth::jwt::{Algorithm, Issuer, JwtLayer, Key};
use portcullis_core::{
    Body, Guard, Head, Mode, Never, Rejection, RejectionKind, RequestContext, Verdict,
};
use tower::{Layer, Service, ServiceExt, service_fn};

/// Nobody has a token that this would take.
fn tokens() -> JwtLayer {
    let key = Key::secret(Algorithm::HS256, [7; 32]).expect("a key");
    JwtLayer::new(Issuer::given("me", [key]).expect("a key").audience("pets"))
}

/// Sessions that are looked up elsewhere.
fn sessions() -> CustomAuthorizerLayer {
    CustomAuthorizerLayer::new(async |request: AuthorizerRequest| {
        tokio::task::yield_now().await;
        match request.identity[0].as_str() {
            "good" => Ok(AuthorizerReply::allow("ann")),
            "forbidden" => Ok(AuthorizerReply::deny("eve")),
            "broken" => Err(AuthorizerError::Failed("no store".to_owned())),
            _ => Err(AuthorizerError::Unauthorized),
        }
    })
    .identity_sources(["$request.header.X-Session"])
    .expect("a source")
}

fn keys() -> ApiKeyLayer {
    let value = "0123456789abcdefghij";
    ApiKeyLayer::new(MemoryKeys::new([ApiKey::new("k1", value)]))
}

/// Lets the office in, and is itself only observed.
struct Office;

impl Guard for Office {
    type Ask = Never;

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        match head.headers().get("x-office") {
            Some(value) if value == "ours" => Verdict::Pass,
            _ => Verdict::Refuse(Rejection::new(RejectionKind::AccessDenied)),
        }
    }

    fn mode(&self) -> Mode {
        Mode::Observe
    }
}

async fn send<L>(layer: &L, headers: &[(&str, &str)]) -> Response<Body>
where
    L: Layer<tower::util::BoxCloneService<Request<()>, Response<Body>, Infallible>>,
    L::Service: Service<Request<()>, Response = Response<Body>, Error = Infallible>,
{
    let service = service_fn(async |request: Request<()>| {
        let context = request.extensions().get::<RequestContext>();
        let principal = context.and_then(|context| context.get("authorizer.principalId"));
        let body = principal.unwrap_or_default().to_string();
        Ok::<_, Infallible>(Response::new(Body::from(body)))
    });
    let service = tower::util::BoxCloneService::new(service);
    let mut request = Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).expect("a request");
    layer
        .layer(service)
        .oneshot(request)
        .await
        .expect("it never fails")
}

#[tokio::test]
async fn any_of_several_is_enough() {
    let layer = AnyOf::new(tokens())
        .or(sessions())
        .or(keys())
        .or(when(Office, |head| head.headers().contains_key("x-office")));
    let status = async |headers: &[(&str, &str)]| send(&layer, headers).await.status().as_u16();
    let (good, bad) = (("x-session", "good"), ("x-session", "bad"));
    let token = ("authorization", "Bearer a.b.c");
    let key = ("x-api-key", "0123456789abcdefghij");
    assert_eq!(status(&[good]).await, 200);
    assert_eq!(status(&[key]).await, 200);
    assert_eq!(
        status(&[token, good]).await,
        200,
        "a bad token takes nothing away"
    );
    assert_eq!(status(&[bad, key]).await, 200);
    assert_eq!(status(&[("x-office", "ours")]).await, 200);
    assert_eq!(status(&[bad]).await, 401);
    assert_eq!(status(&[token]).await, 401);
    assert_eq!(status(&[]).await, 401);
    assert_eq!(
        status(&[("x-office", "theirs")]).await,
        403,
        "parts are enforced"
    );
    let passed = send(&layer, &[good]).await;
    assert_eq!(passed.body().as_bytes(), Some(&b"\"ann\""[..]));
}

#[tokio::test]
async fn the_refusal_that_says_most_is_the_answer() {
    let layer = AnyOf::new(tokens()).or(sessions());
    let token = ("authorization", "Bearer a.b.c");
    for (session, status) in [("nobody", 401), ("forbidden", 403), ("broken", 500)] {
        let response = send(&layer, &[token, ("x-session", session)]).await;
        assert_eq!(response.status().as_u16(), status, "{session}");
    }
    let nobody = send(&layer, &[]).await;
    assert_eq!(nobody.headers()["www-authenticate"], "Bearer");
    let both = AnyOf::new(sessions()).or(tokens());
    let nobody = send(&both, &[]).await;
    assert_eq!(nobody.status(), 401);
    assert_eq!(
        nobody.headers()["www-authenticate"],
        "Bearer",
        "the challenges of all"
    );
}

#[tokio::test]
async fn anonymous_is_who_brings_no_credentials_and_not_who_brings_bad_ones() {
    let layer = AnyOf::new(tokens()).or(sessions()).or_anonymous();
    let status = async |headers: &[(&str, &str)]| send(&layer, headers).await.status().as_u16();
    assert_eq!(status(&[]).await, 200);
    assert_eq!(status(&[("x-session", "good")]).await, 200);
    assert_eq!(status(&[("x-session", "bad")]).await, 401);
    assert_eq!(status(&[("x-session", "broken")]).await, 500);
    assert_eq!(status(&[("authorization", "Bearer a.b.c")]).await, 401);
    assert_eq!(
        status(&[("authorization", "Bearer a, Bearer b")]).await,
        401
    );
}

#[tokio::test]
async fn all_of_several_must_agree() {
    let layer = AllOf::new(sessions()).and(keys());
    let status = async |headers: &[(&str, &str)]| send(&layer, headers).await.status().as_u16();
    let (session, key) = (("x-session", "good"), ("x-api-key", "0123456789abcdefghij"));
    assert_eq!(status(&[session, key]).await, 200);
    assert_eq!(status(&[session]).await, 403);
    assert_eq!(status(&[key]).await, 401);
    assert_eq!(status(&[("x-session", "forbidden"), key]).await, 403);
    assert_eq!(status(&[]).await, 401);
}

#[tokio::test]
async fn combinations_are_parts_of_combinations() {
    let both = AllOf::new(sessions()).and(keys());
    let layer = AnyOf::new(tokens()).or(both).or_anonymous();
    let status = async |headers: &[(&str, &str)]| send(&layer, headers).await.status().as_u16();
    let (session, key) = (("x-session", "good"), ("x-api-key", "0123456789abcdefghij"));
    assert_eq!(status(&[session, key]).await, 200);
    assert_eq!(status(&[key]).await, 401, "half of it is not nobody");
    assert_eq!(status(&[]).await, 200);
}

#[tokio::test]
async fn what_is_observed_is_the_whole() {
    let layer = AnyOf::new(tokens()).or(sessions()).dangerous_observe();
    assert_eq!(send(&layer, &[]).await.status(), 200);
    assert_eq!(send(&layer, &[("x-session", "broken")]).await.status(), 200);
}
