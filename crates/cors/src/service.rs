//! The service: asks the rules, calls on, and decorates the answer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use portcullis_core::Live;
use tower_service::Service;

use crate::check::{Check, Later, PreflightAnswer};
use crate::grant::Grant;
use crate::rules::CorsRules;

/// The service of [`CorsLayer`](crate::CorsLayer). See the [crate docs](crate) for an example.
#[derive(Clone, Debug)]
pub struct Cors<S> {
    pub(crate) inner: S,
    pub(crate) rules: Live<CorsRules>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Cors<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = CorsFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // The snapshot ends with the decision, which holds what it needs.
        let check = self.rules.load().check(request.method(), request.headers());
        let state = match check {
            Check::Pass(grant) => State::Pass {
                inner: self.inner.call(request),
                grant: Some(grant),
            },
            Check::Answer(answer) => State::Answer {
                answer: Some(answer),
            },
            Check::PassLater(later) => State::PassLater {
                inner: self.inner.call(request),
                later,
                response: None,
                grant: None,
            },
            Check::AnswerLater(later) => State::AnswerLater { later },
        };
        CorsFuture { state }
    }
}

pin_project! {
    /// The future of [`Cors`]. It boxes nothing.
    #[derive(Debug)]
    pub struct CorsFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = StateProjection]
    enum State<F, B> {
        Pass {
            #[pin] inner: F,
            grant: Option<Grant>,
        },
        Answer {
            answer: Option<PreflightAnswer>,
        },
        // The service works while the predicate is asked; whichever is first waits here for the other.
        PassLater {
            #[pin] inner: F,
            later: Later<Grant>,
            response: Option<Response<B>>,
            grant: Option<Grant>,
        },
        AnswerLater {
            later: Later<PreflightAnswer>,
        },
    }
}

impl<F, B, E> Future for CorsFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match self.project().state.project() {
            StateProjection::Pass { inner, grant } => {
                let mut response = ready!(inner.poll(cx))?;
                if let Some(grant) = grant.take() {
                    grant.decorate(response.headers_mut());
                }
                response
            }
            StateProjection::Answer { answer } => answer
                .take()
                .expect("a future is not polled after it has completed")
                .into_response(),
            StateProjection::PassLater {
                inner,
                later,
                response,
                grant,
            } => {
                if response.is_none()
                    && let Poll::Ready(answered) = inner.poll(cx)?
                {
                    *response = Some(answered);
                }
                if grant.is_none()
                    && let Poll::Ready(decided) = Pin::new(later).poll(cx)
                {
                    *grant = Some(decided);
                }
                let (Some(_), Some(_)) = (&response, &grant) else {
                    return Poll::Pending;
                };
                let mut response = response.take().expect("it was there a line ago");
                if let Some(grant) = grant.take() {
                    grant.decorate(response.headers_mut());
                }
                response
            }
            StateProjection::AnswerLater { later } => {
                ready!(Pin::new(later).poll(cx)).into_response()
            }
        };
        Poll::Ready(Ok(response))
    }
}
