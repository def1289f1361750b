//! What a function that streams writes: what the response is to be like as JSON, eight zeros, and then the response itself.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body::Frame;
use http_body_util::BodyExt;
use pin_project_lite::pin_project;
use portcullis_core::{Body, BoxError};
use tokio::time::Sleep;

use super::reply::{Malformed, head_of_stream};

/// What stands between the two.
const DELIMITER: [u8; 8] = [0; 8];

/// So much may come before the delimiter.
const MAX_HEAD: usize = 16 * 1024;

/// A response may pause for so long. (An edge-optimised API of the service allows 30 s.)
const MAX_PAUSE: Duration = Duration::from_secs(300);

/// Reads up to the delimiter and makes a response of it whose body is what follows.
pub(super) async fn response(mut body: Body) -> Result<Response<Body>, Malformed> {
    let mut head = BytesMut::new();
    let mut searched = 0_usize;
    let end = loop {
        let from = searched.saturating_sub(DELIMITER.len() - 1);
        let found = head[from..]
            .windows(DELIMITER.len())
            .position(|window| window == DELIMITER);
        if let Some(at) = found {
            break from + at;
        }
        if head.len() > MAX_HEAD {
            return Err(format!("no delimiter in the first {MAX_HEAD} bytes"));
        }
        searched = head.len();
        match body.frame().await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    head.extend_from_slice(&data);
                }
            }
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err("it ended without a delimiter".to_owned()),
        }
    };
    let mut first = head.split_off(end).freeze();
    let first = first.split_off(DELIMITER.len());
    let response = head_of_stream(&head)?;
    Ok(response.map(|()| {
        Body::new(Paced {
            first: Some(first).filter(|first| !first.is_empty()),
            body,
            sleep: None,
        })
    }))
}

pin_project! {
    /// What a function writes, as long as it does not pause for too long.
    struct Paced {
        first: Option<Bytes>,
        body: Body,
        #[pin]
        sleep: Option<Sleep>,
    }
}

#[derive(Debug)]
struct Paused;

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the function wrote nothing for {} s",
            MAX_PAUSE.as_secs()
        )
    }
}

impl std::error::Error for Paused {}

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if let Poll::Ready(frame) = Pin::new(this.body).poll_frame(cx) {
            this.sleep.set(None);
            return Poll::Ready(frame);
        }
        if this.sleep.is_none() {
            this.sleep.set(Some(tokio::time::sleep(MAX_PAUSE)));
        }
        if let Some(sleep) = this.sleep.as_pin_mut() {
            ready!(sleep.poll(cx));
            return Poll::Ready(Some(Err(Paused.into())));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::StreamBody;

    use super::*;

    fn body(chunks: &'static [&'static [u8]]) -> Body {
        let frames = stream::iter(chunks);
        Body::new(StreamBody::new(frames.map(|chunk| {
            Ok::<_, BoxError>(Frame::data(Bytes::from_static(chunk)))
        })))
    }

    async fn read(chunks: &'static [&'static [u8]]) -> Result<(u16, Bytes), Malformed> {
        let response = response(body(chunks)).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("not broken");
        Ok((status, body.to_bytes()))
    }

    #[tokio::test]
    async fn what_follows_the_delimiter_is_the_body_however_it_is_cut() {
        let whole: &[&[u8]] = &[b"{\"statusCode\":201}\0\0\0\0\0\0\0\0made"];
        let cut: &[&[u8]] = &[
            b"{\"statusCode\"",
            b":201}\0\0\0",
            b"\0\0\0\0",
            b"\0ma",
            b"de",
        ];
        for chunks in [whole, cut] {
            assert_eq!(read(chunks).await, Ok((201, Bytes::from_static(b"made"))));
        }
        assert_eq!(
            read(&[b"{}\0\0\0\0\0\0\0\0"]).await,
            Ok((200, Bytes::new()))
        );
    }

    #[tokio::test]
    async fn without_a_head_or_a_delimiter_it_is_malformed() {
        assert!(
            read(&[b"{\"statusCode\":200,\"body\":\"x\"}"])
                .await
                .is_err()
        );
        assert!(read(&[b"none\0\0\0\0\0\0\0\0x"]).await.is_err());
        assert!(read(&[b"\0\0\0\0\0\0\0\0x"]).await.is_err());
        let long = Body::from(vec![b' '; MAX_HEAD + 1]);
        let message = response(long).await.expect_err("too long");
        assert!(message.contains("no delimiter"), "{message}");
    }
}
