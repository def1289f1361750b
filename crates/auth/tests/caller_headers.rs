//! Who calls, in headers.

use std::convert::Infallible;

use http::{HeaderMap, Request, Response};
use portcullis_auth::caller_headers::CallerHeadersLayer;
use portcullis_core::{Claims, RequestContext};
use serde_json::{Map, Value, json};
use tower::{Layer, ServiceExt, service_fn};

async fn seen(claims: Option<&Value>, authorizer: &Value, sent: &[(&str, &str)]) -> HeaderMap {
    let layer = CallerHeadersLayer::new()
        .claim("x-user-id", "sub")
        .and_then(|layer| layer.claim("x-user-groups", "groups"))
        .and_then(|layer| layer.variable("x-user-tier", "authorizer.tier"))
        .expect("good names");
    let mut request = Request::get("/");
    for (name, value) in sent {
        request = request.header(*name, *value);
    }
    let mut request = request.body(()).expect("a request");
    if let Some(claims) = claims {
        let context = RequestContext::of(&mut request);
        context.set_claims(Claims::from_json(claims.to_string()));
        let authorizer: Map<String, Value> = authorizer.as_object().expect("an object").clone();
        context.set_authorizer(authorizer);
    }
    let service = service_fn(async |request: Request<()>| {
        Ok::<_, Infallible>(Response::new(request.headers().clone()))
    });
    let response = layer.layer(service).oneshot(request).await;
    response.expect("it never fails").into_body()
}

#[tokio::test]
async fn claims_and_values_of_the_context_become_headers() {
    let claims = json!({ "sub": "me", "groups": ["a", 1, "b"] });
    let headers = seen(
        Some(&claims),
        &json!({ "tier": 7 }),
        &[("x-other", "stays")],
    )
    .await;
    assert_eq!(headers["x-user-id"], "me");
    assert_eq!(headers["x-user-groups"], "a,1,b");
    assert_eq!(headers["x-user-tier"], "7");
    assert_eq!(headers["x-other"], "stays");
}

#[tokio::test]
async fn what_a_client_sends_under_these_names_goes_no_further() {
    let forged = [
        ("x-user-id", "root"),
        ("x-user-id", "admin"),
        ("X_User_Id", "root"),
        ("x-user_groups", "admins"),
        ("x-user-tier", "gold"),
    ];
    for claims in [None, Some(json!({}))] {
        let headers = seen(claims.as_ref(), &json!({}), &forged).await;
        assert_eq!(headers.len(), 0, "{headers:?}");
    }
    let headers = seen(Some(&json!({ "sub": "me" })), &json!({}), &forged).await;
    assert_eq!(
        headers.get_all("x-user-id").iter().collect::<Vec<_>>(),
        ["me"]
    );
    assert_eq!(headers.len(), 1);
}

#[tokio::test]
async fn what_cannot_stand_in_a_header_is_left_out() {
    let claims = json!({ "sub": "a\r\nx-admin: true", "groups": null });
    let headers = seen(
        Some(&claims),
        &json!({ "tier": { "a": 1 } }),
        &[("x-user-id", "root")],
    )
    .await;
    assert_eq!(headers.get("x-user-id"), None);
    assert_eq!(headers.get("x-admin"), None);
    assert_eq!(headers.get("x-user-groups"), None);
    assert_eq!(headers["x-user-tier"], r#"{"a":1}"#);
}

#[test]
fn names_that_are_none_are_errors() {
    assert!(CallerHeadersLayer::new().claim("a b", "sub").is_err());
    assert!(
        CallerHeadersLayer::new()
            .variable("x-a", "nothing")
            .is_err()
    );
}
