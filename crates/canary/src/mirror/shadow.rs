//! The copy of a request, on its way beside the request itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, Request, Response, request};
use http_body_util::{BodyExt, Limited};
use portcullis_core::{Body, BoxError};
use tokio::sync::oneshot::Receiver;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower_service::Service;

use super::body::Answer;
use super::comparison::Comparison;
use super::report::Tally;

/// What copies have in common.
pub(super) struct Course {
    pub(super) tally: Arc<Tally>,
    pub(super) comparison: Comparison,
    /// How many may be sent at once.
    pub(super) running: Arc<Semaphore>,
    pub(super) timeout: Duration,
    pub(super) max_body: usize,
}

/// One copy.
pub(super) struct Shadow {
    pub(super) course: Arc<Course>,
    /// Held until the pair is compared: so many are under way, and no more.
    pub(super) place: OwnedSemaphorePermit,
    pub(super) head: request::Parts,
    pub(super) body: Receiver<Option<Bytes>>,
    pub(super) live: Receiver<Answer>,
    pub(super) at: SystemTime,
}

impl Shadow {
    /// Sends the copy when the request's body is there, and compares the answers when both are.
    pub(super) async fn run<C, B>(self, service: C)
    where
        C: Service<Request<Body>, Response = Response<B>>,
        B: http_body::Body,
        B::Error: Into<BoxError>,
    {
        let Self {
            course,
            place,
            head,
            body,
            live,
            at,
        } = self;
        let tally = &course.tally;
        let count = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        let Ok(Ok(Some(body))) = timeout(course.timeout, body).await else {
            return count(&tally.skipped);
        };
        let asked = (head.method.clone(), head.uri.path().to_owned());
        let request = Request::from_parts(head, Body::from(body));
        let Ok(running) = course.running.acquire().await else {
            return count(&tally.skipped);
        };
        let answered = timeout(course.timeout, ask(service, request, course.max_body)).await;
        drop(running);
        let Ok(Some(mirrored)) = answered else {
            return count(&tally.failed);
        };
        let Ok(Ok(live)) = timeout(course.timeout, live).await else {
            return count(&tally.skipped);
        };
        match course.comparison.compare(&live, &mirrored) {
            Ok(pair) => tally.note(asked, at, pair),
            Err(_) => count(&tally.skipped),
        }
        drop(place);
    }
}

/// The other version's answer; none if it fails or breaks off.
async fn ask<C, B>(mut service: C, request: Request<Body>, limit: usize) -> Option<Answer>
where
    C: Service<Request<Body>, Response = Response<B>>,
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    std::future::poll_fn(|cx| service.poll_ready(cx))
        .await
        .ok()?;
    let (head, body) = service.call(request).await.ok()?.into_parts();
    let body = match Limited::new(body, limit).collect().await {
        Ok(whole) => Some(whole.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => None,
        Err(_) => return None,
    };
    Some(Answer {
        status: head.status,
        headers: head.headers,
        body,
    })
}

/// Methods that change nothing, of which a copy does no harm.
pub(super) fn is_safe(method: &Method) -> bool {
    method.is_safe() && method != Method::TRACE
}
