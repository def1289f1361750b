//! Finding the route of a request among one, a hundred and a thousand.

use axum::Router;
use http::{Response, Uri};
use portcullis_routing::RestRoutes;

use super::surroundings::{Body, Hello, answer, request};
use crate::row::{Case, Goal, Who};

pub(super) fn cases() -> Vec<Case> {
    [1, 100, 1000].into_iter().map(among).collect()
}

fn among(count: usize) -> Case {
    Case::new("routing", count.to_string())
        .row(Who::Bare, move || {
            let uri = target(count);
            move || answer(&mut Hello, request(&uri))
        })
        // matchit, by itself. It does not look at methods, and does not go back.
        .row(Who::Floor, move || {
            let mut router = matchit::Router::new();
            for (index, template) in templates(count).into_iter().enumerate() {
                router.insert(template, index).expect("templates differ");
            }
            routed(count, move |request| {
                *router
                    .at(request.uri().path())
                    .expect("it is a route")
                    .value
            })
        })
        .row(Who::Portcullis, move || {
            let mut builder = RestRoutes::builder();
            for (index, template) in templates(count).into_iter().enumerate() {
                builder = builder.route("GET", &template, index);
            }
            let routes = builder.build().expect("templates differ");
            routed(count, move |request| {
                let found = routes.find(request.method(), request.uri().path());
                *found.expect("it is a route").value()
            })
        })
        .row(Who::Peer("axum"), move || {
            let mut router = Router::new();
            for template in templates(count) {
                router = router.route_service(&template, Hello);
            }
            let uri = target(count);
            move || answer(&mut router, request(&uri))
        })
        .goal(Goal::TimesFloorOverBare(2.0))
        .goal(Goal::AllocationsOverBare(0.0))
}

/// Calls the bare service after a look-up.
fn routed(
    count: usize,
    find: impl Fn(&http::Request<Body>) -> usize,
) -> impl FnMut() -> Response<Body> {
    let uri = target(count);
    move || {
        let request = request(&uri);
        std::hint::black_box(find(&request));
        answer(&mut Hello, request)
    }
}

/// Ten collections below each of ten names, each with a few resources: what an API looks like.
fn templates(count: usize) -> Vec<String> {
    const SHAPES: [&str; 5] = [
        "",
        "/{id}",
        "/{id}/owners",
        "/{id}/owners/{owner}",
        "/search",
    ];
    match count {
        1 => vec!["/pets/{id}".to_owned()],
        _ => (0..count)
            .map(|index| {
                let (collection, shape) = (index / SHAPES.len(), index % SHAPES.len());
                let (area, kind) = (collection / 10, collection % 10);
                format!("/area{area}/pets{kind}{}", SHAPES[shape])
            })
            .collect(),
    }
}

/// A resource in the middle, with a parameter.
fn target(count: usize) -> Uri {
    match count {
        1 => Uri::from_static("/pets/42"),
        _ => {
            let middle = count / 10 / 5 * 5 + 1;
            let template = &templates(count)[middle];
            let path = template.replace("{id}", "42");
            path.parse().expect("it is a path")
        }
    }
}
