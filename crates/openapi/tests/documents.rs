//! Documents as text: both formats, their limits, and what is made to do harm.

use std::fmt::Write as _;

use portcullis_definition::ApiKind;
use portcullis_openapi::{ImportOptions, ParseOptions, import, parse, parse_with};
use proptest::prelude::*;

#[track_caller]
fn refused(text: &str, reason: &str) {
    let errors = parse(text).expect_err("the text is refused");
    assert_eq!(errors.faults().len(), 1);
    let fault = &errors.faults()[0];
    assert_eq!(fault.message, "Invalid OpenAPI input.");
    assert!(
        fault.fix.contains(reason),
        "`{reason}` is not in `{}`",
        fault.fix
    );
}

#[test]
fn text_that_is_no_document_is_refused_with_a_place() {
    refused("{'key:value}", "line 1");
    refused("{\"a\": 1,, \"b\": 2}", "line 1");
    refused("", "an object");
    refused("[1]", "a list");
    refused("just text", "text");
    refused("a: [", "line");
    refused("{\"a\": 1, \"a\": 2}", "two members of the name `a`");
    refused("a: 1\na: 2", "duplicate");
    refused("a: 1\n---\nb: 2", "multiple");
}

#[test]
fn limits_of_size_and_depth_hold_in_both_formats() {
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(6 * 1024 * 1024));
    refused(&long, "6291456");
    assert!(parse_with(&long, &ParseOptions::default().max_bytes(usize::MAX)).is_ok());
    for depth in [200, 100_000] {
        refused(
            &format!("{{\"a\": {}{}}}", "[".repeat(depth), "]".repeat(depth)),
            "",
        );
        refused(
            &format!("a: {}{}", "[".repeat(depth), "]".repeat(depth)),
            "",
        );
    }
    let block: String = (0..300).fold(String::new(), |mut text, level| {
        let _ = writeln!(text, "{}a:", " ".repeat(level));
        text
    });
    refused(&block, "");
    let nested = |levels: usize| format!("{{\"a\": {}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse(&nested(63)).is_ok());
    refused(&nested(64), "nested too deeply");
}

#[test]
fn aliases_cannot_stand_for_very_much() {
    assert!(parse("a: &x [1, 2]\nb: *x").is_ok());
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let alias = format!("*a{}, ", level - 1).repeat(10);
        let _ = writeln!(
            bomb,
            "a{level}: &a{level} [{}]",
            alias.trim_end_matches(", ")
        );
    }
    refused(&bomb, "");
    refused("a: &a [*a]", "");
}

#[test]
fn patterns_keep_the_order_of_the_document() {
    for text in [
        r#"{"openapi": "3.0.1", "info": {"title": "t"}, "paths": {"/": {"get": {
            "x-amazon-apigateway-integration": {"type": "mock", "responses": {
                "default": {"statusCode": 200}, "5..": {"statusCode": 500}, "4..": {"statusCode": 400}}}}}}}"#,
        "openapi: 3.0.1\ninfo: {title: t}\npaths:\n  /:\n    get:\n      x-amazon-apigateway-integration:\n        type: mock\n        responses:\n          default: {statusCode: 200}\n          5..: {statusCode: 500}\n          4..: {statusCode: 400}\n",
    ] {
        let imported = import(&parse(text).unwrap(), &ImportOptions::default()).unwrap();
        let root = imported.api.as_rest().unwrap().resource("/").unwrap();
        let integration = root.resource_methods["GET"]
            .method_integration
            .as_ref()
            .unwrap();
        let statuses: Vec<_> = integration.integration_responses.keys().collect();
        assert_eq!(statuses, ["200", "500", "400"]);
    }
}

#[test]
fn yaml_numbers_are_taken_for_what_they_are_meant_to_be() {
    let text = "swagger: 2.0\ninfo: {title: t, version: 1.0}\npaths:\n  /:\n    get:\n      \
        responses:\n        200: {description: ok}\n      x-amazon-apigateway-integration:\n        \
        type: mock\n        responses:\n          default: {statusCode: 200}\n";
    let imported = import(&parse(text).unwrap(), &ImportOptions::default()).unwrap();
    let api = imported.api.as_rest().unwrap();
    assert_eq!(api.version.as_deref(), Some("1.0"));
    let get = &api.resource("/").unwrap().resource_methods["GET"];
    assert_eq!(get.method_responses["200"].status_code, "200");
}

#[track_caller]
fn circle(components: &str, operation: &str, at: &str) {
    let text = format!(
        r#"{{"openapi": "3.0.1", "info": {{"title": "t"}}, "components": {components}, "paths": {{"/": {{"get": {operation}}}}}}}"#
    );
    let errors = import(&parse(&text).unwrap(), &ImportOptions::default()).unwrap_err();
    let found = errors
        .faults()
        .iter()
        .any(|fault| fault.pointer.as_str() == at);
    assert!(found, "no fault at {at} in\n{errors}");
}

#[test]
fn circles_of_references_end_in_a_fault() {
    let back = r##"{"$ref": "#/components/parameters/a"}"##;
    circle(
        &format!(r#"{{"parameters": {{"a": {back}}}}}"#),
        &format!(r#"{{"parameters": [{back}]}}"#),
        "/paths/~1/get/parameters/0/$ref",
    );
    circle(
        r##"{"schemas": {"a": {"properties": {"b": {"$ref": "#/components/schemas/a/properties"}}}}}"##,
        "{}",
        "/components/schemas/a/properties/b/$ref",
    );
    circle(
        r##"{"responses": {"a": {"$ref": "#/components/responses/b"}, "b": {"$ref": "#/components/responses/a"}}}"##,
        r##"{"responses": {"200": {"$ref": "#/components/responses/a"}}}"##,
        "/paths/~1/get/responses/200/$ref",
    );
    circle(
        "{}",
        r##"{"parameters": [{"$ref": "other.yaml#/a"}]}"##,
        "/paths/~1/get/parameters/0/$ref",
    );
}

#[test]
fn references_that_double_at_each_level_end_in_a_fault() {
    let mut schemas = r#"{"s0": {"properties": {"p": {"type": "string"}}}"#.to_owned();
    for level in 1..40 {
        let reference = format!(
            r##"{{"$ref": "#/components/schemas/s{}/properties"}}"##,
            level - 1
        );
        let _ = write!(
            schemas,
            r#", "s{level}": {{"properties": {{"a": {reference}, "b": {reference}}}}}"#
        );
    }
    let text = format!(
        r#"{{"openapi": "3.0.1", "info": {{"title": "t"}}, "components": {{"schemas": {schemas}}}}}}}"#
    );
    let errors = import(&parse(&text).unwrap(), &ImportOptions::default()).unwrap_err();
    assert_eq!(errors.faults()[0].rule, "reference/circle");
    let last = errors.faults().last().unwrap();
    assert!(last.message.ends_with("more faults"), "{last}");
}

#[test]
fn a_large_part_that_is_shared_by_many_paths_ends_in_a_fault() {
    let parameters: Vec<_> = (0..20_000)
        .map(|n| format!(r#"{{"name": "p{n}", "in": "query"}}"#))
        .collect();
    let paths: Vec<_> = (0..20_000)
        .map(|n| format!(r##""/p{n}": {{"$ref": "#/x-item"}}"##))
        .collect();
    let text = format!(
        r#"{{"openapi": "3.0.1", "info": {{"title": "t"}}, "x-item": {{"parameters": [{}]}}, "paths": {{{}}}}}"#,
        parameters.join(","),
        paths.join(",")
    );
    let errors = import(&parse(&text).unwrap(), &ImportOptions::default()).unwrap_err();
    assert_eq!(errors.faults()[0].rule, "document/expansion");
}

#[test]
fn paths_have_a_longest_length_and_a_most_depth() {
    for path in ["/a".repeat(200), format!("/{}", "a".repeat(5000))] {
        let text = format!(
            r#"{{"openapi": "3.0.1", "info": {{"title": "t"}}, "paths": {{"{path}": {{}}}}}}"#
        );
        let errors = import(&parse(&text).unwrap(), &ImportOptions::default()).unwrap_err();
        assert_eq!(errors.faults()[0].rule, "path/length");
    }
}

#[test]
fn a_hundred_thousand_routes_come_in() {
    let mut text = r#"{"openapi": "3.0.1", "info": {"title": "t"}, "paths": {"#.to_owned();
    for route in 0..100_000 {
        if route > 0 {
            text.push(',');
        }
        let _ = write!(
            text,
            r#""/group{}/item{route}/{{id}}": {{"get": {{"x-amazon-apigateway-integration": {{"type": "http_proxy", "httpMethod": "GET", "uri": "http://x.test/{route}"}}}}}}"#,
            route / 100
        );
    }
    text.push_str("}}");
    let document = parse_with(&text, &ParseOptions::default().max_bytes(64 << 20)).unwrap();
    let rest = import(&document, &ImportOptions::default()).unwrap();
    assert_eq!(
        rest.api.as_rest().unwrap().resources.len(),
        1 + 1000 + 2 * 100_000
    );
    let http = import(&document, &ImportOptions::default().kind(ApiKind::Http)).unwrap();
    assert_eq!(http.api.as_http().unwrap().routes.len(), 100_000);
}

/// Trees of the words that a document is made of, in places where they do not belong.
fn tangle() -> impl Strategy<Value = serde_json::Value> {
    let word = prop::sample::select(vec![
        "openapi",
        "swagger",
        "3.0.1",
        "2.0",
        "paths",
        "/",
        "/a/{b}",
        "/{c+}",
        "get",
        "security",
        "parameters",
        "responses",
        "200",
        "$ref",
        "#/paths",
        "#",
        "#/components/schemas/a",
        "components",
        "schemas",
        "securitySchemes",
        "a",
        "in",
        "name",
        "type",
        "mock",
        "http",
        "x-amazon-apigateway-integration",
        "x-amazon-apigateway-any-method",
        "default",
        "x-amazon-apigateway-authorizer",
        "x-amazon-apigateway-policy",
        "requestParameters",
        "x-amazon-apigateway-cors",
        "servers",
        "url",
        "statusCode",
        "${AWS::Region}",
        "x-amazon-apigateway-gateway-responses",
        "x-amazon-apigateway-endpoint-configuration",
    ]);
    let leaf = prop_oneof![
        word.clone().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map(word.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_text_of_yaml_signs_makes_the_parser_panic(text in "[-a:&*!|>{}\\[\\],?#'\"%@ \n\t0]{0,120}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_document_makes_the_import_panic(tangle in tangle(), swagger in any::<bool>()) {
        let mut root = tangle;
        if let Some(members) = root.as_object_mut() {
            if swagger {
                members.remove("openapi");
                members.insert("swagger".into(), "2.0".into());
            } else {
                members.remove("swagger");
                members.insert("openapi".into(), "3.0.1".into());
            }
        }
        if let Ok(document) = parse(&root.to_string()) {
            for kind in [ApiKind::Rest, ApiKind::Http] {
                let _ = import(&document, &ImportOptions::default().kind(kind));
            }
        }
    }
}
