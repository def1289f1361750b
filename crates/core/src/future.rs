//! The future of a service that either calls on or answers by itself.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use pin_project_lite::pin_project;

pin_project! {
    /// Either the future of the inner service or an answer that is ready.
    ///
    /// It adds no allocation and no box: a layer that refuses nothing costs what its inner service costs.
    #[derive(Debug)]
    pub struct ResponseFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = StateProjection]
    enum State<F, B> {
        Inner { #[pin] future: F },
        Reply { response: Option<Response<B>> },
    }
}

impl<F, B> ResponseFuture<F, B> {
    /// Waits for the inner service.
    #[must_use]
    pub const fn inner(future: F) -> Self {
        Self {
            state: State::Inner { future },
        }
    }

    /// Answers at once, without the inner service.
    #[must_use]
    pub const fn reply(response: Response<B>) -> Self {
        Self {
            state: State::Reply {
                response: Some(response),
            },
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Inner { future } => future.poll(cx),
            StateProjection::Reply { response } => Poll::Ready(Ok(response
                .take()
                .expect("a future is not polled after it has completed"))),
        }
    }
}
