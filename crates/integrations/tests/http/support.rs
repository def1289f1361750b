//! What the tests share.

use std::net::SocketAddr;
use std::time::Duration;

use http::Request;
use portcullis_client::Client;
use portcullis_core::{
    ApiKind, ApiStage, Body, Connection, MatchedRoute, RequestContext, Route, Tls,
};
use portcullis_integrations::{
    Backends, Functions, Integration, IntegrationConfig, IntegrationKind,
};

/// The shortest timeout that there is.
pub(crate) const SHORT: Duration = Duration::from_millis(50);

pub(crate) fn client() -> Client {
    Client::builder().build().expect("the defaults are valid")
}

pub(crate) fn config(kind: IntegrationKind, api: ApiKind, uri: &str) -> IntegrationConfig {
    let mut config = IntegrationConfig::new(kind, api);
    config.uri = Some(uri.to_owned());
    config
}

pub(crate) fn compile(config: &IntegrationConfig) -> Integration {
    let backends = Backends::new(client(), Functions::default());
    let compiled = config.compile(&backends).expect("a valid configuration");
    assert_eq!(compiled.unsupported, []);
    compiled.integration
}

pub(crate) fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    pairs.iter().map(owned).collect()
}

/// The request as a gateway hands it in: it came over TLS from 192.0.2.9 for the stage `test` of the API `abc`, and matched `route`.
pub(crate) fn in_gateway<B>(mut request: Request<B>, api: ApiKind, route: &str) -> Request<B> {
    let uri = request.uri().clone();
    let context = RequestContext::of(&mut request);
    let mut stage = ApiStage::default();
    stage.kind = api;
    stage.api_id = "abc".into();
    stage.stage = "test".into();
    stage.variables = [("env".to_owned(), "beta".to_owned())].into();
    context.set_stage(stage);
    context.set_route(MatchedRoute::new(Route::new(route), &uri, 0));
    let mut connection = Connection::new(SocketAddr::from(([192, 0, 2, 9], 4711)));
    connection.local = Some(SocketAddr::from(([192, 0, 2, 1], 443)));
    connection.tls = Some(Tls::default());
    context.set_connection(connection);
    request
}

pub(crate) fn request(method: &str, uri: &str, body: &'static str) -> Request<Body> {
    let request = Request::builder().method(method).uri(uri);
    let request = request.header("host", "abc.example.com");
    request.body(Body::from(body)).expect("a valid request")
}

/// The names of the headers, sorted.
pub(crate) fn names(headers: &http::HeaderMap) -> Vec<&str> {
    let mut names: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    names
}
