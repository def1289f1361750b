//! How an API's resource policy meets what a method asks for: the service's tables, by the layers and the function that decide.
//!
//! A row is what the caller's side says (its identity policies, or what an authorizer returned), what the resource policy says, and the outcome
//! for each kind of authorization.

use std::time::{Duration, SystemTime};

use http::{Request, Response};
use portcullis_auth::access::{ApiArn, Authorization, AuthorizerAccess, ResourcePolicyLayer};
use portcullis_auth::credentials::{Caller, Credential, MemoryCredentials};
use portcullis_auth::iam::{CallerPolicies, IdentityPolicy, Principal, ResourcePolicy};
use portcullis_auth::sigv4::{SigV4Layer, SigV4Rules, SigV4Verifier};
use portcullis_core::{Body, Head, ManualClock, Rejection};
use portcullis_testkit::SigV4Signer;
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};

const ARN: &str = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/pets";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2024-02-29T23:59:30Z
const NOW: u64 = 1_709_251_170;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Says {
    Allow,
    Deny,
    Silent,
    /// There is no policy.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Passes,
    Implicit,
    Explicit,
}

use Outcome::{Explicit, Implicit, Passes};
use Says::{Allow, Deny, Nothing, Silent};

/// Caller's side, resource policy; then `AWS_IAM` of the same account and of another, and a custom authorizer.
const TABLE: [(Says, Says, Outcome, Outcome, Outcome); 16] = [
    (Allow, Allow, Passes, Passes, Passes),
    (Allow, Silent, Passes, Implicit, Passes),
    (Allow, Deny, Explicit, Explicit, Explicit),
    (Allow, Nothing, Passes, Implicit, Passes),
    (Silent, Allow, Passes, Implicit, Passes),
    (Silent, Silent, Implicit, Implicit, Implicit),
    (Silent, Deny, Explicit, Explicit, Explicit),
    (Silent, Nothing, Implicit, Implicit, Implicit),
    (Deny, Allow, Explicit, Explicit, Explicit),
    (Deny, Silent, Explicit, Explicit, Explicit),
    (Deny, Deny, Explicit, Explicit, Explicit),
    (Deny, Nothing, Explicit, Explicit, Explicit),
    // Of a caller without policies of its own.
    (Nothing, Allow, Passes, Implicit, Passes),
    (Nothing, Silent, Implicit, Implicit, Implicit),
    (Nothing, Deny, Explicit, Explicit, Explicit),
    (Nothing, Nothing, Implicit, Implicit, Implicit),
];

fn document(says: Says, principal: bool) -> Option<String> {
    let (effect, resource) = match says {
        Allow => ("Allow", ARN),
        Deny => ("Deny", ARN),
        Silent => ("Allow", "arn:aws:execute-api:*:*:*/prod/POST/other"),
        Nothing => return None,
    };
    let mut statement =
        json!({"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource});
    if principal {
        statement["Principal"] = json!("*");
    }
    Some(json!({"Version": "2012-10-17", "Statement": [statement]}).to_string())
}

fn own(says: Says) -> Option<IdentityPolicy> {
    document(says, false).map(|text| IdentityPolicy::parse(&text).unwrap())
}

fn resource(says: Says) -> Option<ResourcePolicy> {
    document(says, true).map(|text| ResourcePolicy::parse(&text).unwrap())
}

fn api() -> ApiArn {
    ApiArn::new("eu-west-1", "123456789012", "a1b2c3")
        .unwrap()
        .stage("prod")
}

fn pets() -> Request<Vec<u8>> {
    let request = Request::get("/pets").header("host", "api.example.com");
    request.body(Vec::new()).unwrap()
}

fn outcome_of(rejection: &Rejection) -> Outcome {
    assert_eq!(rejection.status(), 403);
    match rejection.decision().unwrap().rule() {
        "iam/explicit-deny" => Explicit,
        "iam/implicit-deny" => Implicit,
        other => panic!("{other}"),
    }
}

async fn call<L>(layer: L, request: Request<Vec<u8>>) -> Outcome
where
    L: Layer<
        tower::util::BoxCloneSyncService<Request<Body>, Response<Body>, std::convert::Infallible>,
    >,
    L::Service: Service<Request<Body>, Response = Response<Body>, Error = std::convert::Infallible>,
{
    let inner = service_fn(async |_request: Request<Body>| Ok(Response::new(Body::empty())));
    let inner = tower::util::BoxCloneSyncService::new(inner);
    let response = layer.layer(inner).oneshot(request.map(Body::from)).await;
    match response.unwrap().extensions().get::<Rejection>() {
        None => Passes,
        Some(rejection) => outcome_of(rejection),
    }
}

async fn signed(account: &str, caller: Says, policy: Says) -> Outcome {
    let mut policies = CallerPolicies::new();
    if let Some(own) = own(caller) {
        policies = policies.with_identity(own);
    }
    let tom = Principal::from_arn(&format!("arn:aws:iam::{account}:user/tom")).unwrap();
    let tom = Caller::new(tom).with_policies(policies);
    let keys = MemoryCredentials::new([Credential::new("AKIDEXAMPLE", SECRET, tom)]);
    let mut authorization = Authorization::for_api(api());
    if let Some(policy) = resource(policy) {
        authorization = authorization.resource_policy(policy);
    }
    let rules = SigV4Rules::new("eu-west-1", "execute-api").unwrap();
    let layer = SigV4Layer::new(SigV4Verifier::new(rules), keys)
        .authorize(authorization)
        .clock(std::sync::Arc::new(ManualClock::at_unix(NOW)));
    let signer = SigV4Signer::new("AKIDEXAMPLE", SECRET).at(now());
    call(layer, signer.sign(pets())).await
}

/// The outcome, and whether the authorizer was called.
fn custom(returned: Says, policy: Says) -> (Outcome, bool) {
    let mut access = AuthorizerAccess::new(api());
    if let Some(policy) = resource(policy) {
        access = access.resource_policy(policy);
    }
    let request = pets();
    let question = match access.question(&Head::of(&request), now()) {
        Ok(question) => question,
        Err(rejection) => return (outcome_of(&rejection), false),
    };
    assert_eq!(question.method_arn(), ARN);
    let returned = own(returned).unwrap_or_else(|| own(Silent).unwrap());
    let decide = |outcome: Result<(), Rejection>| match outcome {
        Ok(()) => Passes,
        Err(rejection) => outcome_of(&rejection),
    };
    let outcome = decide(question.decide(&returned));
    // It is the same answer when the request is gone.
    assert_eq!(decide(question.into_owned().decide(&returned)), outcome);
    (outcome, true)
}

#[tokio::test]
async fn policies_of_callers_and_of_resources_meet_as_the_tables_say() {
    for (caller, policy, same, other, authorizer) in TABLE {
        let row = format!("{caller:?} {policy:?}");
        assert_eq!(
            signed("123456789012", caller, policy).await,
            same,
            "same account: {row}"
        );
        assert_eq!(
            signed("210987654321", caller, policy).await,
            other,
            "cross account: {row}"
        );
        let (outcome, called) = custom(caller, policy);
        assert_eq!(outcome, authorizer, "custom: {row}");
        assert_eq!(called, policy != Deny, "custom: {row}");
    }
}

/// A method without authorization, and one behind a user pool, once the token is accepted.
#[tokio::test]
async fn on_its_own_a_resource_policy_must_allow_everybody() {
    for (policy, expected) in [(Allow, Passes), (Silent, Implicit), (Deny, Explicit)] {
        let layer = ResourcePolicyLayer::new(resource(policy).unwrap(), api());
        assert_eq!(call(layer, pets()).await, expected, "{policy:?}");
    }
}

/// Who is let in by a policy that allows these principals and nobody else.
#[tokio::test]
async fn a_policy_that_names_principals_is_for_those_who_signed() {
    const ACCOUNT: &str = "123456789012";
    let named = |principal: &Value| {
        let statement = json!({"Effect": "Allow", "Principal": {"AWS": principal},
            "Action": "execute-api:Invoke", "Resource": ARN});
        let document = json!({"Version": "2012-10-17", "Statement": statement});
        ResourcePolicy::from_value(&document).unwrap()
    };
    let tom = format!("arn:aws:iam::{ACCOUNT}:user/tom");
    for principal in [json!(ACCOUNT), json!(tom), json!([tom])] {
        let layer = ResourcePolicyLayer::new(named(&principal), api());
        assert_eq!(call(layer, pets()).await, Implicit);
        let access = AuthorizerAccess::new(api()).resource_policy(named(&principal));
        let request = pets();
        let question = access.question(&Head::of(&request), now()).unwrap();
        let refused = question.decide(&own(Silent).unwrap()).unwrap_err();
        assert_eq!(outcome_of(&refused), Implicit);
    }
}

#[test]
fn a_refusal_after_an_authorizer_names_neither_caller_nor_resource() {
    let request = pets();
    let head = Head::of(&request);
    let access = AuthorizerAccess::new(api());
    let question = access.question(&head, now()).unwrap();
    let said = |says| {
        let rejection = question.decide(&own(says).unwrap()).unwrap_err();
        rejection.message().unwrap().to_owned()
    };
    assert_eq!(
        said(Silent),
        "User is not authorized to access this resource"
    );
    assert_eq!(
        said(Deny),
        "User is not authorized to access this resource with an explicit deny"
    );
    let denying = AuthorizerAccess::new(api()).resource_policy(resource(Deny).unwrap());
    let before = denying.question(&head, now()).unwrap_err();
    assert_eq!(
        before.message().unwrap(),
        "User: anonymous is not authorized to perform: execute-api:Invoke on resource: \
         arn:aws:execute-api:eu-west-1:********9012:a1b2c3/prod/GET/pets with an explicit deny"
    );
    let long = Request::get(format!("/{}", "x".repeat(1600)))
        .body(())
        .unwrap();
    let too_long = access.question(&Head::of(&long), now()).unwrap_err();
    assert_eq!(too_long.status(), 414);
}
