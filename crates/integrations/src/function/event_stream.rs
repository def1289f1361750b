//! The frames in which AWS Lambda streams what a function writes (`application/vnd.amazon.eventstream`).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body, Frame};
use portcullis_client::ResponseBody;
use portcullis_core::BoxError;
use serde::Deserialize;

/// The largest frame that a stream of events may have: 24 MiB, says its specification.
const MAX_FRAME: usize = 24 * 1024 * 1024;

/// What a function writes, out of the frames that it comes in.
pub(super) struct EventStream<B = ResponseBody> {
    body: B,
    decoder: MessageFrameDecoder,
    buffer: BytesMut,
    ended: bool,
}

/// What a frame says.
enum Said {
    Chunk(Bytes),
    Complete,
    Nothing,
}

impl<B> EventStream<B> {
    pub(super) fn new(body: B) -> Self {
        Self {
            body,
            decoder: MessageFrameDecoder::new(),
            buffer: BytesMut::new(),
            ended: false,
        }
    }

    fn next(&mut self) -> Result<Option<Said>, BoxError> {
        let frame = self.decoder.decode_frame(&mut self.buffer)?;
        let DecodedFrame::Complete(message) = frame else {
            if self.buffer.len() > MAX_FRAME {
                return Err("a frame of the stream is too large".into());
            }
            return Ok(None);
        };
        let header = |name: &str| {
            let header = message
                .headers()
                .iter()
                .find(|it| it.name().as_str() == name);
            header.and_then(|header| header.value().as_string().ok())
        };
        if header(":message-type").is_some_and(|kind| kind.as_str() != "event") {
            let kind = header(":exception-type").or_else(|| header(":error-code"));
            let kind = kind.map_or("an error", |kind| kind.as_str());
            return Err(format!("the stream ended with {kind}").into());
        }
        match header(":event-type").map(|kind| kind.as_str()) {
            Some("PayloadChunk") => Ok(Some(Said::Chunk(message.payload().clone()))),
            Some("InvokeComplete") => {
                let outcome: Outcome =
                    serde_json::from_slice(message.payload()).unwrap_or_default();
                match outcome.error_code {
                    Some(code) => Err(format!("the function failed ({code})").into()),
                    None => Ok(Some(Said::Complete)),
                }
            }
            _ => Ok(Some(Said::Nothing)),
        }
    }
}

/// How an invocation ended.
#[derive(Default, Deserialize)]
struct Outcome {
    #[serde(rename = "ErrorCode")]
    error_code: Option<String>,
}

impl<B> Body for EventStream<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            if this.ended {
                return Poll::Ready(None);
            }
            match this.next() {
                Ok(Some(Said::Chunk(chunk))) if !chunk.is_empty() => {
                    return Poll::Ready(Some(Ok(Frame::data(chunk))));
                }
                Ok(Some(Said::Complete)) => {
                    this.ended = true;
                    return Poll::Ready(None);
                }
                Ok(Some(Said::Chunk(_) | Said::Nothing)) => continue,
                Ok(None) => {}
                Err(error) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(mut data) = frame.into_data() {
                        while data.has_remaining() {
                            let chunk = data.chunk();
                            this.buffer.extend_from_slice(chunk);
                            let length = chunk.len();
                            data.advance(length);
                        }
                    }
                }
                Some(Err(error)) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error.into())));
                }
                None => {
                    this.ended = true;
                    let error = "the stream broke off before the function had ended";
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
