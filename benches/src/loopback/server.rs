//! The servers that are measured, each on one thread.

use std::convert::Infallible;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use anyhow::{Result, bail};
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_TYPE, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis::Gateway;
use portcullis_core::{BoxError, Connection, RequestContext};
use serde_json::json;
use tokio::net::TcpListener;
use tower_service::Service as _;

type ProxyBody = UnsyncBoxBody<Bytes, hyper::Error>;

/// Serves as `kind` until the process ends.
pub(crate) fn serve(kind: &str, args: &[&str]) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match (kind, args) {
            ("hello", []) => listen(|_| service_fn(hello)).await,
            ("proxy", [port]) => {
                let upstream: Authority = format!("127.0.0.1:{port}").parse()?;
                let client = Client::builder(TokioExecutor::new()).build(connector());
                listen(move |peer| {
                    let (client, upstream) = (client.clone(), upstream.clone());
                    service_fn(move |request| {
                        proxy(client.clone(), upstream.clone(), peer, request)
                    })
                })
                .await
            }
            ("gateway", [port]) => {
                let gateway = Gateway::from_export(document(port))?;
                listen(move |peer| {
                    let gateway = gateway.clone();
                    let connection = Arc::new(Connection::new(peer));
                    service_fn(move |mut request: Request<Incoming>| {
                        RequestContext::of(&mut request).set_connection(Arc::clone(&connection));
                        gateway.clone().call(request)
                    })
                })
                .await
            }
            ("cached", [how]) => super::cache::serve(how).await,
            ("deploys", []) => crate::deploys::serve().await,
            ("limited", [how, rate, burst]) => {
                super::limits::serve(how, rate.parse()?, burst.parse()?).await
            }
            _ => bail!("no such server: {kind}"),
        }
    })
}

/// Accepts connections, and serves each by what `service` makes for it, until whoever started this process is gone.
pub(super) async fn listen<S, B>(service: impl Fn(SocketAddr) -> S) -> Result<()>
where
    S: HttpService<Incoming, ResBody = B, Error: Into<BoxError>, Future: Send> + Send + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    end_with_starter();
    accept(service).await
}

/// Accepts connections, and serves each by what `service` makes for it. The port is the first line of output.
pub(crate) async fn accept<S, B>(service: impl Fn(SocketAddr) -> S) -> Result<()>
where
    S: HttpService<Incoming, ResBody = B, Error: Into<BoxError>, Future: Send> + Send + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let listener = listener().await?;
    let http = http1::Builder::new();
    loop {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(http.serve_connection(TokioIo::new(stream), service(peer)));
    }
}

/// A listener on a free port, which is told.
pub(super) async fn listener() -> Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    io::stdout().flush()?;
    Ok(listener)
}

/// Whoever started this process holds its input; when that one is gone, so is the reason to serve.
pub(super) fn end_with_starter() {
    thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
}

async fn hello(_request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("hello"));
    let text = HeaderValue::from_static("text/plain");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

/// The least that a correct reverse proxy does: hop-by-hop headers go, and the client's address comes.
async fn proxy(
    client: Client<HttpConnector, Incoming>,
    upstream: Authority,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<ProxyBody>, Infallible> {
    let mut uri = Uri::default().into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(upstream);
    uri.path_and_query = request.uri().path_and_query().cloned();
    uri.path_and_query
        .get_or_insert(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from_parts(uri).unwrap_or_default();
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    headers.remove(HOST);
    strip(headers);
    if let Ok(address) = HeaderValue::try_from(peer.ip().to_string()) {
        headers.append(FORWARDED_FOR, address);
    }
    Ok(match client.request(request).await {
        Ok(mut response) => {
            strip(response.headers_mut());
            response.map(BodyExt::boxed_unsync)
        }
        Err(_) => {
            let mut response = Response::new(ProxyBody::default());
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        }
    })
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

fn strip(headers: &mut HeaderMap) {
    const HOP_BY_HOP: [HeaderName; 7] = [
        HeaderName::from_static("keep-alive"),
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    if let Some(connection) = headers.remove(CONNECTION) {
        let names = connection.to_str().unwrap_or_default();
        for name in names.split(',') {
            headers.remove(name.trim());
        }
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}

/// An export whose one route passes everything on.
fn document(port: &str) -> String {
    let document = json!({
        "openapi": "3.0.1",
        "info": { "title": "loopback", "version": "1.0" },
        "paths": { "/pets/{id}": { "get": {
            "parameters": [
                { "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }
            ],
            "responses": { "200": { "description": "whatever the upstream says" } },
            "x-amazon-apigateway-integration": {
                "type": "http_proxy",
                "httpMethod": "GET",
                "uri": format!("http://127.0.0.1:{port}/pets/{{id}}"),
                "requestParameters": { "integration.request.path.id": "method.request.path.id" }
            }
        } } }
    });
    document.to_string()
}
