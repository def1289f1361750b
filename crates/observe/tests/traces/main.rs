//! Traces by the layer's public API: what comes in, what goes out, what is recorded.

mod layer;
mod propagation;
mod recorder;
#[cfg(feature = "xray")]
mod xray;

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use portcullis_core::RequestContext;
use portcullis_observe::ObserveLayer;
use portcullis_observe::trace::{SamplingRules, Traces, TracesBuilder};
use tower::{Layer, ServiceExt, service_fn};

/// Traces that record every request about which nobody has decided.
fn all() -> TracesBuilder {
    Traces::builder("orders").sampling(SamplingRules::all())
}

/// Sends the request through a service with these traces, and gives what it would send on.
async fn sent_on(traces: &Traces, request: Request<()>) -> HeaderMap {
    let inner = service_fn(async |mut request: Request<()>| {
        let mut headers = request.headers().clone();
        RequestContext::of(&mut request).write_trace(&mut headers);
        let mut response = Response::new(Full::<Bytes>::default());
        *response.headers_mut() = headers;
        Ok::<_, Infallible>(response)
    });
    let service = ObserveLayer::new(traces.clone()).layer(inner);
    let response = service.oneshot(request).await.expect("a response");
    let (parts, body) = response.into_parts();
    body.collect().await.expect("a body");
    parts.headers
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}
