//! Bodies on their way through: caps, deadlines, and reading whole ones.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use pin_project_lite::pin_project;
use portcullis_client::ResponseBody;
use portcullis_core::{Body, BoxError, RequestContext};
use tokio::time::{Instant, Sleep};

use crate::config::Settings;
use crate::failure::{Failure, limit_passed};

/// A body went over its cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge {
    pub(crate) limit: u64,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the body has more than {} bytes", self.limit)
    }
}

impl std::error::Error for TooLarge {}

/// Checks a body against its cap: refuses by its length if that is known, and has it cut as it passes if not.
pub(crate) fn cap(body: Body, limit: Option<u64>) -> Result<Body, TooLarge> {
    let Some(limit) = limit else {
        return Ok(body);
    };
    let hint = body.size_hint();
    if hint.lower() > limit {
        return Err(TooLarge { limit });
    }
    if hint.upper().is_some_and(|upper| upper <= limit) {
        return Ok(body);
    }
    Ok(Body::new(Capped {
        body,
        left: limit,
        limit,
    }))
}

/// A body of unknown length that is cut at its cap.
struct Capped {
    body: Body,
    left: u64,
    limit: u64,
}

impl HttpBody for Capped {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => {
                    return Poll::Ready(Some(Err(TooLarge { limit: self.limit }.into())));
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Waits for the first frame of a body whose length is not known, so that one with nothing in it is sent as such, and one that is
/// broken from the start is not sent at all.
pub(crate) async fn peek(mut body: Body) -> Result<Body, BoxError> {
    match body.frame().await {
        None => Ok(Body::empty()),
        Some(Err(error)) => Err(error),
        Some(Ok(first)) => Ok(Body::new(Peeked {
            first: Some(first),
            body,
        })),
    }
}

struct Peeked {
    first: Option<Frame<Bytes>>,
    body: Body,
}

impl HttpBody for Peeked {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => Pin::new(&mut self.body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.body.size_hint();
        let first = self.first.as_ref().and_then(Frame::data_ref);
        let first = first.map_or(0, Bytes::len) as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + first);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + first);
        }
        hint
    }
}

/// Reads a client's body whole.
pub(crate) async fn read_request(body: Body, limit: Option<u64>) -> Result<Bytes, Failure> {
    let body = cap(body, limit).map_err(|TooLarge { limit }| Failure::TooLarge { limit })?;
    read(body)
        .await
        .map_err(|error| match limit_passed(&*error) {
            Some(limit) => Failure::TooLarge { limit },
            None => Failure::BadRequest(format!("the body is broken: {error}")),
        })
}

/// Reads a client's body whole, within the integration's timeout: a client that sends slowly holds nothing for long.
pub(crate) async fn read_in_time(body: Body, settings: &Settings) -> Result<Bytes, Failure> {
    let read = read_request(body, settings.max_request);
    tokio::time::timeout(settings.timeout, read)
        .await
        .unwrap_or_else(|_| {
            let cause = "the body did not come in time".to_owned();
            Err(Failure::BadRequest(cause))
        })
}

/// Reads an answer whole.
pub(crate) async fn read_answer(body: Body, limit: Option<u64>) -> Result<Bytes, Failure> {
    let body = cap(body, limit).map_err(|TooLarge { limit }| Failure::AnswerTooLarge { limit })?;
    read(body)
        .await
        .map_err(|error| match limit_passed(&*error) {
            Some(limit) => Failure::AnswerTooLarge { limit },
            None => Failure::BadReply(format!("the answer is broken: {error}")),
        })
}

/// Reads an HTTP endpoint's answer whole.
pub(crate) async fn read_reply(body: Body, limit: Option<u64>) -> Result<Bytes, Failure> {
    let body = cap(body, limit).map_err(|TooLarge { limit }| Failure::AnswerTooLarge { limit })?;
    read(body).await.map_err(|error| {
        if error.is::<Late>() {
            return Failure::Timeout;
        }
        match limit_passed(&*error) {
            Some(limit) => Failure::AnswerTooLarge { limit },
            None => Failure::BrokenAnswer(error.to_string()),
        }
    })
}

async fn read(mut body: Body) -> Result<Bytes, BoxError> {
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if more.is_empty() && first.is_empty() {
            first = data;
        } else {
            if more.is_empty() {
                more.extend_from_slice(&first);
            }
            more.extend_from_slice(&data);
        }
    }
    Ok(if more.is_empty() {
        first
    } else {
        more.freeze()
    })
}

pin_project! {
    /// An endpoint's answer as it streams to the client: cut at its cap, and at the integration's deadline.
    pub(crate) struct Answer {
        body: ResponseBody,
        left: u64,
        limit: u64,
        deadline: Option<Instant>,
        #[pin]
        sleep: Option<Sleep>,
    }
}

/// The endpoint did not finish its answer in time.
#[derive(Debug)]
struct Late;

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the endpoint did not finish its answer in time")
    }
}

impl std::error::Error for Late {}

/// The body of an answer, with what bounds it, and written down where somebody asks for that. A body whose end is known already needs nothing.
pub(crate) fn answer(
    body: ResponseBody,
    limit: Option<u64>,
    deadline: Option<Instant>,
    context: &RequestContext,
) -> Result<Body, Failure> {
    let hint = body.size_hint();
    let limit = limit.unwrap_or(u64::MAX);
    if hint.lower() > limit {
        return Err(Failure::AnswerTooLarge { limit });
    }
    if body.is_end_stream() {
        return Ok(Body::empty());
    }
    let body = Body::new(Answer {
        body,
        left: limit,
        limit,
        deadline,
        sleep: None,
    });
    Ok(match context.call_record() {
        Some(record) => record.response_body().of(body),
        None => body,
    })
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let Poll::Ready(frame) = Pin::new(&mut *this.body).poll_frame(cx) else {
            // The timer is only made for an answer that has to be waited for.
            if let Some(deadline) = *this.deadline {
                if this.sleep.is_none() {
                    this.sleep.set(Some(tokio::time::sleep_until(deadline)));
                }
                if let Some(sleep) = this.sleep.as_pin_mut() {
                    ready!(sleep.poll(cx));
                    return Poll::Ready(Some(Err(Late.into())));
                }
            }
            return Poll::Pending;
        };
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                match this.left.checked_sub(length) {
                    Some(left) => {
                        *this.left = left;
                        Some(Ok(frame))
                    }
                    None => Some(Err(TooLarge { limit: *this.limit }.into())),
                }
            }
            Some(Err(error)) => Some(Err(error)),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::StreamBody;

    use super::*;

    fn chunks(chunks: &'static [&'static str]) -> Body {
        let frames = stream::iter(chunks).map(|chunk| {
            if *chunk == "broken" {
                Err("broken".into())
            } else {
                Ok::<_, BoxError>(Frame::data(Bytes::from_static(chunk.as_bytes())))
            }
        });
        Body::new(StreamBody::new(frames))
    }

    #[tokio::test]
    async fn a_body_of_known_length_is_judged_by_it() {
        assert_eq!(
            cap(Body::from("1234"), Some(3)).err(),
            Some(TooLarge { limit: 3 })
        );
        let body = cap(Body::from("123"), Some(3)).expect("fits");
        assert_eq!(body.as_bytes(), Some(&b"123"[..]), "and is not wrapped");
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_is_cut_at_its_cap() {
        let read = read_request(chunks(&["12", "3", "4"]), Some(3)).await;
        assert!(matches!(read, Err(Failure::TooLarge { limit: 3 })));
        let read = read_request(chunks(&["12", "3"]), Some(3)).await;
        assert_eq!(read.expect("fits"), "123");
    }

    #[tokio::test]
    async fn a_broken_body_is_the_clients() {
        let read = read_request(chunks(&["12", "broken"]), None).await;
        assert!(matches!(read, Err(Failure::BadRequest(_))));
        assert!(peek(chunks(&["broken"])).await.is_err());
    }

    #[tokio::test]
    async fn a_peeked_body_is_whole() {
        let body = peek(chunks(&["12", "3"])).await.expect("not broken");
        assert_eq!(read(body).await.expect("not broken"), "123");
        let body = peek(chunks(&[])).await.expect("not broken");
        assert_eq!(body.size_hint().exact(), Some(0));
    }
}
