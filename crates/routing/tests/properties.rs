//! The compiled tree against a matcher that tries every route, and other things that hold for all routes and paths.

use http::Method;
use portcullis_routing::{HttpRoutes, Miss, PathTemplate, RestRoutes};
use proptest::prelude::*;

const METHODS: [&str; 4] = ["GET", "POST", "HEAD", "ANY"];

/// Templates of few words, so that they meet.
fn template() -> impl Strategy<Value = String> {
    let part = prop_oneof![3 => Just("a"), 2 => Just("b"), 1 => Just("ab"), 3 => Just("{x}")];
    (prop::collection::vec(part, 0..5), prop::bool::weighted(0.3)).prop_map(|(parts, greedy)| {
        let mut path: String = parts.iter().flat_map(|part| ["/", part]).collect();
        if greedy {
            path += "/{p+}";
        }
        if path.is_empty() {
            path.push('/');
        }
        path
    })
}

fn table() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    prop::collection::vec((prop::sample::select(&METHODS[..]), template()), 0..24)
}

fn path() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec!["a", "b", "ab", "c", "", "a%2Fb", ".."]);
    prop::collection::vec(part, 0..7).prop_map(|parts| format!("/{}", parts.join("/")))
}

fn method() -> impl Strategy<Value = Method> {
    prop::sample::select(vec![
        Method::GET,
        Method::POST,
        Method::HEAD,
        Method::PUT,
        Method::TRACE,
    ])
}

/// How a template fits a path: the kind of each part, static before variable before greedy.
fn fit(template: &str, path: &str, http: bool) -> Option<Vec<u8>> {
    let mut inside = path.trim_start_matches('/');
    if !http {
        inside = inside.trim_end_matches('/');
    }
    let given: Vec<_> = match inside {
        "" => Vec::new(),
        inside => inside.split('/').collect(),
    };
    let parts: Vec<_> = template
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let mut kinds = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let here = given.get(number)?;
        if part.ends_with("+}") {
            kinds.push(2);
            return Some(kinds);
        } else if part.starts_with('{') && !here.is_empty() {
            kinds.push(1);
        } else if part == here {
            kinds.push(0);
        } else {
            return None;
        }
    }
    (parts.len() == given.len()).then_some(kinds)
}

fn answers(route: &str, method: &Method) -> bool {
    let seven = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
    route == method.as_str() || route == "ANY" && seven.contains(&method.as_str())
}

/// The rules said as an order: all that fit, the most specific first.
fn reference(
    table: &[(&str, String)],
    method: &Method,
    path: &str,
    http: bool,
) -> Result<(String, String), Miss> {
    let mut known = false;
    let mut fits = Vec::new();
    for (name, template) in table {
        if let Some(kinds) = fit(template, path, http) {
            known = true;
            if answers(name, method) {
                let greedy = http && kinds.contains(&2);
                fits.push((greedy, kinds, *name == "ANY", name, template));
            }
        }
    }
    fits.sort();
    match fits.first() {
        Some((_, _, _, name, template)) => Ok(((*name).to_string(), (*template).clone())),
        None if known => Err(Miss::Method),
        None => Err(Miss::Path),
    }
}

/// The routes of a table that one API can have together.
fn rest(table: &[(&'static str, String)]) -> (RestRoutes<()>, Vec<(&'static str, String)>) {
    let build = |table: &[(&'static str, String)]| {
        table
            .iter()
            .fold(RestRoutes::builder(), |builder, (method, path)| {
                builder.route(method, path, ())
            })
            .build()
    };
    let mut kept = Vec::new();
    for route in table {
        kept.push(route.clone());
        if build(&kept).is_err() {
            kept.pop();
        }
    }
    (build(&kept).expect("each was tried"), kept)
}

proptest! {
    #[test]
    fn rest_routes_are_the_first_in_the_order_of_the_rules(
        table in table(), paths in prop::collection::vec((method(), path()), 1..20)
    ) {
        let (routes, table) = rest(&table);
        for (method, path) in paths {
            let found = routes
                .find(&method, &path)
                .map(|found| (found.method().to_string(), found.template().to_string()));
            let expected = reference(&table, &method, &path, false);
            prop_assert_eq!(&found, &expected, "{} {}", method, path);
            let allowed = routes.allowed(&path).contains(&method);
            prop_assert_eq!(allowed, expected.is_ok());
        }
    }

    #[test]
    fn http_routes_are_the_first_in_the_order_of_the_rules(
        mut table in table(), paths in prop::collection::vec((method(), path()), 1..20)
    ) {
        table.sort();
        table.dedup();
        let routes = table
            .iter()
            .fold(HttpRoutes::builder(), |builder, (method, path)| {
                builder.route(format!("{method} {path}"), ())
            })
            .build()
            .expect("a good table");
        for (method, path) in paths {
            let found = routes.find(&method, &path).map(|found| found.key().to_string());
            let expected = reference(&table, &method, &path, true)
                .map(|(method, template)| format!("{method} {template}"));
            prop_assert_eq!(found, expected, "{} {}", method, path);
        }
    }

    #[test]
    fn a_path_made_from_a_template_is_found_with_its_values(
        table in table(), values in prop::collection::vec("[a-z%.]{3,6}", 6)
    ) {
        let (routes, table) = rest(&table);
        for (name, template) in &table {
            let mut values = values.iter();
            let mut made = Vec::new();
            let path: String = template
                .split('/')
                .skip(1)
                .map(|part| {
                    let value = match part {
                        "{p+}" => "one/two",
                        "{x}" => values.next().expect("enough values"),
                        part => return format!("/{part}"),
                    };
                    made.push(value);
                    format!("/{value}")
                })
                .collect();
            let method = if *name == "ANY" { "PATCH" } else { name };
            let method: Method = method.parse().expect("a method");
            let found = routes.find(&method, &path).expect("a route");
            if found.template().as_str() == template {
                let values: Vec<_> = found.parameters().map(|(_, value)| value).collect();
                prop_assert_eq!(values, made);
            } else {
                // What covers it is more specific.
                let of = |template| fit(template, &path, false);
                prop_assert!(of(found.template().as_str()) < of(template));
            }
        }
    }

    #[test]
    fn nothing_panics_on_any_text(
        table in table(), paths in prop::collection::vec("/?[ab/{}+%é]{0,12}", 1..20), name in ".{0,8}"
    ) {
        let (routes, _) = rest(&table);
        for path in &paths {
            if let Ok(found) = routes.find(&Method::GET, path) {
                for (_, value) in found.parameters() {
                    prop_assert!(path.contains(value) && !value.is_empty());
                }
            }
            let _ = routes.nearest(path);
            for template in [PathTemplate::rest(path), PathTemplate::http(path)].into_iter().flatten() {
                prop_assert_eq!(template.as_str(), path);
                for path in &paths {
                    let _ = template.parameters(path).count();
                    let _ = template.parameter(path, &name);
                }
            }
            let _ = format!("GET {path}").parse::<portcullis_routing::RouteKey>();
        }
    }
}
