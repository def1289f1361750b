//! Routing rules, private APIs and strict domains.

use http::HeaderMap;
use portcullis_core::ApiKind;
use portcullis_stages::{Api, Domain, Fallback, Lookup, RefusalReason, Resolver, Rule};

fn resolver() -> Resolver<&'static str> {
    Resolver::builder("eu-west-1")
        .api(
            Api::new("shop", ApiKind::Rest)
                .stage("v1", "shop v1")
                .stage("v2", "shop v2"),
        )
        .api(Api::new("pets", ApiKind::Rest).stage("prod", "pets"))
        .api(
            Api::new("desk", ApiKind::Rest)
                .stage("prod", "desk")
                .private(true),
        )
        .domain(
            Domain::new("shop.example.com")
                .rule(
                    Rule::new(20, "shop", "v2")
                        .id("cat-all")
                        .when_header("x-version", "*2*"),
                )
                .rule(
                    Rule::new(10, "pets", "prod")
                        .id("dogs")
                        .when_base_path("dogs")
                        .strip_base_path(true),
                )
                .rule(Rule::new(30, "shop", "v2").when_base_path("beta"))
                .map("old", "pets", "prod")
                .map("", "shop", "v1"),
        )
        .domain(
            Domain::new("rules.example.com")
                .rule(Rule::new(1, "shop", "v2").when_header("x-version", "v2*")),
        )
        .domain(
            Domain::new("*.versions.example.com")
                .rule(Rule::new(1, "shop", "v1").when_header("Host", "v1.*"))
                .rule(Rule::new(2, "shop", "v2").when_header("host", "v2.*")),
        )
        .domain(
            Domain::new("strict.example.com")
                .map("", "shop", "v1")
                .strict_server_name(true),
        )
        .fallback(Fallback::Api("shop".into()))
        .build()
        .expect("it is fine")
}

/// Target, rule, base path and rest of the path; or why not.
type Outcome = Result<
    (
        &'static str,
        Option<&'static str>,
        Option<&'static str>,
        &'static str,
    ),
    RefusalReason,
>;

#[track_caller]
fn check(host: &str, path: &'static str, lines: &[(&'static str, &str)], expected: Outcome) {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().expect("a value"));
    }
    let resolver = resolver();
    let found = resolver.look_up(&Lookup::new(Some(host), path).headers(&headers));
    let found = match &found {
        Ok(found) => Ok((
            *found.target(),
            found.rule(),
            found.base_path(),
            found.rest_of(path),
        )),
        Err(refusal) => Err(refusal.reason()),
    };
    assert_eq!(found, expected, "{host}{path} {lines:?}");
}

#[test]
fn rules_go_before_mappings_and_the_lowest_priority_first() {
    const HOST: &str = "shop.example.com";
    let v2 = [("x-version", "2")];
    check(
        HOST,
        "/hats",
        &v2,
        Ok(("shop v2", Some("cat-all"), None, "/hats")),
    );
    check(HOST, "/dogs/5", &v2, Ok(("pets", Some("dogs"), None, "/5")));
    check(
        HOST,
        "/hats",
        &[],
        Ok(("shop v1", None, Some("(none)"), "/hats")),
    );
    check(HOST, "/old/5", &[], Ok(("pets", None, Some("old"), "/5")));
    check(
        HOST,
        "/old/5",
        &v2,
        Ok(("shop v2", Some("cat-all"), None, "/old/5")),
    );
}

#[test]
fn a_base_path_is_kept_unless_it_is_to_be_taken_off() {
    const HOST: &str = "shop.example.com";
    check(
        HOST,
        "/beta/5",
        &[],
        Ok(("shop v2", Some("30"), None, "/beta/5")),
    );
    check(HOST, "/dogs", &[], Ok(("pets", Some("dogs"), None, "/")));
    check(
        HOST,
        "/dogs//5",
        &[],
        Ok(("pets", Some("dogs"), None, "/5")),
    );
    check(
        HOST,
        "/dogsled",
        &[],
        Ok(("shop v1", None, Some("(none)"), "/dogsled")),
    );
}

#[test]
fn without_a_rule_that_fits_a_domain_of_rules_refuses() {
    check(
        "rules.example.com",
        "/v2",
        &[],
        Err(RefusalReason::NoMapping),
    );
    let v2 = [("x-version", "v2.1")];
    check(
        "rules.example.com",
        "/x",
        &v2,
        Ok(("shop v2", Some("1"), None, "/x")),
    );
}

#[test]
fn a_rule_below_a_wildcard_can_ask_for_the_host() {
    check(
        "v1.versions.example.com",
        "/x",
        &[],
        Ok(("shop v1", Some("1"), None, "/x")),
    );
    check(
        "V2.versions.example.com:443",
        "/x",
        &[],
        Ok(("shop v2", Some("2"), None, "/x")),
    );
    check(
        "v3.versions.example.com",
        "/x",
        &[],
        Err(RefusalReason::NoMapping),
    );
}

#[track_caller]
fn check_private(
    host: &str,
    path: &str,
    id: Option<&str>,
    private: bool,
    expected: Result<&str, RefusalReason>,
) {
    let mut headers = HeaderMap::new();
    if let Some(id) = id {
        headers.insert("x-apigw-api-id", id.parse().expect("a value"));
    }
    let resolver = resolver();
    let asked = Lookup::new(Some(host), path)
        .headers(&headers)
        .private(private);
    let found = resolver.look_up(&asked);
    let found = found
        .map(|found| *found.target())
        .map_err(|refusal| refusal.reason());
    assert_eq!(found, expected, "{host}{path} {id:?} {private}");
}

#[test]
fn a_private_api_is_open_to_private_networks_alone() {
    const OWN: &str = "desk.execute-api.eu-west-1.amazonaws.com";
    check_private(OWN, "/prod/x", None, true, Ok("desk"));
    check_private(OWN, "/prod/x", None, false, Err(RefusalReason::NotPrivate));
    check_private(OWN, "/none/x", None, false, Err(RefusalReason::NotPrivate));
    check_private(OWN, "/none/x", None, true, Err(RefusalReason::UnknownStage));
}

#[test]
fn a_private_api_is_named_by_header_or_host_of_its_endpoint() {
    const ENDPOINT: &str = "vpce-1-x.execute-api.eu-west-1.vpce.amazonaws.com";
    check_private(ENDPOINT, "/prod/x", Some("desk"), true, Ok("desk"));
    let alias = "desk-vpce-0123.execute-api.eu-west-1.amazonaws.com";
    check_private(alias, "/prod/x", None, true, Ok("desk"));
    // Nobody chooses an API by this header from elsewhere, and no public API ever.
    check_private(
        ENDPOINT,
        "/prod/x",
        Some("desk"),
        false,
        Err(RefusalReason::UnknownStage),
    );
    check_private(
        alias,
        "/prod/x",
        None,
        false,
        Err(RefusalReason::UnknownStage),
    );
    check_private(
        ENDPOINT,
        "/prod/x",
        Some("pets"),
        true,
        Err(RefusalReason::UnknownStage),
    );
    // A host that somebody has decides by itself.
    check_private(
        "pets.execute-api.eu-west-1.amazonaws.com",
        "/prod/x",
        Some("desk"),
        true,
        Ok("pets"),
    );
}

#[test]
fn a_strict_domain_takes_connections_to_its_own_name_alone() {
    let resolver = resolver();
    let asked = Lookup::new(Some("Strict.example.com:443"), "/x");
    assert!(
        resolver
            .look_up(&asked.server_name("strict.example.com"))
            .is_ok()
    );
    let refusal = resolver.look_up(&asked.server_name("other.example.com"));
    assert_eq!(
        refusal.expect_err("another name").reason(),
        RefusalReason::AnotherServerName
    );
    // In the clear there is no name to compare.
    assert!(resolver.look_up(&asked).is_ok());
}

#[test]
fn what_is_wrong_with_rules_is_told_at_once_and_by_name() {
    let api = Api::new("shop", ApiKind::Rest)
        .stage("v1", ())
        .stage("v2", ());
    let domain = Domain::new("shop.example.com")
        .rule(Rule::new(1, "shop", "v3").id("r1"))
        .rule(Rule::new(1, "shop", "v1").id("r2"))
        .rule(Rule::new(2, "nobody", "v1").when_header("origin", "x"));
    let error = Resolver::builder("eu-west-1")
        .api(api)
        .domain(domain)
        .build();
    let error = error.expect_err("nothing of it is right").to_string();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(
        lines,
        [
            "domain shop.example.com, rule r1: the API `shop` has no stage `v3`; name one of its stages: `v1`, `v2`",
            "domain shop.example.com, rule r2: the rule `r1` has the priority 1; give each rule its own priority",
            "domain shop.example.com, rule of priority 2: there is no API `nobody`; name the id of an API of this gateway",
            "domain shop.example.com, rule of priority 2: no rule may look at the header `origin`; use a header of your own",
        ]
    );
}
