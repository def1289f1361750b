//! Who is told of requests.

use std::sync::Arc;

use http::{Request, Response};
use portcullis_core::RequestContext;

use crate::exchange::Exchange;

/// Who is told of each request, of its response, and of its end. See the [crate docs](crate) for an example.
///
/// All methods are called in the way of the request: they must not block. A pair of observers is one, and so is one that may be absent.
pub trait Observer: Send + Sync + 'static {
    /// What the observer keeps of one request while it is served.
    type Watch: Send + 'static;

    /// A request has come. What it changes of the request, inner layers see.
    fn begin<B>(&self, request: &mut Request<B>, context: &RequestContext) -> Self::Watch;

    /// The service has answered, and the head of its response is about to go out.
    fn respond<B>(
        &self,
        watch: &mut Self::Watch,
        context: &RequestContext,
        response: &mut Response<B>,
    ) {
        let _ = (watch, context, response);
    }

    /// Does a piece of the request's work: a call or a poll of the service, or of the response's body. A span is entered here.
    fn work<T>(&self, watch: &mut Self::Watch, work: impl FnOnce() -> T) -> T {
        let _ = watch;
        work()
    }

    /// The request has ended. This is called once, also for one that was cancelled. Status, length and latency are in its context.
    fn end(&self, watch: Self::Watch, exchange: &Exchange<'_>);
}

/// Both are told, the first one first, and last of the end.
impl<A: Observer, B: Observer> Observer for (A, B) {
    type Watch = (A::Watch, B::Watch);

    fn begin<T>(&self, request: &mut Request<T>, context: &RequestContext) -> Self::Watch {
        let first = self.0.begin(request, context);
        (first, self.1.begin(request, context))
    }

    fn respond<T>(
        &self,
        watch: &mut Self::Watch,
        context: &RequestContext,
        response: &mut Response<T>,
    ) {
        self.1.respond(&mut watch.1, context, response);
        self.0.respond(&mut watch.0, context, response);
    }

    fn work<T>(&self, watch: &mut Self::Watch, work: impl FnOnce() -> T) -> T {
        let (first, second) = watch;
        self.0.work(first, || self.1.work(second, work))
    }

    fn end(&self, watch: Self::Watch, exchange: &Exchange<'_>) {
        self.1.end(watch.1, exchange);
        self.0.end(watch.0, exchange);
    }
}

/// Nobody is told by `None`.
impl<A: Observer> Observer for Option<A> {
    type Watch = Option<A::Watch>;

    fn begin<T>(&self, request: &mut Request<T>, context: &RequestContext) -> Self::Watch {
        self.as_ref()
            .map(|observer| observer.begin(request, context))
    }

    fn respond<T>(
        &self,
        watch: &mut Self::Watch,
        context: &RequestContext,
        response: &mut Response<T>,
    ) {
        if let (Some(observer), Some(watch)) = (self, watch) {
            observer.respond(watch, context, response);
        }
    }

    fn work<T>(&self, watch: &mut Self::Watch, work: impl FnOnce() -> T) -> T {
        match (self, watch) {
            (Some(observer), Some(watch)) => observer.work(watch, work),
            _ => work(),
        }
    }

    fn end(&self, watch: Self::Watch, exchange: &Exchange<'_>) {
        if let (Some(observer), Some(watch)) = (self, watch) {
            observer.end(watch, exchange);
        }
    }
}

impl<A: Observer> Observer for Arc<A> {
    type Watch = A::Watch;

    fn begin<T>(&self, request: &mut Request<T>, context: &RequestContext) -> Self::Watch {
        A::begin(self, request, context)
    }

    fn respond<T>(
        &self,
        watch: &mut Self::Watch,
        context: &RequestContext,
        response: &mut Response<T>,
    ) {
        A::respond(self, watch, context, response);
    }

    fn work<T>(&self, watch: &mut Self::Watch, work: impl FnOnce() -> T) -> T {
        A::work(self, watch, work)
    }

    fn end(&self, watch: Self::Watch, exchange: &Exchange<'_>) {
        A::end(self, watch, exchange);
    }
}
