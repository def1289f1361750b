//! Who calls, told to what stands behind: in headers that no client can forge.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use portcullis_core::{RequestContext, Variable};
use serde_json::Value;
use tower_layer::Layer;
use tower_service::Service;

use crate::ConfigError;

/// Puts what an authorizer learned of the caller into request headers. It stands inside of the authorizer.
///
/// ```
/// use portcullis_auth::caller_headers::CallerHeadersLayer;
/// use portcullis_auth::jwt::{Issuer, JwtLayer};
/// use tower::ServiceBuilder;
///
/// let tokens = JwtLayer::new(Issuer::discover("https://id.example.com")?.audience("pets"));
/// let headers = CallerHeadersLayer::new()
///     .claim("x-user-id", "sub")?
///     .claim("x-user-email", "email")?
///     .variable("x-user-tier", "authorizer.tier")?; // of a custom authorizer
/// let stack = ServiceBuilder::new().layer(tokens).layer(headers);
/// # let _ = stack;
/// # Ok::<(), portcullis_auth::ConfigError>(())
/// ```
///
/// A header that a client sends under one of these names is taken out, whether there is a value of ours or not; so is one that differs only in
/// underscores and hyphens, which some servers take for the same. A list becomes text with commas between, an object JSON; what cannot stand in a header is left out.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CallerHeadersLayer {
    headers: Arc<Vec<(HeaderName, Source)>>,
}

#[derive(Clone, Debug)]
enum Source {
    /// As the token has it.
    Claim(Box<str>),
    /// As `$context` has it.
    Variable(Variable),
}

impl CallerHeadersLayer {
    /// A layer that sets nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets this header to the claim of this name.
    ///
    /// # Errors
    ///
    /// If it is no name of a header.
    pub fn claim(self, header: &str, claim: impl Into<String>) -> Result<Self, ConfigError> {
        self.set(header, Source::Claim(claim.into().into()))
    }

    /// Sets this header to a variable of `$context`, named without it: `authorizer.principalId`.
    ///
    /// # Errors
    ///
    /// If it is no name of a header, or there is no such variable.
    pub fn variable(self, header: &str, variable: &str) -> Result<Self, ConfigError> {
        let known = Variable::parse(variable).ok_or_else(|| {
            let problem = format!("`{variable}` is nothing in the context");
            ConfigError::new(
                "variable",
                problem,
                "name one such as `authorizer.principalId`",
            )
        })?;
        self.set(header, Source::Variable(known))
    }

    /// Does to the headers of a request what the layer's service does, where no layer can stand: takes out what the client sent, and puts in what `context` has.
    pub fn apply(&self, headers: &mut HeaderMap, context: &RequestContext) {
        put(&self.headers, headers, Some(context));
    }

    fn set(mut self, header: &str, source: Source) -> Result<Self, ConfigError> {
        let name = HeaderName::try_from(header).map_err(|_| {
            let problem = format!("`{header}` is no name of a header");
            ConfigError::new("header", problem, "name one such as `x-user-id`")
        })?;
        Arc::make_mut(&mut self.headers).push((name, source));
        Ok(self)
    }
}

impl<S> Layer<S> for CallerHeadersLayer {
    type Service = CallerHeaders<S>;

    fn layer(&self, inner: S) -> CallerHeaders<S> {
        CallerHeaders {
            inner,
            headers: Arc::clone(&self.headers),
        }
    }
}

/// The service of [`CallerHeadersLayer`].
#[derive(Clone)]
pub struct CallerHeaders<S> {
    inner: S,
    headers: Arc<Vec<(HeaderName, Source)>>,
}

impl<S, B> Service<Request<B>> for CallerHeaders<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let context = request.extensions().get::<RequestContext>().cloned();
        put(&self.headers, request.headers_mut(), context.as_ref());
        self.inner.call(request)
    }
}

fn put(own: &[(HeaderName, Source)], headers: &mut HeaderMap, context: Option<&RequestContext>) {
    strip(headers, own);
    let Some(context) = context else {
        return;
    };
    for (name, source) in own {
        if let Some(value) = source.value(context) {
            headers.insert(name, value);
        }
    }
}

/// Takes out what the client sent under these names, in any spelling.
fn strip(headers: &mut HeaderMap, own: &[(HeaderName, Source)]) {
    for (name, _) in own {
        headers.remove(name);
    }
    let same = |a: &str, b: &str| {
        let plain = |byte: u8| if byte == b'_' { b'-' } else { byte };
        a.len() == b.len() && a.bytes().map(plain).eq(b.bytes().map(plain))
    };
    while let Some(other) = headers
        .keys()
        .find(|found| {
            own.iter()
                .any(|(name, _)| same(name.as_str(), found.as_str()))
        })
        .cloned()
    {
        headers.remove(other);
    }
}

impl Source {
    fn value(&self, context: &RequestContext) -> Option<HeaderValue> {
        let value = match self {
            Self::Claim(name) => context.claims()?.get(name)?.clone(),
            Self::Variable(variable) => context.json(variable)?,
        };
        let text = match value {
            Value::Null => return None,
            Value::String(text) => text,
            Value::Array(items) => {
                let texts: Vec<String> = items.into_iter().map(plain).collect();
                texts.join(",")
            }
            value => value.to_string(),
        };
        let value = HeaderValue::try_from(text);
        if value.is_err() {
            tracing::debug!(source = ?self, "what is known of the caller cannot stand in a header");
        }
        value.ok()
    }
}

fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        value => value.to_string(),
    }
}

impl<S> fmt::Debug for CallerHeaders<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallerHeaders")
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
