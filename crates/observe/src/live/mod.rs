//! A page in which an operator sees the metrics move.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use tower_service::Service;

/// A page that shows the routes with rate, latency, errors, throttled requests and cache hits, the canary beside its baseline, and what refused requests.
///
/// It is a service that answers with one page, which needs nothing else: no file, no script from elsewhere. The page reads the address at which Prometheus scrapes the
/// [`Metrics`](crate::Metrics), once a second, and computes rates and percentiles in the browser; percentiles need histograms with buckets, and are no finer
/// than those: `Metrics::FINE_DURATION_BUCKETS` tell fast services apart.
/// It has no auth of its own: mount it where only operators come, with what it reads on the same origin.
///
/// ```
/// use axum::Router;
/// use portcullis_observe::LivePage;
///
/// let router: Router = Router::new().route_service("/live", LivePage::new("/metrics"));
/// ```
#[derive(Clone, Debug)]
pub struct LivePage {
    page: Bytes,
}

impl LivePage {
    /// A page that reads the metrics at `metrics`, as seen from the page: `/metrics`, or `metrics` beside it.
    #[must_use]
    pub fn new(metrics: &str) -> Self {
        Self::titled("Gateway, live", metrics)
    }

    /// The same with a title of its own.
    #[must_use]
    pub fn titled(title: &str, metrics: &str) -> Self {
        let (title, metrics) = (escape(title), escape(metrics));
        let mut page = String::with_capacity(PAGE.len() + 2 * title.len() + metrics.len());
        let mut rest = PAGE;
        while let Some((before, after)) = rest.split_once("{{") {
            page.push_str(before);
            let (name, after) = after.split_once("}}").unwrap_or((after, ""));
            page.push_str(if name == "title" { &title } else { &metrics });
            rest = after;
        }
        page.push_str(rest);
        Self { page: page.into() }
    }
}

const PAGE: &str = include_str!("page.html");

/// Nothing but what stands in the page, and the metrics.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    ),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(it),
        }
    }
    escaped
}

impl<B> Service<Request<B>> for LivePage {
    type Response = Response<portcullis_core::Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let body = match *request.method() {
            Method::GET => self.page.clone(),
            Method::HEAD => Bytes::new(),
            _ => {
                let mut response = Response::new(Bytes::new().into());
                *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
                let allowed = HeaderValue::from_static("GET, HEAD");
                response.headers_mut().insert(ALLOW, allowed);
                return ready(Ok(response));
            }
        };
        let mut response = Response::new(body.into());
        response.headers_mut().extend(HEADERS);
        ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use http::{Method, Request, StatusCode, header};
    use tower::ServiceExt;

    use super::LivePage;

    #[tokio::test]
    async fn the_page_is_whole_and_asks_nobody_else() {
        let page = LivePage::titled("<Pets>", "/metrics?a=\"b\"");
        let response = page.oneshot(Request::get("/live").body(()).expect("a request"));
        let response = response.await.expect("a page");
        let policy = &response.headers()[header::CONTENT_SECURITY_POLICY];
        assert!(
            policy
                .to_str()
                .is_ok_and(|it| it.starts_with("default-src 'none'"))
        );
        let text = response.body().as_bytes().expect("bytes");
        let text = std::str::from_utf8(text).expect("text");
        assert!(text.contains("<title>&lt;Pets&gt;</title>"));
        assert!(text.contains(r#"<meta name="metrics" content="/metrics?a=&quot;b&quot;">"#));
        assert!(!text.contains("{{"));
        for elsewhere in ["src=", "href=", "@import", "url("] {
            assert!(!text.contains(elsewhere), "{elsewhere}");
        }
    }

    #[tokio::test]
    async fn it_can_only_be_read() {
        let ask = async |method: Method| {
            let request = Request::builder().method(method).body(());
            let page = LivePage::new("/metrics");
            let response = page.oneshot(request.expect("a request")).await;
            response.expect("an answer")
        };
        let refused = ask(Method::POST).await;
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(refused.headers()[header::ALLOW], "GET, HEAD");
        let head = ask(Method::HEAD).await;
        assert_eq!(head.body().as_bytes().map(|body| body.len()), Some(0));
        assert_eq!(head.headers()[header::CACHE_CONTROL], "no-store");
    }
}
