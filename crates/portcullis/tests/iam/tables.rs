//! How resource policies meet what a method asks for: API Gateway's tables A and B, by status.

use super::*;

const ARN: &str = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/pets";
const FOREIGNER: &str = "arn:aws:iam::210987654321:user/eve";

/// The statement that makes a policy say this: it allows, denies, or is silent.
fn statements(word: &str, principal: bool) -> Value {
    let mut statement = match word {
        "allow" => invoke(ARN),
        "deny" => json!({"Effect": "Deny", "Action": "*", "Resource": "*"}),
        _ => invoke("arn:aws:execute-api:*:*:*/prod/POST/*"),
    };
    if principal {
        statement["Principal"] = json!("*");
    }
    statement
}

async fn status(who: &str, own: &str, resource: Option<&str>) -> u16 {
    let policy =
        resource.map(|word| json!({"Version": "2012-10-17", "Statement": statements(word, true)}));
    let api = rest(&json!({"/pets": {"get": signed_method()}}), policy);
    let keys = caller(who, &statements(own, false));
    let gateway = build(builder(api).access_keys(keys));
    let request = signer().sign(plain("GET", "/prod/pets"));
    send(&gateway, request).await.status().as_u16()
}

#[tokio::test]
async fn in_one_account_either_may_allow_and_none_deny() {
    for (own, resource, expected) in [
        ("allow", None, 200),
        ("silent", None, 403),
        ("deny", None, 403),
        ("allow", Some("allow"), 200),
        ("allow", Some("silent"), 200),
        ("allow", Some("deny"), 403),
        ("silent", Some("allow"), 200),
        ("silent", Some("silent"), 403),
        ("silent", Some("deny"), 403),
        ("deny", Some("allow"), 403),
        ("deny", Some("silent"), 403),
        ("deny", Some("deny"), 403),
    ] {
        assert_eq!(
            status(TOM, own, resource).await,
            expected,
            "{own} {resource:?}"
        );
    }
}

#[tokio::test]
async fn between_accounts_both_must_allow() {
    for (own, resource, expected) in [
        ("allow", None, 403),
        ("allow", Some("allow"), 200),
        ("allow", Some("silent"), 403),
        ("allow", Some("deny"), 403),
        ("silent", Some("allow"), 403),
        ("silent", Some("silent"), 403),
        ("deny", Some("allow"), 403),
    ] {
        assert_eq!(
            status(FOREIGNER, own, resource).await,
            expected,
            "{own} {resource:?}"
        );
    }
}

#[tokio::test]
async fn without_authorization_a_policy_must_allow_everyone() {
    let ask = async |policy: Value| {
        let policy = json!({"Version": "2012-10-17", "Statement": policy});
        let api = rest(&json!({"/pets": {"get": method(&json!({}))}}), Some(policy));
        send(&build(builder(api)), plain("GET", "/prod/pets"))
            .await
            .status()
            .as_u16()
    };
    assert_eq!(ask(statements("allow", true)).await, 200);
    assert_eq!(ask(statements("silent", true)).await, 403);
    assert_eq!(ask(statements("deny", true)).await, 403);
    let mut named = statements("allow", true);
    named["Principal"] = json!({"AWS": "123456789012"});
    assert_eq!(ask(named).await, 403);
}
