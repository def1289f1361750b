//! No policy panics or runs away, and every way to ask it gives the same answer.
//!
//! The first byte chooses how the document is read: as text, or as pieces of policies. What follows a zero byte is the resource of the request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_auth::iam::{
    self, AccessRequest, CallerPolicies, ContextEntries, EvalDecision, IdentityPolicy, Principal,
    ResourcePolicy,
};

const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "{\"Version\":\"2012-10-17\",\"Statement\":[{",
    "{\"Statement\":[{",
    "}]}",
    "},{",
    "\"Sid\":\"a\",",
    "\"Effect\":\"Allow\",",
    "\"Effect\":\"Deny\",",
    "\"Principal\":\"*\",",
    "\"Principal\":{\"AWS\":\"123456789012\"},",
    "\"Principal\":{\"AWS\":\"arn:aws:iam::123456789012:user/tom\"},",
    "\"NotPrincipal\":{\"AWS\":[\"123456789012\",\"arn:aws:iam::123456789012:user/tom\"]},",
    "\"Action\":\"*\",",
    "\"Action\":[\"execute-api:Invoke\",\"execute-api:*\"],",
    "\"NotAction\":\"execute-api:?nvoke\",",
    "\"Resource\":\"*\"",
    "\"Resource\":\"execute-api:/prod/*\"",
    "\"Resource\":\"arn:aws:execute-api:*:*:*/${aws:username}/*\"",
    "\"NotResource\":[\"arn:aws:execute-api:*:*:",
    "\"]",
    ",\"Condition\":{",
    "\"StringLike\":{\"aws:username\":[\"",
    "\"StringNotEqualsIgnoreCase\":{\"aws:username\":[\"",
    "\"ForAllValues:StringLike\":{\"aws:TagKeys\":[\"",
    "\"ForAnyValue:StringNotLikeIfExists\":{\"aws:TagKeys\":[\"",
    "\"IpAddress\":{\"aws:SourceIp\":[\"",
    "\"DateLessThan\":{\"aws:CurrentTime\":[\"",
    "\"NumericGreaterThanEquals\":{\"n\":[\"",
    "\"ArnLike\":{\"aws:PrincipalArn\":[\"",
    "\"BinaryEquals\":{\"b\":[\"",
    "\"Null\":{\"aws:username\":[\"",
    "\"Bool\":{\"aws:SecureTransport\":[\"",
    "\",\"",
    "\"]}",
    "}",
    "*",
    "?",
    "a",
    "*a*a*a*a*",
    "?*?*?",
    "${aws:username}",
    "${aws:username, 'x'}",
    "${*}",
    "${",
    "é",
    "tom",
    "true",
    "203.0.113.0/24",
    "2001:db8::/32",
    "2024-02-29T12:00:00Z",
    "1709208000",
    "-1.5e3",
    "1e999999999",
    "QQ==",
    "arn:aws:iam::123456789012:user/*",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else {
        return;
    };
    let end = rest
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(rest.len());
    let (document, resource) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
    let document: String = match choice & 1 {
        0 => String::from_utf8_lossy(document).into_owned(),
        _ => document
            .iter()
            .map(|byte| PIECES[usize::from(*byte) % PIECES.len()])
            .collect(),
    };
    let resource = match resource.is_empty() {
        true => {
            "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/aaaaaaaaaaaaaaaa".into()
        }
        false => String::from_utf8_lossy(resource),
    };

    let tom = Principal::from_arn("arn:aws:iam::123456789012:user/tom").expect("a user");
    let keys = ContextEntries::new()
        .with("aws:username", "t*m")
        .with("aws:TagKeys", vec!["a".to_owned(), "aaa".to_owned()])
        .with("aws:SourceIp", "203.0.113.7")
        .with("aws:PrincipalArn", tom.arn())
        .with("n", 7_i64);
    let request = AccessRequest::new(&tom, "execute-api:Invoke", &resource).with_keys(&keys);
    let ask = |caller: &CallerPolicies, policy: Option<&ResourcePolicy>| {
        let decision = iam::evaluate(&request, caller, policy).decision();
        let explained = iam::explain(&request, caller, policy);
        assert_eq!(explained.decision, decision, "looking on changes nothing");
        assert!(!explained.to_string().is_empty());
        decision
    };

    let lenient = IdentityPolicy::parse_lenient(&document);
    match IdentityPolicy::parse(&document) {
        Err(error) => assert!(!error.faults().is_empty()),
        Ok(policy) => {
            let lenient = lenient.expect("what is right is right leniently");
            assert!(lenient.findings().is_empty());
            let read = serde_json::from_str(&document).expect("it is JSON");
            let read = IdentityPolicy::from_value(&read).expect("it is the same document");
            let caller = |policy| CallerPolicies::new().with_identity(policy);
            let decision = ask(&caller(policy.clone()), None);
            assert_eq!(decision, ask(&caller(lenient), None));
            assert_eq!(decision, ask(&caller(read), None));
            // A deny wins, and what one policy denies no other allows.
            let deny = r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
            let deny = IdentityPolicy::parse(deny).expect("a policy");
            let both = caller(policy.clone()).with_identity(deny);
            assert_eq!(ask(&both, None), EvalDecision::ExplicitDeny);
            let allow = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
            let allow = IdentityPolicy::parse(allow).expect("a policy");
            let both = ask(&caller(allow).with_identity(policy), None);
            assert_eq!(
                both == EvalDecision::ExplicitDeny,
                decision == EvalDecision::ExplicitDeny
            );
        }
    }
    if let Ok(policy) = ResourcePolicy::parse_lenient(&document) {
        ask(&CallerPolicies::new(), Some(&policy));
    }
});
