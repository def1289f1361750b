//! The service: begins an observation, and hands it on to the response's body.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::body::ObservedBody;
use crate::exchange::Outcome;
use crate::observation::{Observation, Shared};
use crate::observer::Observer;

/// The service of [`ObserveLayer`](crate::ObserveLayer). See the [crate docs](crate) for an example.
pub struct Observed<S, O> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared<O>>,
}

impl<S: Clone, O> Clone for Observed<S, O> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S: fmt::Debug, O: fmt::Debug> fmt::Debug for Observed<S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed")
            .field("inner", &self.inner)
            .field("observer", &self.shared.observer)
            .finish()
    }
}

impl<S, O, ReqBody, ResBody> Service<Request<ReqBody>> for Observed<S, O>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    O: Observer,
    ResBody: Body,
{
    type Response = Response<ObservedBody<ResBody, O>>;
    type Error = S::Error;
    type Future = ObservedFuture<S::Future, O>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let mut observation = Observation::begin(Arc::clone(&self.shared), &mut request);
        let inner = observation.work(|| self.inner.call(request));
        ObservedFuture {
            inner,
            observation: Some(observation),
        }
    }
}

pin_project! {
    /// The future of [`Observed`].
    pub struct ObservedFuture<F, O: Observer> {
        #[pin]
        inner: F,
        observation: Option<Observation<O>>,
    }
}

impl<F, O, B, E> Future for ObservedFuture<F, O>
where
    F: Future<Output = Result<Response<B>, E>>,
    O: Observer,
    B: Body,
{
    type Output = Result<Response<ObservedBody<B, O>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = match this.observation {
            Some(observation) => observation.work(|| this.inner.poll(cx)),
            None => this.inner.poll(cx),
        };
        let answered = ready!(polled);
        let mut observation = this.observation.take();
        Poll::Ready(match answered {
            Ok(mut response) => {
                if let Some(observation) = &mut observation {
                    observation.respond(&mut response);
                }
                Ok(response.map(|inner| ObservedBody::new(inner, observation)))
            }
            Err(error) => {
                if let Some(observation) = &mut observation {
                    observation.end(Outcome::Failed);
                }
                Err(error)
            }
        })
    }
}

impl<F, O: Observer> fmt::Debug for ObservedFuture<F, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ObservedFuture")
            .field(&self.observation)
            .finish()
    }
}
