use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn expand(template: &str, parameters: &[(&str, &str)]) -> Result<String, UriFault> {
    let variables = BTreeMap::from([
        ("host".to_owned(), "example.com".to_owned()),
        ("bad".to_owned(), "a b".to_owned()),
        ("path".to_owned(), "value".to_owned()),
    ]);
    let uri = UriTemplate::parse(template)?.expand(Some(&variables), |name| {
        parameters
            .iter()
            .find_map(|(own, value)| (*own == name).then_some(Cow::Borrowed(*value)))
    })?;
    Ok(uri.to_string())
}

#[track_caller]
fn check(template: &str, parameters: &[(&str, &str)], expected: &str) {
    assert_eq!(expand(template, parameters).as_deref(), Ok(expected));
}

#[test]
fn stage_variables_stand_anywhere() {
    check(
        "https://${stageVariables.host}/a",
        &[],
        "https://example.com/a",
    );
    check(
        "http://x/${stageVariables.path}?q=${stageVariables.path}",
        &[],
        "http://x/value?q=value",
    );
}

#[test]
fn what_cannot_be_filled_in_is_a_fault() {
    let unset = expand("https://${stageVariables.none}/", &[]);
    assert_eq!(unset, Err(UriFault::UnsetVariable("none".into())));
    let bad = expand("https://x/${stageVariables.bad}", &[]);
    assert_eq!(bad, Err(UriFault::BadVariable("bad".into())));
    let unmapped = expand("https://x/{id}", &[]);
    assert_eq!(unmapped, Err(UriFault::UnmappedParameter("id".into())));
    assert!(expand("ftp://x/", &[]).is_err());
    assert!(expand("http:///x", &[]).is_err());
}

#[test]
fn what_only_looks_like_a_placeholder_stays() {
    check("https://x/${path}", &[("path", "1")], "https://x/${path}");
}

#[test]
fn a_value_is_decoded_and_encoded_again_segment_by_segment() {
    check("http://x/{p}", &[("p", "a%20b")], "http://x/a%20b");
    check(
        "http://x/{p+}",
        &[("p", "a/b//c%2Fd")],
        "http://x/a/b//c%2Fd",
    );
    check(
        "http://x/{p}",
        &[("p", "test%2Balias@x")],
        "http://x/test+alias@x",
    );
    check(
        "http://x/{p}",
        &[("p", "%3Fa=1%23%25")],
        "http://x/%3Fa=1%23%25",
    );
    check(
        "http://x/?a={p}",
        &[("p", "1%262&b=c")],
        "http://x/?a=1%262%26b%3Dc",
    );
}

#[test]
fn a_value_cannot_climb_out_of_its_place() {
    for value in [
        "..",
        "%2e%2e",
        "a/../b",
        "a/%2E%2e/b",
        ".",
        "..%2fb",
        "a%5c..%5cb",
        "..;x",
    ] {
        let expanded = expand("http://x/pub/{p}", &[("p", value)]);
        assert_eq!(expanded, Err(UriFault::Escapes("p".into())), "{value}");
    }
    check("http://x/{p}", &[("p", "..a")], "http://x/..a");
    let host = expand("http://{p}.example.com/", &[("p", "evil.org%2f")]);
    assert_eq!(host, Err(UriFault::Escapes("p".into())));
}

#[test]
fn queries_are_appended_in_order() {
    let uri: Uri = "http://x/p?testVar=foobar".parse().expect("a URI");
    let mapped = [("testVar".to_owned(), b"b r".to_vec())];
    let all = with_query(uri.clone(), Some("a=%7c|&testVar=1"), &mapped).expect("fits");
    assert_eq!(
        all,
        "http://x/p?testVar=foobar&a=%7c|&testVar=1&testVar=b%20r"
    );
    assert_eq!(with_query(uri.clone(), Some(""), &[]), Ok(uri));
}

proptest! {
    #[test]
    fn no_value_adds_or_removes_a_segment_or_a_query(value in "[ -~]{0,24}") {
        let encoded: String = utf8_percent_encode(&value, NON_ALPHANUMERIC).collect();
        if let Ok(uri) = expand("http://x/a/{p}/b?c=1", &[("p", &encoded)]) {
            let uri: Uri = uri.parse().expect("it was one");
            prop_assert_eq!(uri.path().matches('/').count(), 3);
            prop_assert_eq!(uri.query(), Some("c=1"));
            prop_assert_eq!(uri.host(), Some("x"));
        }
    }

    #[test]
    fn splitting_a_template_loses_nothing(text in "[ -*,-~]{0,40}") {
        let again: String = pieces(&text).iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::StageVariable(name) => format!("${{stageVariables.{name}}}"),
            Piece::Parameter(name) => format!("{{{name}}}"),
        }).collect();
        prop_assert_eq!(again, text);
    }
}
