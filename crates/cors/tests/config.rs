//! What is and what is not a valid configuration.

use std::time::Duration;

use http::{HeaderName, Method};
use portcullis_cors::{Conduct, ConfigError, CorsConfig, CorsRules, CorsRulesBuilder};

fn standard() -> CorsRulesBuilder {
    CorsRules::builder()
}

fn http_api() -> CorsRulesBuilder {
    CorsRules::builder().conduct(Conduct::HttpApi)
}

#[track_caller]
fn check(builder: CorsRulesBuilder, text: &str) -> ConfigError {
    let error = builder.build().expect_err("the rules are wrong");
    assert_eq!(error.to_string(), text);
    assert_eq!(error.field(), text.split(':').next().expect("a field"));
    error
}

#[test]
fn a_wildcard_never_stands_with_credentials() {
    let credentials = standard()
        .allow_origins(["https://a.example"])
        .allow_credentials(true);
    for (builder, text) in [
        (
            credentials
                .clone()
                .allow_origins(["https://a.example", "*"]),
            "allowOrigins: `*` cannot stand together with credentials; name the origins, or set allowCredentials to false",
        ),
        (
            credentials.clone().allow_origins(["https://*"]),
            "allowOrigins: `https://*` cannot stand together with credentials; name the origins, or set allowCredentials to false",
        ),
        (
            http_api().allow_origins(["*"]).allow_credentials(true),
            "allowOrigins: `*` cannot stand together with credentials; name the origins, or set allowCredentials to false",
        ),
        (
            credentials.clone().allow_methods(["GET", "*"]),
            "allowMethods: `*` cannot stand together with credentials; name the methods, or mirror those asked for",
        ),
        (
            credentials.clone().allow_headers(["*"]),
            "allowHeaders: `*` cannot stand together with credentials; name the headers, or mirror those asked for",
        ),
        (
            credentials.clone().expose_headers(["*"]),
            "exposeHeaders: `*` cannot stand together with credentials; name the headers",
        ),
    ] {
        assert!(check(builder, text).is_wildcard_with_credentials());
    }
    assert!(
        credentials
            .mirror_methods()
            .mirror_headers()
            .build()
            .is_ok()
    );
}

#[test]
fn a_value_that_is_none_is_named_with_its_fix() {
    for (builder, text) in [
        (
            standard().allow_origins(["example.com"]),
            "allowOrigins: `example.com` is not valid; write an origin as scheme://host, scheme://host:port, or `*`",
        ),
        (
            standard().allow_origins(["https://example.com:443"]),
            "allowOrigins: `https://example.com:443` is not valid; browsers leave the scheme's own port out: leave it out too",
        ),
        (
            standard().allow_methods(["patch"]),
            "allowMethods: `patch` is not valid; methods are compared with their case: write it in capitals",
        ),
        (
            standard().allow_methods(["GET,PUT"]),
            "allowMethods: `GET,PUT` is not valid; a method is a word without spaces, as in a request line",
        ),
        (
            http_api().allow_methods(["BREW"]),
            "allowMethods: `BREW` is not valid; an HTTP API knows DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT and `*`",
        ),
        (
            standard().allow_headers(["x-a, x-b"]),
            "allowHeaders: `x-a, x-b` is not valid; write one header name an item, without spaces",
        ),
        (
            standard().max_age_seconds(-2),
            "maxAge: `-2` is not valid; give seconds, 0, or -1 to forbid keeping the answer",
        ),
        (
            http_api().max_age(Duration::from_secs(86_401)),
            "maxAge: `86401` is not valid; an HTTP API takes at most 86400 seconds",
        ),
    ] {
        assert!(check(builder, text).is_invalid_value());
    }
}

#[test]
fn an_http_api_takes_what_the_service_takes_and_no_more() {
    let origins = [
        "https://a.example:443",
        "http://MyORIGIN.com",
        "http://*",
        "https://*",
    ];
    assert!(
        http_api()
            .allow_origins(origins)
            .allow_credentials(true)
            .build()
            .is_ok()
    );
    assert!(
        http_api()
            .allow_origins(["*"])
            .max_age_seconds(86_400)
            .omit_vary(true)
            .build()
            .is_ok()
    );
    for builder in [
        http_api().allow_origins(["https://*.domain.com"]),
        http_api().allow_origins(["tauri://*"]),
        http_api().allow_origins(["null"]),
        http_api().allow_origins_if(|_| true),
        http_api().allow_origins_if_async(async |_| true),
        http_api().mirror_methods(),
        http_api().mirror_headers(),
        http_api().allow_private_network(true),
    ] {
        let error = builder.build().expect_err("the service does not take it");
        assert!(error.is_not_in_this_conduct(), "{error}");
    }
    assert!(http_api().allow_origins(["https:/"]).build().is_err());
    assert!(standard().omit_vary(true).build().is_err());
}

#[test]
fn names_may_be_typed() {
    let rules = standard()
        .allow_methods([Method::PUT])
        .allow_headers([HeaderName::from_static("x-a")])
        .expose_headers(vec![String::from("x-b")]);
    assert!(rules.build().is_ok());
}

#[test]
fn an_unknown_field_is_an_error() {
    let error = serde_json::from_str::<CorsConfig>(r#"{"allowOrigin": []}"#).unwrap_err();
    assert!(error.to_string().contains("allowOrigins"), "{error}");
}
