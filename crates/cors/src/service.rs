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
        // Each future is built where it is returned, to be moved no further.
        match check {
            Check::Pass(grant) => CorsFuture {
                state: State::Pass {
                    inner: self.inner.call(request),
                    grant: Some(grant),
                },
            },
            Check::Answer(answer) => CorsFuture {
                state: State::Answer {
                    answer: Some(answer),
                },
            },
            Check::PassLater(later) => CorsFuture {
                state: State::PassLater {
                    inner: self.inner.call(request),
                    wait: Box::new(Wait {
                        later,
                        response: None,
                        grant: None,
                    }),
                },
            },
            Check::AnswerLater(later) => CorsFuture {
                state: State::AnswerLater { later },
            },
        }
    }
}

pin_project! {
    /// The future of [`Cors`]. It boxes nothing, unless an asynchronous predicate is asked.
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
        // Boxed, so that the futures of all other requests are no larger for it.
        PassLater {
            #[pin] inner: F,
            wait: Box<Wait<B>>,
        },
        AnswerLater {
            later: Later<PreflightAnswer>,
        },
    }
}

/// The service works while the predicate is asked; whichever is first waits here for the other.
#[derive(Debug)]
struct Wait<B> {
    later: Later<Grant>,
    response: Option<Response<B>>,
    grant: Option<Grant>,
}

impl<F, B, E> Future for CorsFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Pass { inner, grant } => {
                // Decorated where it is: to move it out and in again costs as much as a header.
                let mut polled = inner.poll(cx);
                if let Poll::Ready(Ok(response)) = &mut polled
                    && let Some(grant) = grant.take()
                {
                    grant.decorate(response.headers_mut());
                }
                polled
            }
            StateProjection::Answer { answer } => Poll::Ready(Ok(answer
                .take()
                .expect("a future is not polled after it has completed")
                .into_response())),
            StateProjection::PassLater { inner, wait } => {
                if wait.response.is_none()
                    && let Poll::Ready(answered) = inner.poll(cx)?
                {
                    wait.response = Some(answered);
                }
                if wait.grant.is_none()
                    && let Poll::Ready(decided) = Pin::new(&mut wait.later).poll(cx)
                {
                    wait.grant = Some(decided);
                }
                let (Some(_), Some(_)) = (&wait.response, &wait.grant) else {
                    return Poll::Pending;
                };
                let mut response = wait.response.take().expect("it was there a line ago");
                if let Some(grant) = wait.grant.take() {
                    grant.decorate(response.headers_mut());
                }
                Poll::Ready(Ok(response))
            }
            StateProjection::AnswerLater { later } => {
                Poll::Ready(Ok(ready!(Pin::new(later).poll(cx)).into_response()))
            }
        }
    }
}
