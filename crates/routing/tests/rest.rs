//! REST APIs: what is matched, in tables.

use http::Method;
use portcullis_routing::{Miss, RestRoutes, RouteMethod};

type Routes = RestRoutes<usize>;

fn routes(table: &[(&str, &str)]) -> Routes {
    let mut builder = RestRoutes::builder();
    for (number, (method, path)) in table.iter().enumerate() {
        builder = builder.route(method, path, number);
    }
    builder.build().expect("a good table")
}

fn method(name: &str) -> Method {
    name.parse().expect("a method")
}

/// `request` is a method and a path; `expected` the template and its variables, `name=value` each.
#[track_caller]
fn check(routes: &Routes, request: &str, expected: &str) {
    let (name, path) = request.split_once(' ').expect("method and path");
    let answer = match routes.find(&method(name), path) {
        Ok(found) => {
            let mut answer = found.template().to_string();
            for (name, value) in found.parameters() {
                assert_eq!(found.template().parameter(path, name), Some(value));
                answer += &format!(" {name}={value}");
            }
            answer
        }
        Err(miss) => format!("{miss:?}"),
    };
    assert_eq!(answer, expected, "{request}");
}

fn recorded() -> Routes {
    routes(&[
        ("GET", "/"),
        ("ANY", "/{param+}"),
        ("POST", "/test"),
        ("ANY", "/test/any"),
        ("GET", "/part1/known"),
    ])
}

#[test]
fn the_recorded_examples_select_what_the_service_selected() {
    let routes = recorded();
    check(&routes, "GET /part1/random", "/{param+} param=part1/random");
    check(&routes, "OPTIONS /test", "/{param+} param=test");
    check(&routes, "POST /test", "/test");
    check(&routes, "OPTIONS /test/any", "/test/any");
    check(&routes, "GET /proxy-value/", "/{param+} param=proxy-value");
    check(
        &routes,
        "GET /proxy-value//double-slash",
        "/{param+} param=proxy-value//double-slash",
    );
}

#[test]
fn without_a_greedy_resource_an_unknown_path_is_a_miss() {
    let routes = routes(&[("GET", "/existing")]);
    check(&routes, "GET /existing", "/existing");
    check(&routes, "GET /unknown", "Path");
    check(&routes, "GET /existing/more", "Path");
    check(&routes, "GET /", "Path");
    check(&routes, "POST /existing", "Method");
}

#[test]
fn static_goes_before_variable_goes_before_greedy_on_each_level() {
    let one = routes(&[
        ("GET", "/a/b"),
        ("GET", "/a/{x}"),
        ("GET", "/{y+}"),
        ("GET", "/a/{x}/c"),
    ]);
    check(&one, "GET /a/b", "/a/b");
    check(&one, "GET /a/z", "/a/{x} x=z");
    check(&one, "GET /a/b/c", "/a/{x}/c x=b");
    check(&one, "GET /a/b/d", "/{y+} y=a/b/d");
    check(&one, "GET /a", "/{y+} y=a");

    // The left-most level decides, even where the right side would be more specific.
    let two = routes(&[("GET", "/a/{x+}"), ("GET", "/{y}/b/c")]);
    check(&two, "GET /a/b/c", "/a/{x+} x=b/c");
    check(&two, "GET /z/b/c", "/{y}/b/c y=z");
}

#[test]
fn a_concrete_verb_goes_before_any_on_one_resource_only() {
    let routes = routes(&[
        ("ANY", "/foo/{param}"),
        ("PUT", "/foo/{param}"),
        ("GET", "/foo/{param}"),
        ("ANY", "/foo/bar"),
    ]);
    let find = |name: &str, path| {
        let found = routes.find(&method(name), path).expect("a route");
        (found.template().to_string(), found.method())
    };
    let any = RouteMethod::Any;
    assert_eq!(
        find("PUT", "/foo/x"),
        ("/foo/{param}".into(), RouteMethod::Put)
    );
    assert_eq!(find("POST", "/foo/x"), ("/foo/{param}".into(), any));
    assert_eq!(find("PUT", "/foo/bar"), ("/foo/bar".into(), any));
}

#[test]
fn a_resource_without_the_verb_does_not_block() {
    let routes = routes(&[
        ("POST", "/a/b"),
        ("PUT", "/a/{x}"),
        ("GET", "/{p+}"),
        ("DELETE", "/{p+}"),
    ]);
    check(&routes, "POST /a/b", "/a/b");
    check(&routes, "PUT /a/b", "/a/{x} x=b");
    check(&routes, "GET /a/b", "/{p+} p=a/b");
    check(&routes, "HEAD /a/b", "Method");
}

#[test]
fn any_is_seven_verbs_and_get_is_not_head() {
    let routes = routes(&[("ANY", "/any"), ("GET", "/get"), ("ANY", "/under/{p+}")]);
    for name in ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"] {
        check(&routes, &format!("{name} /any"), "/any");
    }
    for name in ["TRACE", "CONNECT", "PROPFIND", "get"] {
        check(&routes, &format!("{name} /any"), "Method");
        check(&routes, &format!("{name} /under/x"), "Method");
        check(&routes, &format!("{name} /nowhere"), "Path");
    }
    check(&routes, "HEAD /get", "Method");
}

#[test]
fn slashes_at_the_end_are_ignored_and_no_part_of_a_greedy_value() {
    let routes = routes(&[
        ("GET", "/"),
        ("GET", "/a"),
        ("GET", "/a/{p+}"),
        ("GET", "/b/{x}"),
    ]);
    check(&routes, "GET /a/", "/a");
    check(&routes, "GET /a//", "/a");
    check(&routes, "GET /b/1/", "/b/{x} x=1");
    check(&routes, "GET /b/", "Path");
    check(&routes, "GET /a/1/", "/a/{p+} p=1");
    check(&routes, "GET /", "/");
    check(&routes, "GET //", "/");
    check(&routes, "GET ", "/");
}

#[test]
fn a_greedy_variable_holds_at_least_one_part() {
    let routes = routes(&[("ANY", "/{proxy+}"), ("ANY", "/under/{proxy+}")]);
    check(&routes, "GET /", "Path");
    check(&routes, "GET //", "Path");
    check(&routes, "GET /under/", "/{proxy+} proxy=under");
    check(&routes, "GET /under/x", "/under/{proxy+} proxy=x");
}

#[test]
fn encoded_slashes_make_no_part_and_nothing_is_decoded() {
    let routes = routes(&[("GET", "/a/b"), ("GET", "/{x}"), ("GET", "/a/{y}/c")]);
    check(&routes, "GET /a%2Fb", "/{x} x=a%2Fb");
    check(&routes, "GET /a%2fb/", "/{x} x=a%2fb");
    check(&routes, "GET /a/%2F/c", "/a/{y}/c y=%2F");
    check(&routes, "GET /%61/b", "Path");
    check(
        &routes,
        "GET /test%2Balias@gmail.com",
        "/{x} x=test%2Balias@gmail.com",
    );
}

#[test]
fn dot_segments_are_parts_like_any_other() {
    let routes = routes(&[("GET", "/a/b"), ("GET", "/{x}/{y}"), ("GET", "/files/{p+}")]);
    check(&routes, "GET /a/./b", "Path");
    check(&routes, "GET /z/../a/b", "Path");
    check(&routes, "GET /a/..", "/{x}/{y} x=a y=..");
    check(&routes, "GET /./b", "/{x}/{y} x=. y=b");
    check(&routes, "GET /files/../a/./b", "/files/{p+} p=../a/./b");
    check(&routes, "GET /files/%2e%2e/a", "/files/{p+} p=%2e%2e/a");
}

#[test]
fn double_slashes_are_one_at_the_front_and_an_empty_part_inside() {
    let routes = routes(&[
        ("GET", "/a/b"),
        ("GET", "/{x}/{y}/c"),
        ("GET", "/files/{p+}"),
    ]);
    check(&routes, "GET //a/b", "/a/b");
    check(&routes, "GET ///a/b", "/a/b");
    check(&routes, "GET /a//b", "Path");
    check(&routes, "GET /a//c", "Path");
    check(&routes, "GET /files//a", "/files/{p+} p=/a");
    check(&routes, "GET /files/a//b///c//", "/files/{p+} p=a//b///c");
}

#[test]
fn paths_match_in_their_case() {
    let routes = routes(&[("GET", "/Pets/dog")]);
    check(&routes, "GET /Pets/dog", "/Pets/dog");
    check(&routes, "GET /pets/dog", "Path");
    check(&routes, "GET /Pets/Dog", "Path");
}

#[test]
fn what_is_not_a_path_matches_nothing() {
    let routes = routes(&[("ANY", "/"), ("ANY", "/{p+}")]);
    check(&routes, "OPTIONS *", "Path");
    check(&routes, "GET a", "Path");
    assert!(routes.nearest("*").is_none());
    assert!(routes.allowed("*").is_empty());
}

#[test]
fn names_that_begin_alike_are_not_confused() {
    let routes = routes(&[
        ("GET", "/pet"),
        ("GET", "/pets"),
        ("GET", "/pets/all/of/them"),
        ("GET", "/pets/all/of/us"),
    ]);
    check(&routes, "GET /pet", "/pet");
    check(&routes, "GET /pets", "/pets");
    check(&routes, "GET /petsy", "Path");
    check(&routes, "GET /pets/all/of", "Path");
    check(&routes, "GET /pets/all/offal", "Path");
    check(&routes, "GET /pets/all/of/us", "/pets/all/of/us");
}

#[test]
fn a_short_cut_over_single_children_still_comes_back() {
    let routes = routes(&[
        ("GET", "/a/b/c/d"),
        ("GET", "/a/b"),
        ("GET", "/a/{x}/c/e"),
        ("POST", "/{p+}"),
        ("GET", "/q/r/{s}/t"),
        ("GET", "/q/r/u/v/w"),
    ]);
    check(&routes, "GET /a/b/c/d", "/a/b/c/d");
    check(&routes, "GET /a/b", "/a/b");
    check(&routes, "GET /a/b/c", "Method");
    check(&routes, "GET /a/b/c/e", "/a/{x}/c/e x=b");
    check(&routes, "POST /a/b/c/e", "/{p+} p=a/b/c/e");
    check(&routes, "GET /q/r/u/t", "/q/r/{s}/t s=u");
    check(&routes, "GET /q/r/u/v/w", "/q/r/u/v/w");
}

#[test]
fn a_refusal_can_name_the_allowed_verbs() {
    let routes = routes(&[
        ("GET", "/pets"),
        ("POST", "/pets"),
        ("DELETE", "/{p+}"),
        ("ANY", "/any"),
    ]);
    assert_eq!(routes.allowed("/pets/").to_string(), "DELETE, GET, POST");
    assert_eq!(routes.allowed("/x/y").to_string(), "DELETE");
    assert_eq!(
        routes.allowed("/any").to_string(),
        "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    );
    assert!(routes.allowed("/").is_empty());
    assert_eq!(routes.find(&Method::PUT, "/pets").err(), Some(Miss::Method));
}

#[track_caller]
fn near(routes: &Routes, path: &str, expected: Option<&str>) {
    assert_eq!(routes.nearest(path).map(|n| n.route()), expected, "{path}");
}

#[test]
fn the_nearest_route_is_the_one_a_person_would_name() {
    let routes = routes(&[
        ("GET", "/pets"),
        ("POST", "/pets/{id}"),
        ("GET", "/pets/{id}/toys/{toy}"),
        ("GET", "/orders/search"),
        ("GET", "/orders/history"),
    ]);
    // The path is right, the verb is not.
    near(&routes, "/pets/1", Some("/pets/{id}"));
    // One part is mistyped, in letters or in case.
    near(&routes, "/pet", Some("/pets"));
    near(&routes, "/pest/1", Some("/pets/{id}"));
    near(&routes, "/PETS/1/toys/2", Some("/pets/{id}/toys/{toy}"));
    near(&routes, "/orders/serach", Some("/orders/search"));
    near(&routes, "/orders/historie", Some("/orders/history"));
    // The path goes on too long, or stops too early.
    near(&routes, "/pets/1/2/3", Some("/pets/{id}"));
    near(&routes, "/pets/1/toys", Some("/pets/{id}/toys/{toy}"));
    near(&routes, "/orders", Some("/orders/search"));
    // The stage stands before it.
    near(&routes, "/dev/pets", Some("/pets"));
    near(&routes, "/elsewhere", None);
    near(&routes, "/", None);
}
