//! A request on its way.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use pin_project_lite::pin_project;

use crate::body::{Outgoing, Slot};
use crate::connections::Open;
use crate::error::{ClientError, ClientErrorKind};
use crate::origin::{Origin, unsent};
use crate::response::ResponseBody;

/// What a connection of hyper's makes of a request.
pub(crate) type Sent = Result<Response<Incoming>, TrySendError<Request<Outgoing>>>;

pin_project! {
    /// The future of [`Client::send`](crate::Client::send).
    pub(crate) struct SendFuture<F> {
        #[pin]
        pub(crate) sending: Sending<F>,
        pub(crate) slot: Option<Slot>,
    }
}

pin_project! {
    /// The same without what the request's body says of its failure.
    ///
    /// Most requests find a connection that is free. Theirs is small and has no box: it lies in memory for as long as the
    /// endpoint takes, once for each request.
    #[project = SendingProjection]
    pub(crate) enum Sending<F> {
        Written {
            // hyper's own future, which has no name.
            #[pin] sent: F,
            sender: Option<http1::SendRequest<Outgoing>>,
            origin: Arc<Origin>,
        },
        Elsewise {
            future: Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, ClientError>> + Send>>,
        },
        Failed {
            error: Option<ClientError>,
        },
    }
}

impl<F> Sending<F> {
    pub(crate) fn elsewise(
        future: impl Future<Output = Result<Response<ResponseBody>, ClientError>> + Send + 'static,
    ) -> Self {
        Self::Elsewise {
            future: Box::pin(future),
        }
    }
}

impl<F: Future<Output = Sent>> Future for Sending<F> {
    type Output = Result<Response<ResponseBody>, ClientError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let next = match self.as_mut().project() {
                SendingProjection::Written {
                    sent,
                    sender,
                    origin,
                } => match ready!(sent.poll(cx)) {
                    Ok(response) => {
                        if let Some(sender) = sender.take() {
                            origin.release(Open::Http1(sender));
                        }
                        return Poll::Ready(Ok(response.map(ResponseBody::from)));
                    }
                    // The connection was closed just then.
                    Err(error) => {
                        let request = unsent(error, true)?;
                        Self::elsewise(Arc::clone(origin).send_on(None, request))
                    }
                },
                SendingProjection::Elsewise { future } => return future.as_mut().poll(cx),
                SendingProjection::Failed { error } => {
                    let error = error.take();
                    return Poll::Ready(Err(
                        error.expect("a future is not polled after it has completed")
                    ));
                }
            };
            self.set(next);
        }
    }
}

impl<F: Future<Output = Sent>> Future for SendFuture<F> {
    type Output = Result<Response<ResponseBody>, ClientError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let sent = ready!(this.sending.poll(cx));
        Poll::Ready(sent.map_err(|error| {
            // What the body says of its failure says more than what the connection says.
            match this.slot.as_ref().and_then(Slot::take) {
                Some(own) => ClientError::new(ClientErrorKind::RequestBody, own),
                None => error,
            }
        }))
    }
}
