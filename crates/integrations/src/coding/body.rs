//! Bodies that are compressed as they pass.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http_body::{Body as HttpBody, Frame};
use portcullis_core::{Body, BoxError};

use super::ContentCoding;

/// How much is compressed before others may run.
const PIECE: usize = 64 << 10;

/// The whole body, compressed.
pub(super) fn compress(body: &[u8], coding: ContentCoding) -> Vec<u8> {
    let mut encoder = Encoder::new(coding);
    // A vector takes all that is written to it.
    let _ = encoder.write(body);
    encoder.finish().unwrap_or_default()
}

/// A body that is compressed as it passes.
pub(super) struct Compressed {
    body: Body,
    /// Until the body has ended.
    encoder: Option<Encoder>,
    /// What has come and is not compressed yet.
    waiting: Bytes,
    /// Whether the encoder holds something back.
    holds: bool,
    trailers: Option<Frame<Bytes>>,
}

impl Compressed {
    pub(super) fn new(body: Body, coding: ContentCoding) -> Self {
        Self {
            body,
            encoder: Some(Encoder::new(coding)),
            waiting: Bytes::new(),
            holds: false,
            trailers: None,
        }
    }

    /// Ends the compressed body.
    fn end(&mut self) -> Option<Result<Frame<Bytes>, BoxError>> {
        let rest = self.encoder.take()?.finish();
        match rest {
            Ok(rest) if rest.is_empty() => self.trailers.take().map(Ok),
            Ok(rest) => Some(Ok(Frame::data(rest.into()))),
            Err(error) => Some(Err(error.into())),
        }
    }
}

impl HttpBody for Compressed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            let Some(encoder) = &mut this.encoder else {
                return Poll::Ready(this.trailers.take().map(Ok));
            };
            if !this.waiting.is_empty() {
                let length = this.waiting.len().min(PIECE);
                let written = encoder.write(&this.waiting.split_to(length));
                this.holds = true;
                match written.map(|()| encoder.take()) {
                    Ok(out) if out.is_empty() => continue,
                    Ok(out) => return Poll::Ready(Some(Ok(Frame::data(out.into())))),
                    Err(error) => return Poll::Ready(Some(Err(error.into()))),
                }
            }
            match Pin::new(&mut this.body).poll_frame(cx) {
                // What has come is not kept back while nothing more comes.
                Poll::Pending if this.holds => {
                    this.holds = false;
                    let flushed = encoder.flush();
                    return match flushed.map(|()| encoder.take()) {
                        Ok(out) if out.is_empty() => Poll::Pending,
                        Ok(out) => Poll::Ready(Some(Ok(Frame::data(out.into())))),
                        Err(error) => Poll::Ready(Some(Err(error.into()))),
                    };
                }
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(this.end()),
                Poll::Ready(Some(Err(error))) => {
                    this.encoder = None;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => this.waiting = data,
                    Err(trailers) => {
                        this.trailers = Some(trailers);
                        return Poll::Ready(this.end());
                    }
                },
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.encoder.is_none() && self.trailers.is_none()
    }
}

enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
}

impl Encoder {
    fn new(coding: ContentCoding) -> Self {
        let level = Compression::default();
        match coding {
            ContentCoding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), level)),
            ContentCoding::Deflate => Self::Deflate(ZlibEncoder::new(Vec::new(), level)),
        }
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(data),
            Self::Deflate(encoder) => encoder.write_all(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.flush(),
            Self::Deflate(encoder) => encoder.flush(),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Deflate(encoder) => encoder.finish(),
        }
    }

    /// What has come out so far.
    fn take(&mut self) -> Vec<u8> {
        let out = match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Deflate(encoder) => encoder.get_mut(),
        };
        std::mem::take(out)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::{GzDecoder, ZlibDecoder};
    use futures_util::stream;
    use http::{HeaderMap, HeaderValue};
    use http_body_util::{BodyExt, StreamBody};
    use proptest::prelude::*;

    use super::*;

    fn inflate(body: &[u8], coding: ContentCoding) -> Vec<u8> {
        let mut out = Vec::new();
        match coding {
            ContentCoding::Gzip => GzDecoder::new(body).read_to_end(&mut out),
            ContentCoding::Deflate => ZlibDecoder::new(body).read_to_end(&mut out),
        }
        .expect("it was compressed so");
        out
    }

    fn streamed(frames: Vec<Result<Frame<Bytes>, BoxError>>) -> Body {
        Body::new(StreamBody::new(stream::iter(frames)))
    }

    proptest! {
        #[test]
        fn what_is_compressed_can_be_read_again(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 0..5),
            gzip in any::<bool>(),
        ) {
            let coding = if gzip { ContentCoding::Gzip } else { ContentCoding::Deflate };
            let whole = chunks.concat();
            prop_assert_eq!(&inflate(&compress(&whole, coding), coding), &whole);
            let frames = chunks.into_iter().map(|chunk| Ok(Frame::data(Bytes::from(chunk))));
            let body = Compressed::new(streamed(frames.collect()), coding);
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let got = runtime.block_on(body.collect()).expect("not broken").to_bytes();
            prop_assert_eq!(inflate(&got, coding), whole);
        }
    }

    #[tokio::test]
    async fn trailers_come_behind_the_compressed_body() {
        let trailers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-checksum"),
            HeaderValue::from_static("1"),
        )]);
        let frames = vec![
            Ok(Frame::data(Bytes::from_static(b"abc"))),
            Ok(Frame::trailers(trailers.clone())),
        ];
        let body = Compressed::new(streamed(frames), ContentCoding::Gzip);
        let collected = body.collect().await.expect("not broken");
        assert_eq!(collected.trailers(), Some(&trailers));
        assert_eq!(inflate(&collected.to_bytes(), ContentCoding::Gzip), b"abc");
    }

    #[tokio::test]
    async fn what_has_come_is_sent_before_a_pause() {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let events = stream::unfold(receiver, |mut receiver| async {
            let next: Bytes = receiver.recv().await?;
            Some((Ok::<_, BoxError>(Frame::data(next)), receiver))
        });
        let mut body = Compressed::new(
            Body::new(StreamBody::new(Box::pin(events))),
            ContentCoding::Gzip,
        );
        sender
            .send(Bytes::from_static(b"first event"))
            .expect("it is received");
        let mut got = Vec::new();
        // As many frames as it takes until it waits.
        while let Some(frame) = futures_util::FutureExt::now_or_never(body.frame()) {
            let data = frame.expect("not at its end").expect("not broken");
            got.extend_from_slice(&data.into_data().expect("data"));
        }
        let mut first = [0; 11];
        GzDecoder::new(&*got)
            .read_exact(&mut first)
            .expect("all of it has come");
        assert_eq!(&first, b"first event");
    }

    #[tokio::test]
    async fn a_broken_body_is_broken_off() {
        let frames = vec![
            Ok(Frame::data(Bytes::from_static(b"abc"))),
            Err("broken".into()),
        ];
        let body = Compressed::new(streamed(frames), ContentCoding::Gzip);
        assert!(body.collect().await.is_err());
    }
}
