use super::*;

fn text(response: &Response<Body>) -> &str {
    std::str::from_utf8(response.body().as_bytes().expect("in memory")).expect("text")
}

fn lines(response: &Response<Body>, name: &str) -> Vec<String> {
    let values = response.headers().get_all(name).iter();
    values
        .map(|value| value.to_str().expect("text").to_owned())
        .collect()
}

#[track_caller]
fn check_v1(payload: &str, expected: Option<u16>) {
    let response = response_v1(payload.as_bytes(), ApiKind::Rest, true);
    let status = response.ok().map(|response| response.status().as_u16());
    assert_eq!(status, expected, "{payload}");
}

#[test]
fn a_reply_of_payload_1_is_checked_as_recorded() {
    for (payload, expected) in [
        ("{}", Some(200)),
        (r#"{"statusCode": 201}"#, Some(201)),
        (r#"{"statusCode": "201"}"#, Some(201)),
        (r#"{"statusCode": "test"}"#, None),
        (r#"{"statusCode": 0}"#, None),
        (r#"{"statusCode": 200, "headers": null}"#, Some(200)),
        (r#"{"statusCode": 200, "headers": {"a": true}}"#, Some(200)),
        (r#"{"statusCode": 200, "headers": {"a": ["b"]}}"#, None),
        (r#"{"statusCode": 200, "headers": {"a b": "c"}}"#, None),
        (
            r#"{"statusCode": 200, "headers": {"a": "b\r\nc: d"}}"#,
            None,
        ),
        (
            r#"{"statusCode": 200, "multiValueHeaders": {"a": "b"}}"#,
            None,
        ),
        (r#"{"statusCode": 200, "body": {"a": 1}}"#, None),
        (r#"{"statusCode": 200, "other": 1}"#, None),
        (
            r#"{"statusCode": 200, "body": "%", "isBase64Encoded": true}"#,
            None,
        ),
        (r#""justAString""#, None),
        ("null", None),
        ("", None),
        ("nothing", None),
    ] {
        check_v1(payload, expected);
    }
}

#[test]
fn an_http_api_bears_members_that_it_does_not_know() {
    let payload = br#"{"statusCode": 202, "other": 1}"#;
    let response = response_v1(payload, ApiKind::Http, true).expect("well-formed");
    assert_eq!(response.status(), 202);
}

#[test]
fn a_header_in_both_maps_is_sent_with_all_values() {
    let payload =
        br#"{"multiValueHeaders": {"tesT-Multi": ["a", "b"]}, "headers": {"test-multi": "c"}}"#;
    let response = response_v1(payload, ApiKind::Rest, true).expect("well-formed");
    assert_eq!(lines(&response, "test-multi"), ["a", "b", "c"]);
    assert_eq!(lines(&response, "content-type"), ["application/json"]);
    assert_eq!(text(&response), "");
}

#[test]
fn a_function_does_not_frame_the_response() {
    let payload = br#"{"headers": {"Transfer-Encoding": "chunked", "Content-Length": 99, "Connection": "close"}, "body": "x"}"#;
    let rest = response_v1(payload, ApiKind::Rest, true).expect("well-formed");
    assert_eq!(lines(&rest, "x-amzn-remapped-content-length"), ["99"]);
    let http = response_v1(payload, ApiKind::Http, true).expect("well-formed");
    for response in [rest, http] {
        for name in ["transfer-encoding", "content-length", "connection"] {
            assert_eq!(lines(&response, name), [""; 0], "{name}");
        }
    }
}

#[test]
fn base64_is_decoded_only_for_a_client_that_takes_bytes() {
    let payload = br#"{"body": "cGV0cw==", "isBase64Encoded": true}"#;
    let decoded = response_v1(payload, ApiKind::Rest, true).expect("well-formed");
    assert_eq!(text(&decoded), "pets");
    let as_is = response_v1(payload, ApiKind::Rest, false).expect("well-formed");
    assert_eq!(text(&as_is), "cGV0cw==");
}

#[test]
fn a_reply_of_payload_2_without_a_status_is_the_body() {
    for (payload, expected) in [
        (r#"{"a":1}"#, r#"{"a":1}"#),
        (r#""plain""#, "plain"),
        ("[1]", "[1]"),
        ("null", "null"),
    ] {
        let response = response_v2(payload.as_bytes()).expect("JSON");
        assert_eq!(response.status(), 200);
        assert_eq!(text(&response), expected);
        assert_eq!(lines(&response, "content-type"), ["application/json"]);
    }
    for malformed in [
        "nothing",
        r#"{"statusCode": "x"}"#,
        r#"{"statusCode": 200, "body": 1}"#,
        r#"{"statusCode": 200, "headers": []}"#,
        r#"{"statusCode": 200, "body": "%", "isBase64Encoded": true}"#,
    ] {
        assert!(response_v2(malformed.as_bytes()).is_err(), "{malformed}");
    }
}

#[test]
fn a_reply_of_payload_2_has_cookies() {
    let payload =
        br#"{"statusCode": 302, "headers": {"location": "/"}, "cookies": ["a=1", "b=2"]}"#;
    let response = response_v2(payload).expect("well-formed");
    assert_eq!(response.status(), 302);
    assert_eq!(lines(&response, "set-cookie"), ["a=1", "b=2"]);
    assert_eq!(lines(&response, "location"), ["/"]);
    assert!(response_v2(br#"{"statusCode": 200, "cookies": "a"}"#).is_err());
}
