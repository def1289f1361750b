//! Signatures whose body is checked while it passes.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use portcullis_core::{
    BoxAsk, BoxError, Decision, Head, Mode, Rejection, RejectionKind, RequestContext, Verdict,
};
use tower_layer::Layer;
use tower_service::Service;

use super::layer::{Payload, SigV4Layer, as_it_came};
use super::verify::from_hex;

/// SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// As [`SigV4Layer`], but a body streams through: the signature is checked over the hash that the client names, and the hash over the body as it
/// passes. A body that turns out to be another ends in an error instead of its last part.
///
/// A client must name the hash: `x-amz-content-sha256`, signed. Many clients do so for S3 only; a request with a body and without
/// the hash is refused. The service behind sees a body before its hash is known, so it must not act on one that ends in an error. Made by
/// [`SigV4Layer::streaming`].
#[derive(Clone)]
#[must_use]
pub struct SigV4StreamLayer(SigV4Layer);

impl SigV4StreamLayer {
    pub(super) const fn new(layer: SigV4Layer) -> Self {
        Self(layer)
    }
}

impl fmt::Debug for SigV4StreamLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigV4StreamLayer").field(&self.0).finish()
    }
}

impl<S> Layer<S> for SigV4StreamLayer {
    type Service = SigV4Stream<S>;

    fn layer(&self, inner: S) -> SigV4Stream<S> {
        SigV4Stream {
            inner,
            layer: self.0.clone(),
        }
    }
}

/// The service of [`SigV4StreamLayer`].
#[derive(Clone, Debug)]
pub struct SigV4Stream<S> {
    inner: S,
    layer: SigV4Layer,
}

impl<S> SigV4Stream<S> {
    /// What to do with a request, and the hash that its body must have.
    fn check<B: Body>(&self, request: &Request<B>) -> (Verdict<BoxAsk>, Option<[u8; 32]>) {
        let shared = &self.layer.shared;
        let head = Head::of(request);
        let (signed, now) = (as_it_came(&head), shared.now());
        let signature = match shared.read(&signed, now) {
            Ok(signature) => signature,
            Err(rejection) => return (Verdict::Refuse(rejection), None),
        };
        let named = signature.named_payload_hash(&signed);
        let hash = match named {
            Some(hash) => hash,
            None if request.body().is_end_stream() || signature.is_unsigned_payload() => EMPTY,
            None => return (Verdict::Refuse(shared.word(hash_not_named())), None),
        };
        let expected = if signature.is_unsigned_payload() {
            None
        } else {
            from_hex(hash)
        };
        let payload = Payload { hash, bytes: None };
        let verdict = shared.decide(&head, &signed, signature, &payload, now);
        (verdict, expected)
    }
}

fn hash_not_named() -> Rejection {
    Rejection::new(RejectionKind::InvalidSignature)
        .with_message(
            "'X-Amz-Content-SHA256' must be a 'SignedHeader' and the SHA-256 of the body.",
        )
        .with_decision(Decision::new("auth", "sigv4/hash-not-named"))
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for SigV4Stream<S>
where
    // The clone is made only when a key has to be waited for.
    S: Service<Request<VerifiedBody<ReqBody>>, Response = Response<ResBody>> + Clone,
    ReqBody: Body<Data = Bytes>,
    ResBody: From<Bytes>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = SigV4StreamFuture<S, ReqBody, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        RequestContext::of(&mut request);
        let (verdict, expected) = self.check(&request);
        let refusal = match verdict {
            Verdict::Pass => Ok(expected),
            Verdict::Refuse(rejection) => settle(self.layer.shared.mode, rejection, &request),
            Verdict::Ask(ask) => {
                let clone = self.inner.clone();
                let inner = mem::replace(&mut self.inner, clone);
                return SigV4StreamFuture {
                    state: State::Wait {
                        wait: Box::new(Wait {
                            ask,
                            mode: self.layer.shared.mode,
                            expected,
                            call: Some((inner, request)),
                        }),
                    },
                };
            }
        };
        SigV4StreamFuture {
            state: match refusal {
                Ok(expected) => State::Inner {
                    future: self.inner.call(verified(request, expected)),
                },
                Err(rejection) => State::Reply {
                    response: Some(rejection.into_response()),
                },
            },
        }
    }
}

/// Carries a refusal out, or writes it down and lets the request pass with its body unchecked.
fn settle<B>(
    mode: Mode,
    rejection: Rejection,
    request: &Request<B>,
) -> Result<Option<[u8; 32]>, Rejection> {
    let context = request.extensions().get::<RequestContext>();
    if mode == Mode::Enforce {
        if let Some(context) = context {
            context.record_refusal(&rejection);
        }
        tracing::debug!(%rejection, "refused");
        return Err(rejection);
    }
    tracing::info!(%rejection, "would refuse");
    if let Some(context) = context {
        context.record_observed(rejection);
    }
    Ok(None)
}

fn verified<B>(request: Request<B>, expected: Option<[u8; 32]>) -> Request<VerifiedBody<B>> {
    request.map(|inner| VerifiedBody {
        inner,
        check: expected.map(|expected| Check {
            digest: digest::Context::new(&digest::SHA256),
            expected,
        }),
        held: None,
        ended: false,
    })
}

pin_project! {
    /// The future of [`SigV4Stream`].
    pub struct SigV4StreamFuture<S, ReqBody, ResBody>
    where
        S: Service<Request<VerifiedBody<ReqBody>>>,
    {
        #[pin]
        state: State<S, S::Future, ReqBody, ResBody>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, F, ReqBody, ResBody> {
        Inner { #[pin] future: F },
        Reply { response: Option<Response<ResBody>> },
        // Boxed, because a key that has to be waited for is slow anyway.
        Wait { wait: Box<Wait<S, ReqBody>> },
    }
}

struct Wait<S, ReqBody> {
    ask: BoxAsk,
    mode: Mode,
    expected: Option<[u8; 32]>,
    call: Option<(S, Request<ReqBody>)>,
}

impl<S, ReqBody, ResBody> Future for SigV4StreamFuture<S, ReqBody, ResBody>
where
    S: Service<Request<VerifiedBody<ReqBody>>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Inner { future } => return future.poll(cx),
                StateProjection::Reply { response } => {
                    return Poll::Ready(Ok(response
                        .take()
                        .expect("a future is not polled after it has completed")));
                }
                StateProjection::Wait { wait } => {
                    let answer = ready!(wait.ask.as_mut().poll(cx));
                    let (mut inner, request) = wait
                        .call
                        .take()
                        .expect("the call is taken once, when the answer is there");
                    let outcome = match answer {
                        Ok(()) => Ok(wait.expected),
                        Err(rejection) => settle(wait.mode, rejection, &request),
                    };
                    match outcome {
                        Ok(expected) => State::Inner {
                            future: inner.call(verified(request, expected)),
                        },
                        Err(rejection) => State::Reply {
                            response: Some(rejection.into_response()),
                        },
                    }
                }
            };
            state.set(next);
        }
    }
}

impl<S, ReqBody, ResBody> fmt::Debug for SigV4StreamFuture<S, ReqBody, ResBody>
where
    S: Service<Request<VerifiedBody<ReqBody>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Inner { .. } => "SigV4StreamFuture(inner)",
            State::Reply { .. } => "SigV4StreamFuture(reply)",
            State::Wait { .. } => "SigV4StreamFuture(wait)",
        })
    }
}

pin_project! {
    /// A request body whose hash is compared with the signed one when it ends.
    ///
    /// The last part is held back until then: a service that passes the body on cannot have passed on the whole of a wrong one.
    pub struct VerifiedBody<B> {
        #[pin]
        inner: B,
        check: Option<Check>,
        held: Option<Frame<Bytes>>,
        ended: bool,
    }
}

struct Check {
    digest: digest::Context,
    expected: [u8; 32],
}

/// A body that is not the one that was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PayloadMismatch;

impl fmt::Display for PayloadMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body is not the one that was signed")
    }
}

impl std::error::Error for PayloadMismatch {}

impl<B> Body for VerifiedBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        while !*this.ended {
            match ready!(this.inner.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Some(check) = this.check else {
                        return Poll::Ready(Some(Ok(frame)));
                    };
                    if let Some(data) = frame.data_ref() {
                        check.digest.update(data);
                    }
                    if let Some(before) = this.held.replace(frame) {
                        return Poll::Ready(Some(Ok(before)));
                    }
                }
                Some(Err(error)) => {
                    *this.ended = true;
                    *this.held = None;
                    return Poll::Ready(Some(Err(error.into())));
                }
                None => {
                    *this.ended = true;
                    if let Some(check) = this.check.take() {
                        let digest = check.digest.finish();
                        if verify_slices_are_equal(digest.as_ref(), &check.expected).is_err() {
                            *this.held = None;
                            tracing::warn!("a body is not the one that was signed");
                            return Poll::Ready(Some(Err(PayloadMismatch.into())));
                        }
                    }
                }
            }
        }
        Poll::Ready(this.held.take().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && (self.ended || (self.check.is_none() && self.inner.is_end_stream()))
    }

    fn size_hint(&self) -> SizeHint {
        let held = self
            .held
            .as_ref()
            .and_then(Frame::data_ref)
            .map_or(0, Bytes::len) as u64;
        let mut hint = self.inner.size_hint();
        if held > 0 {
            let upper = hint.upper();
            hint.set_lower(hint.lower().saturating_add(held));
            if let Some(upper) = upper {
                hint.set_upper(upper.saturating_add(held));
            }
        }
        hint
    }
}

impl<B> fmt::Debug for VerifiedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedBody")
            .field("checked", &self.check.is_some())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
