//! Tables of routes that are refused, with all that is wrong with them.

use portcullis_routing::{HttpRoutes, RestRoutes, RouteErrors, RouteRule};

fn rest(table: &[(&str, &str)]) -> Result<RestRoutes<()>, RouteErrors> {
    table
        .iter()
        .fold(RestRoutes::builder(), |builder, (method, path)| {
            builder.route(method, path, ())
        })
        .build()
}

#[track_caller]
fn refuses(table: &[(&str, &str)], expected: &[&str]) {
    let faults = rest(table).expect_err("faults");
    let rules: Vec<_> = faults
        .iter()
        .map(|f| format!("{} {}: {}", f.method().unwrap_or("-"), f.path(), f.rule()))
        .collect();
    assert_eq!(rules, expected);
}

#[test]
fn a_resource_has_one_variable_child() {
    refuses(
        &[
            ("GET", "/a/{x}"),
            ("GET", "/a/{y}/b"),
            ("PUT", "/a/{y}/c"),
            ("GET", "/a/{x+}"),
        ],
        &[
            "GET /a/{y}/b: `/a` has the variable `{x}` already, `{y}` would be a second one",
            "GET /a/{x+}: `/a` has the variable `{x}` already, `{x+}` would be a second one",
        ],
    );
    refuses(
        &[("GET", "/{p+}"), ("GET", "/{q+}")],
        &["GET /{q+}: `/` has the variable `{p+}` already, `{q+}` would be a second one"],
    );
    refuses(
        &[("GET", "/{a}/x/{a}"), ("GET", "/{a}/x/{b}")],
        &["GET /{a}/x/{b}: `/{a}/x` has the variable `{a}` already, `{b}` would be a second one"],
    );
}

#[test]
fn one_name_may_stand_under_different_parents() {
    assert!(
        rest(&[
            ("GET", "/a/{x}"),
            ("PUT", "/a/{x}/b"),
            ("GET", "/b/{y}"),
            ("GET", "/{z}")
        ])
        .is_ok()
    );
}

#[test]
fn a_method_is_given_once() {
    refuses(
        &[
            ("GET", "/a"),
            ("ANY", "/a"),
            ("GET", "/a"),
            ("ANY", "/a"),
            ("GET", "/{p+}"),
            ("GET", "/{p+}"),
        ],
        &[
            "GET /a: a resource has a method only once",
            "ANY /a: a resource has a method only once",
            "GET /{p+}: a resource has a method only once",
        ],
    );
}

#[test]
fn every_fault_of_every_route_is_said_at_once() {
    refuses(
        &[("TRACE", "a b"), ("GET", "/ok"), ("get", "/{p+}/x")],
        &[
            "TRACE a b: a method is one of seven verbs, or ANY",
            "TRACE a b: a path begins with a slash",
            "get /{p+}/x: a method is one of seven verbs, or ANY",
            "get /{p+}/x: nothing may follow the greedy variable `{p+}`",
        ],
    );
}

#[test]
fn route_keys_are_a_method_and_a_path_or_the_default() {
    let keys = [
        "GET",
        "GET pets",
        "GET  /pets",
        "FETCH /x y",
        "$default",
        "$default",
        "GET /a/",
        "$defaults",
    ];
    let faults = keys
        .iter()
        .fold(HttpRoutes::builder(), |builder, key| builder.route(key, ()))
        .build()
        .expect_err("faults");
    let rules: Vec<_> = faults
        .iter()
        .map(|f| (f.path(), f.rule().clone()))
        .collect();
    let space = RouteRule::NoLeadingSlash;
    assert_eq!(rules[0], ("GET", RouteRule::RouteKeySyntax));
    assert_eq!(rules[1], ("pets", RouteRule::NoLeadingSlash));
    assert_eq!(rules[2], (" /pets", space));
    assert_eq!(rules[3], ("/x y", RouteRule::UnknownMethod));
    assert!(matches!(
        rules[4],
        ("/x y", RouteRule::Characters { character: ' ', .. })
    ));
    assert_eq!(rules[5], ("$default", RouteRule::Duplicate));
    assert_eq!(rules[6], ("/a/", RouteRule::EmptyPart));
    assert_eq!(rules[7], ("$defaults", RouteRule::RouteKeySyntax));
    assert_eq!(rules.len(), 8);
}

#[test]
fn http_apis_know_a_route_by_its_shape_and_not_by_the_names_in_it() {
    let both = HttpRoutes::builder()
        .route("GET /a/{x}", ())
        .route("POST /a/{y}", ())
        .route("GET /a/{z+}", ())
        .build();
    assert!(both.is_ok());
    let twice = HttpRoutes::builder()
        .route("GET /a/{x}", ())
        .route("GET /a/{y}", ())
        .build();
    assert_eq!(twice.expect_err("a duplicate").len(), 1);
}
