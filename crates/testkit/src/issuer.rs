//! An issuer of tokens, as it should be and as it should not.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::server::HyperServer;
use crate::signer::Signer;

/// An issuer on loopback that goes by any name. It counts what it is asked.
///
/// Whoever asks it must send what is meant for its name to [`url`](Self::url).
#[derive(Debug)]
pub struct MockIssuer {
    server: HyperServer,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    name: String,
    inner: Mutex<Inner>,
    discovery: AtomicU64,
    keys: AtomicU64,
    sent: AtomicU64,
}

#[derive(Debug)]
struct Inner {
    keys: Vec<Value>,
    conduct: Conduct,
    headers: Vec<(&'static str, String)>,
}

/// How an issuer answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Conduct {
    /// As it should.
    Good,
    /// Never.
    Hang,
    /// With a body that has no end.
    Endless,
    /// With a body of so many bytes, which it says beforehand.
    Long(u64),
    /// With this status and no body.
    Status(u16),
    /// With a redirect to itself.
    Loop,
    /// Its description names another issuer.
    Lie,
    /// Its description says that the keys are here.
    KeysAt(String),
    /// Its key set is this text.
    KeySet(String),
}

/// How often an issuer was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetches {
    /// For its description.
    pub discovery: u64,
    /// For its keys.
    pub keys: u64,
}

impl MockIssuer {
    /// Starts an issuer of this name, with these keys.
    pub async fn start(name: &str, keys: &[&Signer]) -> Self {
        let state = Arc::new(State {
            name: name.to_owned(),
            inner: Mutex::new(Inner {
                keys: Vec::new(),
                conduct: Conduct::Good,
                headers: Vec::new(),
            }),
            discovery: AtomicU64::new(0),
            keys: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        });
        let own = Arc::clone(&state);
        let service = tower::service_fn(move |request: Request<Incoming>| {
            let state = Arc::clone(&own);
            async move { Ok::<_, Infallible>(state.answer(request.uri().path()).await) }
        });
        let issuer = Self {
            server: HyperServer::start(service).await,
            state,
        };
        issuer.publish(keys);
        issuer
    }

    /// Where it really is, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url("")
    }

    /// Publishes these keys instead of those before.
    pub fn publish(&self, keys: &[&Signer]) {
        self.state.lock().keys = keys.iter().map(|key| key.jwk()).collect();
    }

    /// Answers in this way from now on.
    pub fn behave(&self, conduct: Conduct) {
        self.state.lock().conduct = conduct;
    }

    /// Sends this header with each answer.
    pub fn header(&self, name: &'static str, value: &str) {
        self.state.lock().headers.push((name, value.to_owned()));
    }

    /// How often it was asked.
    #[must_use]
    pub fn fetches(&self) -> Fetches {
        Fetches {
            discovery: self.state.discovery.load(Ordering::SeqCst),
            keys: self.state.keys.load(Ordering::SeqCst),
        }
    }

    /// How many bytes it has sent of endless bodies.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::SeqCst)
    }
}

impl State {
    async fn answer(self: Arc<Self>, path: &str) -> Response<Answer> {
        let discovery = path.ends_with("/.well-known/openid-configuration");
        match discovery {
            true => self.discovery.fetch_add(1, Ordering::SeqCst),
            false => self.keys.fetch_add(1, Ordering::SeqCst),
        };
        let (conduct, keys, headers) = {
            let inner = self.lock();
            (
                inner.conduct.clone(),
                inner.keys.clone(),
                inner.headers.clone(),
            )
        };
        let base = self.name.trim_end_matches('/');
        let (issuer, jwks_uri) = match &conduct {
            Conduct::Lie => ("https://another.example.com", format!("{base}/jwks")),
            Conduct::KeysAt(place) => (&*self.name, place.clone()),
            _ => (&*self.name, format!("{base}/jwks")),
        };
        let body = match &conduct {
            Conduct::Hang => std::future::pending().await,
            Conduct::Endless => Answer::Endless(Arc::clone(&self), None),
            Conduct::Long(bytes) => Answer::Endless(Arc::clone(&self), Some(*bytes)),
            Conduct::Status(_) | Conduct::Loop => Answer::from(String::new()),
            _ if discovery => {
                Answer::from(json!({"issuer": issuer, "jwks_uri": jwks_uri}).to_string())
            }
            Conduct::KeySet(text) => Answer::from(text.clone()),
            _ => Answer::from(json!({"keys": keys}).to_string()),
        };
        let mut response = Response::builder();
        for (name, value) in headers {
            response = response.header(name, value);
        }
        let response = match conduct {
            Conduct::Status(status) => response.status(status),
            Conduct::Loop => response.status(302).header("location", path),
            _ => response.header("content-type", "application/json"),
        };
        response.body(body).expect("an answer")
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that ends, or one that does not.
enum Answer {
    Text(Option<Bytes>),
    /// With the bytes that are left, if it has an end.
    Endless(Arc<State>, Option<u64>),
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self::Text(Some(text.into()).filter(|text: &Bytes| !text.is_empty()))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static BLANKS: [u8; 8192] = [b' '; 8192];
        Poll::Ready(match &mut *self {
            Self::Text(text) => text.take().map(|text| Ok(Frame::data(text))),
            Self::Endless(_, Some(0)) => None,
            Self::Endless(state, left) => {
                let most = BLANKS.len() as u64;
                let length = left.map_or(most, |left| left.min(most));
                if let Some(left) = left {
                    *left -= length;
                }
                state.sent.fetch_add(length, Ordering::SeqCst);
                let length = usize::try_from(length).expect("it is at most all blanks");
                Some(Ok(Frame::data(Bytes::from_static(&BLANKS[..length]))))
            }
        })
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
            Self::Endless(_, Some(left)) => SizeHint::with_exact(*left),
            Self::Endless(_, None) => SizeHint::default(),
        }
    }
}
