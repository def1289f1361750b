//! Bodies that guards must see: read once, up to a limit, and handed on as they came.

use std::fmt;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{Request, header};
use http_body::Body;
use serde_json::Value;

use crate::body::BoxError;
use crate::decision::Decision;
use crate::guard::Head;
use crate::rejection::Rejection;
use crate::rejection_kind::RejectionKind;

/// The body of a request, read whole because a guard [must see it](crate::Guard::READS_BODY).
///
/// What stands behind the guards gets the same bytes. Guards that look at JSON share one parsed tree.
///
/// ```
/// use portcullis_core::RequestBody;
///
/// let body = RequestBody::new("{\"name\":\"Rex\"}".into());
/// assert_eq!(body.bytes().len(), 14);
/// assert_eq!(body.json().expect("it is JSON")["name"], "Rex");
/// ```
pub struct RequestBody {
    bytes: Bytes,
    json: OnceLock<Result<Value, serde_json::Error>>,
}

impl RequestBody {
    /// A body of these bytes.
    #[must_use]
    pub const fn new(bytes: Bytes) -> Self {
        Self {
            bytes,
            json: OnceLock::new(),
        }
    }

    /// Its bytes. A clone of them copies nothing.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes as JSON, nested at most 127 deep. They are parsed at the first call, and once.
    ///
    /// # Errors
    ///
    /// If they are not JSON. No bytes are not.
    pub fn json(&self) -> Result<&Value, &serde_json::Error> {
        self.json
            .get_or_init(|| serde_json::from_slice(&self.bytes))
            .as_ref()
    }
}

impl fmt::Debug for RequestBody {
    /// Leaves out the bytes, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestBody({} bytes)", self.bytes.len())
    }
}

/// How much of a request's body has been read for its guards.
#[derive(Default)]
pub(crate) enum Held {
    /// Nobody has asked for it.
    #[default]
    Nothing,
    /// The request has lost its first part already, so that it must be read to its end.
    Reading(Box<Reading>),
    /// It is here, and the request has the same bytes.
    Whole(Box<RequestBody>),
}

impl Held {
    /// The head of `request`, with the body if it is here.
    pub(crate) fn head<'a, B>(&'a self, request: &'a Request<B>) -> Head<'a> {
        let head = Head::of(request);
        match self {
            Self::Whole(body) => head.with_body(body),
            Self::Nothing | Self::Reading(_) => head,
        }
    }

    pub(crate) const fn is_reading(&self) -> bool {
        matches!(self, Self::Reading(_))
    }

    /// Sees to it that [`poll`](Self::poll) reads the body, up to `limit` bytes. A body that is
    /// known to be longer is refused before a byte of it is read, and stays whole.
    pub(crate) fn want<B: Body>(
        &mut self,
        request: &Request<B>,
        limit: u64,
    ) -> Result<(), Rejection> {
        let known = match self {
            Self::Nothing => known_length(request),
            Self::Reading(_) => return Ok(()),
            Self::Whole(body) => body.bytes.len() as u64,
        };
        if known > limit {
            return Err(Rejection::too_large(limit).with_decision(decision(limit, Some(known))));
        }
        if matches!(self, Self::Nothing) {
            *self = if request.body().is_end_stream() {
                Self::Whole(Box::new(RequestBody::new(Bytes::new())))
            } else {
                Self::Reading(Box::new(Reading::up_to(limit)))
            };
        }
        Ok(())
    }

    /// Waits for the rest of a body that is being read, and gives the request its bytes back.
    ///
    /// It fails if the body is longer than was allowed, or broken. Then nothing is left to hand on.
    pub(crate) fn poll<B>(
        &mut self,
        request: &mut Request<B>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Rejection>>
    where
        B: Body<Data = Bytes> + From<Bytes> + Unpin,
        B::Error: Into<BoxError>,
    {
        if let Self::Reading(reading) = self {
            let bytes = ready!(reading.poll(request.body_mut(), cx))?;
            *request.body_mut() = B::from(bytes.clone());
            *self = Self::Whole(Box::new(RequestBody::new(bytes)));
        }
        Poll::Ready(Ok(()))
    }
}

/// At least how long the body is, as far as that is known without reading it.
fn known_length<B: Body>(request: &Request<B>) -> u64 {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse().ok());
    request
        .body()
        .size_hint()
        .lower()
        .max(declared.unwrap_or_default())
}

/// A body that is being read.
pub(crate) struct Reading {
    limit: u64,
    /// A body that comes in one piece, as most do, is not copied.
    first: Bytes,
    more: BytesMut,
}

impl Reading {
    fn up_to(limit: u64) -> Self {
        Self {
            limit,
            first: Bytes::new(),
            more: BytesMut::new(),
        }
    }

    fn poll<B>(&mut self, body: &mut B, cx: &mut Context<'_>) -> Poll<Result<Bytes, Rejection>>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<BoxError>,
    {
        loop {
            match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                None => return Poll::Ready(Ok(self.take())),
                Some(Err(error)) => return Poll::Ready(Err(broken(&*error.into()))),
                Some(Ok(frame)) => {
                    // Trailers end here: a body that is handed on as bytes has none.
                    if let Ok(data) = frame.into_data() {
                        self.push(data)?;
                    }
                }
            }
        }
    }

    fn push(&mut self, data: Bytes) -> Result<(), Rejection> {
        let length = self.first.len().max(self.more.len()) + data.len();
        if length as u64 > self.limit {
            let decision = decision(self.limit, None);
            return Err(Rejection::too_large(self.limit).with_decision(decision));
        }
        if self.first.is_empty() {
            self.first = data;
        } else {
            if self.more.is_empty() {
                self.more.extend_from_slice(&self.first);
            }
            self.more.extend_from_slice(&data);
        }
        Ok(())
    }

    fn take(&mut self) -> Bytes {
        if self.more.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            std::mem::take(&mut self.more).freeze()
        }
    }
}

fn decision(limit: u64, length: Option<u64>) -> Decision {
    let decision = Decision::new("core", "body-limit").with("limit", limit);
    match length {
        Some(length) => decision.with("length", length),
        None => decision,
    }
}

/// A body that ends too early, or is not what its framing says, is the client's doing.
fn broken(error: &(dyn std::error::Error + 'static)) -> Rejection {
    let decision = Decision::new("core", "broken-body").with("error", error.to_string());
    Rejection::new(RejectionKind::MalformedRequest).with_decision(decision)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&'static str], limit: u64) -> Result<Bytes, Rejection> {
        let mut reading = Reading::up_to(limit);
        for chunk in chunks {
            reading.push(Bytes::from_static(chunk.as_bytes()))?;
        }
        Ok(reading.take())
    }

    #[test]
    fn a_body_in_one_piece_is_not_copied() {
        let piece = Bytes::from(vec![b'x'; 100]);
        let mut reading = Reading::up_to(100);
        reading.push(piece.clone()).expect("fits");
        assert_eq!(reading.take().as_ptr(), piece.as_ptr());
    }

    #[test]
    fn pieces_are_put_together_up_to_the_limit() {
        assert_eq!(read(&["ab", "", "c", "d"], 4).expect("fits"), "abcd");
        assert_eq!(read(&["", "abcd", ""], 4).expect("fits"), "abcd");
        assert_eq!(read(&[], 0).expect("nothing fits"), "");
        let refusal = read(&["ab", "cde"], 4).expect_err("one byte too many");
        assert_eq!(refusal.kind(), RejectionKind::RequestTooLarge);
        assert_eq!(
            refusal.message(),
            Some("HTTP content length exceeded 4 bytes.")
        );
    }

    #[test]
    fn no_bytes_are_no_json() {
        assert!(RequestBody::new(Bytes::new()).json().is_err());
        assert_eq!(
            *RequestBody::new("null".into()).json().expect("JSON"),
            Value::Null
        );
    }

    #[test]
    fn json_nested_too_deep_is_refused() {
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        assert!(RequestBody::new(deep.into()).json().is_err());
    }

    #[test]
    fn a_body_is_not_printed() {
        assert_eq!(
            format!("{:?}", RequestBody::new("secret".into())),
            "RequestBody(6 bytes)"
        );
    }
}
