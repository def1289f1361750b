//! What a user would pick for signatures and policies instead.

use std::error::Error;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::str::FromStr;
use std::task::{Context as Task, Poll, Waker};

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use chrono::{DateTime, Utc};
use iam_rs::{Arn, IAMPolicy, IAMRequest, PolicyEvaluator, PrincipalId};
use scratchstack_aws_principal::{Principal, SessionData, User};
use scratchstack_aws_signature::{
    GetSigningKeyRequest, GetSigningKeyResponse, KSecretKey, NO_ADDITIONAL_SIGNED_HEADERS,
    SignatureOptions, sigv4_validate_request,
};
use serde_json::{Value, json};
use tower_service::Service;

use super::iam::{ACTION, ADDRESS, ARN, Rule, USER};
use super::sigv4::{ID, NOW, SECRET, Sample};

pub(super) fn iam_rs(document: &Value) -> impl FnMut() + use<> {
    let policy = IAMPolicy::from_json(&document.to_string()).expect("a policy");
    let evaluator = PolicyEvaluator::with_policies(vec![policy]);
    let principal = iam_rs::Principal::Aws(PrincipalId::String(USER.to_owned()));
    let context = iam_rs::Context::new().with_string("aws:SourceIp", ADDRESS.to_string());
    let arn = Arn::parse(ARN).expect("an ARN");
    let request = IAMRequest::new_with_context(principal, ACTION, arn, context);
    move || {
        let result = evaluator.evaluate(black_box(&request)).expect("a result");
        assert_eq!(result.decision, iam_rs::Decision::Allow);
    }
}

pub(super) fn aspen(document: &Value) -> impl FnMut() + use<> {
    let policy = scratchstack_aspen::Policy::from_str(&document.to_string()).expect("a policy");
    let (service, api) = ACTION.split_once(':').expect("an action");
    let user = User::new("aws", "123456789012", "/", "tom").expect("a user");
    let mut session = SessionData::new();
    session.insert("aws:SourceIp", ADDRESS.into());
    let context = scratchstack_aspen::Context::builder()
        .service(service)
        .api(api)
        .actor(Principal::from(vec![user.into()]))
        .resources(vec![ARN.parse().expect("an ARN")])
        .session_data(session)
        .build()
        .expect("a context");
    move || {
        let decision = policy.evaluate(black_box(&context)).expect("a decision");
        assert_eq!(decision, scratchstack_aspen::Decision::Allow);
    }
}

pub(super) fn cedar(rules: &[Rule]) -> impl FnMut() + use<> {
    let policies: String = rules.iter().map(cedar_policy).collect();
    let policies = PolicySet::from_str(&policies).expect("policies");
    let entities = Entities::empty();
    let uid = |text: &str| EntityUid::from_str(text).expect("an entity");
    let path = ARN.split_once("/prod/").expect("a path").1;
    let address = json!({"__extn": {"fn": "ip", "arg": ADDRESS.to_string()}});
    let context = json!({"path": path, "ip": address});
    let request = Request::new(
        uid(r#"User::"tom""#),
        uid(r#"Action::"Invoke""#),
        uid(r#"Api::"a1b2c3""#),
        Context::from_json_value(context, None).expect("a context"),
        None,
    )
    .expect("a request");
    let authorizer = Authorizer::new();
    move || {
        let answer = authorizer.is_authorized(black_box(&request), &policies, &entities);
        assert_eq!(answer.decision(), Decision::Allow);
    }
}

/// The rule in Cedar's language.
fn cedar_policy(rule: &Rule) -> String {
    let effect = if rule.allow { "permit" } else { "forbid" };
    let action = if rule.every_action {
        "action"
    } else {
        r#"action == Action::"Invoke""#
    };
    let mut text = format!("{effect}(principal, {action}, resource)");
    if let Some(path) = &rule.path {
        text.push_str(&format!(" when {{ context.path like \"{path}\" }}"));
    }
    if let Some((network, length)) = rule.not_from {
        let range = format!("ip(\"{network}/{length}\")");
        text.push_str(&format!(" unless {{ context.ip.isInRange({range}) }}"));
    }
    text + ";\n"
}

pub(super) fn signature(sample: Sample) -> impl FnMut() -> http::request::Parts {
    let user: Principal = User::new("aws", "123456789012", "/", "tom")
        .expect("a user")
        .into();
    let now = i64::try_from(NOW).expect("a date");
    let now: DateTime<Utc> = DateTime::from_timestamp(now, 0).expect("a date");
    let secret: KSecretKey = KSecretKey::from_str(SECRET).expect("a secret");
    let signing_key = secret.to_ksigning(now.date_naive(), "eu-west-1", "execute-api");
    let response = GetSigningKeyResponse::builder()
        .principal(user)
        .signing_key(signing_key)
        .build()
        .expect("a response");
    let mut keys = CachedKey(response);
    move || {
        let request = sample.request();
        let verified = sigv4_validate_request(
            request,
            "eu-west-1",
            "execute-api",
            &mut keys,
            now,
            &NO_ADDITIONAL_SIGNED_HEADERS,
            SignatureOptions::default(),
        );
        let mut cx = Task::from_waker(Waker::noop());
        let mut verified = pin!(verified);
        loop {
            if let Poll::Ready(outcome) = verified.as_mut().poll(&mut cx) {
                return outcome.expect("it is signed").0;
            }
        }
    }
}

/// The signing key, derived beforehand.
struct CachedKey(GetSigningKeyResponse);

impl Service<GetSigningKeyRequest> for CachedKey {
    type Response = GetSigningKeyResponse;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: GetSigningKeyRequest) -> Self::Future {
        assert_eq!(request.access_key(), ID);
        ready(Ok(self.0.clone()))
    }
}
