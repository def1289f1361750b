//! How a resource policy meets a custom authorizer: the service's table, by status.

use super::*;

/// The statement that makes a policy say this: it allows, denies, or is silent.
fn statement(word: &str) -> Value {
    let resource = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/pets";
    match word {
        "allow" => {
            json!({ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource })
        }
        "deny" => json!({ "Effect": "Deny", "Action": "*", "Resource": "*" }),
        _ => {
            json!({ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:*:*/prod/POST/*" })
        }
    }
}

#[tokio::test]
async fn either_may_allow_none_may_deny_and_a_denial_of_the_api_comes_first() {
    for (own, resource, expected, questions) in [
        ("allow", None, 200, 1),
        ("silent", None, 403, 1),
        ("deny", None, 403, 1),
        ("allow", Some("allow"), 200, 1),
        ("allow", Some("silent"), 200, 1),
        ("allow", Some("deny"), 403, 0),
        ("silent", Some("allow"), 200, 1),
        ("silent", Some("silent"), 403, 1),
        ("silent", Some("deny"), 403, 0),
        ("deny", Some("allow"), 403, 1),
        ("deny", Some("silent"), 403, 1),
        ("deny", Some("deny"), 403, 0),
    ] {
        let asked = Asked::default();
        let answer = json!({ "principalId": "me", "policyDocument": { "Version": "2012-10-17", "Statement": statement(own) } });
        let token = json!({ "type": "token", "authorizerUri": uri("auth") });
        let mut document = document(&token, &json!({ "/pets": { "get": show(true) } }));
        if let Some(word) = resource {
            let statement = with(statement(word), &json!({ "Principal": "*" }));
            document["x-amazon-apigateway-policy"] =
                json!({ "Version": "2012-10-17", "Statement": statement });
        }
        let api = ApiSpec::rest(document.to_string())
            .id("a1b2c3")
            .stage_named("prod");
        let function = asked.function(move |_| Ok(answer.clone()));
        let gateway = build(builder(api).function("auth", function));
        let case = format!("{own} {resource:?}");
        assert_eq!(
            status(&gateway, "/prod/pets", "x").await,
            expected,
            "{case}"
        );
        assert_eq!(asked.count(), questions, "{case}");
    }
}
