//! What finding a stage costs in allocations: nothing, however many domains and mappings there are.

use http::HeaderMap;
use portcullis_core::ApiKind;
use portcullis_stages::{Api, Domain, Fallback, Lookup, Resolver, Rule};

const MANY: usize = 10_000;

/// 10,000 domains with a mapping each, and one with as many mappings of several segments.
fn resolver() -> Resolver<usize> {
    let api = Api::new("shop", ApiKind::Rest)
        .stage("v1", 1)
        .stage("v2", 2);
    let names = (0..MANY).map(|number| format!("shop{number}.example.com"));
    let mut deep = Domain::new("deep.example.com")
        .rule(Rule::new(1, "shop", "v2").when_header("x-version", "v2*"))
        .rule(Rule::new(2, "shop", "v2").when_header("Host", "beta.*"));
    for number in 0..MANY {
        deep = deep.map(format!("shops/{number}/v1"), "shop", "v1");
    }
    let builder = names.fold(Resolver::builder("eu-west-1").api(api), |builder, name| {
        builder.domain(Domain::new(name).map("v1", "shop", "v1"))
    });
    builder
        .domain(deep)
        .domain(Domain::new("*.example.com").map("", "shop", "v2"))
        .fallback(Fallback::ByPath)
        .build()
        .expect("it is fine")
}

#[test]
fn among_10_000_domains_and_mappings_a_stage_is_found_without_allocating() {
    let resolver = resolver();
    let mut headers = HeaderMap::new();
    headers.insert("x-version", "v1".parse().expect("a value"));
    for (host, path, stage) in [
        ("shop7.example.com", "/v1/hats", 1),
        ("Shop9999.Example.com:8443", "/v1", 1),
        ("deep.example.com", "/shops/9999/v1/hats", 1),
        ("deep.example.com", "/shops/1234/v1x", 1),
        ("other.example.com", "/hats", 2),
        ("localhost", "/shop/v1/hats", 1),
    ] {
        let asked = Lookup::new(Some(host), path).headers(&headers);
        let mut found = 0;
        let cost = allocation_counter::measure(|| {
            found = resolver.look_up(&asked).map_or(0, |found| *found.target());
        });
        assert_eq!((found, cost.count_total), (stage, 0), "{host}{path}");
    }
}
