//! Private integrations: what is behind a VPC link.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Response;
use portcullis_client::{Upstream, UpstreamPool};
use portcullis_core::{ApiKind, Body};
use portcullis_integrations::{Backends, Conduct, Functions, IntegrationConfig, IntegrationKind};
use portcullis_testkit::{HyperServer, Recorder, request as testkit};
use tower::ServiceExt;

use crate::support::{client, config, in_gateway, pairs, request};

const LISTENER: &str = "arn:aws:elasticloadbalancing:us-east-1:111111111111:listener/app/pets/1/2";

fn linked(api: ApiKind, uri: &str, id: &str) -> IntegrationConfig {
    let mut config = config(IntegrationKind::HttpProxy, api, uri);
    config.vpc_link = Some(id.to_owned());
    config
}

fn backends<const N: usize>(links: [(&str, Upstream); N]) -> Backends {
    let mut backends = Backends::new(client(), Functions::default());
    let links = links.map(|(id, upstream)| (id.to_owned(), upstream));
    backends.vpc_links = Arc::new(BTreeMap::from(links));
    backends
}

fn origin(server: &HyperServer) -> Upstream {
    server.url("").parse().expect("an origin")
}

/// An answer to a GET of `/test/pets/5?q=1` in the stage `test`.
async fn ask(config: &IntegrationConfig, backends: &Backends) -> Response<Body> {
    let compiled = config.compile(backends).expect("a valid configuration");
    assert_eq!(compiled.unsupported, []);
    let get = in_gateway(
        request("GET", "/test/pets/5?q=1", ""),
        config.api,
        "/test/pets/{id}",
    );
    compiled.integration.oneshot(get).await.expect("infallible")
}

#[tokio::test]
async fn a_link_leads_to_its_upstream_and_the_address_names_the_host() {
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    let pool = UpstreamPool::builder().target(server.url("")).build();
    let pool = pool.expect("a good pool");
    for upstream in [origin(&server), pool.into()] {
        for kind in [IntegrationKind::HttpProxy, IntegrationKind::Http] {
            backend.clear();
            let uri = "http://pets-1234.elb.us-east-1.amazonaws.com/v1/{id}";
            let mut config = linked(ApiKind::Rest, uri, "abc123");
            config.kind = kind;
            config.request_parameters =
                pairs(&[("integration.request.path.id", "method.request.path.id")]);
            config.responses = vec![portcullis_integrations::ResponseConfig::new("200")];
            let response = ask(&config, &backends([("abc123", upstream.clone())])).await;
            assert_eq!(response.status(), 200);
            let got = backend.only();
            assert_eq!(got.uri.path(), "/v1/5");
            let host = got.header("host");
            assert_eq!(host, Some("pets-1234.elb.us-east-1.amazonaws.com"));
        }
    }
}

#[tokio::test]
async fn a_stage_variable_says_which_link() {
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    let uri = "http://pets.example.com/";
    for (id, status) in [
        ("${stageVariables.env}", 200),
        ("link-${stageVariables.env}", 200),
        ("other-${stageVariables.env}", 500),
        ("${stageVariables.unset}", 500),
    ] {
        let links = [("beta", origin(&server)), ("link-beta", origin(&server))];
        let response = ask(&linked(ApiKind::Rest, uri, id), &backends(links)).await;
        assert_eq!(response.status(), status, "{id}");
    }
    assert_eq!(backend.count(), 2);
}

#[tokio::test]
async fn what_an_http_api_names_by_its_arn_gets_the_path_with_the_stage() {
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    let links = || backends([("abc123", origin(&server))]);
    let config = linked(ApiKind::Http, LISTENER, "abc123");
    assert_eq!(ask(&config, &links()).await.status(), 200);
    let got = backend.only();
    assert_eq!(got.uri, "/test/pets/5?q=1");
    assert_eq!(got.header("host"), Some("abc.example.com"));

    backend.clear();
    let mut config = config;
    config.request_parameters = pairs(&[
        ("overwrite:path", "/pets/${request.path.id}"),
        ("overwrite:header.Host", "pets.internal"),
    ]);
    assert_eq!(ask(&config, &links()).await.status(), 200);
    let got = backend.only();
    assert_eq!(got.uri, "/pets/5?q=1");
    assert_eq!(got.header("host"), Some("pets.internal"));
}

#[tokio::test]
async fn what_is_behind_a_link_may_have_an_entry_of_its_own() {
    let (one, other) = (
        Recorder::new(|_| testkit::answer(201, "")),
        Recorder::new(|_| testkit::answer(202, "")),
    );
    let one = HyperServer::start(one).await;
    let other = HyperServer::start(other).await;
    let links = backends([("abc123", origin(&one)), (LISTENER, origin(&other))]);
    let by_uri = linked(ApiKind::Http, LISTENER, "abc123");
    assert_eq!(ask(&by_uri, &links).await.status(), 202);
    let mut by_target = linked(ApiKind::Rest, "http://pets.example.com/", "abc123");
    by_target.link_target = Some(LISTENER.to_owned());
    assert_eq!(ask(&by_target, &links).await.status(), 202);
    let neither = linked(ApiKind::Http, "arn:aws:servicediscovery:x", "abc123");
    assert_eq!(ask(&neither, &links).await.status(), 201);
}

#[test]
fn the_name_to_verify_must_be_one() {
    let mut config = linked(ApiKind::Http, LISTENER, "abc123");
    let links = backends([("abc123", "https://10.0.0.1".parse().expect("an origin"))]);
    config.server_name_to_verify = Some("pets.example.com".to_owned());
    let compiled = config.compile(&links).expect("a name");
    assert_eq!(compiled.unsupported, []);
    config.server_name_to_verify = Some("no name".to_owned());
    let error = config.compile(&links).expect_err("no name");
    assert_eq!(error.field(), "/tlsConfig/serverNameToVerify");
}

#[tokio::test]
async fn a_link_that_leads_nowhere_is_reported_and_answered_500() {
    let known = "http://127.0.0.1:1".parse().expect("an origin");
    for (api, uri, message) in [
        (
            ApiKind::Rest,
            "http://pets.example.com/",
            "Internal server error",
        ),
        (ApiKind::Http, LISTENER, "Internal Server Error"),
    ] {
        let compiled =
            linked(api, uri, "abc123").compile(&backends([("other", Clone::clone(&known))]));
        let compiled = compiled.expect("a valid configuration");
        let found = &compiled.unsupported[0];
        assert_eq!(
            (&*found.field, found.conduct),
            ("/connectionId", Conduct::RefuseAll)
        );
        assert!(found.what.contains("`abc123`") && found.what.contains("`vpcLinks`"));
        let response = compiled.integration.oneshot(request("GET", "/", ""));
        let response = response.await.expect("infallible");
        assert_eq!(response.status(), 500);
        assert_eq!(testkit::json(response).await["message"], message);
    }
}
