//! How much a look-up may cost: worst trees, many routes, long paths.

use http::Method;
use portcullis_routing::{HttpRoutes, Miss, RestRoutes};

/// A static part and a variable on each of `depth` levels, and a GET on each resource of the last.
fn twins(depth: u32, leaf: &str) -> RestRoutes<u32> {
    let mut builder = RestRoutes::builder();
    for leaf_number in 0..1_u32 << depth {
        let mut path = String::new();
        for level in 0..depth {
            path += match leaf_number >> level & 1 {
                0 => "/a",
                _ => "/{x}",
            };
        }
        builder = builder.route("GET", &format!("{path}{leaf}"), leaf_number);
    }
    builder.build().expect("a good table")
}

#[test]
fn the_worst_tree_costs_one_step_for_each_resource_that_could_fit() {
    for depth in [1, 4, 8, 12] {
        let routes = twins(depth, "/end");
        let resources = (1 << (depth + 1)) - 1;

        // Every branch but for the last part fits, so every one is tried: once to find that the request has no route,
        // and once more to tell a wrong path from a wrong verb.
        let path = "/a".repeat(depth as usize) + "/else";
        let (found, steps) = routes.find_counting(&Method::GET, &path);
        assert_eq!(found.err(), Some(Miss::Path));
        assert_eq!(steps, 2 * resources);

        // A verb that nothing has enters no branch at all.
        let (found, steps) = routes.find_counting(&Method::POST, &path);
        assert_eq!(found.err(), Some(Miss::Path));
        assert_eq!(steps, 1 + resources);

        // What fits is found without going back.
        let path = "/a".repeat(depth as usize) + "/end";
        let (found, steps) = routes.find_counting(&Method::GET, &path);
        assert_eq!(found.ok().map(|found| *found.value()), Some(0));
        assert!(steps <= depth as usize + 2);
    }
}

#[test]
fn branches_without_the_verb_are_not_entered() {
    let mut builder = RestRoutes::builder();
    let depth = 10_u32;
    for leaf in 0..1_u32 << depth {
        let mut path = String::new();
        for level in 0..depth {
            path += if leaf >> level & 1 == 0 { "/a" } else { "/{x}" };
        }
        // The last to be tried is the only one with a PUT.
        let method = if leaf + 1 == 1 << depth { "PUT" } else { "GET" };
        builder = builder.route(method, &path, leaf);
    }
    let routes = builder.build().expect("a good table");
    let path = "/a".repeat(depth as usize);
    let (found, steps) = routes.find_counting(&Method::PUT, &path);
    assert_eq!(
        found.ok().map(|found| *found.value()),
        Some((1 << depth) - 1)
    );
    assert_eq!(steps, depth as usize + 1);
}

#[test]
fn a_hundred_thousand_routes_are_told_apart() {
    let mut rest = RestRoutes::builder();
    let mut http = HttpRoutes::builder();
    for number in 0..50_000_u32 {
        rest = rest.route(
            "GET",
            &format!("/api/{}/r{number}/{{id}}", number % 97),
            number,
        );
        rest = rest.route("ANY", &format!("/wide{number}/{{p+}}"), number);
        http = http.route(format!("GET /api/r{number}/{{id}}"), number);
        http = http.route(format!("ANY /wide{number}/{{p+}}"), number);
    }
    let rest = rest.build().expect("a good table");
    let http = http.build().expect("a good table");
    for number in (0..50_000_u32).step_by(7) {
        let path = format!("/api/{}/r{number}/x", number % 97);
        let (found, steps) = rest.find_counting(&Method::GET, &path);
        assert_eq!(found.ok().map(|found| *found.value()), Some(number));
        assert!(steps <= 5);
        let path = format!("/wide{number}/x/y");
        let found = rest.find(&Method::PUT, &path).expect("a route");
        assert_eq!(
            (*found.value(), found.parameter("p")),
            (number, Some("x/y"))
        );
        let found = http.find(&Method::PUT, &path).expect("a route");
        assert_eq!(
            (*found.value(), found.parameter("p")),
            (number, Some("x/y"))
        );
    }
    assert!(rest.nearest("/wied77/x").is_some());
}

#[test]
fn ten_thousand_parts_are_no_deeper_than_one() {
    let long = "/a".repeat(10_000);
    let routes = RestRoutes::builder()
        .route("GET", "/a/{x}/b", 0)
        .route("GET", "/{p+}", 1)
        .route("PUT", &(long.clone() + "/{x}"), 2)
        .route("PUT", &long, 3)
        .build();
    // `/a/{x}` and the long path's `/a/a` live beside each other.
    let routes = routes.expect("a good table");
    let find = |method, path: &str| routes.find(&method, path).map(|found| *found.value());
    assert_eq!(find(Method::GET, &long), Ok(1));
    assert_eq!(find(Method::PUT, &long), Ok(3));
    assert_eq!(find(Method::PUT, &(long.clone() + "/b")), Ok(2));
    assert_eq!(
        find(Method::PUT, &(long.clone() + "/b/c")),
        Err(Miss::Method)
    );
    assert_eq!(
        find(Method::POST, &(long.clone() + "/b/c")),
        Err(Miss::Method)
    );
    assert!(routes.nearest(&(long.clone() + "/b/c")).is_some());
    let found = routes.find(&Method::GET, &long).expect("a route");
    assert_eq!(found.parameter("p").map(str::len), Some(19_999));

    let slashes = "/".repeat(10_000);
    assert_eq!(find(Method::GET, &slashes), Err(Miss::Path));
    assert_eq!(
        find(Method::GET, &(slashes.clone() + "a" + &slashes)),
        Ok(1)
    );
}
