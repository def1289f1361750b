//! Which stage serves which host and path.

use portcullis_core::ApiKind;
use portcullis_stages::{Api, Domain, Fallback, Lookup, RefusalReason, Resolver, ResolverBuilder};

const REST: &str = "rest1.execute-api.eu-west-1.amazonaws.com";
const HTTP: &str = "http1.execute-api.eu-west-1.amazonaws.com";
const BARE: &str = "http2.execute-api.eu-west-1.amazonaws.com";
const CLOSED: &str = "closed.execute-api.eu-west-1.amazonaws.com";

fn builder() -> ResolverBuilder<&'static str> {
    Resolver::builder("eu-west-1")
        .api(
            Api::new("rest1", ApiKind::Rest)
                .stage("prod", "rest prod")
                .stage("test", "rest test"),
        )
        .api(
            Api::new("http1", ApiKind::Http)
                .stage("$default", "http default")
                .stage("dev", "http dev"),
        )
        .api(Api::new("http2", ApiKind::Http).stage("dev", "bare dev"))
        .api(
            Api::new("closed", ApiKind::Http)
                .stage("$default", "closed default")
                .host("open.test")
                .disable_default_endpoint(true),
        )
        .domain(
            Domain::new("api.example.com")
                .map("orders", "rest1", "prod")
                .map("(none)", "http1", "$default")
                .map_api("by-stage", "rest1")
                .map_api("http", "http1"),
        )
        .domain(
            Domain::new("deep.example.com")
                .map("orders", "rest1", "prod")
                .map("orders/v1", "rest1", "test"),
        )
        .domain(Domain::new("*.example.com").map("", "rest1", "test"))
        .domain(Domain::new("plain.test").map("v1", "http1", "dev"))
}

/// Target, base path and rest of the path; or why not.
type Outcome = Result<(&'static str, Option<&'static str>, &'static str), RefusalReason>;

#[track_caller]
fn check_in(resolver: &Resolver<&'static str>, host: &str, path: &'static str, expected: Outcome) {
    let found = resolver.resolve(Some(host), path);
    let found = match &found {
        Ok(found) => Ok((*found.target(), found.base_path(), found.rest_of(path))),
        Err(refusal) => Err(refusal.reason()),
    };
    assert_eq!(found, expected, "{host}{path}");
}

#[track_caller]
fn check(host: &str, path: &'static str, expected: Outcome) {
    check_in(
        &builder().build().expect("it is fine"),
        host,
        path,
        expected,
    );
}

#[test]
fn the_first_segment_is_the_stage_of_a_rest_api() {
    check(REST, "/prod", Ok(("rest prod", None, "/")));
    check(REST, "/prod/", Ok(("rest prod", None, "/")));
    check(REST, "/test/pets/7/", Ok(("rest test", None, "/pets/7/")));
    check(REST, "/", Err(RefusalReason::UnknownStage));
    check(REST, "", Err(RefusalReason::UnknownStage));
    check(REST, "*", Err(RefusalReason::UnknownStage));
    check(REST, "/Prod/pets", Err(RefusalReason::UnknownStage));
    check(REST, "/pro%64/pets", Err(RefusalReason::UnknownStage));
    check(REST, "/production", Err(RefusalReason::UnknownStage));
}

#[test]
fn slashes_doubled_around_the_stage_of_a_rest_api_count_as_one() {
    check(REST, "//prod/pets", Ok(("rest prod", None, "/pets")));
    check(REST, "/prod//pets", Ok(("rest prod", None, "/pets")));
    check(
        REST,
        "///prod///pets//7",
        Ok(("rest prod", None, "/pets//7")),
    );
    check(REST, "/prod//", Ok(("rest prod", None, "/")));
}

#[test]
fn an_http_api_looks_for_a_named_stage_and_then_takes_the_default() {
    check(HTTP, "/dev/x", Ok(("http dev", None, "/x")));
    check(HTTP, "/dev", Ok(("http dev", None, "/")));
    check(HTTP, "/developer", Ok(("http default", None, "/developer")));
    check(HTTP, "/", Ok(("http default", None, "/")));
    check(HTTP, "//dev/x", Ok(("http default", None, "//dev/x")));
    check(HTTP, "/dev//x", Ok(("http dev", None, "//x")));
    check(
        HTTP,
        "/$default/x",
        Ok(("http default", None, "/$default/x")),
    );
    check(BARE, "/other", Err(RefusalReason::UnknownStage));
}

#[test]
fn hosts_are_names() {
    check(
        "REST1.Execute-API.eu-west-1.amazonaws.COM:443",
        "/prod",
        Ok(("rest prod", None, "/")),
    );
    check(
        "rest1.execute-api.eu-west-1.amazonaws.com.",
        "/prod",
        Ok(("rest prod", None, "/")),
    );
    check(
        "rest1.execute-api.us-east-1.amazonaws.com",
        "/prod",
        Err(RefusalReason::UnknownHost),
    );
    check("localhost", "/prod", Err(RefusalReason::UnknownHost));
    check("", "/prod", Err(RefusalReason::UnknownHost));
}

#[test]
fn a_disabled_endpoint_is_closed_and_other_hosts_are_not() {
    check(CLOSED, "/x", Err(RefusalReason::EndpointDisabled));
    check("open.test", "/x", Ok(("closed default", None, "/x")));
}

#[test]
fn a_domain_chooses_by_base_path() {
    let host = "api.example.com";
    check(host, "/orders/5", Ok(("rest prod", Some("orders"), "/5")));
    check(host, "/orders", Ok(("rest prod", Some("orders"), "/")));
    check(host, "/orders//5", Ok(("rest prod", Some("orders"), "/5")));
    check(
        host,
        "/ordersandmore",
        Ok(("http default", Some("(none)"), "/ordersandmore")),
    );
    // The mapping names the stage, so the path does not.
    check(
        host,
        "/dev/x",
        Ok(("http default", Some("(none)"), "/dev/x")),
    );
    check(host, "/ping", Ok(("http default", Some("(none)"), "/ping")));
    check("plain.test", "/v2", Err(RefusalReason::NoMapping));
}

#[test]
fn a_mapping_without_a_stage_expects_it_behind_the_base_path() {
    let host = "api.example.com";
    check(
        host,
        "/by-stage/test/5",
        Ok(("rest test", Some("by-stage"), "/5")),
    );
    check(
        host,
        "/by-stage//test//5",
        Ok(("rest test", Some("by-stage"), "/5")),
    );
    check(host, "/by-stage/5", Err(RefusalReason::UnknownStage));
    check(host, "/http/dev/5", Ok(("http dev", Some("http"), "/5")));
    check(host, "/http/5", Ok(("http default", Some("http"), "/5")));
}

#[test]
fn one_deep_mapping_makes_prefixes_of_all() {
    let host = "deep.example.com";
    check(
        host,
        "/orders/v1/5",
        Ok(("rest test", Some("orders/v1"), "/5")),
    );
    check(
        host,
        "/orders/v2/5",
        Ok(("rest prod", Some("orders"), "/v2/5")),
    );
    check(
        host,
        "/ordersandmore",
        Ok(("rest prod", Some("orders"), "andmore")),
    );
}

#[test]
fn a_wildcard_stands_for_one_label_and_yields_to_the_name_itself() {
    check(
        "any.example.com",
        "/5",
        Ok(("rest test", Some("(none)"), "/5")),
    );
    check(
        "api.example.com",
        "/orders/5",
        Ok(("rest prod", Some("orders"), "/5")),
    );
    check("a.b.example.com", "/5", Err(RefusalReason::UnknownHost));
    check("example.com", "/5", Err(RefusalReason::UnknownHost));
    check(".example.com", "/5", Err(RefusalReason::UnknownHost));
}

#[test]
fn the_fallback_serves_unknown_hosts() {
    let one = builder()
        .fallback(Fallback::Api("rest1".into()))
        .build()
        .expect("it is fine");
    check_in(
        &one,
        "127.0.0.1:8080",
        "/prod/5",
        Ok(("rest prod", None, "/5")),
    );
    check_in(&one, "[::1]:8080", "/5", Err(RefusalReason::UnknownStage));
    assert!(one.resolve(None, "/prod").is_ok());
    check_in(&one, HTTP, "/dev/5", Ok(("http dev", None, "/5")));
    check_in(
        &one,
        "api.example.com",
        "/orders/5",
        Ok(("rest prod", Some("orders"), "/5")),
    );

    let all = builder()
        .fallback(Fallback::ByPath)
        .build()
        .expect("it is fine");
    check_in(
        &all,
        "localhost",
        "/rest1/prod/5",
        Ok(("rest prod", None, "/5")),
    );
    check_in(
        &all,
        "localhost",
        "//rest1//prod/5",
        Ok(("rest prod", None, "/5")),
    );
    check_in(
        &all,
        "localhost",
        "/http1/5",
        Ok(("http default", None, "/5")),
    );
    check_in(
        &all,
        "localhost",
        "/rest1",
        Err(RefusalReason::UnknownStage),
    );
    check_in(
        &all,
        "localhost",
        "/nobody/prod",
        Err(RefusalReason::UnknownHost),
    );
    check_in(&all, "localhost", "", Err(RefusalReason::UnknownHost));
}

#[test]
fn a_default_stage_serves_whole_paths() {
    let api = Api::new("rest1", ApiKind::Rest)
        .stage("prod", "prod")
        .stage("test", "test")
        .default_stage("prod");
    let resolver = Resolver::builder("eu-west-1")
        .api(api)
        .build()
        .expect("it is fine");
    check_in(&resolver, REST, "/test/5", Ok(("test", None, "/5")));
    check_in(&resolver, REST, "/pets/5", Ok(("prod", None, "/pets/5")));
    check_in(&resolver, REST, "/", Ok(("prod", None, "/")));
}

#[test]
fn the_region_gives_the_domain() {
    let api = Api::new("rest1", ApiKind::Rest).stage("prod", "prod");
    let resolver = Resolver::builder("cn-north-1")
        .api(api)
        .build()
        .expect("it is fine");
    check_in(
        &resolver,
        "rest1.execute-api.cn-north-1.amazonaws.com.cn",
        "/prod",
        Ok(("prod", None, "/")),
    );
}

#[test]
fn every_fault_is_told_at_once() {
    let error = Resolver::builder("eu-west-1")
        .api(
            Api::new("a.b", ApiKind::Rest)
                .stage("$default", ())
                .stage("x y", ()),
        )
        .api(
            Api::new("twice", ApiKind::Rest)
                .stage("prod", ())
                .stage("prod", ())
                .host("api.test"),
        )
        .api(Api::new("twice", ApiKind::Rest).default_stage("none"))
        .domain(
            Domain::new("api.test")
                .map("/orders", "twice", "prod")
                .map("orders", "nobody", "prod")
                .map("ping", "twice", "prod")
                .map("a", "twice", "gone")
                .map("a", "twice", "prod"),
        )
        .domain(Domain::new("a.*.test"))
        .fallback(Fallback::Api("nobody".into()))
        .build()
        .expect_err("nearly all of it is wrong");
    let places: Vec<_> = error.faults().iter().map(|fault| fault.at()).collect();
    let expected = [
        "api a.b",
        "api a.b",
        "api a.b",
        "api twice",
        "api twice",
        "api twice",
        "domain api.test",
        "domain api.test, mapping /orders",
        "domain api.test, mapping orders",
        "domain api.test, mapping ping",
        "domain api.test, mapping a",
        "domain api.test, mapping a",
        "domain a.*.test",
        "fallback",
    ];
    assert_eq!(places, expected, "{error}");
}

#[test]
fn the_api_is_known_where_its_stage_is_not() {
    let resolver = builder()
        .fallback(Fallback::ByPath)
        .build()
        .expect("a good table");
    for (host, path, api) in [
        (REST, "/none/x", Some("rest1")),
        (REST, "/prod/x", Some("rest1")),
        (BARE, "/none", Some("http2")),
        (CLOSED, "/x", None),
        ("api.example.com", "/by-stage/none", Some("rest1")),
        ("deep.example.com", "/none", None),
        ("localhost", "/rest1/none", Some("rest1")),
        ("localhost", "/none/prod", None),
    ] {
        let asked = Lookup::new(Some(host), path);
        assert_eq!(resolver.api_of(&asked), api, "{host}{path}");
    }
}
