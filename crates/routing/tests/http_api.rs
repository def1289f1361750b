//! HTTP APIs: what is matched, in tables.

use http::Method;
use portcullis_routing::HttpRoutes;

fn routes(keys: &[&str]) -> HttpRoutes<()> {
    keys.iter()
        .fold(HttpRoutes::builder(), |builder, key| builder.route(key, ()))
        .build()
        .expect("a good table")
}

#[track_caller]
fn check(routes: &HttpRoutes<()>, request: &str, expected: &str) {
    let (name, path) = request.split_once(' ').expect("method and path");
    let method: Method = name.parse().expect("a method");
    let answer = match routes.find(&method, path) {
        Ok(found) => {
            let mut answer = found.key().to_string();
            for (name, value) in found.parameters() {
                assert_eq!(found.parameter(name), Some(value));
                answer += &format!(" {name}={value}");
            }
            answer
        }
        Err(miss) => format!("{miss:?}"),
    };
    assert_eq!(answer, expected, "{request}");
}

#[test]
fn the_documented_example_selects_as_documented() {
    let routes = routes(&[
        "GET /pets/dog/1",
        "GET /pets/dog/{id}",
        "GET /pets/{proxy+}",
        "ANY /{proxy+}",
        "$default",
    ]);
    check(&routes, "GET /pets/dog/1", "GET /pets/dog/1");
    check(&routes, "GET /pets/dog/2", "GET /pets/dog/{id} id=2");
    check(&routes, "GET /pets/cat/1", "GET /pets/{proxy+} proxy=cat/1");
    check(&routes, "POST /test/5", "ANY /{proxy+} proxy=test/5");
    check(
        &routes,
        "POST /pets/dog/1",
        "ANY /{proxy+} proxy=pets/dog/1",
    );
    check(&routes, "GET /", "$default");
}

#[test]
fn a_full_match_goes_before_a_greedy_one_wherever_it_stands() {
    let routes = routes(&[
        "GET /a/{p+}",
        "GET /{x}/b",
        "PUT /a/b",
        "ANY /{x}/c",
        "GET /a/c/{p+}",
    ]);
    check(&routes, "GET /a/b", "GET /{x}/b x=a");
    check(&routes, "GET /a/c", "ANY /{x}/c x=a");
    check(&routes, "GET /a/d", "GET /a/{p+} p=d");
    check(&routes, "GET /a/c/d", "GET /a/c/{p+} p=d");
    check(&routes, "PUT /a/b", "PUT /a/b");
    check(&routes, "PUT /a/d", "Method");
}

#[test]
fn any_stands_in_for_verbs_without_a_route_of_their_own() {
    let routes = routes(&["ANY /a/{x}", "GET /a/{y}", "GET /a/{p+}", "ANY /a/{q+}"]);
    check(&routes, "GET /a/1", "GET /a/{y} y=1");
    check(&routes, "PUT /a/1", "ANY /a/{x} x=1");
    check(&routes, "GET /a/1/2", "GET /a/{p+} p=1/2");
    check(&routes, "HEAD /a/1/2", "ANY /a/{q+} q=1/2");
}

#[test]
fn the_default_takes_every_path_of_the_seven_verbs() {
    let routes = routes(&["$default", "GET /a"]);
    for request in ["GET /", "PUT /a", "HEAD /x//y/", "OPTIONS *", "GET "] {
        check(&routes, request, "$default");
    }
    check(&routes, "GET /a", "GET /a");
    check(&routes, "TRACE /a", "Method");
    assert_eq!(
        routes.allowed("/a").to_string(),
        "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    );
}

#[test]
fn without_a_default_a_request_can_have_no_route() {
    let routes = routes(&["GET /a", "ANY /b/{p+}"]);
    check(&routes, "GET /c", "Path");
    check(&routes, "POST /a", "Method");
    check(&routes, "TRACE /b/c", "Method");
    check(&routes, "OPTIONS *", "Path");
    assert_eq!(routes.allowed("/a").to_string(), "GET");
    assert_eq!(routes.nearest("/elsewhere/").map(|n| n.route()), None);
    assert_eq!(routes.nearest("/a/").map(|n| n.route()), Some("GET /a"));
}

#[test]
fn the_root_is_no_child_of_its_greedy_variable() {
    let routes = routes(&["ANY /{proxy+}"]);
    check(&routes, "GET /", "Path");
    check(&routes, "GET //", "Path");
    check(&routes, "GET /x", "ANY /{proxy+} proxy=x");
}

#[test]
fn a_slash_at_the_end_counts() {
    let routes = routes(&[
        "GET /pets",
        "GET /toys/{id}",
        "GET /toys/{id}/{rest+}",
        "PUT /pets/{p+}",
    ]);
    check(&routes, "GET /pets/", "Method");
    check(&routes, "GET /toys/", "Path");
    check(&routes, "PUT /pets/", "PUT /pets/{p+} p=");
    check(&routes, "PUT /pets", "Method");
    check(&routes, "GET /toys/1/", "GET /toys/{id}/{rest+} id=1 rest=");
    check(
        &routes,
        "GET /toys/1/2/",
        "GET /toys/{id}/{rest+} id=1 rest=2/",
    );
}

#[test]
fn paths_are_matched_raw() {
    let routes = routes(&["GET /a/b", "GET /{x}", "GET /files/{p+}"]);
    check(&routes, "GET //a/b", "GET /a/b");
    check(&routes, "GET /a%2Fb", "GET /{x} x=a%2Fb");
    check(&routes, "GET /A/b", "Path");
    check(&routes, "GET /a/./b", "Path");
    check(&routes, "GET /a//b", "Path");
    check(&routes, "GET /files//a/../b", "GET /files/{p+} p=/a/../b");
}
