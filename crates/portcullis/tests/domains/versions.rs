//! The recipes of the guide's page on versions, as they stand there, and what clients are told of a version's end.

use std::time::{Duration, SystemTime};

use portcullis::stages::Deprecation;
use portcullis::{ConfigFormat, GatewayConfig};

use super::*;

const GUIDE: &str = include_str!("../../../../docs/guide/domains.md");

/// The first configuration below a heading of the guide.
fn recipe(heading: &str) -> &'static str {
    let (_, below) = GUIDE
        .split_once(&format!("### {heading}\n"))
        .expect("the heading");
    let (_, block) = below.split_once("```yaml\n").expect("a block");
    block.split_once("```").expect("its end").0
}

fn gateway(heading: &str) -> Gateway {
    const APIS: &str = "
apis:
  - { id: shop, definition: shop.json, stages: [{ stageName: v1 }, { stageName: v2 }] }
";
    let recipe = recipe(heading);
    let lines = recipe.lines().filter(|line| *line != "domainNames:");
    assert!(lines.count() <= 4, "a domain and three lines:\n{recipe}");
    let mut config =
        GatewayConfig::parse(&format!("{APIS}{recipe}"), ConfigFormat::Yaml).expect("good");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("shop.json"), document("$context.stage")).expect("written");
    config.folder = folder.path().to_owned();
    build(config.gateway().expect("good settings").strict(true))
}

async fn check(heading: &str, table: &[(&str, &str, Option<(&'static str, &str)>, &str)]) {
    let gateway = gateway(heading);
    for (host, path, line, expected) in table {
        let (_, text) = ask(&gateway, host, path, line.as_slice()).await;
        assert_eq!(text, *expected, "{heading}: {host}{path} {line:?}");
    }
}

#[tokio::test]
async fn versions_are_told_apart_as_the_guide_says() {
    const HOST: &str = "api.example.com";
    check(
        "By path",
        &[
            (HOST, "/v1/hats", None, "v1"),
            (HOST, "/v2/hats", None, "v2"),
        ],
    )
    .await;
    check(
        "By header",
        &[
            (HOST, "/hats", None, "v1"),
            (HOST, "/hats", Some(("x-version", "v2.3")), "v2"),
            (HOST, "/hats", Some(("x-version", "v1")), "v1"),
        ],
    )
    .await;
    check(
        "By media type",
        &[
            (HOST, "/hats", Some(("accept", "*/*")), "v1"),
            (
                HOST,
                "/hats",
                Some(("accept", "text/html, application/vnd.shop.v2+json;q=0.9")),
                "v2",
            ),
        ],
    )
    .await;
    check(
        "By host",
        &[
            ("v1.example.com", "/hats", None, "v1"),
            ("v2.example.com", "/hats", None, "v2"),
        ],
    )
    .await;
    check(
        "By path prefix",
        &[
            (HOST, "/shop/v1/hats", None, "v1"),
            (HOST, "/shop/v2", None, "v2"),
            (HOST, "/shop", None, "v2"),
        ],
    )
    .await;
}

#[tokio::test]
async fn every_response_of_a_deprecated_stage_says_so() {
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let deprecation = Deprecation::builder()
        .since(at(0))
        .sunset(at(86400))
        .successor("/v2");
    let api = shop().deprecation("v1", deprecation.build().expect("it is fine"));
    let gateway = build(Gateway::builder().api(api));
    for (path, status, told) in [
        ("/v1/hats", 200, true),
        ("/v2/hats", 200, false),
        ("/v3/hats", 403, false),
    ] {
        let response = send(&gateway, request("localhost", path, &[])).await;
        assert_eq!(response.status(), status, "{path}");
        let headers = response.headers();
        assert_eq!(headers.contains_key("deprecation"), told, "{path}");
        if told {
            assert_eq!(headers["deprecation"], "@0");
            assert_eq!(headers["sunset"], "Fri, 02 Jan 1970 00:00:00 GMT");
            assert_eq!(headers["link"], "</v2>; rel=\"successor-version\"");
        }
    }
    let refused = request("localhost", "/v1/hats", &[]).map(|_| Body::empty());
    let (mut parts, body) = refused.into_parts();
    parts.method = http::Method::DELETE;
    let response = send(&gateway, Request::from_parts(parts, body)).await;
    assert_eq!(
        (
            response.status().as_u16(),
            response.headers().contains_key("deprecation")
        ),
        (403, true)
    );
}

#[tokio::test]
async fn a_configuration_says_when_a_stage_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("shop.json"), document("x")).expect("written");
    let text = "
apis:
  - id: shop
    definition: shop.json
    stages: [{ stageName: v1 }]
    deprecations:
      v1: { since: '2026-01-01', sunset: '2026-12-31T23:59:59Z', link: https://example.com/v1, sunsetLink: /end, successor: /v2 }
";
    let mut config = GatewayConfig::parse(text, ConfigFormat::Yaml).expect("good");
    config.folder = folder.path().to_owned();
    let gateway = build(config.gateway().expect("good settings"));
    let response = send(&gateway, request("localhost", "/v1/x", &[])).await;
    assert_eq!(response.headers()["deprecation"], "@1767225600");
    assert_eq!(
        response.headers()["sunset"],
        "Thu, 31 Dec 2026 23:59:59 GMT"
    );
    assert_eq!(response.headers().get_all("link").iter().count(), 3);
}
