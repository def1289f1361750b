//! The service: looks into the cache, and calls on where that has nothing.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use portcullis_core::{BoxError, CacheStatus};
use tower_service::Service;

use crate::body::CacheBody;
use crate::fill::Lead;
use crate::layer::Shared;
use crate::look::{Look, look, note};
use crate::rules::{self, Asked, RulesAdmit, Wish};

/// The service of [`CacheLayer`](crate::CacheLayer). See the [crate docs](crate) for an example.
#[derive(Clone, Debug)]
pub struct Cached<S> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Cached<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    ReqBody: Send + 'static,
    ResBody: http_body::Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Response = Response<CacheBody<ResBody>>;
    type Error = S::Error;
    type Future = CacheFuture<S::Future, ResBody, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let Shared { cache, rules } = &*self.shared;
        let rules = rules.load();
        let asked = Asked::of(&request);
        let state = match rules.serve(&asked) {
            rules::Service::Look(key) => match look(cache, &asked, key) {
                Look::Hit(entry) => State::Reply {
                    response: Some(entry.to_response()),
                },
                Look::Fetch(landing) => {
                    let admit = RulesAdmit {
                        rules: Arc::clone(&rules),
                        wish: Wish::of(&asked),
                    };
                    State::Lead {
                        lead: Lead::new(self.inner.call(request), admit, landing),
                    }
                }
                Look::Slow(search) => {
                    let wish = Wish::of(&asked);
                    // It becomes ready when it is needed, if it is.
                    let mut inner = self.inner.clone();
                    let call = async move {
                        poll_fn(|cx| inner.poll_ready(cx)).await?;
                        Ok(inner.call(request))
                    };
                    State::Slow {
                        search: Box::pin(search.serve(Arc::clone(&rules), wish, call)),
                    }
                }
            },
            rules::Service::Pass => State::Pass {
                inner: self.inner.call(request),
            },
            rules::Service::Bypass => {
                note(cache, asked.context, CacheStatus::Bypass);
                State::Pass {
                    inner: self.inner.call(request),
                }
            }
        };
        CacheFuture { state }
    }
}

pin_project! {
    /// The future of [`Cached`]. A hit in memory and what passes box nothing.
    pub struct CacheFuture<F, B, E> {
        #[pin]
        state: State<F, B, E>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B, E> {
        Reply { response: Option<Response<CacheBody<B>>> },
        Pass { #[pin] inner: F },
        Lead { lead: Lead<F, RulesAdmit> },
        Slow { search: Slow<B, E> },
    }
}

type Slow<B, E> = Pin<Box<dyn Future<Output = Result<Response<CacheBody<B>>, E>> + Send>>;

impl<F, B, E> Future for CacheFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<CacheBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Reply { response } => Poll::Ready(Ok(response
                .take()
                .expect("a future is not polled after it has completed"))),
            StateProjection::Pass { inner } => {
                let response = ready!(inner.poll(cx))?;
                Poll::Ready(Ok(response.map(CacheBody::inner)))
            }
            StateProjection::Lead { lead } => Pin::new(lead).poll(cx),
            StateProjection::Slow { search } => search.as_mut().poll(cx),
        }
    }
}

impl<F, B, E> fmt::Debug for CacheFuture<F, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Reply { .. } => "CacheFuture(reply)",
            State::Pass { .. } => "CacheFuture(pass)",
            State::Lead { .. } => "CacheFuture(lead)",
            State::Slow { .. } => "CacheFuture(slow)",
        })
    }
}
