//! The functions that a gateway knows, by name.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use portcullis_client::Client;
use portcullis_core::{
    Body, BoxError, Function, FunctionError, FunctionErrorKind, FunctionFuture, FunctionReply,
    Invocation,
};
use tower_service::Service;

use crate::error::{ConfigError, escape};
use crate::function::remote::Remote;

/// The functions that integrations call, by name. Clones are one registry.
///
/// A name may have a version or an alias, `pets:prod`; a call for one that is not there goes to `pets`.
/// See the [crate docs](crate) for an example.
#[derive(Clone, Default)]
pub struct Functions {
    entries: Arc<HashMap<String, Entry>>,
}

#[derive(Clone)]
enum Entry {
    /// In this process: an asynchronous call is a task.
    Local(Arc<dyn Function>),
    Remote(Arc<Remote>),
    Service(Arc<dyn HttpFunction>),
}

type HttpFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

/// A function that takes the HTTP request itself.
pub(crate) trait HttpFunction: Send + Sync {
    fn call(&self, request: Request<Body>) -> HttpFuture;
}

struct HttpService<S>(S);

impl<S, ResBody> HttpFunction for HttpService<S>
where
    S: Service<Request<Body>, Response = Response<ResBody>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    ResBody: http_body::Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    fn call(&self, request: Request<Body>) -> HttpFuture {
        let mut service = self.0.clone();
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx))
                .await
                .map_err(Into::into)?;
            let response = service.call(request).await.map_err(Into::into)?;
            Ok(response.map(Body::new))
        })
    }
}

/// Builds [`Functions`].
#[derive(Clone, Default)]
#[must_use]
pub struct FunctionsBuilder {
    entries: HashMap<String, Entry>,
    urls: Vec<(String, String)>,
    client: Option<Client>,
}

impl Functions {
    /// Starts to build a registry.
    pub fn builder() -> FunctionsBuilder {
        FunctionsBuilder::default()
    }

    /// Whether there is a function of this name, with or without this qualifier.
    #[must_use]
    pub fn contains(&self, name: &str, qualifier: Option<&str>) -> bool {
        self.entry(name, qualifier).is_some()
    }

    fn entry(&self, name: &str, qualifier: Option<&str>) -> Option<&Entry> {
        let qualified =
            qualifier.and_then(|qualifier| self.entries.get(&format!("{name}:{qualifier}")));
        qualified.or_else(|| self.entries.get(name))
    }

    /// The service of this name, if it is one that takes HTTP requests.
    pub(crate) fn service(
        &self,
        name: &str,
        qualifier: Option<&str>,
    ) -> Option<Arc<dyn HttpFunction>> {
        match self.entry(name, qualifier)? {
            Entry::Service(service) => Some(Arc::clone(service)),
            Entry::Local(_) | Entry::Remote(_) => None,
        }
    }
}

impl Function for Functions {
    fn invoke(&self, invocation: Invocation) -> FunctionFuture {
        match self.entry(&invocation.name, invocation.qualifier.as_deref()) {
            Some(Entry::Local(function)) => {
                let call = function.invoke(invocation.clone());
                if invocation.asynchronous {
                    // Nobody waits for it, so its outcome is nobody's either.
                    tokio::spawn(call);
                    let mut accepted = FunctionReply::success(Bytes::new());
                    accepted.status = 202;
                    return Box::pin(async { Ok(accepted) });
                }
                call
            }
            Some(Entry::Remote(remote)) => remote.invoke(invocation),
            Some(Entry::Service(_)) => fail(
                FunctionErrorKind::Unreachable,
                format!(
                    "`{}` is an HTTP service and takes no events",
                    invocation.name
                ),
            ),
            None => fail(
                FunctionErrorKind::NotFound,
                format!("no function is attached as `{}`", invocation.name),
            ),
        }
    }
}

fn fail(kind: FunctionErrorKind, cause: String) -> FunctionFuture {
    let error = FunctionError::new(kind).with_source(cause);
    Box::pin(async move { Err(error) })
}

impl FunctionsBuilder {
    /// Attaches a function that gets events: a closure, say. A later one of the same name takes its place.
    pub fn function(self, name: impl Into<String>, function: impl Function) -> Self {
        self.insert(name, Entry::Local(Arc::new(function)))
    }

    /// Attaches a service that gets HTTP requests, without an event in between. Only proxy integrations can call it.
    ///
    /// The path of a request is the one that the route matched, without stage or base path.
    pub fn service<S, ResBody>(self, name: impl Into<String>, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<ResBody>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        ResBody: http_body::Body<Data = Bytes> + Send + 'static,
        ResBody::Error: Into<BoxError>,
    {
        self.insert(name, Entry::Service(Arc::new(HttpService(service))))
    }

    /// Attaches a function behind an endpoint that speaks the Invoke API of AWS Lambda: `POST {url}/2015-03-31/functions/{name}/invocations`.
    /// A URL with such a path is taken as the whole address. Requests are not signed.
    pub fn url(mut self, name: impl Into<String>, url: impl Into<String>) -> Self {
        self.urls.push((name.into(), url.into()));
        self
    }

    /// Attaches a function that always returns this JSON.
    pub fn mock(self, name: impl Into<String>, json: impl Into<serde_json::Value>) -> Self {
        let json = Bytes::from(json.into().to_string());
        self.function(name, move |_: Invocation| {
            let json = json.clone();
            async move { Ok(FunctionReply::success(json)) }
        })
    }

    /// Calls endpoints by this client, which only [`url`](Self::url) needs.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// The registry.
    ///
    /// # Errors
    ///
    /// If a URL is not an `http` or `https` address, or there is one and no client.
    pub fn build(mut self) -> Result<Functions, ConfigError> {
        for (name, url) in std::mem::take(&mut self.urls) {
            let field = format!("/functions/{}/url", escape(&name));
            let client = self.client.clone();
            let client = client.ok_or_else(|| ConfigError::new(&*field, "needs a client"))?;
            let remote = Remote::new(&url, client)
                .map_err(|fault| ConfigError::new(&*field, fault.to_string()))?;
            self.entries.insert(name, Entry::Remote(Arc::new(remote)));
        }
        Ok(Functions {
            entries: Arc::new(self.entries),
        })
    }

    fn insert(mut self, name: impl Into<String>, entry: Entry) -> Self {
        self.entries.insert(name.into(), entry);
        self
    }
}

impl fmt::Debug for FunctionsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls = self.urls.iter().map(|(name, _)| name);
        let mut names: Vec<_> = self.entries.keys().chain(urls).collect();
        names.sort_unstable();
        f.debug_tuple("FunctionsBuilder").field(&names).finish()
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.entries.keys().collect();
        names.sort_unstable();
        f.debug_tuple("Functions").field(&names).finish()
    }
}
