use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, Method};

use super::{Candidate, SamplingRule, SamplingRules};

const LOCAL: &str = r#"{
    "version": 2,
    "rules": [
        {"description": "moves", "host": "*.example.com", "http_method": "*", "url_path": "/api/move/*", "fixed_target": 2, "rate": 0.0},
        {"description": "posts", "host": "*", "http_method": "POST", "url_path": "*", "fixed_target": 0, "rate": 1.0}
    ],
    "default": {"fixed_target": 1, "rate": 0.0}
}"#;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

fn decide<'a>(
    rules: &'a SamplingRules,
    host: &str,
    method: &Method,
    path: &str,
    second: u64,
) -> Option<&'a str> {
    let headers = HeaderMap::new();
    let candidate = Candidate::new("pets/prod", host, method, path, &headers);
    rules.decide(&candidate, at(second)).map(|name| &**name)
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rules = SamplingRules::from_json(LOCAL).expect("rules");
    let www = "www.example.com";
    assert_eq!(
        decide(&rules, www, &Method::POST, "/api/move/1", 0),
        Some("moves")
    );
    assert_eq!(
        decide(&rules, www, &Method::POST, "/other", 0),
        Some("posts")
    );
    assert_eq!(
        decide(&rules, "other", &Method::POST, "/api/move/1", 0),
        Some("posts")
    );
    assert_eq!(
        decide(&rules, "other", &Method::GET, "/", 0),
        Some("Default")
    );
}

#[test]
fn a_reservoir_is_full_again_in_the_next_second() {
    let rules = SamplingRules::from_json(LOCAL).expect("rules");
    let moves = |second| {
        let decided = || decide(&rules, "a.example.com", &Method::GET, "/api/move/1", second);
        (0..10).filter(|_| decided().is_some()).count()
    };
    assert_eq!([moves(0), moves(1), moves(1)], [2, 2, 0]);
}

#[test]
fn a_rate_records_its_share_of_what_the_reservoir_leaves() {
    let rule = SamplingRule::new("quarter", 5, 0.25).expect("a rule");
    let rules = SamplingRules::new([rule]).expect("rules");
    fastrand::seed(7);
    let recorded = (0..10_005)
        .filter(|_| decide(&rules, "a", &Method::GET, "/", 0).is_some())
        .count();
    // Five, and about 2,500; four standard deviations are 173.
    assert!((2332..2679).contains(&recorded), "{recorded}");
}

#[test]
fn what_no_rule_matches_is_not_recorded() {
    let rule = SamplingRule::new("posts", 5, 1.0).and_then(|rule| rule.method("POST"));
    let rules = SamplingRules::new([rule.expect("a rule")]).expect("rules");
    assert_eq!(decide(&rules, "a", &Method::GET, "/", 0), None);
}

#[test]
fn rules_as_the_service_prints_them_are_taken_by_priority() {
    let rules = SamplingRules::from_json(
        r#"{"SamplingRuleRecords": [
            {"SamplingRule": {"RuleName": "Default", "RuleARN": "arn", "ResourceARN": "*", "Priority": 10000, "FixedRate": 0.0, "ReservoirSize": 1,
                "ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*", "Version": 1, "Attributes": {}},
             "CreatedAt": 0.0, "ModifiedAt": 0.0},
            {"SamplingRule": {"RuleName": "gold", "RuleARN": "arn", "ResourceARN": "*", "Priority": 5, "FixedRate": 1.0, "ReservoirSize": 0,
                "ServiceName": "pets/*", "ServiceType": "AWS::ApiGateway::*", "Host": "*", "HTTPMethod": "GET", "URLPath": "/pets/?", "Version": 1,
                "Attributes": {"X-Plan": "gold*"}},
             "CreatedAt": 0.0, "ModifiedAt": 0.0}
        ]}"#,
    )
    .expect("rules");
    let mut headers = HeaderMap::new();
    let ask = |headers: &HeaderMap| {
        let mut candidate = Candidate::new("pets/prod", "a", &Method::GET, "/pets/7", headers);
        candidate.service_type = "AWS::ApiGateway::Stage";
        rules.decide(&candidate, at(0)).map(|name| name.to_string())
    };
    headers.insert("x-plan", "gold-2".parse().expect("a value"));
    assert_eq!(ask(&headers).as_deref(), Some("gold"));
    headers.insert("x-plan", "silver".parse().expect("a value"));
    assert_eq!(ask(&headers).as_deref(), Some("Default"));
    assert_eq!(ask(&headers), None, "the reservoir of this second is empty");
}

#[test]
fn the_standard_is_one_a_second_and_a_twentieth() {
    let rules = SamplingRules::standard();
    assert_eq!(decide(&rules, "a", &Method::GET, "/", 0), Some("Default"));
    fastrand::seed(7);
    let rest = (0..10_000)
        .filter(|_| decide(&rules, "a", &Method::GET, "/", 0).is_some())
        .count();
    assert!((412..588).contains(&rest), "{rest}");
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = SamplingRules::from_json(text).expect_err("a fault");
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn a_fault_names_its_place() {
    refused("{", "sampling rules: EOF");
    refused(r#"{"version": 2}"#, "missing field `default`");
    refused(
        r#"{"version": 3, "default": {"fixed_target": 1, "rate": 0.1}}"#,
        "`/version` is 3; known are 1 and 2",
    );
    refused(
        r#"{"version": 2, "default": {"fixed_target": 1, "rate": 5}}"#,
        "`/default` has a fault: rate: `5` is not between 0 and 1",
    );
    refused(
        r#"{"version": 2, "rules": [{"service_name": "*", "http_method": "*", "url_path": "*", "fixed_target": 1, "rate": 1}], "default": {"fixed_target": 1, "rate": 1}}"#,
        "`/rules/0` has no `host`, which version 2 wants",
    );
    refused(
        r#"{"version": 2, "defualt": {}, "default": {"fixed_target": 1, "rate": 1}}"#,
        "unknown field `defualt`",
    );
}

#[test]
fn the_faults_of_all_rules_are_told_at_once() {
    let error = SamplingRules::from_json(
        r#"{"version": 2, "rules": [
            {"http_method": "GET", "url_path": "/", "fixed_target": 0, "rate": 0},
            {"host": "*", "http_method": "GET", "url_path": "/", "fixed_target": 0, "rate": 2}
        ], "default": {"fixed_target": 1, "rate": -1}}"#,
    )
    .unwrap_err();
    let places: Vec<_> = error.each().map(|fault| fault.to_string()).collect();
    assert_eq!(places.len(), 3, "{error}");
    for (fault, place) in places.iter().zip(["/rules/0", "/rules/1", "/default"]) {
        assert!(fault.contains(place), "{fault}");
    }
}
