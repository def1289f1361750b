//! Policies over their public API: what documents are refused, how levels add up, what holds for all policies.

use portcullis_auth::iam::{
    AccessRequest, CallerPolicies, ContextEntries, EvalDecision, Evaluation, IdentityPolicy,
    PolicyLevel, Principal, ResourcePolicy, evaluate, explain,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const ARN: &str = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/pets/7";
const USER: &str = "arn:aws:iam::123456789012:user/tom";
const SESSION: &str = "arn:aws:sts::123456789012:assumed-role/Reader/tom";
const ROLE: &str = "arn:aws:iam::123456789012:role/Reader";
const FOREIGNER: &str = "arn:aws:iam::210987654321:user/eve";

fn identity(effect: &str, action: &str) -> IdentityPolicy {
    let statement = json!({"Effect": effect, "Action": action, "Resource": "*"});
    IdentityPolicy::from_value(&json!({"Statement": statement})).unwrap()
}

fn allow() -> IdentityPolicy {
    identity("Allow", "execute-api:Invoke")
}

fn allow_other() -> IdentityPolicy {
    identity("Allow", "s3:*")
}

fn deny() -> IdentityPolicy {
    identity("Deny", "execute-api:*")
}

fn resource(principal: &Value) -> ResourcePolicy {
    let statement = json!({
        "Effect": "Allow",
        "Principal": principal,
        "Action": "execute-api:Invoke",
        "Resource": "execute-api:/prod/GET/*",
    });
    ResourcePolicy::from_value(&json!({"Statement": statement})).unwrap()
}

fn ask(who: &str, caller: &CallerPolicies, resource: Option<&ResourcePolicy>) -> Evaluation {
    let who = Principal::from_arn(who).unwrap();
    let request = AccessRequest::new(&who, "execute-api:Invoke", ARN);
    evaluate(&request, caller, resource)
}

#[track_caller]
fn check(
    who: &str,
    caller: &CallerPolicies,
    resource: Option<&ResourcePolicy>,
    decision: EvalDecision,
    level: PolicyLevel,
) {
    let outcome = ask(who, caller, resource);
    assert_eq!(outcome.decision(), decision);
    assert_eq!(outcome.level(), Some(level));
}

#[test]
fn nothing_allows_nothing_except_to_the_root_of_the_account() {
    use EvalDecision::ImplicitDeny;
    let none = CallerPolicies::new();
    check(USER, &none, None, ImplicitDeny, PolicyLevel::Identity);
    assert!(ask("arn:aws:iam::123456789012:root", &none, None).is_allowed());
    let foreign_root = "arn:aws:iam::210987654321:root";
    check(
        foreign_root,
        &none,
        None,
        ImplicitDeny,
        PolicyLevel::Resource,
    );
}

#[test]
fn a_resource_policy_that_names_the_caller_needs_no_other() {
    use EvalDecision::Allowed;
    let bounded = CallerPolicies::new()
        .with_boundary(allow_other())
        .with_session(allow_other());
    for (who, named) in [
        (USER, json!({"AWS": USER})),
        (USER, json!("*")),
        (SESSION, json!({"AWS": SESSION})),
    ] {
        let policy = resource(&named);
        check(who, &bounded, Some(&policy), Allowed, PolicyLevel::Resource);
    }
}

#[test]
fn a_role_that_a_resource_policy_names_stays_within_boundary_and_session() {
    use EvalDecision::{Allowed, ImplicitDeny};
    let policy = resource(&json!({"AWS": ROLE}));
    let none = CallerPolicies::new();
    check(
        SESSION,
        &none,
        Some(&policy),
        Allowed,
        PolicyLevel::Resource,
    );
    let bounded = CallerPolicies::new().with_boundary(allow_other());
    check(
        SESSION,
        &bounded,
        Some(&policy),
        ImplicitDeny,
        PolicyLevel::Boundary,
    );
    let session = CallerPolicies::new().with_session(allow_other());
    check(
        SESSION,
        &session,
        Some(&policy),
        ImplicitDeny,
        PolicyLevel::Session,
    );
}

#[test]
fn an_account_that_a_resource_policy_names_hands_on_by_its_own_policies() {
    use EvalDecision::{Allowed, ImplicitDeny};
    let policy = resource(&json!({"AWS": "123456789012"}));
    let none = CallerPolicies::new();
    check(
        USER,
        &none,
        Some(&policy),
        ImplicitDeny,
        PolicyLevel::Identity,
    );
    let own = CallerPolicies::new().with_identity(allow());
    check(USER, &own, Some(&policy), Allowed, PolicyLevel::Identity);
}

#[test]
fn between_accounts_both_sides_must_allow() {
    use EvalDecision::{Allowed, ImplicitDeny};
    let named = resource(&json!({"AWS": FOREIGNER}));
    let own = CallerPolicies::new().with_identity(allow());
    let none = CallerPolicies::new();
    check(
        FOREIGNER,
        &own,
        Some(&named),
        Allowed,
        PolicyLevel::Identity,
    );
    check(FOREIGNER, &own, None, ImplicitDeny, PolicyLevel::Resource);
    check(
        FOREIGNER,
        &none,
        Some(&named),
        ImplicitDeny,
        PolicyLevel::Identity,
    );
}

#[test]
fn every_level_of_the_organisation_must_allow() {
    let caller = CallerPolicies::new()
        .with_identity(allow())
        .with_service_control([allow(), allow_other()])
        .with_service_control([allow_other()]);
    check(
        USER,
        &caller,
        None,
        EvalDecision::ImplicitDeny,
        PolicyLevel::ServiceControl,
    );
}

#[test]
fn a_deny_at_any_level_wins() {
    let everyone = resource(&json!("*"));
    let allowed = || CallerPolicies::new().with_identity(allow());
    for (caller, level) in [
        (allowed().with_identity(deny()), PolicyLevel::Identity),
        (allowed().with_boundary(deny()), PolicyLevel::Boundary),
        (allowed().with_session(deny()), PolicyLevel::Session),
        (
            allowed().with_service_control([allow(), deny()]),
            PolicyLevel::ServiceControl,
        ),
    ] {
        check(
            USER,
            &caller,
            Some(&everyone),
            EvalDecision::ExplicitDeny,
            level,
        );
    }
}

#[test]
fn every_fault_is_told_with_its_place() {
    let error = ResourcePolicy::parse(
        r#"{
            "Version": "2020-01-01",
            "Statements": [],
            "Statement": [
                {"Effect": "allow", "Principal": "tom", "Action": "Invoke", "Resource": []},
                {"Effect": "Allow", "Effect": "Deny", "Principal": {"Aws": "*"}, "NotPrincipal": "*",
                 "Action": "*", "NotAction": "*"},
                {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/*"},
                 "Action": "execute-api:Invoke", "Resource": "pets",
                 "Condition": {"StringEqual": {}, "DateLessThan": {"aws:CurrentTime": ["2026", "soon"]},
                               "IpAddress": {"aws:SourceIp/x": "10.0.0.0/33"}, "Bool": {"a": [null]}}}
            ]
        }"#,
    )
    .unwrap_err();
    let pointers: Vec<&str> = error.faults().iter().map(|fault| fault.pointer()).collect();
    assert_eq!(
        pointers,
        [
            "/Statements",
            "/Version",
            "/Statement/0/Effect",
            "/Statement/0/Principal",
            "/Statement/0/Action",
            "/Statement/0/Resource",
            "/Statement/1/Effect",
            "/Statement/1",
            "/Statement/1",
            "/Statement/1",
            "/Statement/2/Principal/AWS",
            "/Statement/2/Resource",
            "/Statement/2/Condition/StringEqual",
            "/Statement/2/Condition/DateLessThan/aws:CurrentTime/1",
            "/Statement/2/Condition/IpAddress/aws:SourceIp~1x/0",
            "/Statement/2/Condition/Bool/a/0",
        ],
        "{error}"
    );
}

#[test]
fn what_is_no_document_is_told_plainly() {
    for text in ["", "[]", "null", "\"x\"", "{", "{\"Statement\": 1}", "{}"] {
        assert!(IdentityPolicy::parse(text).is_err(), "{text}");
    }
    let deep = "[".repeat(100_000);
    assert!(IdentityPolicy::parse(&deep).is_err());
    let huge = format!("{{\"Statement\": [{}]}}", " ".repeat(1 << 20));
    assert!(IdentityPolicy::parse(&huge).is_err());
}

#[test]
fn a_policy_of_a_caller_names_no_principal_and_one_of_a_resource_must() {
    let with =
        json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}});
    let without = json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    assert!(IdentityPolicy::from_value(&with).is_err());
    assert!(IdentityPolicy::from_value(&without).is_ok());
    assert!(ResourcePolicy::from_value(&with).is_ok());
    assert!(ResourcePolicy::from_value(&without).is_err());
}

#[test]
fn leniently_read_values_that_can_never_match_are_findings() {
    let text = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {"DateLessThan": {"aws:CurrentTime": "soon"}}}}"#;
    assert!(IdentityPolicy::parse(text).is_err());
    let policy = IdentityPolicy::parse_lenient(text).unwrap();
    assert_eq!(
        policy.findings()[0].pointer(),
        "/Statement/Condition/DateLessThan/aws:CurrentTime/0"
    );
    let caller = CallerPolicies::new().with_identity(policy);
    assert!(!ask(USER, &caller, None).is_allowed());
}

#[test]
fn a_variable_without_a_value_widens_nothing() {
    let policy = |effect: &str, element: &str| {
        let mut statement = json!({"Effect": effect, "Action": "*"});
        statement[element] = json!(["arn:aws:execute-api:*:*:*/x/${aws:username}"]);
        IdentityPolicy::from_value(&json!({"Version": "2012-10-17", "Statement": statement}))
            .unwrap()
    };
    let caller = CallerPolicies::new().with_identity(policy("Allow", "NotResource"));
    assert!(!ask(USER, &caller, None).is_allowed());
    let caller = CallerPolicies::new()
        .with_identity(allow())
        .with_identity(policy("Deny", "NotResource"));
    assert!(!ask(USER, &caller, None).is_allowed());
    let caller = CallerPolicies::new().with_identity(policy("Allow", "Resource"));
    assert!(!ask(USER, &caller, None).is_allowed());
}

#[test]
fn an_explanation_names_the_condition_that_did_not_hold() {
    let policy = IdentityPolicy::parse(
        r#"{"Statement": {"Sid": "Office", "Effect": "Allow", "Action": "execute-api:*", "Resource": "*",
            "Condition": {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "10.0.0.0/8"]}}}}"#,
    )
    .unwrap();
    let caller = CallerPolicies::new().with_identity(policy);
    let tom = Principal::from_arn(USER).unwrap();
    let keys = ContextEntries::new().with("aws:SourceIp", "198.51.100.7");
    let request = AccessRequest::new(&tom, "execute-api:Invoke", ARN).with_keys(&keys);
    let explained = explain(&request, &caller, None);
    assert_eq!(
        explained.to_string(),
        format!(
            "implicitly denied: no identity-based policy allows it\n  \
             who   {USER}\n  what  execute-api:Invoke\n  on    {ARN}\n  \
             identity-based policy\n    \
             Allow `Office`: IpAddress aws:SourceIp [203.0.113.0/24, 10.0.0.0/8] does not hold: \
             the request has [198.51.100.7]\n"
        )
    );
    assert_eq!(
        serde_json::to_value(&explained).unwrap()["policies"][0]["statements"][0]["because"],
        json!({"condition": {
            "operator": "IpAddress", "key": "aws:SourceIp",
            "values": ["203.0.113.0/24", "10.0.0.0/8"], "request": ["198.51.100.7"],
        }})
    );
}

#[test]
fn a_decision_allocates_nothing() {
    let policy = IdentityPolicy::parse(
        r#"{"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["s3:*", "execute-api:In*ke"], "Resource": "arn:aws:execute-api:*:*:*/GET/pets/*"},
            {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:execute-api:eu-west-1:123456789012:*/${aws:username}"},
            {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {
                "NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"},
                "DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"},
                "StringLike": {"aws:UserAgent": ["*a?b*", "curl/*"]}}}
        ]}"#,
    )
    .unwrap();
    let caller = CallerPolicies::new().with_identity(policy);
    let tom = Principal::from_arn(USER).unwrap();
    let keys = ContextEntries::new()
        .with("aws:SourceIp", "198.51.100.7")
        .with("aws:CurrentTime", "2025-01-01T00:00:00Z")
        .with("aws:UserAgent", "axb")
        .with("aws:username", "tom");
    let mut decision = None;
    let counted = allocation_counter::measure(|| {
        let request = AccessRequest::new(&tom, "execute-api:Invoke", ARN).with_keys(&keys);
        decision = Some(evaluate(&request, &caller, None).decision());
    });
    assert_eq!(decision, Some(EvalDecision::ExplicitDeny));
    assert_eq!(counted.count_total, 0);
}

fn patterns() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!("*")),
        Just(json!("execute-api:*")),
        Just(json!("execute-api:Invoke")),
        Just(json!(["s3:*", "execute-api:In?oke"])),
        Just(json!("s3:GetObject")),
    ]
}

fn resources() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!("*")),
        Just(json!(ARN)),
        Just(json!("arn:aws:execute-api:*:*:*/prod/*")),
        Just(json!("arn:aws:execute-api:*:123456789012:a1b2c3/*/POST/*")),
        Just(json!(
            "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/${aws:username}/7"
        )),
    ]
}

fn conditions() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => Just(json!({})),
        1 => Just(json!({"StringNotEquals": {"aws:username": "pets"}})),
        1 => Just(json!({"StringLikeIfExists": {"aws:username": "p*"}})),
        1 => Just(json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}})),
        1 => Just(json!({"Null": {"aws:username": "true"}})),
    ]
}

fn statement() -> impl Strategy<Value = Value> {
    let effect = prop_oneof![Just("Allow"), Just("Deny")];
    let not = (any::<bool>(), any::<bool>());
    (effect, not, patterns(), resources(), conditions()).prop_map(
        |(effect, (not_action, not_resource), action, resource, condition)| {
            let mut statement = json!({"Effect": effect, "Condition": condition});
            statement[if not_action { "NotAction" } else { "Action" }] = action;
            statement[if not_resource {
                "NotResource"
            } else {
                "Resource"
            }] = resource;
            statement
        },
    )
}

/// JSON in which the words of policies are more frequent than others.
fn any_json() -> impl Strategy<Value = Value> {
    const WORDS: [&str; 24] = [
        "Version",
        "Statement",
        "Sid",
        "Id",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
        "AWS",
        "Service",
        "StringLike",
        "ForAllValues:StringEquals",
        "Null",
        "IpAddress",
        "DateLessThan",
        "aws:username",
        "a/b",
        "a~b",
        "",
        "é",
    ];
    let word = prop::sample::select(WORDS.to_vec());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "2012-10-17",
            "Allow",
            "Deny",
            "*",
            "execute-api:*",
            ARN,
            "${aws:username}",
            "${",
            "true",
            "123456789012",
            "arn:aws:iam::123456789012:root",
            "203.0.113.0/24",
            "1e9",
        ])
        .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(word.clone(), inner, 0..7).prop_map(|members| {
                members
                    .into_iter()
                    .map(|(name, member)| (name.to_owned(), member))
                    .collect()
            }),
        ]
    })
}

proptest! {
    /// A statement that applies when it allows must deny when it denies, whatever stands beside it.
    #[test]
    fn what_an_explicit_deny_matches_is_never_allowed(
        others in prop::collection::vec(statement(), 0..6),
        mut own in statement(),
        place in any::<prop::sample::Index>(),
        username in prop::option::of("[pt]ets"),
        level in 0..6,
    ) {
        let mut keys = ContextEntries::new();
        if let Some(name) = username {
            keys.insert("aws:username", name);
        }
        let tom = Principal::from_arn(USER).unwrap();
        let request = AccessRequest::new(&tom, "execute-api:Invoke", ARN).with_keys(&keys);
        let policy = |statements: Vec<Value>| {
            IdentityPolicy::from_value(&json!({"Version": "2012-10-17", "Statement": statements})).unwrap()
        };

        own["Effect"] = json!("Allow");
        let alone = CallerPolicies::new().with_identity(policy(vec![own.clone()]));
        let applies = evaluate(&request, &alone, None).is_allowed();

        own["Effect"] = json!("Deny");
        let mut statements = others;
        let index = place.index(statements.len() + 1);
        statements.insert(index, own);
        let everyone = match level {
            5 => {
                let statements: Vec<Value> = (statements.iter().cloned())
                    .map(|mut statement| {
                        statement["Principal"] = json!("*");
                        statement
                    })
                    .collect();
                let document = json!({"Version": "2012-10-17", "Statement": statements});
                ResourcePolicy::from_value(&document).unwrap()
            }
            _ => resource(&json!("*")),
        };
        let mixed = policy(statements);
        let caller = match level {
            0 => CallerPolicies::new().with_identity(mixed),
            1 => CallerPolicies::new().with_identity(allow()).with_boundary(mixed),
            2 => CallerPolicies::new().with_identity(allow()).with_session(mixed),
            3 => CallerPolicies::new().with_identity(allow()).with_service_control([allow(), mixed]),
            4 => CallerPolicies::new().with_identity(allow()).with_authorizer(mixed),
            _ => CallerPolicies::new().with_identity(allow()),
        };
        let outcome = evaluate(&request, &caller, Some(&everyone));
        if applies {
            prop_assert_eq!(outcome.decision(), EvalDecision::ExplicitDeny);
        }
        let explained = explain(&request, &caller, Some(&everyone));
        prop_assert_eq!(explained.decision, outcome.decision());
        prop_assert_eq!(explained.level, outcome.level());
    }

    #[test]
    fn no_document_breaks_the_reader(text in r#"[\[\]{}",:a-zA-Z0-9*?$ ]{0,80}"#) {
        let _ = IdentityPolicy::parse(&text);
        let _ = ResourcePolicy::parse(&text);
    }

    /// Whatever JSON it is: no panic, one answer by each way to read it, and none that was refused could allow.
    #[test]
    fn no_json_breaks_the_reader(document in any_json()) {
        let text = document.to_string();
        let read = IdentityPolicy::parse(&text);
        prop_assert_eq!(read.is_ok(), IdentityPolicy::from_value(&document).is_ok());
        prop_assert!(read.is_err() || IdentityPolicy::parse_lenient(&text).is_ok());
        if let Err(error) = read {
            prop_assert!(!error.faults().is_empty());
            for fault in error.faults() {
                prop_assert!(document.pointer(fault.pointer()).is_some(), "{}", fault);
            }
        }
        let _ = ResourcePolicy::parse(&text);
    }

    /// A document with a member that does not exist is refused whole, so that it cannot allow.
    #[test]
    fn a_document_with_an_unknown_element_is_no_policy(mut statement in statement(), name in "[A-Za-z]{1,12}") {
        let known = ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];
        prop_assume!(!known.contains(&name.as_str()));
        statement[name.as_str()] = json!({});
        let read = IdentityPolicy::from_value(&json!({"Version": "2012-10-17", "Statement": [statement]}));
        prop_assert!(read.is_err());
    }
}

#[test]
fn hostile_patterns_stay_linear() {
    // Each of these takes hours where stars are tried one by one.
    let stars = "*a".repeat(2000);
    let marks = "*?a".repeat(1500);
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": format!("arn:aws:execute-api:*:*:{stars}b")},
        {"Effect": "Allow", "Action": "*", "Resource": format!("arn:aws:execute-api:*:*:{marks}b")},
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringLike": {"aws:UserAgent": [format!("{stars}b"), format!("{marks}b")]}}},
    ]});
    let caller = CallerPolicies::new().with_identity(IdentityPolicy::from_value(&policy).unwrap());
    let long = "a".repeat(60_000);
    let arn = format!("arn:aws:execute-api:eu-west-1:123456789012:{long}");
    let keys = ContextEntries::new().with("aws:UserAgent", long);
    let tom = Principal::from_arn(USER).unwrap();
    let request = AccessRequest::new(&tom, "execute-api:Invoke", &arn).with_keys(&keys);
    assert!(!evaluate(&request, &caller, None).is_allowed());
}

/// Documents whose reading could take more than they are worth.
#[test]
fn hostile_documents_are_bounded_work() {
    let statement = |element: &str, value: Value| {
        let mut statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        statement[element] = value;
        json!({"Version": "2012-10-17", "Statement": statement})
    };
    let many = |make: &dyn Fn(usize) -> String, count: usize| -> Value {
        (0..count).map(make).collect::<Vec<_>>().into()
    };
    let named = |count: usize, value: Value| -> Value {
        (0..count)
            .map(|index| (format!("k{index}"), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let long = "x".repeat(100_000);
    let unique: String = ('\u{4e00}'..'\u{9fff}')
        .flat_map(|char| [char, '?'])
        .collect();
    let table: Vec<(&str, Value, bool)> = vec![
        (
            "many statements",
            json!({"Statement": vec![json!({"Effect": "Deny", "Action": "*", "Resource": "*"}); 4_000]}),
            true,
        ),
        (
            "many sids",
            json!({"Statement": (0..4_000).map(|index| json!({"Sid": index.to_string(), "Effect": "Deny", "Action": "*", "Resource": "*"})).collect::<Vec<_>>()}),
            true,
        ),
        (
            "many actions",
            statement("Action", many(&|index| format!("a:{index}"), 20_000)),
            true,
        ),
        (
            "many keys",
            statement(
                "Condition",
                json!({"StringLike": named(15_000, json!("*"))}),
            ),
            true,
        ),
        (
            "many values",
            statement(
                "Condition",
                json!({"StringLike": {"k": many(&|index| format!("*{index}*"), 15_000)}}),
            ),
            true,
        ),
        (
            "many unknown elements",
            json!({"Statement": named(15_000, json!(1))}),
            false,
        ),
        (
            "many unknown operators",
            statement("Condition", named(15_000, json!({}))),
            false,
        ),
        (
            "a fault at each value",
            statement(
                "Condition",
                json!({"StringLike": {"x".repeat(500): vec![Value::Null; 30_000]}}),
            ),
            false,
        ),
        (
            "a long name",
            statement(
                "Condition",
                json!({"StringLike": {long.clone(): vec![Value::Null; 20_000]}}),
            ),
            false,
        ),
        ("a long element", json!({long.clone(): 1}), false),
        (
            "a long operator",
            statement("Condition", json!({long: {}})),
            false,
        ),
        (
            "many stars",
            statement(
                "Resource",
                json!(format!("arn:aws:a:b:c:{}", "*a".repeat(60_000))),
            ),
            true,
        ),
        (
            "many marks",
            statement(
                "Resource",
                json!(format!("arn:aws:a:b:c:*{}*", "?a".repeat(60_000))),
            ),
            true,
        ),
        (
            "many characters",
            statement("Resource", json!(format!("arn:aws:a:b:c:*{unique}*"))),
            true,
        ),
        (
            "too long",
            statement(
                "Resource",
                json!(format!("arn:aws:a:b:c:{}", "x".repeat(300_000))),
            ),
            false,
        ),
    ];
    for (what, document, good) in table {
        let text = document.to_string();
        let mut read = None;
        let counted = allocation_counter::measure(|| read = Some(IdentityPolicy::parse(&text)));
        let read = read.unwrap();
        assert_eq!(read.is_ok(), good, "{what}: {:?}", read.err());
        // Not more than some hundred bytes for each that came.
        let most = 400 * text.len() as u64 + 100_000;
        assert!(
            counted.bytes_max < most,
            "{what}: {} bytes, {counted:?}",
            text.len()
        );
        assert!(
            counted.bytes_total < 2 * most,
            "{what}: {} bytes, {counted:?}",
            text.len()
        );
        assert_eq!(
            IdentityPolicy::from_value(&document).is_ok(),
            good,
            "{what}"
        );
        let Ok(policy) = read else { continue };
        let caller = CallerPolicies::new().with_identity(policy);
        let tom = Principal::from_arn(USER).unwrap();
        let arn = format!("arn:aws:a:b:c:{}", "a".repeat(1_500));
        let request = AccessRequest::new(&tom, "a:1", &arn);
        let decided = allocation_counter::measure(|| {
            let _ = evaluate(&request, &caller, None);
        });
        assert!(decided.bytes_total < 100_000, "{what}: {decided:?}");
    }
}
