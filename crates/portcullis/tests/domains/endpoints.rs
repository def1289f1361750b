//! Edge-optimised, regional and private endpoints.

use http::StatusCode;
use portcullis::Edge;
use portcullis::auth::access::VpcEndpoint;
use portcullis::core::TrustedProxies;
use portcullis::definition::EndpointType;

use super::*;

const TEMPLATE: &str = "$context.identity.sourceIp|$input.params().header.get('cloudfront-viewer-country')|$input.params().header.get('cloudfront-viewer-address')";

fn gateway(kind: EndpointType, edge: Edge) -> Gateway {
    let api = ApiSpec::rest(document(TEMPLATE))
        .id("shop")
        .stage_named("v1");
    let proxies = TrustedProxies::new(["192.0.2.0/24".parse().expect("a network")]);
    let builder = Gateway::builder().api(api.endpoint_type(kind));
    build(builder.trusted_proxies(proxies).edge(edge))
}

async fn check(gateway: &Gateway, peer: &str, lines: &[(&'static str, &str)], expected: &str) {
    let (request, _) = from(peer, request("localhost", "/v1/x", lines));
    let response = send(gateway, request).await;
    assert_eq!(testkit::text(response).await, expected, "{peer} {lines:?}");
}

const EDGE: &str = "192.0.2.7";
const OUTSIDE: &str = "203.0.113.9";

#[tokio::test]
async fn an_edge_says_who_the_viewer_is_and_nobody_else_does() {
    let told = [
        ("x-forwarded-for", "198.51.100.1"),
        ("cloudfront-viewer-address", "198.51.100.2:4711"),
        ("cloudfront-viewer-country", "IS"),
    ];
    let edge = gateway(EndpointType::Edge, Edge::cloudfront());
    check(&edge, EDGE, &told, "198.51.100.2|IS|198.51.100.2:4711").await;
    check(&edge, EDGE, &told[..1], "198.51.100.1||").await;
    check(&edge, OUTSIDE, &told, "203.0.113.9||").await;

    // Without a word about the network, its headers still cannot be made up.
    let quiet = gateway(EndpointType::Edge, Edge::new());
    check(&quiet, EDGE, &told, "198.51.100.1|IS|198.51.100.2:4711").await;
    check(&quiet, OUTSIDE, &told, "203.0.113.9||").await;

    // A regional endpoint has no such network, and passes on what it is sent.
    let regional = gateway(EndpointType::Regional, Edge::cloudfront());
    check(
        &regional,
        OUTSIDE,
        &told,
        "203.0.113.9|IS|198.51.100.2:4711",
    )
    .await;
    check(&regional, EDGE, &told, "198.51.100.1|IS|198.51.100.2:4711").await;
}

#[tokio::test]
async fn another_network_has_headers_of_its_own() {
    let edge = Edge::new()
        .viewer_address(HeaderName::from_static("cf-connecting-ip"))
        .viewer_country(HeaderName::from_static("cf-ipcountry"));
    let gateway = gateway(EndpointType::Edge, edge);
    let told = [
        ("cf-connecting-ip", "198.51.100.2"),
        ("cf-ipcountry", "IS"),
        ("cloudfront-viewer-country", "XX"),
    ];
    check(&gateway, EDGE, &told, "198.51.100.2|IS|").await;
    check(&gateway, EDGE, &told[2..], "192.0.2.7||").await;
    check(&gateway, OUTSIDE, &told, "203.0.113.9||").await;
}

fn private() -> Gateway {
    let mut document: Value =
        serde_json::from_str(&document("$context.apiId $context.identity.vpceId")).expect("JSON");
    document["x-amazon-apigateway-policy"] = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*" }
    ] });
    let desk = ApiSpec::rest(document.to_string())
        .id("desk")
        .stage_named("v1")
        .endpoint_type(EndpointType::Private);
    let endpoint = VpcEndpoint::new("vpce-1", ["10.1.0.0/16".parse().expect("a network")]);
    build(
        Gateway::builder()
            .api(desk)
            .api(shop())
            .vpc_endpoint(endpoint),
    )
}

#[tokio::test]
async fn a_private_api_is_reached_by_its_endpoints_names_from_its_networks_alone() {
    const INSIDE: &str = "10.1.2.3";
    const ENDPOINT: &str = "vpce-1-x.execute-api.us-east-1.vpce.amazonaws.com";
    const ALIAS: &str = "desk-vpce-1.execute-api.us-east-1.amazonaws.com";
    const OWN: &str = "desk.execute-api.us-east-1.amazonaws.com";
    let gateway = private();
    for (peer, host, id, expected) in [
        (INSIDE, OWN, None, Some("desk vpce-1")),
        (INSIDE, ALIAS, None, Some("desk vpce-1")),
        (INSIDE, ENDPOINT, Some("desk"), Some("desk vpce-1")),
        (OUTSIDE, OWN, None, None),
        (OUTSIDE, ALIAS, None, None),
        (OUTSIDE, ENDPOINT, Some("desk"), None),
        (INSIDE, ENDPOINT, Some("shop"), None),
        (
            OUTSIDE,
            "shop.execute-api.us-east-1.amazonaws.com",
            Some("desk"),
            Some("shop v1"),
        ),
    ] {
        let line = id.map(|id| ("x-apigw-api-id", id));
        for path in ["/v1/hats", "/v1/none/such"] {
            let (request, _) = from(peer, request(host, path, line.as_slice()));
            let response = send(&gateway, request).await;
            let status = response.status();
            let text = testkit::text(response).await;
            let expected = match expected {
                Some(expected) => (StatusCode::OK, expected),
                None => (StatusCode::FORBIDDEN, r#"{"message":"Forbidden"}"#),
            };
            assert_eq!(
                (status, text.trim_end()),
                expected,
                "{peer} {host}{path} {id:?}"
            );
        }
    }
}
