//! Finding the stage of a request among ten thousand domains, and among as many base paths of one.

use std::collections::HashMap;

use http::Response;
use portcullis_core::ApiKind;
use portcullis_stages::{Api, Domain, Lookup, Resolver};

use super::surroundings::{Body, Hello, answer, request};
use crate::row::{Case, Goal, Who};

const MANY: usize = 10_000;
/// Where the request goes.
const HOST: &str = "shop4711.example.com";
const DEEP: &str = "deep.example.com";

pub(super) fn cases() -> Vec<Case> {
    vec![domains(), mappings()]
}

/// Each with one base path.
fn domains() -> Case {
    const PATH: &str = "/v1/hats/5";
    let names = || (0..MANY).map(|number| format!("shop{number}.example.com"));
    Case::new("stages", "10000-domains")
        .row(Who::Bare, || found(PATH, |_| 0))
        // A map of maps. It takes hosts as they stand.
        .row(Who::Floor, move || {
            let paths = || HashMap::from([("v1".to_owned(), 1)]);
            let hosts: HashMap<_, _> = names().map(|name| (name, paths())).collect();
            found(PATH, move |path| {
                let segment = path[1..].split('/').next().expect("there is a first");
                hosts[HOST][segment]
            })
        })
        .row(Who::Portcullis, move || {
            let builder = Resolver::builder("us-east-1").api(api());
            let builder = names().fold(builder, |builder, name| {
                builder.domain(Domain::new(name).map("v1", "shop", "v1"))
            });
            let resolver = builder.build().expect("a good table");
            found(PATH, move |path| target(&resolver, HOST, path))
        })
        .goal(Goal::OverFloor(150.0))
        .goal(Goal::AllocationsOverBare(0.0))
}

/// Of several segments, so that the longest that fits is looked for.
fn mappings() -> Case {
    const PATH: &str = "/shops/4711/v1/hats/5";
    Case::new("stages", "10000-mappings")
        .row(Who::Bare, || found(PATH, |_| 0))
        // matchit, by itself. It needs whole segments.
        .row(Who::Floor, || {
            let mut router = matchit::Router::new();
            for number in 0..MANY {
                let template = format!("/shops/{number}/v1/{{*rest}}");
                router.insert(template, number).expect("templates differ");
            }
            found(PATH, move |path| {
                *router.at(path).expect("it is there").value
            })
        })
        .row(Who::Portcullis, || {
            let mappings = (0..MANY).map(|number| format!("shops/{number}/v1"));
            let domain = mappings.fold(Domain::new(DEEP), |domain, path| {
                domain.map(path, "shop", "v1")
            });
            let builder = Resolver::builder("us-east-1").api(api()).domain(domain);
            let resolver = builder.build().expect("a good table");
            found(PATH, move |path| target(&resolver, DEEP, path))
        })
        .goal(Goal::TimesFloorOverBare(2.0))
        .goal(Goal::AllocationsOverBare(0.0))
}

fn api() -> Api<usize> {
    Api::new("shop", ApiKind::Rest).stage("v1", 1)
}

fn target(resolver: &Resolver<usize>, host: &str, path: &str) -> usize {
    let found = resolver.look_up(&Lookup::new(Some(host), path));
    *found.expect("there is one").target()
}

/// Calls the bare service after a look-up.
fn found(path: &'static str, find: impl Fn(&str) -> usize) -> impl FnMut() -> Response<Body> {
    let uri = http::Uri::from_static(path);
    move || {
        let request = request(&uri);
        std::hint::black_box(find(request.uri().path()));
        answer(&mut Hello, request)
    }
}
